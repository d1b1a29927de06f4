/**
 * Runs users' projections: live ones see each operation as it enters; a rebuild reads the log from its beginning and folds the keys anew
 * beside the live state, so that `value` is what it was then, and takes over when it has reached the present.
 *
 * Where compaction has folded operations into a snapshot, a rebuild shows the snapshot in their place, first of its key.
 */
import { WarpError } from '../../crdt/warp-error.ts'
import type { Entered, KeyStore } from '../key-store.ts'
import type { Slot } from '../key-table.ts'
import { compilePattern, type KeyPattern } from '../key-pattern.ts'
import { RECORD_KIND, type RecordView } from '../log/log.ts'
import type { Resident } from '../merge/resident.ts'
import { readSnapshot } from '../merge/snapshot-record.ts'
import { OperationReader } from '../operation.ts'
import type { OperationRecord } from '../operation-record.ts'
import { textOf } from '../recovery.ts'
import type { Position } from '../replication/store.ts'
import { hlcToMs } from '../../crdt/hlc.ts'
import { keepOperation } from './kept-operation.ts'
import type { ProjectedOperation, Projection, ProjectionHandle, RebuildOptions } from './projection.ts'

/** Records read between two turns of the event loop: some 2 ms. */
const RECORDS_PER_STEP = 2048

/** What the projection is looking at. One object for all operations. */
class Flyweight implements ProjectedOperation {
  key = ''
  position: Position = 0
  readValue: () => unknown = () => undefined
  readOperation: () => OperationRecord = () => {
    throw new WarpError('WARP_E_CLOSED', 'a projected operation is valid only during apply')
  }

  get value(): unknown {
    return this.readValue()
  }

  get operation(): OperationRecord {
    return this.readOperation()
  }
}

export class ProjectionRunner<State> implements ProjectionHandle<State> {
  readonly name: string
  readonly #store: KeyStore
  readonly #projection: Projection<State>
  readonly #pattern: KeyPattern | undefined
  readonly #flyweight = new Flyweight()
  readonly #reader: OperationReader
  readonly #onClose: () => void
  #state: State
  #position: Position = 0
  #failure: unknown
  #unsubscribe: (() => void) | undefined
  #isClosed = false

  /** Throws `WARP_E_PATTERN`. */
  constructor(store: KeyStore, projection: Projection<State>, onClose: () => void) {
    this.name = projection.name
    this.#store = store
    this.#projection = projection
    this.#pattern = projection.keys === undefined ? undefined : compilePattern(projection.keys)
    this.#reader = new OperationReader(store.table)
    this.#onClose = onClose
    this.#state = projection.initial()
  }

  get state(): State {
    if (this.#failure !== undefined) throw this.#failure
    return this.#state
  }

  get position(): Position {
    return this.#position
  }

  async rebuild(options: RebuildOptions = {}): Promise<void> {
    const pass = { state: this.#projection.initial(), residents: new Map<Slot, Resident>(), versions: new Map<Slot, number>() }
    const { log, env } = this.#store
    const first = (log.segments()[0]?.number ?? 0) * POSITIONS_PER_SEGMENT
    let position: Position = 0
    while (position < log.end) {
      this.#check(options.signal)
      let left = RECORDS_PER_STEP
      position = log.scan(position, (record) => {
        if (left-- <= 0) return false
        this.#rebuildRecord(pass, record)
        return true
      })
      options.progress?.(Math.min(1, (position - first) / Math.max(1, log.end - first)))
      if (position < log.end) await env.yield()
    }
    this.#check(options.signal)
    this.#state = pass.state
    this.#failure = undefined
    this.#position = log.end
    this.#unsubscribe ??= this.#store.subscribe((entered) => this.#live(entered))
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true
      this.#unsubscribe?.()
      this.#onClose()
    }
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #live({ slot, position }: Entered): void {
    if (this.#failure !== undefined) return
    const { keys } = this.#store
    const key = keys.keys[slot] as string
    this.#position = position + 1
    if (this.#pattern?.matches(key) === false) return
    const view = this.#flyweight
    view.key = key
    view.position = position
    view.readValue = () => this.#store.read(slot)
    view.readOperation = () => keepOperation(this.#store, key, keys.version[slot]!, position)
    try {
      this.#state = this.#projection.apply(this.#state, view)
    } catch (error) {
      this.#failure = error ?? new Error('the projection threw nothing')
    }
  }

  #rebuildRecord(pass: Pass<State>, record: RecordView): void {
    if (record.kind !== RECORD_KIND.operation && record.kind !== RECORD_KIND.snapshot) return
    const key = this.#keyOf(record)
    const { keys } = this.#store
    const slot = keys.find(key)
    if (slot === undefined || this.#pattern?.matches(key) === false) return
    const { position, kind } = record
    if (!pass.versions.has(slot)) this.#rebuildBase(pass, slot, key)
    if (kind !== RECORD_KIND.operation || position <= keys.cut[slot]!) return
    const version = (pass.versions.get(slot) as number) + 1
    pass.versions.set(slot, version)
    this.#show(pass, {
      key,
      position,
      value: () => this.#valueAt(pass, slot, position),
      operation: () => keepOperation(this.#store, key, version, position),
    })
  }

  /** At the first record of a key, shows the snapshot that its operations are based on, if there is one. */
  #rebuildBase(pass: Pass<State>, slot: Slot, key: string): void {
    const { keys, log, table } = this.#store
    const position = keys.snapshot[slot]!
    pass.versions.set(slot, 0)
    if (position === 0) return
    const record = log.record(position)
    const snapshot = readSnapshot(record.bytes, record.start, record.end, table)
    pass.versions.set(slot, snapshot.baseVersion)
    this.#show(pass, {
      key,
      position: snapshot.through,
      value: () => this.#valueAt(pass, slot, snapshot.through),
      operation: () => ({
        key,
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

  #show(
    pass: Pass<State>,
    shown: { key: string; position: Position; value: () => unknown; operation: () => OperationRecord },
  ): void {
    const view = this.#flyweight
    view.key = shown.key
    view.position = shown.position
    view.readValue = shown.value
    view.readOperation = shown.operation
    pass.state = this.#projection.apply(pass.state, view)
  }

  /** The key's value after everything in its chain up to `position`. */
  #valueAt(pass: Pass<State>, slot: Slot, position: Position): unknown {
    const store = this.#store
    const strategy = store.strategyAt(slot)
    const chain = { ...store.chain(slot), head: position }
    const resident = store.folder.fold(strategy, chain, pass.residents.get(slot))
    pass.residents.set(slot, resident)
    return resident.present ? strategy.read(resident.state) : undefined
  }

  #keyOf(record: RecordView): string {
    if (record.kind === RECORD_KIND.snapshot) return readSnapshot(record.bytes, record.start, record.end, this.#store.table).key
    const { bytes, keyStart, keyEnd } = this.#reader.load(record.bytes, record.start, record.end)
    return textOf(bytes, keyStart, keyEnd)
  }

  #check(signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw new WarpError('WARP_E_CLOSED', `projection '${this.name}' has been closed`)
    if (signal?.aborted === true) {
      throw new WarpError('WARP_E_ABORTED', `rebuilding projection '${this.name}' was given up`, { cause: signal.reason })
    }
  }
}

interface Pass<State> {
  state: State
  /** Folded states of this pass: the live ones are ahead. */
  readonly residents: Map<Slot, Resident>
  readonly versions: Map<Slot, number>
}

const POSITIONS_PER_SEGMENT = 4_294_967_296
