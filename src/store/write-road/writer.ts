/**
 * The write road in three steps: *prepare* turns an intent into a draft (prepare.ts), *submit*
 * appends it to the log so that it enters its key (key-store.ts), *settle* waits until the
 * operation is as safe as the caller asked (acknowledger.ts). Whatever is refused is refused before
 * anything exists.
 */
import { checkOptions } from '../../../crdt/checked-options.ts'
import { shownKind, shownValue } from '../../../crdt/shown-kind.ts'
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { Hlc } from '../../../crdt/time/hlc.ts'
import type { Verb } from '../../../crdt/strategy.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { toPayload } from '../../../crdt/encoding/payload.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { Domain } from '../../keys/domain.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import { checkedLife } from '../../operation/envelope/operation-fields.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import { INSTRUMENTS } from '../../ports/instrument-catalogue.ts'
import type { Recorder } from '../../ports/recorder.ts'
import { aborted, Acknowledger } from './acknowledger.ts'
import type { Draft } from './draft.ts'
import { nestedWrite } from '../../keys/key-refusals.ts'
import type { KeyStore, ThroughWrite } from '../key-store.ts'
import { renew } from './renewals.ts'
import { forgetPrepared, prepare, Preparation, setOf } from './prepare.ts'
import { FoldFirst, type Target } from './target.ts'
import type { StrongChange, StrongWrites } from './strong-write.ts'
import { copiesOf, writeInSteps } from './write-in-steps.ts'
import {
  SETTLE_OPTIONS,
  WRITE_OPTIONS,
  type Ack,
  type Receipt,
  type SettleOptions,
  type Settlement,
  type WriteOptions,
} from './receipt.ts'

export type { Target }

export const NO_OPTIONS: WriteOptions = Object.freeze({})

/** One of the keys of a `setAll`, with its value. */
export interface Setting {
  readonly target: Target
  readonly value: unknown
}

/** One of several writes that are made as one. */
export interface Intent {
  readonly target: Target
  /** Absent: the key is deleted. */
  readonly verb?: Verb<unknown> | undefined
  readonly parameters: readonly unknown[]
  /** 0: as the key's pattern says. */
  readonly lifeMs: number
}

interface Prepared extends Intent {
  readonly preparation: Preparation
  readonly payload: unknown
  /** `undefined` if nothing has to be written. */
  readonly kind: number | undefined
}

type LeftBehind = Pick<Preparation, 'fresh' | 'hlc'>

const NOTHING_PREPARED: LeftBehind = { fresh: undefined, hlc: undefined }
const NOT_WAITED_FOR = Object.freeze({ ack: 'none' })
/** What it costs to have a write stored, in operations that are not. */
const OPERATIONS_PER_FLUSH = 16
/** No operation had to be written. */
const UNCHANGED = -1

export class Writer {
  readonly acknowledger: Acknowledger
  /** Writes to keys whose store decides first. */
  through: ((write: ThroughWrite<Receipt>, keyspace: Keyspace) => Promise<Receipt>) | undefined
  /** Writes to strong keys. */
  strong: StrongWrites | undefined
  readonly #store: KeyStore
  readonly #recorder: Recorder | undefined
  writtenCount = 0

  constructor(store: KeyStore, ack: Ack | undefined, recorder?: Recorder) {
    this.#recorder = recorder
    this.#store = store
    this.acknowledger = new Acknowledger(store.log, ack)
  }

  /** Runs a verb and writes what it gives. */
  verb(target: Target, verb: Verb<unknown>, parameters: readonly unknown[], options: WriteOptions): Promise<Receipt> {
    try {
      this.#check(target.keyspace, options)
      if (target.keyspace.mode === 'strong') return this.#strongVerb(target, verb, parameters, options)
      if (isThrough(target.keyspace)) return this.#verbThrough(target, verb, parameters, options)
      if (!this.#isAwaited(target.key)) return this.#verbNow(target, verb, parameters, options)
    } catch (error) {
      if (!(error instanceof FoldFirst)) return this.#rejected(error)
    }
    const given = copiesOf(parameters)
    return this.#later([target.key], options, ([now]) => this.#verbNow(now as Target, verb, given, options))
  }

  /** Runs `set`. What is written to most keys is the value of a register, which needs no verb. */
  // eslint-disable-next-line max-params -- once per write, and a target has a shape for each strategy
  set(
    key: string,
    keyspace: Keyspace,
    known: Slot | undefined,
    value: unknown,
    options: WriteOptions,
  ): Promise<Receipt> {
    try {
      this.#check(keyspace, options)
      if (!this.#isPlain(keyspace, known)) {
        const target = { key, keyspace, slot: known }
        return this.verb(target, setOf(target), [value], options)
      }
      const slot = this.#submitSet(key, keyspace, known, value, lifeOf(options))
      return this.#settle(keyspace, slot, options)
    } catch (error) {
      return this.#rejected(error)
    }
  }

  delete(target: Target, options: WriteOptions): Promise<Receipt> {
    try {
      this.#check(target.keyspace, options)
      if (options.ttlMs !== undefined) throw deletedFor(target)
      if (target.keyspace.strategy.deletes === 'refused') throw deleteRefused(target)
      if (target.keyspace.mode === 'strong') return this.#strongWrite({ ...target, parameters: [] }, options)
      if (isThrough(target.keyspace)) return this.#deleteThrough(target, options)
      if (!this.#isAwaited(target.key)) return this.#deleteNow(target, options)
      return this.#later([target.key], options, ([now]) => this.#deleteNow(now as Target, options))
    } catch (error) {
      return this.#rejected(error)
    }
  }

  /** Begins the life of a key anew, on all replicas, if that is worth an operation. */
  touch(target: Target, options: WriteOptions): Promise<Receipt> {
    try {
      this.#check(target.keyspace, options)
      if (options.ttlMs !== undefined) throw touchedFor(target)
      if (target.keyspace.mode === 'strong') throw strongNot('touch', target.key)
      if (!renew(this.#store, target)) return this.#unchanged(target, options)
      this.writtenCount++
      return this.#settle(target.keyspace, target.slot as Slot, options)
    } catch (error) {
      return this.#rejected(error)
    }
  }

  /** The store decides first. */
  #verbThrough(
    target: Target,
    verb: Verb<unknown>,
    parameters: readonly unknown[],
    options: WriteOptions,
  ): Promise<Receipt> {
    // They are looked at later, perhaps.
    const given = copiesOf(parameters)
    return this.#writeThrough(target, options, OPERATION_KIND.update, () => {
      const now = this.#now(target)
      const preparation = new Preparation(this.#store, now)
      const payload = prepare(this.#store, now, verb, { preparation, parameters: given })
      return payload === undefined ? undefined : { payload }
    })
  }

  #strongVerb(
    { key, keyspace }: Target,
    verb: Verb<unknown>,
    parameters: readonly unknown[],
    options: WriteOptions,
  ): Promise<Receipt> {
    return this.#strongWrite({ key, keyspace, verb: verbName(keyspace, verb), parameters }, options)
  }

  #strongWrite(change: StrongChange, options: WriteOptions): Promise<Receipt> {
    return this.#strongAllOf([change], options).then(([receipt]) => receipt as Receipt)
  }

  #strongAll(settings: readonly Setting[], options: WriteOptions): Promise<Receipt[]> {
    const changes = settings.map(({ target, value }) => {
      const { key, keyspace } = target
      return { key, keyspace, verb: verbName(keyspace, setOf(target)), parameters: [toPayload(value, 'setMany')] }
    })
    return this.#strongAllOf(changes, options).then((receipts) => [...receipts])
  }

  /** The ordered log decides, and the operations enter when it has. */
  #strongAllOf(changes: readonly StrongChange[], options: WriteOptions): Promise<readonly Receipt[]> {
    const store = this.#store
    const [first] = changes
    if (first !== undefined && store.refusesWrites) throw nestedWrite(first.key)
    this.writtenCount += changes.length
    return store.turns.after((this.strong as StrongWrites).write(changes, options))
  }

  #deleteThrough(target: Target, options: WriteOptions): Promise<Receipt> {
    return this.#writeThrough(target, options, OPERATION_KIND.delete, () => ({ payload: undefined }))
  }

  #writeThrough(
    target: Target,
    options: WriteOptions,
    kind: number,
    make: () => { readonly payload: unknown } | undefined,
  ): Promise<Receipt> {
    const { key, keyspace } = target
    const store = this.#store
    if (store.refusesWrites) throw nestedWrite(key)
    let payload: unknown
    const write: ThroughWrite<Receipt> = {
      ...{ key, kind, signal: options.signal },
      prepare: () => {
        store.assertOpen()
        const made = make()
        payload = made?.payload
        return made
      },
      unchanged: () => this.#unchanged(this.#now(target), options),
      enter: ({ hlc, fields }) => {
        const { slot } = this.#now(target)
        const entered = store.append({ key, keyspace, slot, kind, payload, hlc, fields, lifeMs: lifeOf(options) })
        this.writtenCount++
        return this.#settle(keyspace, entered, options)
      },
    }
    return store.turns.after((this.through as NonNullable<typeof this.through>)(write, keyspace))
  }

  #now({ key, keyspace }: Target): Target {
    return { key, keyspace, slot: this.#store.keys.find(key) }
  }

  /** Throws what is refused, and `FoldFirst`. */
  #verbNow(
    target: Target,
    verb: Verb<unknown>,
    parameters: readonly unknown[],
    options: WriteOptions,
  ): Promise<Receipt> {
    const slot = this.#submitVerb(target, verb, parameters, lifeOf(options), this.#canWait)
    return slot === UNCHANGED ? this.#unchanged(target, options) : this.#settle(target.keyspace, slot, options)
  }

  #deleteNow(target: Target, options: WriteOptions): Promise<Receipt> {
    // What has no slot may have copies all the same, where the truth is elsewhere.
    if (target.slot === undefined && target.keyspace.source === undefined) return this.#unchanged(target, options)
    return this.#settle(target.keyspace, this.#submit(target, undefined, NOTHING_PREPARED), options)
  }

  /** Code that may not write is told so at once. */
  get #canWait(): boolean {
    return !this.#store.refusesWrites
  }

  /** Whether a write of the key waits, so that others wait behind it. */
  #isAwaited(key: string): boolean {
    const { waiting } = this.#store
    return !waiting.isEmpty && this.#canWait && waiting.has(key)
  }

  #later<Result>(
    keys: readonly string[],
    { signal }: WriteOptions,
    make: (targets: readonly Target[]) => Promise<Result>,
  ): Promise<Result> {
    const check = (): void => {
      if (signal?.aborted === true) throw aborted(signal, 'failed')
    }
    return writeInSteps(this.#store, keys, { check, make })
  }

  /**
   * Writes what `set` gives, without waiting for anything: the value is to be seen when the call
   * returns. Returns the operation's dot, `undefined` if nothing had to be written. Throws what
   * `set` rejects with.
   */

  write(key: string, keyspace: Keyspace, known: Slot | undefined, value: unknown): Dot | undefined {
    this.#store.assertOpen()
    if (isThrough(keyspace)) throw waitsForStore('write', key)
    if (keyspace.mode === 'strong') throw strongNot('write', key)
    if (this.#submitSet(key, keyspace, known, value, 0) === UNCHANGED) return undefined
    this.#recorder?.add(INSTRUMENTS.writes, 1, NOT_WAITED_FOR)
    return this.#lastDot(keyspace)
  }

  /**
   * Runs a verb, or without one deletes the key, without waiting for anything. Returns whether anything
   * was written. Throws what is refused, and `FoldFirst`, also where a write of the key waits.
   */
  writeNow(target: Target, verb: Verb<unknown> | undefined, parameters: readonly unknown[], lifeMs = 0): boolean {
    this.#store.assertOpen()
    if (this.#isAwaited(target.key)) throw new FoldFirst(target.key)
    if (verb === undefined && target.keyspace.strategy.deletes === 'refused') throw deleteRefused(target)
    if (verb === undefined) this.#submit(target, undefined, NOTHING_PREPARED)
    else if (this.#submitVerb(target, verb, parameters, lifeMs, this.#canWait) === UNCHANGED) return false
    this.#recorder?.add(INSTRUMENTS.writes, 1, NOT_WAITED_FOR)
    return true
  }

  /**
   * Sets several keys of one domain: all of them or, if one is refused, none, here and after a
   * crash. Readers and subscribers see all at once. Throws at once what is refused; the promise is
   * the acknowledgement of all.
   */
  setAll(settings: readonly Setting[], options: WriteOptions): Promise<Receipt[]> {
    try {
      for (const { target } of settings) {
        this.#check(target.keyspace, options)
        if (isThrough(target.keyspace)) throw waitsForStore('setMany', target.key)
      }
      checkOneDomain(settings)
      if (settings[0]?.target.keyspace.mode === 'strong') return this.#strongAll(settings, options)
      if (!settings.some(({ target }) => this.#isAwaited(target.key))) return this.#setAllNow(settings, options)
    } catch (error) {
      if (!(error instanceof FoldFirst)) return this.#rejected(error)
    }
    const given = copiesOf(settings.map(({ value }) => value))
    const keys = settings.map(({ target }) => target.key)
    return this.#later(keys, options, (targets) => {
      const now = targets.map((target, i) => ({ target, value: given[i] }))
      return this.#setAllNow(now, options)
    })
  }

  #setAllNow(settings: readonly Setting[], options: WriteOptions): Promise<Receipt[]> {
    const lifeMs = lifeOf(options)
    const intents = settings.map(({ target, value }) => ({
      ...{ target, lifeMs, verb: setOf(target), parameters: [value] },
    }))
    return this.#writeAllNow(intents, options)
  }

  /**
   * Makes several writes in this turn, each of another key of one domain: all of them or, if one is
   * refused, none, as `setAll` does. Throws what is refused, and `FoldFirst`; the promise is the
   * acknowledgement of all.
   */
  together(intents: readonly Intent[], options: WriteOptions): Promise<Receipt[]> {
    for (const { target, verb } of intents) {
      this.#check(target.keyspace, options)
      if (verb === undefined && target.keyspace.strategy.deletes === 'refused') throw deleteRefused(target)
    }
    checkOneDomain(intents)
    return this.#writeAllNow(intents, options, true)
  }

  #writeAllNow(intents: readonly Intent[], options: WriteOptions, isTransaction = false): Promise<Receipt[]> {
    const store = this.#store
    const prepared: Prepared[] = []
    let slots: readonly Slot[] = []
    try {
      // The past has a transaction at one moment or not at all.
      this.#prepareAll(intents, prepared, isTransaction ? store.clock.ticks(intents.length) : undefined)
      const drafts = draftsOf(prepared)
      slots = isTransaction ? store.appendTransaction(drafts) : store.appendAll(drafts)
    } catch (error) {
      for (const { target } of prepared) forgetPrepared(store, target)
      throw error
    }
    return this.#settleAll(prepared, slots, options)
  }

  /**
   * Settles when an operation of this replica is as safe as asked; if it was issued again meanwhile,
   * as it is now. Rejects with `WARP_E_CONFIG` for
   * a dot that is none of its own.
   */
  settled(dot: Dot, options: SettleOptions): Promise<Settlement> {
    try {
      this.#store.assertOpen()
      checkOptions('settled', options, SETTLE_OPTIONS)
      const { signal } = options
      const wish = { ack: options.ack ?? this.acknowledger.ackDefault, acks: options.acks }
      this.acknowledger.checkAck(wish.ack)
      checkDot(dot)
      const writer = this.#store.writers.ofDot(dot)
      if (writer === undefined) throw notOwn(dot)
      const present = writer.presentName(dot)
      if (wish.acks !== undefined) {
        this.acknowledger.checkAcks(wish.acks, writer.domain)
        if (present === undefined) throw givenUp(dot)
      }
      if (signal?.aborted === true) throw aborted(signal, 'indeterminate')
      return this.#store.turns.after(this.#timed(wish.ack, this.acknowledger.settled(present ?? dot, wish, signal)))
    } catch (error) {
      return this.#rejected(error)
    }
  }

  /** For code that may only read. */
  refuseNested(key: string): never {
    throw nestedWrite(key)
  }

  /** Whether what is written needs no verb, and nobody else's strategy can be in the way. */
  #isPlain({ isRegister, code }: Keyspace, known: Slot | undefined): boolean {
    return isRegister && (known === undefined || this.#store.keys.strategy[known] === code)
  }

  // eslint-disable-next-line max-params -- as `set`
  #submitSet(key: string, keyspace: Keyspace, known: Slot | undefined, value: unknown, lifeMs: number): Slot {
    if (!this.#isPlain(keyspace, known)) {
      const target = { key, keyspace, slot: known }
      return this.#submitVerb(target, setOf(target), [value], lifeMs)
    }
    const slot = this.#store.appendValue(key, keyspace, known, toPayload(value, 'set'), lifeMs)
    this.writtenCount++
    return slot
  }

  // eslint-disable-next-line max-params -- as `set`
  #submitVerb(target: Target, verb: Verb<unknown>, parameters: readonly unknown[], lifeMs = 0, canWait = false): Slot {
    const preparation = new Preparation(this.#store, target, { canWait })
    const payload = prepare(this.#store, target, verb, { preparation, parameters })
    return payload === undefined ? UNCHANGED : this.#submit(target, payload, preparation, lifeMs)
  }

  /** Appends an update, or without a payload a delete. */
  #submit(target: Target, payload: unknown, { fresh, hlc }: LeftBehind, lifeMs = 0): Slot {
    const store = this.#store
    const { key, keyspace, slot: known } = target
    const kind = payload === undefined ? OPERATION_KIND.delete : OPERATION_KIND.update
    const before = known === undefined ? 0 : store.keys.head[known]!
    let slot: Slot
    try {
      slot = store.append({ key, keyspace, slot: known, kind, payload, hlc, lifeMs })
    } catch (error) {
      forgetPrepared(store, target)
      throw error
    }
    this.writtenCount++
    if (payload === undefined) return slot
    const { appliesOnPrepare = false, appliesAsWritten = false } = keyspace.strategy
    if (!appliesOnPrepare && !appliesAsWritten) return slot
    if (fresh !== undefined) {
      fresh.bytes = store.encodedBytes
      store.values.adopt(slot, fresh)
    }
    if (appliesOnPrepare) store.values.markFolded(slot)
    else store.values.applyWritten(slot, payload, before)
    return slot
  }

  #prepareAll(intents: readonly Intent[], prepared: Prepared[], firstStamp: Hlc | undefined): void {
    const store = this.#store
    let ahead = 0
    for (const [i, intent] of intents.entries()) {
      const { target, verb, parameters } = intent
      const preparation = new Preparation(store, target, { ahead, canWait: this.#canWait })
      // Stamps ascend with the numbers, also where a verb needs its stamp before the others have
      // theirs.
      preparation.hlc = firstStamp === undefined ? store.clock.tick() : firstStamp + i
      const payload = verb === undefined ? undefined : prepare(store, target, verb, { preparation, parameters })
      const kind = kindOf(intent, payload)
      prepared.push({ ...intent, preparation, payload, kind })
      if (kind !== undefined) ahead++
    }
  }

  #settleAll(prepared: readonly Prepared[], slots: readonly Slot[], options: WriteOptions): Promise<Receipt[]> {
    const store = this.#store
    this.writtenCount += slots.length
    let written = 0
    const receipts = prepared.map(({ target, preparation, payload, kind }) => {
      if (kind === undefined) return { dot: undefined, version: this.#versionOf(target.slot) }
      const slot = slots[written++] as Slot
      if (target.keyspace.strategy.appliesOnPrepare === true && payload !== undefined) {
        if (preparation.fresh !== undefined) store.values.adopt(slot, preparation.fresh)
        store.values.markFolded(slot)
      }
      const { replica, sequence } = preparation
      return { dot: { replica, sequence }, version: this.#versionOf(slot) }
    })
    const [first] = prepared
    if (first === undefined) return store.turns.settled([])
    const wish = this.#wish(options)
    this.#recorder?.add(INSTRUMENTS.writes, slots.length, { ack: wish.ack })
    const settled = this.acknowledger.settled(this.#lastDot(first.target.keyspace), wish, options.signal)
    return store.turns.after(
      this.#timed(wish.ack, settled).then((reached) => receipts.map((receipt) => ({ ...receipt, ...reached }))),
    )
  }

  /** The operation has just been written. */
  #settle(keyspace: Keyspace, slot: Slot, options: WriteOptions): Promise<Receipt> {
    const { turns } = this.#store
    const writer = this.#store.writerOf(keyspace)
    const dot = { replica: writer.replica, sequence: writer.sequence }
    const version = this.#store.keys.version[slot]!
    const ack = options.ack ?? this.acknowledger.ackDefault
    this.#recorder?.add(INSTRUMENTS.writes, 1, { ack })
    if (this.#store.clock.aheadMs > 0) return this.#settleAhead({ dot, version }, ack, options)
    if (options.acks === undefined && options.signal === undefined) {
      if (this.acknowledger.isReached(ack)) return turns.settled({ dot, version, ack: 'memory' })
      turns.spend(OPERATIONS_PER_FLUSH, 0)
      return turns.after(this.#timed(ack, this.acknowledger.logged(ack)).then(() => ({ dot, version, ack })))
    }
    const settled = this.acknowledger.settled(dot, { ack, acks: options.acks }, options.signal)
    return turns.after(this.#timed(ack, settled).then((reached) => ({ dot, version, ...reached })))
  }

  /** As `#settle`, and the receipt says that the stamp leads the clock. */
  #settleAhead(written: Pick<Receipt, 'dot' | 'version'>, ack: Ack, options: WriteOptions): Promise<Receipt> {
    const { aheadMs } = this.#store.clock
    const wish = { ack, acks: options.acks }
    const settled = this.acknowledger.settled(written.dot, wish, options.signal)
    return this.#store.turns.after(this.#timed(ack, settled).then((reached) => ({ ...written, ...reached, aheadMs })))
  }

  /** Tells how long a wait takes, if anybody measures. */
  #timed<T>(ack: Ack, settled: Promise<T>): Promise<T> {
    const end = this.#recorder?.begin(INSTRUMENTS.settle)
    if (end === undefined) return settled
    return settled.then(
      (reached) => {
        end({ ack, outcome: 'done' })
        return reached
      },
      (error: unknown) => {
        end({ ack, outcome: 'failed' })
        throw error
      },
    )
  }

  /**
   * Nothing had to be written: what that rests on is as safe as was asked for when the promise
   * settles.
   */
  #unchanged(target: Target, options: WriteOptions): Promise<Receipt> {
    const version = this.#versionOf(target.slot)
    const settled = this.acknowledger.settled(this.#lastDot(target.keyspace), this.#wish(options), options.signal)
    return this.#store.turns.after(settled.then((reached) => ({ dot: undefined, version, ...reached })))
  }

  #wish({ ack, acks }: WriteOptions): { ack: Ack; acks: WriteOptions['acks'] } {
    return { ack: ack ?? this.acknowledger.ackDefault, acks }
  }

  #versionOf(slot: Slot | undefined): number {
    return slot === undefined ? 0 : this.#store.keys.version[slot]!
  }

  /** The newest operation in the domain of a key; `undefined` if this replica has written none. */
  #lastDot(keyspace: Keyspace): Dot | undefined {
    const { replica, sequence } = this.#store.writerOf(keyspace)
    return sequence === 0 ? undefined : { replica, sequence }
  }

  /**
   * Of a write inside code that may only read whoever called that code is told: a rejection that
   * nobody waits for must not end the process.
   */
  #rejected(error: unknown): Promise<never> {
    const promise = rejected(this.#store, error)
    if (this.#store.refusesWrites) ignoreOutcome(promise)
    return promise
  }

  #check(keyspace: Keyspace, options: WriteOptions): void {
    this.#store.assertOpen()
    if (options === NO_OPTIONS) return
    checkOptions('write', options, WRITE_OPTIONS)
    if (options.ttlMs !== undefined) checkedLife(options.ttlMs)
    if (options.fence !== undefined) checkFence(options.fence, keyspace)
    this.checkWish(options, keyspace.domain)
  }

  /** Throws what can never be reached, before anything is written. */
  checkWish({ ack, acks, signal }: SettleOptions, domain: Domain): void {
    if (ack !== undefined) this.acknowledger.checkAck(ack)
    if (acks !== undefined) this.acknowledger.checkAcks(acks, domain)
    if (signal?.aborted === true) throw aborted(signal, 'failed')
  }
}

/** Throws `WARP_E_CONFIG` for options that do not exist, and for a fence that is none; `WARP_E_MODE`. */
export function checkWriteOptions(call: string, options: WriteOptions, keyspace: Keyspace): void {
  checkOptions(call, options, WRITE_OPTIONS)
  if (options.ttlMs !== undefined) checkedLife(options.ttlMs)
  if (options.fence !== undefined) checkFence(options.fence, keyspace)
}

function checkFence(fence: unknown, { mode, pattern }: Keyspace): void {
  if (!Number.isSafeInteger(fence) || (fence as number) < 1)
    throw new WarpError('WARP_E_CONFIG', `a write has the fence ${shownValue(fence)}; give the token of a lock`)
  if (mode === 'strong') return
  throw new WarpError(
    'WARP_E_MODE',
    `a write to '${pattern}' has a fence, and its mode is '${mode}', where nobody could judge it; use mode 'strong'`,
    { details: { pattern } },
  )
}

/** What a caller's function threw may be anything. */
export function rejected({ turns }: KeyStore, error: unknown): Promise<never> {
  return turns.rejected(
    error instanceof Error ? error : new Error('something was thrown that is no Error', { cause: error }),
  )
}

function isThrough({ source }: Keyspace): boolean {
  return source?.store?.writes === 'through'
}

/** The name of a verb of a keyspace's strategy. */
export function verbName({ strategy }: Keyspace, verb: Verb<unknown>): string {
  const found = Object.entries(strategy.verbs as object).find(([, one]) => one === verb)
  if (found === undefined) throw new Error(`assertion failed: the strategy '${strategy.kind}' has no such verb`)
  return found[0]
}

function strongNot(call: string, key: string): WarpError {
  const remedy = call === 'write' ? 'use set, which waits for it' : 'set the value again'
  return new WarpError('WARP_E_MODE', `${call} does not wait for the ordered log, and '${key}' is strong; ${remedy}`, {
    details: { key },
  })
}

function waitsForStore(call: string, key: string): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `${call} does not wait for a store, and '${key}' is written through; use set, one key after the other`,
    { details: { key } },
  )
}

/**
 * How long what is written lives by its own word, ms; 0 if nothing is said. Throws `WARP_E_LIMIT`.
 */
function lifeOf({ ttlMs }: WriteOptions): number {
  return ttlMs === undefined ? 0 : checkedLife(ttlMs)
}

function draftsOf(prepared: readonly Prepared[]): Draft[] {
  return prepared.flatMap(({ target: { key, keyspace, slot }, payload, kind, lifeMs, preparation: { hlc } }) =>
    kind === undefined ? [] : [{ key, keyspace, slot, kind, payload, hlc, lifeMs }],
  )
}

/** `undefined`: the verb has nothing to write, or there is nothing to delete. */
function kindOf({ target, verb }: Intent, payload: unknown): number | undefined {
  if (verb !== undefined) return payload === undefined ? undefined : OPERATION_KIND.update
  return target.slot === undefined ? undefined : OPERATION_KIND.delete
}

function checkOneDomain(targets: readonly Pick<Intent, 'target'>[]): void {
  const [first] = targets
  const seen = new Set<string>()
  for (const { target } of targets) {
    if (seen.has(target.key)) {
      throw new WarpError('WARP_E_CONFIG', `'${target.key}' is to be set twice at once; give each key one value`)
    }
    seen.add(target.key)
    if (first === undefined || target.keyspace.domain === first.target.keyspace.domain) continue
    throw new WarpError(
      'WARP_E_MODE',
      `'${first.target.key}' and '${target.key}' are of different modes and cannot be set as one; set them one after the other`,
    )
  }
}

function checkDot(dot: unknown): void {
  const { replica, sequence } = (typeof dot === 'object' && dot !== null ? dot : {}) as Partial<Dot>
  if (typeof replica === 'string' && typeof sequence === 'number') return
  throw new WarpError('WARP_E_CONFIG', `settled takes a dot, and got ${shownKind(dot)}; give what write() returned`)
}

function notOwn({ replica, sequence }: Dot): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `${replica}:${sequence} is no operation that this replica has written; ask the replica that has`,
    { details: { replica, sequence } },
  )
}

/**
 * Others may have taken it in under that name, or under the one that it has been issued again as,
 * or not yet.
 */
function givenUp({ replica, sequence }: Dot): WarpError {
  return new WarpError(
    'WARP_E_IDENTITY_CLONED',
    `${replica}:${sequence} was written under an id that this replica has given up since, so its peers cannot be asked ` +
      'for it by that name; ask with ack alone, or write again',
    { details: { replica, sequence }, outcome: 'indeterminate' },
  )
}

function deletedFor({ key }: Target): WarpError {
  return new WarpError('WARP_E_CONFIG', `'${key}' is deleted with ttlMs; a delete has no life; leave ttlMs out`)
}

function touchedFor({ key }: Target): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `'${key}' is touched with ttlMs; a touch begins the life that its pattern gives; leave ttlMs out, or set the value again`,
  )
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
