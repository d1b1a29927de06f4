/**
 * Compaction: folds what is causally stable and not retained into snapshots, key by key
 * (`key-compaction.ts`), forgets keys that are gone, and has segments rewritten that are mostly
 * garbage (`garbage.ts`). In small steps between which the event loop turns, so that writes never
 * wait for it. What is dropped raises the floor.
 */
import { asError, isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { KeyStore } from '../store/key-store.ts'
import { isStorageError } from '../log/storage-error.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import { usersCodeDepth } from '../merge/users-code.ts'
import { Budget } from '../operation/budget.ts'
import { INSTRUMENTS } from '../ports/instrument-catalogue.ts'
import type { Recorder } from '../ports/recorder.ts'
import type { Compaction, EngineEvent } from '../store/event.ts'
import type { ReplicaIdentity } from '../store/replica-identity.ts'
import type { Aside } from '../store/aside/aside.ts'
import { DOMAINS } from '../keys/domain.ts'
import { KeyCompaction, KeyOutcome, type KeyCompactionOptions } from './key-compaction.ts'
import type { IsStable } from './frontier.ts'
import { Rests } from './rests.ts'
import type { Tally } from './tally.ts'

/** So many keys that came to be stored while a run was under way are worth another one, so much later, ms. */
const STORED_MIN = 4096
const STORED_DELAY_MS = 100

export interface CompactorOptions extends KeyCompactionOptions {
  readonly tally: Tally
  readonly identity: ReplicaIdentity
  readonly observe: (event: EngineEvent) => void
  readonly recorder?: Recorder | undefined
  /** It is worth running again in so many milliseconds. */
  readonly later: (delayMs: number) => void
  readonly aside: Aside
}

export class Compactor {
  /** Operations since the last run began, in keyspaces that do not retain everything. */
  notedCount = 0
  readonly #options: CompactorOptions
  readonly #store: KeyStore
  readonly #keys: KeyCompaction
  /** Slots to be looked at. */
  #dirty: Slot[] = []
  #isDirty = new Uint8Array(64)
  /** Keys that could not be compacted: from which version on that is tried again. */
  readonly #setAside = new Map<string, number>()
  /** Operations that need not be retained and were not stable in the last run. */
  #unstableCount = 0
  /** Keys that have come to be in their primary store since the last run began. */
  #storedCount = 0
  #droppedCount = 0
  /** Keys of which something has been folded away in this run. */
  #foldedKeys = 0
  /** Something has been folded away since the last meta record. */
  #isMetaDue = false
  #running: Promise<Compaction> | undefined
  /** Whether the run looks at keys that rest as well. */
  #isThorough = false
  readonly #rests = new Rests()
  /** When the first key may be looked at that this run has left to rest. */
  #restsUntilMs = Infinity

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#store = options.store
    this.#keys = new KeyCompaction(options)
  }

  /** Operations that may be foldable once they are stable. */
  get waitingCount(): number {
    return this.notedCount + this.#unstableCount
  }

  /** A key has been written. Returns whether something of it may be folded one day. */
  note(slot: Slot, { retain }: Keyspace = this.#store.keyspaceFor('', slot)): boolean {
    if (retain === 'all') return false
    this.notedCount++
    this.#lookAgain(slot)
    return true
  }

  /** All of a key is in its primary store. Returns of how many keys that was told since the last run began. */
  noteStored(slot: Slot): number {
    this.#lookAgain(slot)
    return ++this.#storedCount
  }

  /** An invalidation has entered: the next run lets go of those that everybody has. */
  noteInvalidation(): void {
    this.notedCount++
  }

  /** The next run is to look at a key, unless everything of it is retained. */
  look(slot: Slot): void {
    if (this.#store.keyspaceFor('', slot).retain !== 'all') this.#lookAgain(slot)
  }

  #lookAgain(slot: Slot): void {
    if (slot >= this.#isDirty.length) {
      const larger = new Uint8Array(Math.max(slot + 1, this.#isDirty.length * 2))
      larger.set(this.#isDirty)
      this.#isDirty = larger
    }
    if (this.#isDirty[slot] === 1) return
    this.#isDirty[slot] = 1
    this.#dirty.push(slot)
  }

  /** All keys have been replaced. These slots are to be looked at, with so many operations. */
  replaced(due: Slot[], operationsCount: number): void {
    this.#dirty = due
    this.#isDirty = new Uint8Array(Math.max(64, this.#store.keys.capacity))
    for (const slot of due) this.#isDirty[slot] = 1
    this.#setAside.clear()
    this.#rests.clear()
    this.#unstableCount = 0
    this.notedCount = operationsCount
  }

  /**
   * One run over everything that is due. A second call joins the first. Does nothing while it is
   * held.
   */
  async run(signal?: AbortSignal): Promise<Compaction> {
    // Asked for by a merge function, it begins when the fold is over.
    while (usersCodeDepth() > 0) await this.#store.env.yield()
    // One that leaves keys to rest is not what was asked for.
    while (this.#running !== undefined && !this.#isThorough) await this.#running.catch(() => undefined)
    return this.#join(true, signal)
  }

  /** A run that leaves keys to rest (`rests.ts`), and says when it is worth going on. */
  async runInPassing(): Promise<Compaction> {
    const compaction = await this.#join(false)
    // What was told of meanwhile lay behind the run.
    if (this.#storedCount >= STORED_MIN) this.#options.later(STORED_DELAY_MS)
    if (this.#restsUntilMs < Infinity) this.#options.later(this.#restsUntilMs - this.#store.env.monotonic())
    this.#restsUntilMs = Infinity
    return compaction
  }

  #join(isThorough: boolean, signal?: AbortSignal): Promise<Compaction> {
    if (this.#running !== undefined) return this.#running
    this.#isThorough = isThorough
    this.#running = this.#run(signal).finally(() => {
      this.#running = undefined
      this.#isThorough = false
    })
    return this.#running
  }

  async #run(signal?: AbortSignal): Promise<Compaction> {
    const { recorder } = this.#options
    if (recorder === undefined) return this.#compact(signal)
    const end = recorder.begin(INSTRUMENTS.compaction)
    this.#foldedKeys = 0
    let outcome = 'failed'
    try {
      const compaction = await this.#compact(signal)
      outcome = 'done'
      recorder.add(INSTRUMENTS.compactedBytes, compaction.freedBytes)
      return compaction
    } finally {
      recorder.add(INSTRUMENTS.compactedKeys, this.#foldedKeys)
      recorder.add(INSTRUMENTS.compactedOperations, this.#droppedCount)
      end({ outcome })
    }
  }

  async #compact(signal?: AbortSignal): Promise<Compaction> {
    this.#droppedCount = 0
    if (this.#options.holds.isWhole) return { droppedOperationsCount: 0, freedBytes: 0 }
    const { log } = this.#store
    this.#options.holds.review(log)
    const before = log.stats().bytes
    await log.keepReserve()
    try {
      await this.#makeRoom(signal)
    } finally {
      await log.keepReserve()
    }
    const compaction = {
      droppedOperationsCount: this.#droppedCount,
      freedBytes: Math.max(0, before - log.stats().bytes),
    }
    if (compaction.droppedOperationsCount > 0) this.#options.observe({ kind: 'compacted', ...compaction })
    return compaction
  }

  /**
   * Folds and rewrites. On a full disk the log gives up its reserve for that: the first half for
   * snapshots, the second for rewriting, which gives back more than it takes. Again as long as that
   * makes room.
   */
  async #makeRoom(signal?: AbortSignal): Promise<void> {
    const { log } = this.#store
    for (;;) {
      const before = log.stats().bytes
      const full = (await unlessFull(() => this.#fold(signal))) ?? (await unlessFull(() => this.#rewrite(signal)))
      if (full === undefined) return
      if (!log.giveUpReserve()) throw full
      if ((await unlessFull(() => this.#fold(signal))) !== undefined) log.giveUpReserve()
      if ((await unlessFull(() => this.#rewrite(signal))) !== undefined && log.giveUpReserve())
        await this.#rewrite(signal)
      if (log.stats().bytes >= before) throw full
      await log.keepReserve()
    }
  }

  #rewrite(signal?: AbortSignal): Promise<void> {
    return this.#options.garbage.rewriteSegments(signal)
  }

  async #fold(signal?: AbortSignal): Promise<void> {
    try {
      await this.#foldKeys(signal)
      this.#passInvalidations()
    } finally {
      // Behind the records that it is about, and stored before anything is rewritten.
      if (this.#isMetaDue) this.#options.identity.writeMeta()
      this.#isMetaDue = false
    }
    this.#options.aside.letGo()
  }

  /** Invalidations that everybody has leave nothing behind but the floor. */
  #passInvalidations(): void {
    const { aside, frontier, holds } = this.#options
    if (holds.isWhole) return
    const stable = aside.stable(frontier.stableIn(DOMAINS.shared) as IsStable)
    if (stable.size === 0) return
    frontier.pass(DOMAINS.shared, stable)
    this.#isMetaDue = true
  }

  async #foldKeys(signal?: AbortSignal): Promise<void> {
    const slots = this.#dirty
    this.#dirty = []
    this.notedCount = 0
    this.#storedCount = 0
    this.#unstableCount = 0
    const budget = new Budget(this.#store.env, () => check(signal))
    let done = 0
    try {
      while (done < slots.length && !this.#options.holds.isWhole) {
        await this.#foldKey(slots[done] as Slot, budget)
        done++
        // What has been begun of a key is brought to its end without a look.
        check(signal)
      }
    } finally {
      // What was not got to, or failed, is due in the next run.
      for (const slot of slots.slice(done)) {
        this.#isDirty[slot] = 0
        this.#lookAgain(slot)
      }
    }
  }

  async #foldKey(slot: Slot, budget: Budget): Promise<void> {
    this.#isDirty[slot] = 0
    budget.spend(1, 0)
    const key = this.#store.keys.keys[slot]
    if (key === undefined || this.#isSetAside(key, slot) || this.#isLeftToRest(slot)) return
    const outcome = new KeyOutcome()
    const begunMs = this.#store.env.monotonic()
    const steps = this.#keys.steps(slot, outcome, budget)
    try {
      await budget.finish(steps)
      if (this.#setAside.size > 0) this.#setAside.delete(key)
    } catch (error) {
      this.#refused(key, error)
    } finally {
      steps.return()
      this.#take(slot, outcome, begunMs)
      await this.#discard(outcome, budget)
    }
    if (budget.isSpent) await budget.pause()
  }

  /**
   * What has been folded is garbage, also when the run is given up; and parts of a state that did not
   * come to its end.
   */
  async #discard({ garbage, parts }: KeyOutcome, budget: Budget): Promise<void> {
    const { log } = this.#store
    for (const { position, bytes } of [...parts, ...(garbage?.snapshot ?? [])]) log.discard(position, bytes)
    for (const { position, bytes } of garbage?.folded ?? []) {
      log.discard(position, bytes)
      budget.spend(1, 0)
      if (budget.isSpent) await budget.rest()
    }
  }

  /** One key that cannot be compacted does not keep the others from it. */
  #refused(key: string, error: unknown): void {
    // A key with an operation of a later version is left as it is.
    if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) return
    if (isOfAll(error)) throw error
    const slot = this.#store.keys.find(key)
    if (slot === undefined) return
    // To try costs as much as to fold the key, and it is not going to be smaller: only once it has
    // doubled.
    this.#setAside.set(key, this.#store.keys.version[slot]! * 2)
    this.#options.observe({ kind: 'compaction:refused', key, error: asError(error) })
  }

  #isSetAside(key: string, slot: Slot): boolean {
    if (this.#setAside.size === 0) return false
    return this.#store.keys.version[slot]! < (this.#setAside.get(key) ?? 0)
  }

  #isLeftToRest(slot: Slot): boolean {
    const rest = this.#isThorough ? undefined : this.#rests.of(slot, this.#store.env.monotonic())
    if (rest === undefined) return false
    this.#unstableCount += rest.unstableCount
    this.#restsUntilMs = Math.min(this.#restsUntilMs, rest.untilMs)
    this.#lookAgain(slot)
    return true
  }

  #take(slot: Slot, outcome: KeyOutcome, begunMs: number): void {
    const { droppedCount, unstableCount, isDueAgain, isMetaDue, walkedCount: operations, stateBytes } = outcome
    const nowMs = this.#store.env.monotonic()
    this.#rests.note(slot, { operations, stateBytes, unstableCount, tookMs: nowMs - begunMs }, nowMs)
    this.#droppedCount += droppedCount
    if (droppedCount > 0) this.#foldedKeys++
    this.#options.tally.drop(droppedCount)
    this.#unstableCount += unstableCount
    this.#isMetaDue ||= isMetaDue
    if (isDueAgain) this.#lookAgain(slot)
  }
}

/** What keeps every key from being compacted, not only the one at which it shows. */
function isOfAll(error: unknown): boolean {
  return isStorageError(error) || isWarpError(error, 'WARP_E_ABORTED') || isWarpError(error, 'WARP_E_CLOSED')
}

/** The error, if the disk was full. */
async function unlessFull(work: () => Promise<void>): Promise<WarpError | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (isWarpError(error, 'WARP_E_STORAGE_FULL')) return error
    throw error
  }
}

function check(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  throw new WarpError('WARP_E_ABORTED', 'compaction was given up; what it had done stays done', {
    cause: signal.reason,
  })
}
