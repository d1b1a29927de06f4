/**
 * From an intent to a receipt: a strategy's verb turns the intent into a payload, the store appends the operation, and the promise settles when
 * the operation is as safe as the caller asked. Whatever is refused is refused before anything exists.
 */
import { checkOptions } from '../../crdt/checked-options.ts'
import { hlcToMs, type Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Prepare, Verb } from '../../crdt/strategy.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { nestedWrite } from '../keys/key-refusals.ts'
import type { KeyStore } from './key-store.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { OPERATION_KIND } from '../operation/kinds.ts'
import { WRITE_OPTIONS, type Ack, type Receipt, type WriteOptions } from './receipt.ts'
import { Resident } from '../merge/resident.ts'

/** The key that a call is about. `slot` is undefined while the key does not exist. */
export interface Target {
  readonly key: string
  readonly keyspace: Keyspace
  readonly slot: Slot | undefined
}

export const NO_OPTIONS: WriteOptions = Object.freeze({})

class Preparing implements Prepare<unknown> {
  readonly replica: ReplicaId
  readonly sequence: number
  readonly #store: KeyStore
  readonly #target: Target
  /** The state of a key that does not exist yet, or begins another life. */
  fresh: Resident | undefined
  /** The operation's stamp, once it matters. */
  hlc: Hlc | undefined

  constructor(store: KeyStore, target: Target) {
    const lane = store.writerOf(target.keyspace)
    this.replica = lane.replica
    this.sequence = lane.sequence + 1
    this.#store = store
    this.#target = target
  }

  state(): unknown {
    const { slot, keyspace } = this.#target
    if (slot !== undefined && !this.#beginsLife(slot)) return this.#store.values.resident(slot).state
    this.fresh ??= new Resident(keyspace.strategy.initial(), 0)
    return this.fresh.state
  }

  #beginsLife(slot: Slot): boolean {
    if (this.#target.keyspace.lifeMs === 0) return false
    this.hlc ??= this.#store.clock.tick()
    return this.#store.values.isOver(slot, hlcToMs(this.hlc))
  }
}

type Prepared = Pick<Preparing, 'fresh' | 'hlc'>

const NOTHING_PREPARED: Prepared = { fresh: undefined, hlc: undefined }

export class Writer {
  readonly #store: KeyStore
  readonly #ack: Ack
  readonly #isPersistent: boolean
  writtenCount = 0

  constructor(store: KeyStore, ack: Ack | undefined) {
    this.#store = store
    this.#isPersistent = store.log.persistent
    this.#ack = ack ?? (this.#isPersistent ? 'logged' : 'memory')
    this.#checkAck(this.#ack)
  }

  /** Runs a verb and writes what it gives. */
  verb(target: Target, verb: Verb<unknown>, parameters: readonly unknown[], options: WriteOptions): Promise<Receipt> {
    try {
      this.#check(options)
      const preparing = new Preparing(this.#store, target)
      const payload = this.#prepare(target, verb, preparing, parameters)
      if (payload === undefined) return this.#unchanged(target, options)
      return this.#append(target, payload, preparing, options)
    } catch (error) {
      return rejected(error)
    }
  }

  delete(target: Target, options: WriteOptions): Promise<Receipt> {
    try {
      this.#check(options)
      if (target.keyspace.strategy.deletes === 'refused') throw deleteRefused(target)
      if (target.slot === undefined) return this.#unchanged(target, options)
      return this.#append(target, undefined, NOTHING_PREPARED, options)
    } catch (error) {
      return rejected(error)
    }
  }

  #prepare(target: Target, verb: Verb<unknown>, preparing: Preparing, parameters: readonly unknown[]): unknown {
    try {
      // Spreading costs as much as the rest of a short verb, and most verbs take one parameter.
      const payload = parameters.length === 1 ? verb(preparing, parameters[0]) : verb(preparing, ...parameters)
      // If the verb has written elsewhere meanwhile, what it made may name a dot that is taken now.
      if (preparing.sequence !== this.#store.writerOf(target.keyspace).sequence + 1) throw nestedWrite(target.key)
      return payload
    } catch (error) {
      this.#forgetPrepared(target)
      throw error
    }
  }

  /** Appends an update, or without a payload a delete. */
  #append(target: Target, payload: unknown, { fresh, hlc }: Prepared, options: WriteOptions): Promise<Receipt> {
    const store = this.#store
    const { key, keyspace, slot: known } = target
    const kind = payload === undefined ? OPERATION_KIND.delete : OPERATION_KIND.update
    let slot: Slot
    try {
      slot = store.append({ key, keyspace, slot: known, kind, payload, hlc })
    } catch (error) {
      this.#forgetPrepared(target)
      throw error
    }
    this.writtenCount++
    if (keyspace.strategy.appliesOnPrepare === true && payload !== undefined) {
      if (fresh !== undefined) store.values.adopt(slot, fresh)
      store.values.markFolded(slot)
    }
    const lane = store.writerOf(keyspace)
    const dot = { replica: lane.replica, sequence: lane.sequence }
    const version = store.keys.version[slot]!
    const ack = options.ack ?? this.#ack
    if (ack === 'memory' || !this.#isPersistent) return Promise.resolve({ dot, version, ack: 'memory' })
    const settled = store.log.settled(ack).then(() => ({ dot, version, ack }))
    return options.signal === undefined ? settled : abortable(settled, options.signal)
  }

  /** A verb that works on the state itself may have changed it halfway: it is folded again. */
  #forgetPrepared({ slot, keyspace }: Target): void {
    if (slot !== undefined && keyspace.strategy.appliesOnPrepare === true) this.#store.values.drop(slot)
  }

  /** Nothing had to be written: what that rests on is as safe as was asked for when the promise settles. */
  #unchanged({ slot }: Target, options: WriteOptions): Promise<Receipt> {
    const version = slot === undefined ? 0 : this.#store.keys.version[slot]!
    const ack = options.ack ?? this.#ack
    const receipt = { dot: undefined, version, ack }
    if (ack === 'memory' || !this.#isPersistent) return Promise.resolve(receipt)
    const settled = this.#store.log.settled(ack).then(() => receipt)
    return options.signal === undefined ? settled : abortable(settled, options.signal)
  }

  #check(options: WriteOptions): void {
    this.#store.assertOpen()
    if (options === NO_OPTIONS) return
    checkOptions('write', options, WRITE_OPTIONS)
    if (options.ack !== undefined) this.#checkAck(options.ack)
    if (options.signal?.aborted === true) throw aborted(options.signal, 'failed')
  }

  #checkAck(ack: Ack): void {
    if (ack !== 'memory' && ack !== 'logged' && ack !== 'durable') {
      throw new WarpError('WARP_E_CONFIG', `ack is '${String(ack)}'; use 'memory', 'logged' or 'durable'`)
    }
    if (ack === 'memory' || this.#isPersistent) return
    throw new WarpError(
      'WARP_E_CONFIG',
      `ack '${ack}' needs a log that outlives the process; this one is in memory; use fileLog()`,
    )
  }
}

/** What a caller's function threw may be anything. */
export function rejected(error: unknown): Promise<never> {
  return Promise.reject(
    error instanceof Error ? error : new Error('something was thrown that is no Error', { cause: error }),
  )
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const give = (): void => reject(aborted(signal, 'indeterminate'))
    signal.addEventListener('abort', give, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', give))
  })
}

function aborted(signal: AbortSignal, outcome: 'failed' | 'indeterminate'): WarpError {
  const what = outcome === 'failed' ? 'nothing was written' : 'the operation is in the log, only the waiting ended'
  return new WarpError('WARP_E_ABORTED', `the write was given up; ${what}`, { cause: signal.reason, outcome })
}

function deleteRefused({ key, keyspace }: Target): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `'${key}' cannot be deleted: its strategy '${keyspace.strategy.kind}' does not allow it`,
    {
      details: { key, strategy: keyspace.strategy.kind },
    },
  )
}
