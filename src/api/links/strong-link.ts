/**
 * What joins an engine to its ordered log: opens it, hands strong writes to it, has strong reads wait
 * for it, and lets go of it.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { FeedCheckpoints } from '../../log/feed/feed-checkpoints.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { isOrderedId, ORDERED_PLACES } from '../../operation/names/ordered-id.ts'
import type { Env } from '../../ports/env.ts'
import type { OrderedLog } from '../../ports/ordered-log.ts'
import type { ReadOptions } from '../../store/write-road/receipt.ts'
import type { Writer } from '../../store/write-road/writer.ts'
import type { ReplicaLocks } from '../../strong/locks/replica-locks.ts'
import type { WholeState } from '../../strong/snapshots/install-partition.ts'
import type { StrongCalls } from '../../strong/strong-calls.ts'
import type { StrongEvent, StrongKeys } from '../../strong/strong-keys.ts'
import type { Transactions } from '../../strong/transactions/transactions.ts'
import { errorOf } from '../../strong/verdict.ts'
import { missingPart } from '../missing-parts.ts'
import type { StrongLimits } from '../open-options.ts'
import type { StrongPart } from '../parts.ts'
import type { Capabilities, Resolution } from '../public.ts'

export interface StrongLinkOptions {
  readonly engine: { readonly store: KeyStore; readonly feeds: FeedCheckpoints; readonly whole: WholeState }
  readonly writer: Writer
  readonly env: Env
  readonly part: StrongPart | undefined
  readonly order: OrderedLog | undefined
  readonly limits: StrongLimits
  readonly observe: (event: StrongEvent) => void
  /** What people call this replica. */
  readonly name: string | undefined
  /** There are other replicas. */
  readonly isReplicated: boolean
}

type StrongCapabilities = Pick<Capabilities, 'modes' | 'compareAndSet' | 'linearizable' | 'locks' | 'order'>

export class StrongLink {
  readonly #options: StrongLinkOptions
  #keys: StrongKeys | undefined
  #calls: StrongCalls | undefined
  #transactions: Transactions | undefined
  #locks: ReplicaLocks | undefined

  constructor(options: StrongLinkOptions) {
    this.#options = options
  }

  /** Whether an ordered log decides about some keys. */
  get isThere(): boolean {
    return this.#keys !== undefined
  }

  /** `undefined` without an ordered log. */
  get keys(): StrongKeys | undefined {
    return this.#keys
  }

  /** Why strong keys are refused or stand still; `undefined` if they are well, or there are none. */
  get trouble(): WarpError | undefined {
    if (this.#keys?.isConnected === false) return disconnected()
    return this.#keys?.trouble
  }

  /** Compare-and-set and its kin. Throws `WARP_E_CONFIG` where the engine was opened without that part. */
  get calls(): StrongCalls {
    if (this.#calls === undefined) throw missingPart('strong', 'compareAndSet')
    return this.#calls
  }

  /** Throws `WARP_E_CONFIG` as `calls` does. */
  get transactions(): Transactions {
    if (this.#transactions === undefined) throw missingPart('strong', 'transaction')
    return this.#transactions
  }

  /** Throws `WARP_E_LINEARIZABLE_UNSUPPORTED` where there are other replicas, and nobody orders. */
  locks(call: string): ReplicaLocks {
    if (this.#locks !== undefined) return this.#locks
    const { part, env, name, isReplicated } = this.#options
    if (part === undefined) throw missingPart('strong', call)
    if (this.#keys === undefined && isReplicated) throw nobodyOrders(call)
    this.#locks = new part.locks({ env, name, desk: this.#keys ?? new part.lockDesk(env) })
    return this.#locks
  }

  /** Nobody waits for a lock any more, and none is held. */
  endLocks(error: WarpError): void {
    this.#locks?.close(error)
  }

  /** Throws what opening the ordered log throws. */
  async open(): Promise<void> {
    const { engine, writer, part, order, env, limits, observe } = this.#options
    const { store, feeds, whole } = engine
    checkModes(store, feeds)
    if (part === undefined) {
      if (order !== undefined) throw missingPart('strong', 'order')
      return
    }
    const given = { store, feeds, env, observe, whole, ...limits }
    const keys = order === undefined ? undefined : await part.keys.open({ order, ...given })
    this.#keys = keys
    const strong = keys === undefined ? undefined : { keys, writer: new part.writer(keys, writer.acknowledger) }
    writer.strong = strong?.writer
    this.#calls = new part.calls({ store, writer, strong })
    this.#transactions = new part.transactions({ store, writer, strong })
  }

  /**
   * Settles when a key may be read as the caller asked. `undefined`: at once. Throws
   * `WARP_E_LINEARIZABLE_UNSUPPORTED`.
   */
  readable(key: string, keyspace: Keyspace, options: ReadOptions | undefined): Promise<void> | undefined {
    if (keyspace.mode !== 'strong') {
      if (options?.consistency === 'linearizable' && keyspace.mode !== 'local') throw notLinearizable(key, keyspace)
      return undefined
    }
    return options?.consistency === 'stale' ? undefined : this.calls.passed(key, options?.signal)
  }

  async resolve(write: Dot | WarpError, signal: AbortSignal | undefined): Promise<Resolution> {
    if (this.#keys === undefined)
      throw new WarpError(
        'WARP_E_CONFIG',
        'resolve asks the ordered log, and none is configured; give openWarp({ order }); ' +
          'what is written to other keys is known when its promise settles',
      )
    const verdict = await this.#keys.resolve(write, signal)
    if (verdict === undefined) return { kind: 'forgotten' }
    return verdict.kind === 'done' ? { kind: 'ok' } : { kind: 'failed', error: errorOf(verdict) }
  }

  capabilities(hasTransports: boolean): StrongCapabilities {
    const { order } = this.#options
    if (order === undefined || this.#keys === undefined) {
      const locks = hasTransports ? 'refused' : 'process'
      return { modes: ['local', 'eventual'], compareAndSet: ['local'], linearizable: ['local'], locks }
    }
    const decided = ['local', 'strong'] as const
    return {
      ...{ modes: ['local', 'eventual', 'strong'], compareAndSet: decided, linearizable: decided, locks: 'cluster' },
      order: { name: order.name, ...this.#keys.promises },
    }
  }

  /** A pattern has been registered. */
  retry(): void {
    this.#keys?.retry()
  }

  async close(): Promise<void> {
    await this.#keys?.close(new WarpError('WARP_E_CLOSED', 'this Warp has been closed; open it again'))
  }
}

/** Throws `WARP_E_CONFIG` for a key that was strong and is not any more, or the other way round. */
function checkModes({ keys, keyspaces }: KeyStore, feeds: FeedCheckpoints): void {
  const wasOrdered = feeds.list().some(({ name }) => name.startsWith(ORDERED_PLACES))
  // Of most logs no key has to be looked at.
  if (!wasOrdered && !keyspaces.list.some(({ mode }) => mode === 'strong')) return
  for (const slot of keys.occupied()) {
    const tip = keys.tipReplica[slot]
    const { pattern, mode } = keyspaces.list[keys.keyspace[slot]!] as Keyspace
    if (tip === undefined || pattern === '' || isOrderedId(tip) === (mode === 'strong')) continue
    const key = keys.keys[slot] as string
    const [was, remedy] = mode === 'strong' ? ['other than strong', "'local' or 'eventual'"] : ['strong', "'strong'"]
    throw new WarpError(
      'WARP_E_CONFIG',
      `'${key}' was written in a mode ${was}, and '${pattern}' has mode '${mode}'; use ${remedy} as before, or write ` +
        'the values to keys of another pattern',
      { details: { key, pattern } },
    )
  }
}

function nobodyOrders(call: string): WarpError {
  return new WarpError(
    'WARP_E_LINEARIZABLE_UNSUPPORTED',
    `${call} needs somebody who orders, and transports that only spread messages cannot; ` +
      'give openWarp({ order }), such as natsOrderedLog(…); a single replica without transports needs nothing',
  )
}

function disconnected(): WarpError {
  return new WarpError('WARP_E_TRANSPORT', 'the ordered log does not answer')
}

function notLinearizable(key: string, { pattern }: Keyspace): WarpError {
  return new WarpError(
    'WARP_E_LINEARIZABLE_UNSUPPORTED',
    `'${key}' is to be read linearizably, and '${pattern}' has mode 'eventual'; use mode 'strong', or leave ` +
      'consistency out',
    { details: { key, pattern } },
  )
}
