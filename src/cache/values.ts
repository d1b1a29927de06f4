/**
 * The values of keys in memory: which are here, which have to be folded from the log, and when they
 * expire. A value is worked out when it is read; the door (`store/key-store.ts`) only says that a
 * value is behind its log. Synchronous throughout.
 */
import { endOfLife, type Keyspace, type Keyspaces } from '../keys/keyspace.ts'
import { closed } from '../keys/key-refusals.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import type { Applied } from '../../crdt/strategy.ts'
import { hlcToMs } from '../../crdt/time/hlc.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import type { Log } from '../log/log.ts'
import { otherStrategy } from '../merge/cannot-fold.ts'
import { strategyName } from '../merge/strategy-names.ts'
import type { Chain } from '../merge/chain.ts'
import { ALL, type Extent } from '../merge/folding/chain-reader.ts'
import type { Folders } from '../merge/folding/folders.ts'
import { enterUsersCode, leaveUsersCode, readInsideItsFold, usersCodeDepth } from '../merge/users-code.ts'
import type { Resident } from '../merge/resident.ts'
import { STEP, type Meter } from '../operation/budget.ts'
import type { Position } from '../operation/position.ts'
import type { Turns } from '../operation/turns.ts'
import type { Env } from '../ports/env.ts'
import { INSTRUMENTS } from '../ports/instrument-catalogue.ts'
import type { Recorder } from '../ports/recorder.ts'
import type { Holds } from '../log/holds.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { Expiry } from './expiry.ts'
import { ReadClock } from './read-clock.ts'
import { KeptStates } from './kept-states.ts'
import { copyLoose, detached, isLoose, shared } from '../../crdt/encoding/shared-value.ts'
import {
  COLD,
  HOT,
  HOT_LOOSE,
  HOT_MORTAL,
  HOT_MORTAL_VISITED,
  HOT_VISITED,
  Residency,
  type ResidencyLimits,
} from './residency.ts'
import { weightOf } from './weight.ts'

export interface ValuesOptions {
  readonly log: Log
  readonly keys: KeyTable
  readonly keyspaces: Keyspaces
  readonly folders: Folders
  readonly table: ReplicaTable
  readonly holds: Holds
  /** Told of a key whose state somebody has changed through a value that was handed out. */
  readonly onTouched: (key: string) => void
  readonly env: Env
  /** What is worked out for a call is spent from its turn. */
  readonly turns: Turns
  readonly limits: ResidencyLimits
  readonly recorder?: Recorder | undefined
}

/** Folding so much is one step, also where it is a few large operations. */
const SHORT: Extent = { operations: STEP.operations, bytes: 2_097_152 }

/** So much of a life has to pass before it is worth an operation to begin it anew. */
const TOUCHED_SHARE = 1 / 4

/** In the place of a value that takes more than one step to work out. */
export const TOO_LONG: unique symbol = Symbol('too long')

interface WorkedOut {
  readonly value: unknown
  readonly bytes: number
}

/** Whoever writes has seen all that is here of the key. */
function everything(): boolean {
  return true
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] }

export class Values {
  readonly residency: Residency
  /** Told of a read of a key whose life reads prolong everywhere, when that is worth an operation. */
  onTouchDue: ((slot: Slot) => void) | undefined
  /** The value of a key whose truth is in a store, as far as it is known here: its log holds a part of it. */
  ofStored: ((key: string) => unknown) | undefined
  /** What was folded before, of long chains. */
  readonly kept: KeptStates
  readonly #log: Log
  readonly #keys: KeyTable
  readonly #keyspaces: Keyspaces
  readonly #folders: Folders
  readonly #onTouched: (key: string) => void
  readonly #env: Env
  readonly #turns: Turns
  readonly #recorder: Recorder | undefined
  #residents: (Resident | undefined)[] = []
  readonly #expiry: Expiry
  /** By how deep the caller is in users' code. */
  readonly #chains: Mutable<Required<Chain>>[] = []
  /** The keys that are being folded, the outermost first. */
  readonly #folding: Slot[] = []
  /** Reads that had to work the value out. */
  misses = 0
  /**
   * Reads that found it, of those that are counted: not of a value that has been read since the
   * cache last looked.
   */
  countedHits = 0
  #isClosed = false
  /** Counts how often all slots have come to mean something else. */
  #epoch = 0

  constructor(options: ValuesOptions) {
    this.#log = options.log
    this.#keys = options.keys
    this.#keyspaces = options.keyspaces
    this.#folders = options.folders
    this.#onTouched = options.onTouched
    this.#env = options.env
    this.#turns = options.turns
    this.#recorder = options.recorder
    this.residency = new Residency(
      options.limits,
      new ReadClock(options.env),
      (slot) => (this.#residents[slot] = undefined),
    )
    this.residency.reserve(options.keys.capacity)
    this.kept = new KeptStates({
      ...options,
      residentOf: (slot) => this.#intact(slot),
      keyspaceOf: (slot) => this.#keyspaceAt(slot),
    })
    this.#expiry = new Expiry(options.env, (slot, nowMs) => this.#expire(slot, nowMs))
  }

  /**
   * The value, from memory or folded from the log, however many operations that takes. For callers
   * who cannot wait; all others use `read-in-steps.ts`.
   */
  read(slot: Slot): unknown {
    return this.#read(slot, ALL)
  }

  /** The value, or `TOO_LONG` if more operations would have to be folded than one step may. */
  readShort(slot: Slot): unknown {
    return this.#read(slot, SHORT)
  }

  /** The value, if it can be had without touching the disk and in one step. */
  peek(slot: Slot): unknown {
    if (this.#folding.includes(slot)) return undefined
    if (this.residency.states[slot] === COLD && this.#log.persistent && !this.#isChainResident(slot)) return undefined
    const value = this.readShort(slot)
    return value === TOO_LONG ? undefined : value
  }

  /**
   * Folds a key up to the head of `chain`, which must not be a view that moves meanwhile, in steps.
   * What has been folded counts at the end of each of them.
   */
  *foldSteps(slot: Slot, chain: Chain, meter: Meter): Generator<void, void> {
    const keyspace = this.#keyspaceAt(slot)
    this.assertOwn(slot, keyspace)
    const { strategy } = keyspace
    this.#dropIfTouched(slot)
    const epoch = this.#epoch
    const folder = this.#folders.idle
    const known = this.#usable(slot) ?? this.kept.restore(slot, strategy, chain)
    const base = known ?? (yield* folder.chains.baseSteps(strategy, chain, meter))
    // Somebody who could not wait may have folded the key meanwhile.
    const resident = this.#usable(slot) ?? base
    this.#residents[slot] = resident
    try {
      const folded = yield* folder.foldSteps({ strategy, chain, resident }, meter)
      if (this.#epoch !== epoch) return
      const isFurther = (this.#usable(slot)?.folded ?? -1) < folded.folded
      if (isFurther && !folded.isSpoilt) this.adopt(slot, folded)
      if (folded.present && strategy.readSteps !== undefined) yield* strategy.readSteps(folded.state)
    } catch (error) {
      resident.isSpoilt = true
      throw this.#named(slot, error)
    }
  }

  /**
   * The value, for housekeeping: it is not counted as a read, pushes no other value out, and
   * prolongs no life. It must not be handed out. `TOO_LONG` if more operations would have to be
   * folded than one step may.
   */
  examine(slot: Slot): unknown {
    const keyspace = this.#keyspaceAt(slot)
    if (this.expiresAt(slot, keyspace) <= this.#env.now()) return undefined
    if (this.residency.states[slot] !== COLD) return this.residency.values[slot]
    const byTip = this.#residents[slot] === undefined ? this.#foldTip(slot, keyspace) : undefined
    if (byTip !== undefined) return byTip.value
    const resident = this.#fold(slot, SHORT)
    if (resident === undefined) return TOO_LONG
    const value: unknown = resident.present ? keyspace.strategy.read(resident.state) : undefined
    // What the cache does not know of is not kept.
    if (!this.residency.isListed(slot)) this.#residents[slot] = undefined
    return value
  }

  /**
   * Whether the key has a value, leaving aside that its life may be over: for telling that it is. It
   * is not counted as a read. Of a key that would take more than a step to fold its greatest
   * operation says so; of one that cannot be read, nothing is told.
   */
  hadValue(slot: Slot): boolean {
    try {
      if (this.residency.states[slot] !== COLD) return this.residency.values[slot] !== undefined
      const keyspace = this.#keyspaceAt(slot)
      const byTip = this.#residents[slot] === undefined ? this.#foldTip(slot, keyspace) : undefined
      if (byTip !== undefined) return byTip.value !== undefined
      const resident = this.#fold(slot, SHORT)
      if (!this.residency.isListed(slot)) this.#residents[slot] = undefined
      if (resident === undefined) return this.#folders.idle.chains.holdsValue(this.#keys.tip[slot]!)
      return resident.present && keyspace.strategy.read(resident.state) !== undefined
    } catch {
      // Whoever reads it is told why.
      return false
    }
  }

  #read(slot: Slot, within: Extent): unknown {
    const state = this.residency.states[slot]!
    if (state === HOT_VISITED) return this.residency.values[slot]
    if (state !== COLD) return this.#touch(slot, state)
    return this.#isPart(slot) ? this.#readStored(slot) : this.#materialise(slot, within)
  }

  /** Whether the log holds a part of the value alone. The last write of a register is the value that it made. */
  #isPart(slot: Slot): boolean {
    const keyspace = this.#keyspaceAt(slot)
    return keyspace.source?.store !== undefined && !keyspace.isLast
  }

  #readStored(slot: Slot): unknown {
    if (this.#isClosed) throw closed()
    return this.ofStored?.(this.#keys.keys[slot] as string)
  }

  /** The state that there is to see, for a query: which is a read. */
  state(slot: Slot): unknown {
    const keyspace = this.#keyspaceAt(slot)
    if (this.ttlMs(slot, keyspace) > 0) {
      const nowMs = this.#env.now()
      if (this.expiresAt(slot, keyspace) <= nowMs) return keyspace.strategy.initial()
      this.#slide(slot, keyspace, nowMs)
    }
    return this.resident(slot).state
  }

  /** Whether the key's present life, which counts from its last write, is over at `ms`. */
  isOver(slot: Slot, ms: number): boolean {
    const keyspace = this.#keyspaceAt(slot)
    return this.lifeMs(slot, keyspace) > 0 && this.expiresAt(slot, keyspace) <= ms
  }

  /**
   * How long the present value lives, ms, counted from its last write; 0 if for ever, or as long as
   * it is read.
   */
  lifeMs(slot: Slot, keyspace: Keyspace): number {
    return this.#keys.lifeMs(slot) || keyspace.lifeMs
  }

  /**
   * How long the present value lives, ms, counted from its last write or, where it slides, its last
   * read; 0: for ever.
   */
  ttlMs(slot: Slot, keyspace: Keyspace): number {
    return this.#keys.lifeMs(slot) || keyspace.ttlMs
  }

  /** Whether the state is there, or takes no more than one step to work out. */
  isShort(slot: Slot): boolean {
    return this.#fold(slot, SHORT) !== undefined
  }

  /** Whether a touch would prolong the life by enough. What a write says of its own life does not slide. */
  isTouchDue(slot: Slot, keyspace: Keyspace, nowMs: number): boolean {
    if (this.#keys.lifeMs(slot) > 0) return false
    return nowMs - hlcToMs(this.#keys.tipHlc[slot]!) >= keyspace.ttlMs * TOUCHED_SHARE
  }

  /** The folded state with all that is known of it, however many operations that takes. */
  resident(slot: Slot): Resident {
    return this.#residentWithin(slot, ALL) as Resident
  }

  /** The same, or `undefined` if more operations would have to be folded than one step may. */
  residentShort(slot: Slot): Resident | undefined {
    const resident = this.#residents[slot]
    if (resident === undefined || !this.#isReady(slot, resident)) return this.#residentWithin(slot, SHORT)
    return resident
  }

  /** Whether nothing has to be done to the state before it is used. */
  #isReady(slot: Slot, { isSpoilt, folded }: Resident): boolean {
    if (isSpoilt || folded !== this.#keys.head[slot] || this.#folding.length > 0) return false
    return this.residency.isListed(slot) && this.#keyspaceAt(slot).strategy.isIntact === undefined
  }

  /**
   * Applies what this replica has just written behind `before`, if the state of that moment is there, so
   * that it need not be read from the log (see `appliesAsWritten`).
   */
  applyWritten(slot: Slot, payload: unknown, before: Position): void {
    const resident = this.#residents[slot]
    if (resident === undefined || !this.#isPlainlyAt(slot, resident, before)) return
    const keys = this.#keys
    const { strategy } = this.#keyspaceAt(slot)
    const [hlc, replica, sequence] = [keys.tipHlc[slot]!, keys.tipReplica[slot]!, keys.tipSequence[slot]!]
    this.#folding.push(slot)
    enterUsersCode()
    try {
      const operation = { hlc, replica, sequence, payload, observed: everything } as unknown as Applied<never>
      resident.state = strategy.apply(resident.state, operation)
      resident.present = true
      resident.folded = keys.head[slot]!
      resident.take({ hlc, replica, sequence, lifeMs: 0 })
    } catch {
      // The fold says what is wrong with it.
      resident.isSpoilt = true
    } finally {
      leaveUsersCode()
      this.#folding.pop()
    }
    this.kept.note(slot, resident)
  }

  /** Whether a state is that of a moment, and the next operation of its own writer is simply applied to it. */
  #isPlainlyAt(slot: Slot, resident: Resident, before: Position): boolean {
    const { isSpoilt, folded, repeats, firstNames, hasOwnLives } = resident
    if (isSpoilt || folded !== before || hasOwnLives || this.#folding.length > 0) return false
    if (repeats !== undefined || firstNames !== undefined || this.#keys.mixed.has(slot)) return false
    const keys = this.#keys
    return this.#keyspaceAt(slot).lifeMs === 0 && keys.lifeMs(slot) === 0 && keys.tip[slot] === keys.head[slot]
  }

  #residentWithin(slot: Slot, within: Extent): Resident | undefined {
    this.#assertNotFolding(slot)
    const resident = this.#fold(slot, within)
    if (resident !== undefined && !this.residency.isListed(slot)) this.adopt(slot, resident)
    return resident
  }

  /** The state already contains the operation at the key's head (see `appliesOnPrepare`). */
  markFolded(slot: Slot): void {
    const resident = this.#residents[slot]
    if (resident === undefined) return
    const keys = this.#keys
    if (!resident.hasTip) resident.bornAt = keys.tipHlc[slot]!
    resident.folded = keys.head[slot]!
    resident.present = true
    resident.take({
      hlc: keys.tipHlc[slot]!,
      replica: keys.tipReplica[slot]!,
      sequence: keys.tipSequence[slot]!,
      lifeMs: keys.lifeMs(slot),
    })
  }

  /** Keeps a state in memory, within the bounds of the cache. */
  adopt(slot: Slot, resident: Resident): void {
    this.#residents[slot] = resident
    const value: unknown = this.residency.isWeighed ? this.#keyspaceAt(slot).strategy.read(resident.state) : undefined
    this.residency.install(slot, undefined, { bytes: this.#weight(slot, value, resident.bytes), state: COLD })
  }

  /** Lets go of what is in memory of a key; the next read folds it again. */
  drop(slot: Slot): void {
    this.residency.evict(slot)
    this.#residents[slot] = undefined
  }

  /** The slot's key is forgotten: the slot may become another key's. */
  forget(slot: Slot): void {
    this.drop(slot)
    this.kept.forget(slot)
    this.#expiry.forget(slot)
  }

  /** Where the key's operations are. A flyweight: valid until the next call. */
  chain(slot: Slot): Chain {
    const chain = (this.#chains[usersCodeDepth()] ??= { head: 0, snapshot: 0, cut: 0, lifeMs: 0 })
    chain.head = this.#keys.head[slot]!
    chain.snapshot = this.#keys.snapshot[slot]!
    chain.cut = this.#keys.cut[slot]!
    chain.lifeMs = this.#keyspaceAt(slot).lifeMs
    return chain
  }

  /**
   * When the value stops being visible, ms; infinity for never. Worked out again after a restart.
   */
  expiresAt(slot: Slot, keyspace: Keyspace): number {
    const known = this.#keys.expiresAt(slot)
    if (known > 0) return known
    const ttlMs = this.ttlMs(slot, keyspace)
    if (ttlMs === 0) return Infinity
    const expiresAt = endOfLife(ttlMs, this.#keys.tipHlc[slot]!)
    this.#keys.setExpiresAt(slot, expiresAt)
    return expiresAt
  }

  /**
   * The key has been written: its life counts from there. A late write does not shorten a life that
   * reads have prolonged.
   */
  prolong(slot: Slot, keyspace: Keyspace): void {
    const ttlMs = this.ttlMs(slot, keyspace)
    const expiresAt = ttlMs === 0 ? 0 : endOfLife(ttlMs, this.#keys.tipHlc[slot]!)
    if (!this.#isSliding(slot, keyspace) || this.#keys.expiresAt(slot) < expiresAt)
      this.#keys.setExpiresAt(slot, expiresAt)
  }

  /** All keys have been replaced: slots mean something else, and nothing that is here counts. */
  reset(): void {
    this.#epoch++
    this.#residents = []
    this.residency.reset(this.#keys.capacity)
    this.kept.reset()
    this.#expiry.reset()
  }

  close(): void {
    this.#isClosed = true
    this.#expiry.close()
    this.kept.close()
    this.residency.clear()
  }

  #keyspaceAt(slot: Slot): Keyspace {
    return this.#keyspaces.list[this.#keys.keyspace[slot]!] as Keyspace
  }

  /** Whether reads prolong the life: what a write says of its own life does not slide. */
  #isSliding(slot: Slot, keyspace: Keyspace): boolean {
    return keyspace.isSliding && this.#keys.lifeMs(slot) === 0
  }

  #touch(slot: Slot, state: number): unknown {
    const isMortal = state === HOT_MORTAL || state === HOT_MORTAL_VISITED
    if (isMortal && !this.#isAliveWhenRead(slot)) return undefined
    this.countedHits++
    if (state === HOT_MORTAL_VISITED) return this.residency.values[slot]
    if (state === HOT) {
      this.residency.states[slot] = HOT_VISITED
      return this.residency.values[slot]
    }
    this.residency.markRead(slot)
    if (this.#dropIfTouched(slot)) return this.#materialise(slot, ALL)
    if (isMortal && this.#isReadAsItIs(slot)) this.residency.states[slot] = HOT_MORTAL_VISITED
    return copyLoose(this.residency.values[slot])
  }

  /** Its life does not slide, and nobody can change the value. */
  #isReadAsItIs(slot: Slot): boolean {
    const keyspace = this.#keyspaceAt(slot)
    if (this.#isSliding(slot, keyspace) || keyspace.strategy.isIntact !== undefined) return false
    return this.residency.isListed(slot) && !isLoose(this.residency.values[slot])
  }

  /** However late the wheel is: a value is never read beyond its life. */
  #isAliveWhenRead(slot: Slot): boolean {
    const nowMs = this.residency.clock.look()
    if (this.#keys.expiresAt(slot) <= nowMs) {
      this.misses++
      this.residency.outdate(slot)
      return false
    }
    this.#slide(slot, this.#keyspaceAt(slot), nowMs)
    return true
  }

  /** The key is read: a life that slides counts from now. */
  #slide(slot: Slot, keyspace: Keyspace, nowMs: number): void {
    if (keyspace.isTouched && this.isTouchDue(slot, keyspace, nowMs)) this.onTouchDue?.(slot)
    if (!this.#isSliding(slot, keyspace)) return
    this.#keys.setExpiresAt(slot, endOfLife(keyspace.ttlMs, this.#keys.tipHlc[slot]!, nowMs))
  }

  #materialise(slot: Slot, within: Extent): unknown {
    if (this.#isClosed) throw closed()
    this.#assertNotFolding(slot)
    const keyspace = this.#keyspaceAt(slot)
    const nowMs = this.ttlMs(slot, keyspace) > 0 ? this.#env.now() : 0
    if (nowMs > 0 && this.expiresAt(slot, keyspace) <= nowMs) {
      this.misses++
      return undefined
    }
    const workedOut = this.#workOut(slot, keyspace, within)
    if (workedOut === undefined) return TOO_LONG
    this.misses++
    const { value: read, bytes } = workedOut
    this.#turns.spend(1, bytes)
    const value = keyspace.isForeign ? detached(read) : shared(read)
    if (nowMs > 0) {
      this.#slide(slot, keyspace, nowMs)
      this.#expiry.watch(slot, this.#keys.expiresAt(slot))
    }
    // What counts where the truth is elsewhere is the copy (`src/data-layer/`), and not the last write.
    if (keyspace.source !== undefined) return copyLoose(value)
    const weight = keyspace.isLast ? bytes + (this.#keys.keys[slot] as string).length : this.#weight(slot, value, bytes)
    const state = nowMs > 0 ? HOT_MORTAL : this.#stateOf(slot, value)
    this.residency.install(slot, value, { bytes: weight, state })
    return copyLoose(value)
  }

  /** How a value that has just been worked out, and lives for ever, is read from now on. */
  #stateOf(slot: Slot, value: unknown): number {
    if (isLoose(value) || this.#keyspaceAt(slot).strategy.isIntact !== undefined) return HOT_LOOSE
    return this.residency.isListed(slot) ? HOT_VISITED : HOT
  }

  #workOut(slot: Slot, keyspace: Keyspace, within: Extent): WorkedOut | undefined {
    const recorder = this.#recorder
    if (recorder === undefined) return this.#foldTipOrValue(slot, keyspace, within)
    const startMs = recorder.now()
    const workedOut = this.#foldTipOrValue(slot, keyspace, within)
    if (workedOut !== undefined) recorder.since(INSTRUMENTS.foldDuration, startMs)
    return workedOut
  }

  #foldTipOrValue(slot: Slot, keyspace: Keyspace, within: Extent): WorkedOut | undefined {
    return this.#foldTip(slot, keyspace) ?? this.#foldValue(slot, within)
  }

  /** `undefined`: the greatest operation does not say what the value is. */
  #foldTip(slot: Slot, { isLast, strategy }: Keyspace): WorkedOut | undefined {
    if (!isLast || this.#keys.mixed.has(slot)) return undefined
    this.#folding.push(slot)
    try {
      return this.#folders.idle.foldTip(strategy, this.chain(slot), this.#keys.tip[slot]!)
    } catch (error) {
      throw this.#named(slot, error)
    } finally {
      this.#folding.pop()
    }
  }

  #foldValue(slot: Slot, within: Extent): WorkedOut | undefined {
    const strategy = this.#keyspaceAt(slot).strategy
    const resident = this.#fold(slot, within)
    if (resident === undefined) return undefined
    return { value: resident.present ? strategy.read(resident.state) : undefined, bytes: resident.bytes }
  }

  #fold(slot: Slot, within: Extent): Resident | undefined {
    this.#dropIfTouched(slot)
    const resident = this.#foldOnce(slot, within)
    // An observer of a document may have written in answer to what the fold did.
    return this.#dropIfTouched(slot) ? this.#foldOnce(slot, within) : resident
  }

  /** A fold that fails leaves nothing behind: what it had done by then is worth nothing. */
  #foldOnce(slot: Slot, within: Extent): Resident | undefined {
    const keyspace = this.#keyspaceAt(slot)
    this.assertOwn(slot, keyspace)
    const { strategy } = keyspace
    const before = this.#usable(slot) ?? this.kept.restore(slot, strategy, this.chain(slot))
    this.#residents[slot] = undefined
    this.#folding.push(slot)
    try {
      const resident = this.#folders.idle.foldWithin(within, { strategy, chain: this.chain(slot), resident: before })
      // Where it would have taken too long, what there was still counts.
      this.#residents[slot] = resident ?? before
      if (resident !== undefined) this.kept.note(slot, resident)
      return resident
    } catch (error) {
      throw this.#named(slot, error)
    } finally {
      this.#folding.pop()
    }
  }

  /**
   * A key that another strategy has written is refused without a look at all its operations.
   *
   * Not where the greatest of them is a delete: it may have taken all away.
   */
  assertOwn(slot: Slot, keyspace: Keyspace): void {
    const keys = this.#keys
    if (keys.strategy[slot] === keyspace.code || keys.mixed.has(slot) || keyspace === this.#keyspaces.unregistered)
      return
    const written = this.writtenBy(slot)
    if (written !== 0 && keys.isStrategyUnknown(slot)) keys.settleStrategy(slot, written)
    if (written === 0 || written === keyspace.code) return
    throw otherStrategy(keys.keys[slot] as string, keyspace, strategyName(written, this.#keyspaces))
  }

  /** The code of the strategy that made what lies at the key's tip; 0 if that says nothing. */
  writtenBy(slot: Slot): number {
    return this.#folders.idle.chains.strategyAt(this.#keys.tip[slot]!)
  }

  /** With the key and the strategies by name. */
  #named(slot: Slot, error: unknown): unknown {
    if (!isWarpError(error, 'WARP_E_UNKNOWN_OP') || typeof error.details['written'] !== 'number') return error
    const written = strategyName(error.details['written'], this.#keyspaces)
    return otherStrategy(this.#keys.keys[slot] as string, this.#keyspaceAt(slot), written)
  }

  /** Only users' code that a fold calls can come here while the fold is under way. */
  #assertNotFolding(slot: Slot): void {
    if (this.#folding.includes(slot)) throw readInsideItsFold(this.#keys.keys[slot] as string)
  }

  /**
   * Lets go of a state that somebody has changed through a value that was handed out. Returns
   * whether it had to.
   */
  #dropIfTouched(slot: Slot): boolean {
    const resident = this.#residents[slot]
    const { strategy } = this.#keyspaceAt(slot)
    if (resident === undefined || strategy.isIntact?.(resident.state) !== false) return false
    this.drop(slot)
    this.#onTouched(this.#keys.keys[slot] as string)
    return true
  }

  /** The state that there is of a key, if nobody has changed it. */
  #intact(slot: Slot): Resident | undefined {
    return this.#dropIfTouched(slot) ? undefined : this.#usable(slot)
  }

  /** The state that there is of a key. */
  #usable(slot: Slot): Resident | undefined {
    const resident = this.#residents[slot]
    return resident?.isSpoilt === true ? undefined : resident
  }

  /**
   * What a key costs in the cache. What has been folded into its value, `bytes`, says little: a
   * counter weighs a number.
   */
  #weight(slot: Slot, value: unknown, bytes: number): number {
    return this.residency.isWeighed ? weightOf(value, bytes) + (this.#keys.keys[slot] as string).length : 0
  }

  /** Asked by the wheel: lets an expired value go cold. Returns when to ask again, 0 for never. */
  #expire(slot: Slot, nowMs: number): number {
    if (this.residency.states[slot] === COLD) return 0
    const expiresAt = this.#keys.expiresAt(slot)
    if (expiresAt > nowMs) return expiresAt
    this.residency.outdate(slot)
    return 0
  }

  /** Whether the greatest operation is a touch, if it is in memory. */
  #isTouched(slot: Slot): boolean {
    const tip = this.#keys.tip[slot]!
    return this.#log.isResident(tip) && this.#folders.idle.chains.isTouch(tip)
  }

  /** Whether what lies at the tip is the value. */
  #isByTip(slot: Slot): boolean {
    return this.#keyspaceAt(slot).isLast && !this.#keys.mixed.has(slot) && !this.#isTouched(slot)
  }

  #isChainResident(slot: Slot): boolean {
    const keys = this.#keys
    if (this.#isByTip(slot)) return this.#log.isResident(keys.tip[slot]!)
    const resident = this.#usable(slot)
    if (resident === undefined && !this.#isBaseResident(slot)) return false
    const after = Math.max(resident?.folded ?? keys.kept.get(slot)?.through ?? 0, keys.cut[slot]!)
    let left = SHORT.operations
    for (let position = keys.head[slot]!; position > after; position = this.#log.record(position).previous) {
      if (left-- === 0 || !this.#log.isResident(position)) return false
    }
    return true
  }

  /** Of what a key is folded from: a snapshot, a state that is kept. */
  #isBaseResident(slot: Slot): boolean {
    const snapshot = this.#keys.snapshot[slot]!
    return (snapshot === 0 || this.#log.isResident(snapshot)) && this.kept.isResident(slot)
  }
}
