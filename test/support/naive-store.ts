/**
 * A replication store by the plainest means: an array of envelopes, linear searches, a set of dots. It shares nothing with the
 * engine but the contract, so replication can be checked against it, and the engine against what replication expects.
 *
 * Its state is the set of operations that it holds, as `payloads`. It compacts when told to: what is stable leaves the log and
 * lives on in the state, so that who lacks it must be given a snapshot.
 */
import { type Meter, UNBOUNDED } from '../../src/operation/budget.ts'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { hlcToMs, nextHlc } from '../../crdt/time/hlc.ts'
import { type ReplicaId, replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Env } from '../../src/ports/env.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import type { VectorEntries } from '../../src/operation/envelope/vector-entries.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { Formats } from '../../src/operation/envelope/formats.ts'
import type { ReplicationStore } from '../../src/replication/store.ts'
import type { Admission } from '../../src/store/border.ts'
import type { SnapshotExport, SnapshotImport } from '../../src/membership/snapshot-ports.ts'
import { Departures } from '../../src/operation/departures.ts'
import { EndedIds } from '../../src/operation/ended-ids.ts'
import { RetiredIds, type Away } from '../../src/operation/retired-ids.ts'

const DRIFT_MS = 500

interface Held {
  readonly replica: ReplicaId
  readonly sequence: number
  readonly text: string
  readonly bytes: Uint8Array
}

interface SnapshotLine {
  readonly replica: string
  readonly sequence: number
  readonly text: string
}

interface InstalledState {
  readonly vector: VersionVector
  readonly mustHold: VersionVector
}

export class NaiveStore implements ReplicationStore {
  replica: ReplicaId
  /** Another one is another build: see `restart`. */
  table: ReplicaTable
  applied: VersionVector = new VersionVector()
  floor: VersionVector = new VersionVector()
  stable: VersionVector = new VersionVector()
  readonly retired: RetiredIds = new RetiredIds()
  readonly departures: Departures = new Departures()
  readonly ended: EndedIds = new EndedIds()
  /** How many of the newest records have not been flushed. */
  unflushedCount = 0
  /** Each stable vector is compacted at once. */
  compactsAtOnce = false
  isFull = false
  /** A snapshot of more lines takes more than one step to take over. */
  linesPerStep = Infinity
  snapshotsTaken = 0
  snapshotsOpen = 0
  seenElsewhere: number[] = []
  /** Called after each local write, as the engine calls the replicator. */
  onAppend: () => void = () => undefined
  readonly #env: Env
  #log: (Held | undefined)[] = []
  /** Everything, compacted or not. */
  #held = new Map<string, Held>()
  /** What the writer of each operation so far had seen: dependencies, summed up. */
  #seenBy = new Map<ReplicaId, VersionVector>()
  readonly #firstSaw = new Map<ReplicaId, VersionVector>()
  #told = new VersionVector()
  #hlc = 0
  #away: readonly Away[] = []

  constructor(env: Env, formats: Formats = new Formats()) {
    this.#env = env
    this.table = new ReplicaTable(formats)
    this.replica = replicaIdFromBytes(env.random(8))
  }

  /** What had been applied when the first operation under the present id was written. */
  get firstSaw(): VersionVector {
    return this.#firstSaw.get(this.replica) ?? this.applied
  }

  readonly compacts = true
  /** Whether there are levels beyond memory; `flush` reaches them. */
  persistent = false
  #flushes: { readonly end: number; readonly level: 'logged' | 'durable'; resolve(): void }[] = []

  /** Settles at the next `flush` of that level or a better one. */
  settled(level: 'logged' | 'durable'): Promise<void> {
    if (!this.persistent) return Promise.resolve()
    return new Promise((resolve) => this.#flushes.push({ end: this.end, level, resolve }))
  }

  /** What has been appended so far is held at `level`. */
  flush(level: 'logged' | 'durable'): void {
    const reached = this.#flushes.filter((flush) => level === 'durable' || flush.level === 'logged')
    this.#flushes = this.#flushes.filter((flush) => !reached.includes(flush))
    for (const { resolve } of reached) resolve()
  }
  hasMetOthers = false

  onPruned(): void {
    // Nobody leaves it.
  }

  /** What it was told to end. It prunes nothing, and says it to nobody. */
  readonly saidEnded: (readonly [ReplicaId, number])[] = []

  endIds(ends: VectorEntries): void {
    this.saidEnded.push(...ends)
    for (const [replica, end] of ends) this.ended.note(replica, end, { replica: this.replica, sequence: Infinity })
  }

  metOthers(): void {
    this.hasMetOthers = true
  }

  /** The process has been started again, by a build that reads `formats`. */
  restart(formats: Formats): void {
    this.table = new ReplicaTable(formats)
  }

  get end(): number {
    return this.#log.length
  }

  get sendable(): number {
    return this.#log.length - this.unflushedCount
  }

  /** All texts that were written, by whatever replica under whatever dot. */
  texts(): string[] {
    return [...this.#held.values()].map(({ text }) => text).sort()
  }

  dots(): string[] {
    return [...this.#held.keys()].sort()
  }

  get recordCount(): number {
    return this.#log.filter((held) => held !== undefined).length
  }

  write(text: string, options: { readonly aheadMs?: number } = {}): void {
    const sequence = this.applied.get(this.replica) + 1
    if (sequence === 1) this.#firstSaw.set(this.replica, this.applied.copy())
    this.#hlc = nextHlc(this.#hlc, this.#env.now() + (options.aheadMs ?? 0))
    const dependencies = this.applied
      .sorted()
      .filter(([replica, seen]) => replica !== this.replica && this.#told.get(replica) < seen)
    this.#told = this.applied.copy()
    const writer = new ByteWriter()
    const replicaBytes = this.table.bytes(this.replica)
    const header = { strategy: 1, replicaBytes, sequence, hlc: this.#hlc, key: 'k', context: undefined, dependencies }
    writeEnvelopeHeader(writer, { kind: OPERATION_KIND.update, ...header }, this.table)
    writer.raw(new TextEncoder().encode(text))
    this.#append({ replica: this.replica, sequence, text, bytes: writer.take() })
    this.onAppend()
  }

  admitAll(envelopes: readonly Uint8Array[]): Admission {
    const verdicts = envelopes.map((bytes) => this.admit(bytes, 0, bytes.length))
    return verdicts.find((verdict) => verdict !== 'applied') ?? 'applied'
  }

  admit(bytes: Uint8Array, start: number, end: number): Admission {
    const reader = new OperationReader(this.table).load(bytes, start, end)
    const { replica, sequence } = reader
    const copy = bytes.slice(start, end)
    const known = this.#held.get(dot(replica, sequence))
    if (replica === this.replica && (known === undefined || !sameBytes(known.bytes, copy))) return 'clone'
    if (sequence <= this.applied.get(replica)) return 'duplicate'
    if (sequence > this.applied.get(replica) + 1) return 'early'
    const dependencies = reader.dependencies()
    if (dependencies.some(([cause, least]) => this.applied.get(cause) < least)) return 'early'
    if (hlcToMs(reader.hlc) > this.#env.now() + DRIFT_MS) return 'drift'
    if (this.isFull) return 'full'
    const seen = this.#seenWith(reader)
    if (!seen.dominates(this.floor)) this.retire([[replica, sequence - 1]])
    if (sequence > this.retired.endOf(replica)) return 'resync'
    this.#seenBy.set(replica, seen)
    this.#append({
      replica,
      sequence,
      text: new TextDecoder().decode(copy.subarray(reader.payloadStart - start)),
      bytes: copy,
    })
    return 'applied'
  }

  /** The most operations and bytes that one scan has looked at. */
  readonly largestScan = { operations: 0, bytes: 0 }

  scanOperations(from: number, visit: (operation: OperationReader) => boolean, meter: Meter = UNBOUNDED): number {
    const reader = new OperationReader(this.table)
    let bytes = 0
    for (let i = from; i < this.sendable; i++) {
      if (meter.isSpent) return i
      const held = this.#log[i]
      meter.spend(1, held?.bytes.length ?? 0)
      bytes += held?.bytes.length ?? 0
      this.largestScan.operations = Math.max(this.largestScan.operations, i + 1 - from)
      this.largestScan.bytes = Math.max(this.largestScan.bytes, bytes)
      if (held !== undefined && !visit(reader.load(held.bytes, 0, held.bytes.length))) return i + 1
    }
    return Math.max(from, this.sendable)
  }

  positionAfter(replica: ReplicaId, sequence: number): number {
    const at = this.#log.findIndex((held) => held?.replica === replica && held.sequence > sequence)
    return at < 0 ? this.end : at
  }

  ownDotSeenElsewhere(sequence: number): void {
    this.seenElsewhere.push(sequence)
    this.#takeNewIdentity()
  }

  retire(ends: VectorEntries): void {
    for (const [replica, end] of ends)
      if (this.retired.retire(replica, end) && replica === this.replica) this.#takeNewIdentity()
  }

  stabilise(stable: VersionVector, away: readonly Away[] = []): void {
    this.stable = stable.copy()
    this.#away = away
    if (this.compactsAtOnce) this.compact()
  }

  /** Drops what is stable from the log; it stays in the state. */
  compact(): void {
    this.#log = this.#log.map((held) =>
      held !== undefined && this.stable.includes(held.replica, held.sequence) ? undefined : held,
    )
    this.floor.join(this.stable)
    for (const { replica, acknowledged } of this.#away)
      if (!acknowledged.dominates(this.floor)) this.retire([[replica, this.applied.get(replica)]])
  }

  exportSnapshot(chunkBytes: number): SnapshotExport {
    const lines = [...this.#held.values()].map(({ replica, sequence, text }) =>
      JSON.stringify({ replica, sequence, text }),
    )
    this.snapshotsTaken++
    this.snapshotsOpen++
    let isOpen = true
    return {
      close: () => {
        if (isOpen) this.snapshotsOpen--
        isOpen = false
      },
      vector: this.applied.copy(),
      next: () => {
        let chunk = ''
        while (lines.length > 0 && chunk.length < chunkBytes) chunk += `${lines.shift()}\n`
        return chunk === '' ? undefined : new TextEncoder().encode(chunk)
      },
    }
  }

  beginSnapshot(vector: VersionVector, mustHold: VersionVector = new VersionVector()): SnapshotImport {
    const lines: SnapshotLine[] = []
    const chunk = (bytes: Uint8Array): void => {
      for (const line of new TextDecoder().decode(bytes).trimEnd().split('\n'))
        lines.push(JSON.parse(line) as SnapshotLine)
    }
    return {
      chunk,
      *chunkSteps(bytes) {
        chunk(bytes)
      },
      finish: () => this.#install({ vector, mustHold }, lines),
      steps: () => this.#installSteps({ vector, mustHold }, lines),
      abandon: () => undefined,
    }
  }

  *#installSteps(state: InstalledState, lines: readonly SnapshotLine[]): Generator<void, void> {
    if (lines.length > this.linesPerStep) yield
    this.#install(state, lines)
  }

  #install({ vector, mustHold }: InstalledState, lines: readonly SnapshotLine[]): void {
    if (!vector.dominates(mustHold))
      throw new WarpError('WARP_E_RESYNC_REQUIRED', 'the state lacks something', { details: { bothCompacted: true } })
    const own = [...this.#held.values()].filter((held) => held.replica === this.replica)
    const lost = own.filter(({ sequence }) => !vector.includes(this.replica, sequence))
    this.#held = new Map()
    for (const { replica, sequence, text } of lines) {
      const id = replica as ReplicaId
      this.#held.set(dot(id, sequence), { replica: id, sequence, text, bytes: new Uint8Array(0) })
    }
    this.#log = this.#log.map(() => undefined)
    this.applied = vector.copy()
    this.floor = vector.copy()
    this.#told = new VersionVector()
    for (const [replica] of vector.entries()) this.#seenBy.set(replica, vector.copy())
    if (lost.length === 0) return
    this.retired.retire(this.replica, vector.get(this.replica))
    this.#takeNewIdentity()
    for (const { text } of lost) this.write(text)
  }

  #takeNewIdentity(): void {
    this.replica = replicaIdFromBytes(this.#env.random(8))
    this.#told = new VersionVector()
  }

  #seenWith(operation: OperationReader): VersionVector {
    const { replica, sequence } = operation
    const seen = VersionVector.from([...(this.#seenBy.get(replica)?.entries() ?? []), ...operation.dependencies()])
    seen.raise(replica, sequence)
    return seen
  }

  #append(held: Held): void {
    this.#held.set(dot(held.replica, held.sequence), held)
    this.#log.push(held)
    this.applied.raise(held.replica, held.sequence)
  }
}

function dot(replica: ReplicaId, sequence: number): string {
  return `${replica}:${sequence}`
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
