/**
 * Runs users' projections: live ones see each operation as it enters; a rebuild reads the log from
 * its beginning and folds the keys anew beside the live state, so that `value` is what it was then,
 * and takes over when it has reached the present.
 *
 * A projection that keeps checkpoints (`checkpoint-keeper.ts`) goes on from the newest one, and
 * reads what came after it.
 *
 * Where compaction has folded operations into a snapshot, a rebuild shows the snapshot in their
 * place, first of its key.
 */
import { checkOptions } from '../../crdt/checked-options.ts'
import { isForeignCode } from '../../crdt/strategy.ts'
import { assertSynchronous } from '../../crdt/synchronous.ts'
import { asError, WarpError } from '../../crdt/warp-error.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import type { Entered } from '../store/write-road/draft.ts'
import type { KeyStore } from '../store/key-store.ts'
import { KeyFinder } from '../keys/key-finder.ts'
import type { Slot } from '../keys/key-table.ts'
import { compilePattern, type KeyPattern } from '../keys/pattern.ts'
import { Feed, type Followed } from '../log/feed/feed.ts'
import type { FeedCheckpoint } from '../log/feed/feed-checkpoints.ts'
import { Budget } from '../operation/budget.ts'
import type { ProjectionSource } from './projection-source.ts'
import { CheckpointKeeper } from './checkpoint-keeper.ts'
import { endOf, SeenKey, type Pass } from './pass.ts'
import { Renewal } from './renewal.ts'
import { valueAfter } from './register-pass.ts'
import { bytesBetween } from '../log/holds.ts'
import { POSITIONS_PER_SEGMENT, RECORD_KIND, type RecordView } from '../log/log.ts'
import { isPart } from '../merge/snapshot-parts.ts'
import { readSnapshotHead } from '../merge/snapshot-record.ts'
import { INSTRUMENTS } from '../ports/instrument-catalogue.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { OperationRecord } from '../store/kept-operation.ts'
import type { Position } from '../operation/position.ts'
import { compareStamps, hlcToMs } from '../../crdt/time/hlc.ts'
import { isOver } from '../merge/lives.ts'
import { ExpiredSince } from '../store/expirations/expired-since.ts'
import type { Expired } from '../store/expirations/expirations.ts'
import { NOTHING_TOLD, parseMark, type ExpiryMark } from '../store/expirations/expiry-mark.ts'
import { copyLoose, detached, shared } from '../../crdt/encoding/shared-value.ts'
import { keepOperation } from '../store/kept-operation.ts'
import { REBUILD_OPTIONS } from './projection.ts'
import type { ProjectedOperation, Projection, ProjectionHandle, ProjectionLag, RebuildOptions } from './projection.ts'

/** What the projection is looking at. One object for all operations. */
class Flyweight implements ProjectedOperation {
  key = ''
  position: Position = 0
  readValue: () => unknown = expired
  readOperation: () => OperationRecord = expired

  get value(): unknown {
    return this.readValue()
  }

  get operation(): OperationRecord {
    return this.readOperation()
  }
}

function expired(): never {
  throw new WarpError('WARP_E_CLOSED', 'a projected operation is valid only during apply; copy what you keep')
}

export class ProjectionRunner<State> implements ProjectionHandle<State> {
  readonly name: string
  readonly #source: ProjectionSource
  readonly #store: KeyStore
  readonly #projection: Projection<State>
  readonly #pattern: KeyPattern
  readonly #flyweight = new Flyweight()
  readonly #reader: OperationReader
  readonly #keys: KeyFinder
  readonly #onClose: () => void
  #state: State
  #position: Position = 0
  #failure: Error | undefined
  /** Operations, of all keys, since it failed. */
  #missedCount = 0
  #unsubscribe: (() => void) | undefined
  #unfollow: (() => void) | undefined
  readonly #passes = new Set<Pass<State>>()
  readonly #renewal: Renewal
  /** A state has been made of the log, and may be looked at. */
  #hasBegun = false
  #keeper: CheckpointKeeper | undefined
  #isClosed = false
  /** The operation that a rebuild has come to. One object for all of them. */
  readonly #rebuilt: Rebuilt = {
    ...{ key: '', position: 0, slot: 0, seen: new SeenKey('', 0, 0) },
    value: () => this.#rebuiltValue(this.#rebuilt),
    operation: () => {
      const { key, seen, position } = this.#rebuilt
      return keepOperation(this.#store, key, seen.version, position)
    },
  }

  /** Throws `WARP_E_PATTERN`, `WARP_E_CONFIG`. */
  constructor(source: ProjectionSource, projection: Projection<State>, onClose: () => void) {
    const { store } = source
    this.name = projection.name
    this.#source = source
    this.#store = store
    this.#projection = projection
    this.#pattern = compilePattern(projection.keys ?? '*')
    this.#reader = new OperationReader(store.table)
    this.#keys = new KeyFinder(store.keys)
    this.#onClose = onClose
    this.#state = projection.initial()
    this.#renewal = new Renewal({
      env: store.env,
      rebuild: () => this.rebuild(),
      delayed: (error) => source.observe({ kind: 'projection:rebuild-failed', name: this.name, error }),
      failed: (error) => this.#failed(error),
    })
    const { checkpoint } = projection
    if (checkpoint === undefined) return
    this.#keeper = new CheckpointKeeper(source, projection, {
      every: checkpoint.every,
      encode: () => encode(checkpoint.encode(this.#state)),
      follows: (key) => this.#pattern.matches(key),
    })
  }

  /** Goes on from the checkpoint if there is one that can be used; rebuilds otherwise. */
  async start(options: RebuildOptions = {}): Promise<void> {
    checkOptions('project', options, REBUILD_OPTIONS)
    const checkpoint = this.#keeper?.find()
    const pass = checkpoint === undefined ? undefined : this.#decode(checkpoint)
    if (checkpoint === undefined || pass === undefined) return this.rebuild(options)
    if (await this.#resume(pass, checkpoint.through, options)) return
    this.#source.observe({ kind: 'projection:rebuilt', name: this.name, reason: 'compacted' })
    await this.rebuild(options)
  }

  get state(): State {
    if (this.#failure !== undefined) throw this.#failure
    return this.#state
  }

  get position(): Position {
    return this.#position
  }

  /** How far it is behind the log. */
  get lag(): ProjectionLag {
    const state = this.#failure !== undefined ? 'failed' : this.#unsubscribe === undefined ? 'reading' : 'live'
    const isLive = state === 'live'
    return {
      ...{ name: this.name, position: this.#position, state },
      ...(state === 'reading' ? {} : { behindCount: this.#missedCount }),
      behindBytes: isLive ? 0 : bytesBetween(this.#position, this.#store.log),
    }
  }

  async rebuild(options: RebuildOptions = {}): Promise<void> {
    checkOptions('rebuild', options, REBUILD_OPTIONS)
    const { recorder } = this.#store
    const read = (): Promise<void> => this.#readLog(options)
    await (recorder === undefined ? read() : recorder.span(INSTRUMENTS.projectionRebuild, read))
  }

  async #readLog(options: RebuildOptions): Promise<void> {
    while (!(await this.#readLogOnce(options)));
  }

  /** Returns whether the state is made: not if that of the engine was replaced meanwhile. */
  async #readLogOnce(options: RebuildOptions): Promise<boolean> {
    const { log } = this.#store
    const pass = this.#beginPass(this.#projection.initial(), { told: NOTHING_TOLD, through: 0 })
    const first = (log.segments()[0]?.number ?? 0) * POSITIONS_PER_SEGMENT
    let position: Position = 0
    const read = (): boolean => {
      if (position >= log.end) return true
      position = log.scan(position, (record) => {
        pass.budget.spend(1, record.end - record.start)
        this.#rebuildRecord(pass, record)
        return !pass.budget.isSpent
      })
      if (!this.#hasBegun) this.#position = position
      options.progress?.(Math.min(1, (position - first) / Math.max(1, log.end - first)))
      return position >= log.end
    }
    try {
      const arrived = (): void => {
        this.#become(pass.state)
        this.#keeper?.began()
      }
      await this.#reachPresent(pass, { read, arrived }, options)
      return true
    } catch (error) {
      if (error instanceof Lost) return false
      throw error
    } finally {
      this.#passes.delete(pass)
    }
  }

  #beginPass(state: State, from: { readonly told: ExpiryMark; readonly through: Position }): Pass<State> {
    this.#unfollow ??= this.#store.expirations.follow({
      expired: (expired) => this.#noteExpired(expired),
      forgotten: (slot, key) => {
        for (const { gone } of this.#passes) gone.push({ slot, key })
      },
    })
    const pass = {
      state,
      ...from,
      isOutdated: false,
      live: undefined,
      gone: [],
      keys: [],
      budget: new Budget(this.#store.env),
    }
    this.#passes.add(pass)
    return pass
  }

  /**
   * Reads the log to its end, takes in which lives have ended by then, and reads on until both have
   * come to the present. `read` does a step and says whether the end has been reached; `arrived` is
   * called in the turn in which both have, so that nothing comes in between. Throws `Lost`.
   */
  async #reachPresent(
    pass: Pass<State>,
    { read, arrived }: { readonly read: () => boolean; readonly arrived: (isComplete: boolean) => void },
    { signal }: RebuildOptions,
  ): Promise<void> {
    const { expirations, log } = this.#store
    const untilDone = async (step: () => boolean): Promise<void> => {
      for (;;) {
        this.#check(signal)
        if (pass.isOutdated) throw new Lost()
        this.#takeInGone(pass)
        if (step()) return
        await pass.budget.pause()
      }
    }
    await untilDone(read)
    pass.live = []
    const expired = new ExpiredSince(
      this.#store,
      { key: undefined, matches: (key) => this.#pattern.matches(key) },
      { since: pass.told, until: expirations.told, unseenFrom: pass.through, before: log.end },
    )
    await untilDone(() => expired.find(pass.budget) && this.#takeInEnded(pass, () => expired.next()))
    const { live } = pass
    await untilDone(() => {
      if (!read() || !this.#takeInEnded(pass, () => live.shift())) return false
      arrived(expired.isComplete)
      return true
    })
  }

  /** Takes in lives that have ended, a step of it. Returns whether that was all. */
  #takeInEnded(pass: Pass<State>, next: () => Expired | undefined): boolean {
    while (!pass.budget.isSpent) {
      const expired = next()
      if (expired === undefined) return true
      pass.budget.spend(1, 0)
      const seen = pass.keys[expired.slot]
      // Written since: that the life was over then has been taken in with the write.
      if (seen?.key === expired.key && seen.readThrough > expired.head) continue
      if (seen?.key === expired.key) seen.hasEnded = true
      pass.state = this.#showEnd(pass.state, expired)
    }
    return false
  }

  /** Keys whose life was over have been forgotten, which nothing in the log says. */
  #takeInGone(pass: Pass<State>): void {
    for (const { slot, key } of pass.gone.splice(0)) {
      const seen = pass.keys[slot]
      if (seen?.key !== key || seen.hasEnded) continue
      seen.hasEnded = true
      pass.state = this.#showEnd(pass.state, endOf(seen, slot, 0))
    }
  }

  /**
   * The state has been replaced otherwise than by operations: what this projection has made of them
   * is not to be kept. Until it is made anew it stays what it was, and takes in nothing: with what
   * comes now it would be of two states.
   */
  reset(): void {
    this.#keeper?.pause()
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
    for (const pass of this.#passes) pass.isOutdated = true
    if (this.#hasBegun) this.#renewal.begin()
  }

  /** It takes in nothing more. */
  #failed(error: Error): void {
    if (this.#isClosed) return
    this.#failure = error
    this.#unsubscribe ??= this.#store.subscribe((entered) => this.#live(entered))
  }

  /** From now on `state` is what the log amounts to, and operations are taken in as they enter. */
  #become(state: State): void {
    this.#hasBegun = true
    this.#state = state
    this.#failure = undefined
    this.#missedCount = 0
    this.#position = this.#store.log.end
    this.#unsubscribe ??= this.#store.subscribe((entered) => this.#live(entered))
  }

  #decode({ version, state, mark, through }: FeedCheckpoint): Pass<State> | undefined {
    const { name, checkpoint, version: own = 0 } = this.#projection
    if (checkpoint === undefined) return undefined
    if (version !== String(own)) {
      this.#source.observe({ kind: 'projection:rebuilt', name, reason: 'version' })
      return undefined
    }
    try {
      return this.#beginPass(checkpoint.decode(decode(state)), { told: parseMark(mark) ?? NOTHING_TOLD, through })
    } catch (error) {
      this.#source.observe({ kind: 'projection:rebuilt', name, reason: 'undecodable', error: asError(error) })
      return undefined
    }
  }

  /**
   * Takes in what the log holds from a position on. Returns whether nothing of that was missing.
   */
  async #resume(pass: Pass<State>, through: Position, options: RebuildOptions): Promise<boolean> {
    const { log } = this.#store
    const follows = (key: string): boolean => this.#pattern.matches(key)
    const feed = new Feed(this.#store, { text: this.#projection.keys ?? '*', matches: follows, key: undefined })
    feed.moveTo({ position: through, isSeen: false })
    const follower = { name: `projection '${this.name}'`, follows, unseenFrom: through }
    const letGo = this.#source.holds.follow(follower)
    let takenCount = 0
    const read = (): boolean => {
      if (feed.hasLost()) throw new Lost()
      const isAtEnd = feed.read(pass.budget, (followed) => {
        this.#takeIn(pass, followed)
        takenCount++
        return true
      })
      follower.unseenFrom = feed.unseenFrom
      this.#position = feed.unseenFrom
      options.progress?.(isAtEnd ? 1 : Math.min(1, (feed.unseenFrom - through) / Math.max(1, log.end - through)))
      return isAtEnd
    }
    let isWhole = false
    const arrived = (isComplete: boolean): void => {
      isWhole = isComplete
      if (!isComplete) return
      this.#become(pass.state)
      this.#keeper?.wentOn(through, takenCount)
    }
    try {
      await this.#reachPresent(pass, { read, arrived }, options)
      return isWhole
    } catch (error) {
      if (error instanceof Lost) return false
      throw error
    } finally {
      this.#passes.delete(pass)
      letGo()
    }
  }

  #takeIn(pass: Pass<State>, { key, slot, version, position }: Followed): void {
    const snapshot = this.#store.keys.snapshot[slot]!
    let seen = pass.keys[slot]
    if (seen?.key !== key || seen.snapshot !== snapshot) {
      seen = new SeenKey(key, snapshot, version)
      pass.keys[slot] = seen
    }
    const known = seen
    known.version = version
    known.readThrough = position
    known.hasEnded = false
    pass.state = this.#show(pass.state, {
      key,
      position,
      value: () => this.#valueAt(known, slot, position),
      operation: () => keepOperation(this.#store, key, version, position),
    })
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      if (this.#failure === undefined && this.#unsubscribe !== undefined) this.#keeper?.close()
      else this.#keeper?.pause()
      this.#renewal.end()
      this.#unsubscribe?.()
      this.#unfollow?.()
      this.#onClose()
    }
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #live({ slot, version, position }: Entered): void {
    if (this.#failure !== undefined) {
      this.#missedCount++
      return
    }
    const { keys } = this.#store
    const key = keys.keys[slot] as string
    this.#position = position + 1
    if (!this.#pattern.matches(key)) return
    const shown = {
      key,
      position,
      value: () => this.#liveValue(slot, version, position),
      operation: () => keepOperation(this.#store, key, version, position),
    }
    this.#takeInLive(() => this.#show(this.#state, shown))
  }

  #takeInLive(take: () => State): void {
    try {
      this.#state = take()
      this.#keeper?.took()
    } catch (error) {
      this.#keeper?.pause()
      this.#failure =
        error instanceof Error ? error : new Error(`projection '${this.name}' threw no error`, { cause: error })
    }
  }

  #noteExpired(expired: Expired): void {
    if (!this.#pattern.matches(expired.key)) return
    for (const { live } of this.#passes) live?.push(expired)
    if (this.#unsubscribe === undefined || this.#failure !== undefined) return
    this.#takeInLive(() => this.#showEnd(this.#state, expired))
  }

  /**
   * The value in memory; of an operation that others of its group have followed, the value between
   * them.
   */
  #liveValue(slot: Slot, version: number, position: Position): unknown {
    const { keys, values } = this.#store
    if (version === keys.version[slot]!) return values.read(slot)
    const seen = new SeenKey('', keys.snapshot[slot]!, version)
    return this.#valueAt(seen, slot, position)
  }

  #rebuildRecord(pass: Pass<State>, record: RecordView): void {
    if ((record.kind !== RECORD_KIND.operation && record.kind !== RECORD_KIND.snapshot) || isPart(record)) return
    const { keys } = this.#store
    const slot = this.#slotOf(record)
    const key = slot === undefined ? undefined : keys.keys[slot]
    if (slot === undefined || key === undefined || !this.#pattern.matches(key)) return
    const { position, kind } = record
    const seen = this.#seen(pass, key, slot)
    if (kind !== RECORD_KIND.operation || position <= keys.cut[slot]!) return
    this.#endBefore(pass, seen, { slot, position })
    seen.take(this.#reader, position)
    const at = this.#rebuilt
    at.key = key
    at.position = position
    at.slot = slot
    at.seen = seen
    pass.state = this.#show(pass.state, at)
  }

  #rebuiltValue({ seen, slot, position }: Rebuilt): unknown {
    const isValue = seen.isGreatestValue && seen.greatest === position
    return (isValue ? valueAfter(this.#reader) : undefined) ?? this.#valueAt(seen, slot, position)
  }

  /**
   * What this pass knows of a key. At its first record, and when compaction has folded operations
   * away since the last one, the snapshot is shown that they are part of.
   */
  #seen(pass: Pass<State>, key: string, slot: Slot): SeenKey {
    const { keys } = this.#store
    const inSlot = pass.keys[slot]
    // A slot may have become another key's.
    const known = inSlot?.key === key ? inSlot : undefined
    const snapshot = keys.snapshot[slot]!
    if (known !== undefined && known.snapshot === snapshot) return known
    const seen = this.#newlySeen(key, slot, snapshot)
    pass.keys[slot] = seen
    if (snapshot > 0) this.#showSnapshot(pass, seen, slot, known?.version ?? 0)
    return seen
  }

  /** Whether the key had a value after the operation that was read last. */
  #hadValue(seen: SeenKey, slot: Slot): boolean {
    try {
      return this.#valueAt(seen, slot, seen.readThrough) !== undefined
    } catch {
      // Whoever reads it is told why.
      return false
    }
  }

  #newlySeen(key: string, slot: Slot, snapshot: Position): SeenKey {
    const { keyspaces, keys } = this.#store
    const isPlain = snapshot === 0 && keyspaces.list[keys.keyspace[slot]!]?.isRegister === true
    const seen = new SeenKey(key, snapshot, 0)
    seen.isGreatestValue = isPlain
    return seen
  }

  /** The life of a key ends, if it was over when the operation that has been read was written. */
  #endBefore(pass: Pass<State>, seen: SeenKey, { slot, position }: { slot: Slot; position: Position }): void {
    const { hlc } = this.#reader
    const isFirst = seen.hlc === 0
    if (!isFirst && compareStamps(this.#reader, seen) < 0) return
    const lifeMs = seen.lifeMs || this.#store.keyspaceFor(seen.key, slot).lifeMs
    const isEnd = !isFirst && !seen.hasEnded && isOver(seen.hlc, hlc, lifeMs)
    if (isEnd && this.#hadValue(seen, slot)) pass.state = this.#showEnd(pass.state, endOf(seen, slot, lifeMs))
    seen.rise(this.#reader, position)
  }

  #showSnapshot(pass: Pass<State>, seen: SeenKey, slot: Slot, shownVersion: number): void {
    const { log, table } = this.#store
    const record = log.record(seen.snapshot)
    pass.budget.spend(1, record.end - record.start)
    const snapshot = readSnapshotHead(record.bytes, record.start, record.end, table)
    seen.version = snapshot.baseVersion
    seen.readThrough = Math.max(seen.readThrough, snapshot.through)
    const { hlc, replica, sequence, lifeMs } = snapshot
    Object.assign(seen, { hlc, replica, sequence, lifeMs })
    if (snapshot.baseVersion <= shownVersion) {
      seen.version = shownVersion
      return
    }
    pass.state = this.#show(pass.state, {
      key: snapshot.key,
      position: snapshot.through,
      value: () => this.#valueAt(seen, slot, snapshot.through),
      operation: () => ({
        key: snapshot.key,
        dot: { replica: snapshot.replica, sequence: snapshot.sequence },
        timeMs: hlcToMs(snapshot.hlc),
        hlc: snapshot.hlc,
        version: snapshot.baseVersion,
        kind: 'snapshot',
        strategy: this.#store.strategyAt(slot).kind,
        payload: undefined,
        context: snapshot.vector.sorted(),
      }),
    })
  }

  /** Lets the projection take in the end of a life. */
  #showEnd(state: State, { key, slot, version, endMs, hlc, replica, sequence }: Expired): State {
    const strategy = this.#store.strategyAt(slot).kind
    return this.#show(state, {
      key,
      position: this.#store.log.end,
      value: () => undefined,
      operation: () => ({
        ...{ key, dot: { replica, sequence }, timeMs: endMs, hlc, version, strategy },
        ...{ kind: 'expired', payload: undefined, context: [] },
      }),
    })
  }

  /** Lets the projection take in one operation. */
  #show(state: State, shown: Shown): State {
    const view = this.#flyweight
    view.key = shown.key
    view.position = shown.position
    view.readValue = shown.value
    view.readOperation = shown.operation
    const begun = this.#store.beginReading()
    let next: State
    let hasWritten = false
    try {
      next = this.#projection.apply(state, view)
    } catch (error) {
      // What the engine refuses names its reason itself.
      throw error instanceof WarpError ? error : threwInApply(this.name, shown, error)
    } finally {
      hasWritten = this.#store.endReading(begun)
      view.readValue = expired
      view.readOperation = expired
    }
    if (hasWritten) throw wroteInApply(this.name)
    assertSynchronous(next, `projection '${this.name}': apply`)
    return next
  }

  /** The key's value after everything in its chain up to `position`. */
  #valueAt(seen: SeenKey, slot: Slot, position: Position): unknown {
    const store = this.#store
    const strategy = store.strategyAt(slot)
    const chain = { ...store.chain(slot), head: position }
    const before = seen.resident
    seen.resident = undefined
    const resident = store.folder.fold(strategy, chain, before)
    seen.resident = resident
    // The state is folded on: bytes and dates in the value are the projection's own.
    if (!resident.present) return undefined
    const value: unknown = strategy.read(resident.state)
    return isForeignCode(strategy.code) ? detached(value) : copyLoose(shared(value))
  }

  /** The slot of a record's key, if it has one. Reads an operation. */
  #slotOf(record: RecordView): Slot | undefined {
    const { keys, table } = this.#store
    if (record.kind === RECORD_KIND.snapshot)
      return keys.find(readSnapshotHead(record.bytes, record.start, record.end, table).key)
    const { bytes, keyStart, keyEnd } = this.#reader.load(record.bytes, record.start, record.end)
    return this.#keys.find(bytes, keyStart, keyEnd)
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw new WarpError('WARP_E_CLOSED', `projection '${this.name}' has been closed`)
    if (signal?.aborted === true) {
      throw new WarpError('WARP_E_ABORTED', `rebuilding projection '${this.name}' was given up`, {
        cause: signal.reason,
      })
    }
  }
}

/** What a projection has not seen yet has been taken away, by compaction or with the whole state. */
class Lost extends Error {}

interface Shown {
  readonly key: string
  readonly position: Position
  readonly value: () => unknown
  readonly operation: () => OperationRecord
}

interface Rebuilt extends Shown {
  key: string
  position: Position
  slot: Slot
  seen: SeenKey
}

function threwInApply(name: string, { key, operation }: Shown, cause: unknown): WarpError {
  const { dot } = operation()
  const said = cause instanceof Error ? cause.message : 'something was thrown that is no Error'
  return new WarpError(
    'WARP_E_MERGE',
    `projection '${name}': apply threw at operation ${dot.replica}:${dot.sequence} of '${key}': ${said}; ` +
      'mend apply, and call project() or rebuild() again',
    { details: { projection: name, key, ...dot }, cause },
  )
}

function wroteInApply(name: string): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `projection '${name}': apply tried to write; it is told of operations in the middle of others, and again at each ` +
      'rebuild; write from a watch instead',
  )
}
