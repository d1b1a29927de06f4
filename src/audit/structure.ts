/**
 * What must hold between the records of a log, whatever the keys mean: the same on every sound log,
 * whether it was compacted, resynced from a peer or restored. One pass over the records in log
 * order, after another one has told how everything ends (`Recovered`): what compaction dropped is
 * below the floor, and records that are no longer part of a key are garbage of which only the dot
 * is looked at.
 *
 * - Every operation decodes, and a dot names one content for ever.
 * - Per replica the stamps ascend, and no operation is missing between the floor and what counts as
 *   applied.
 * - An operation's causes (the context of its key, its dependencies over all keys) came before it
 *   and are stamped before it.
 * - Each operation of a key points back to the one before it, and there are as many as the key's
 *   version says.
 * - A snapshot decodes, the parts of its state are there, and it holds only what has been applied.
 */
import { decode } from '../../crdt/encoding/encoding.ts'
import { formatDot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { grown, type Slot } from '../keys/key-table.ts'
import type { Keyspace, Keyspaces } from '../keys/keyspace.ts'
import { RECORD_KIND, type Log, type RecordView } from '../log/log.ts'
import { isPart, readPart, stateBytesSteps } from '../merge/snapshot-parts.ts'
import { checkSnapshot, readSnapshotHead } from '../merge/snapshot-record.ts'
import type { Meter } from '../operation/budget.ts'
import { isOfKey, OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { type Recovered } from '../store/recovered.ts'
import { textOf } from '../operation/text.ts'
import type { Position } from '../operation/position.ts'
import { DotTable } from './dot-table.ts'
import type { Finding, FindingKind } from './finding.ts'

const DOTS_PER_OPERATION = 64

/** A finding without what is the same for all of one log. */
export type Report = (
  kind: FindingKind,
  message: string,
  about?: Pick<Finding, 'key' | 'dot' | 'file' | 'offset' | 'count'>,
) => void

export interface StructureOptions {
  readonly log: Log
  readonly table: ReplicaTable
  /** How the log ends. */
  readonly end: Recovered
  readonly keyspaces: Keyspaces
  readonly report: Report
}

export class StructureCheck {
  readonly dots: DotTable = new DotTable()
  snapshotsCount = 0
  /** Operations that make up values now. */
  liveCount = 0
  /** Snapshots whose states lie in parts. */
  readonly #divided: Position[] = []
  readonly #options: StructureOptions
  readonly #reader: OperationReader
  readonly #other: OperationReader
  /** The greatest sequence met so far. */
  readonly #seen = new VersionVector()
  /** Per slot: the newest operation behind the cut met so far, and how many there were. */
  #last: Float64Array
  #counts: Float64Array

  constructor(options: StructureOptions) {
    this.#options = options
    this.#reader = new OperationReader(options.table)
    this.#other = new OperationReader(options.table)
    const { slotsUsed } = options.end.keys
    this.#last = grown(new Float64Array(0), new Float64Array(slotsUsed))
    this.#counts = grown(new Float64Array(0), new Float64Array(slotsUsed))
  }

  /** Looks at the next record, in log order. */
  visit(record: RecordView): void {
    try {
      if (record.kind === RECORD_KIND.operation) this.#operation(record)
      if (record.kind === RECORD_KIND.snapshot) this.#snapshot(record)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
      this.#options.report('malformed', `a record with a good checksum is malformed: ${error.message}`, {
        offset: record.position,
      })
    }
  }

  /** What can be said once all records have been visited. In steps. */
  *finish(meter: Meter): Generator<void, void> {
    for (const position of this.#divided) yield* this.#checkState(position, meter)
    yield* this.#checkGaps(meter)
    const { keys } = this.#options.end
    for (const slot of keys.occupied()) {
      this.#checkCount(slot)
      meter.spend(1, 0)
      if (meter.isSpent) yield
    }
  }

  #operation(record: RecordView): void {
    const operation = this.#reader.load(record.bytes, record.start, record.end)
    const { replica, sequence, hlc } = operation
    const before = this.dots.note(replica, sequence, { position: record.position, hlc })
    if (before > 0) this.#compareWith(before)
    const key = textOf(record.bytes, operation.keyStart, operation.keyEnd)
    if (operation.kind === OPERATION_KIND.update) decode(record.bytes, operation.payloadStart, operation.end)
    const slot = isOfKey(operation.kind) ? this.#options.end.keys.find(key) : undefined
    if (slot !== undefined && this.#isLive(slot, record)) {
      this.liveCount++
      // What a store had to take first was stamped before that, and enters behind what came meanwhile.
      const isInOrder = operation.rowName() === undefined
      if (isInOrder) this.#checkOrder(key)
      this.#checkCauses(key, isInOrder)
      this.#checkChain(slot, record)
    }
    this.#seen.raise(replica, sequence)
  }

  /** What others wrote to a key that is local here is no part of it. */
  #isLive(slot: Slot, { position }: RecordView): boolean {
    const { end, keyspaces } = this.#options
    if (position <= (end.keys.cut[slot] as number)) return false
    const { domain } = keyspaces.list[end.keys.keyspace[slot] as number] as Keyspace
    return domain.isSent || end.staysHere(this.#reader.replica)
  }

  #compareWith(position: Position): void {
    const { log, report } = this.#options
    const { bytes, start, end } = log.record(position)
    const { replica, sequence } = this.#reader
    if (sameEnvelope(this.#reader, this.#other.load(bytes, start, end))) return
    const dot = { replica, sequence }
    report('duplicate', `two different operations are both named ${formatDot(dot)}: one of them is forged`, { dot })
  }

  #checkOrder(key: string): void {
    const { replica, sequence, hlc } = this.#reader
    const before = this.dots.hlc(replica, sequence - 1)
    if (before < hlc) return
    const dot = { replica, sequence }
    this.#options.report('order', `${formatDot(dot)} is not stamped behind the operation before it of its replica`, {
      key,
      dot,
    })
  }

  #checkCauses(key: string, isInOrder: boolean): void {
    const operation = this.#reader
    for (const cause of operation.context()) this.#checkCause(key, isInOrder, cause)
    if (!operation.hasDependencies) return
    for (const cause of operation.dependencies()) this.#checkCause(key, isInOrder, cause)
  }

  #checkCause(key: string, isInOrder: boolean, [replica, sequence]: readonly [ReplicaId, number]): void {
    const { end, report } = this.#options
    const dot = { replica: this.#reader.replica, sequence: this.#reader.sequence }
    const cause = formatDot({ replica, sequence })
    const isKnown = this.#seen.includes(replica, sequence) || end.floor.includes(replica, sequence)
    if (!isKnown && !this.#options.table.ended.isPruned(replica)) {
      report('cause', `${formatDot(dot)} says that its writer had seen ${cause}, which is not here before it`, {
        key,
        dot,
      })
    } else if (isInOrder && this.dots.hlc(replica, sequence) >= this.#reader.hlc) {
      report('order', `${formatDot(dot)} is not stamped behind ${cause}, which its writer had seen`, { key, dot })
    }
  }

  #checkChain(slot: Slot, { position, previous }: RecordView): void {
    const { end, report } = this.#options
    const last = this.#last[slot] as number
    this.#last[slot] = position
    this.#counts[slot] = (this.#counts[slot] as number) + 1
    const isLinked = last > 0 ? previous === last : previous <= (end.keys.cut[slot] as number)
    if (isLinked) return
    const { replica, sequence } = this.#reader
    const key = end.keys.keys[slot] as string
    const dot = { replica, sequence }
    report('chain', `${formatDot(dot)} does not point back to the operation before it of '${key}'`, { key, dot })
  }

  #snapshot(record: RecordView): void {
    const { end, table, report } = this.#options
    if (isPart(record)) {
      readPart(record.bytes, record.start, record.end, table)
      return
    }
    const snapshot = checkSnapshot(record, table)
    const slot = end.keys.find(snapshot.key)
    if (slot === undefined || end.keys.snapshot[slot] !== record.position) return
    this.snapshotsCount++
    const { key, vector, through, parts } = snapshot
    if (parts !== undefined) this.#divided.push(record.position)
    const beyond = [...vector.entries()].find(
      ([replica, sequence]) =>
        !end.staysHere(replica) && !end.applied.includes(replica, sequence) && !table.ended.isPruned(replica),
    )
    if (through > record.position)
      report('snapshot', `the snapshot of '${key}' says that it holds later records`, { key })
    if (beyond === undefined) return
    const dot = { replica: beyond[0], sequence: beyond[1] }
    report('snapshot', `the snapshot of '${key}' holds ${formatDot(dot)}, which was never applied here`, { key, dot })
  }

  /** Whether a state is there whose parts lie in records of their own. */
  *#checkState(position: Position, meter: Meter): Generator<void, void> {
    const { log, table, report } = this.#options
    const record = log.record(position)
    const head = readSnapshotHead(record.bytes, record.start, record.end, table)
    const { key } = head
    try {
      decode(yield* stateBytesSteps(log, { record, head }, table, meter))
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_PROTOCOL') && !isWarpError(error, 'WARP_E_LOG_CORRUPT')) throw error
      report('snapshot', `the state in the snapshot of '${key}' cannot be read: ${error.message}`, { key })
    }
  }

  #checkCount(slot: Slot): void {
    const { end, log, table, report } = this.#options
    const key = end.keys.keys[slot] as string
    const position = end.keys.snapshot[slot] as number
    if (position === 0) return
    const { bytes, start, end: recordEnd } = log.record(position)
    const { baseVersion } = readSnapshotHead(bytes, start, recordEnd, table)
    const wanted = (end.keys.version[slot] as number) - baseVersion
    const count = wanted - (this.#counts[slot] as number)
    if (count === 0) return
    const message =
      count > 0
        ? `${count} operations of '${key}' are missing: its version counts ${wanted} behind its snapshot`
        : `'${key}' has ${-count} operations more than its version counts`
    report(count > 0 ? 'missing' : 'chain', message, { key, count: Math.abs(count) })
  }

  *#checkGaps(meter: Meter): Generator<void, void> {
    const { applied, floor, meta } = this.#options.end
    for (const [replica, through] of applied.entries()) {
      if (!this.#options.end.staysHere(replica))
        yield* this.#reportGaps(replica, { after: floor.get(replica), through }, meter)
    }
    // Nothing says what compaction has dropped of local keys, so holes are holes only where it has
    // dropped nothing.
    const isWhole = this.snapshotsCount === 0 && this.#options.log.segments().every((one) => one.rewrittenAt === 0)
    if (meta !== undefined && isWhole && this.#options.end.forgotten.length === 0)
      yield* this.#reportGaps(meta.local, { after: 0, through: this.#options.end.localSequence }, meter)
  }

  *#reportGaps(
    replica: ReplicaId,
    { after, through }: { readonly after: number; readonly through: number },
    meter: Meter,
  ): Generator<void, void> {
    for (const gap of this.dots.gaps(replica, after, through)) reportGap(this.#options.report, replica, gap)
    // To look at a dot costs little.
    meter.spend((through - after) / DOTS_PER_OPERATION, 0)
    if (meter.isSpent) yield
  }
}

export function reportGap(
  report: Report,
  replica: ReplicaId,
  gap: { readonly first: number; readonly count: number },
): void {
  const dot = { replica, sequence: gap.first }
  const what =
    gap.count === 1 ? `${formatDot(dot)} is missing` : `${gap.count} operations are missing, from ${formatDot(dot)} on`
  report('missing', `${what}: the log says that it holds more of this replica, and did not compact them`, {
    dot,
    count: gap.count,
  })
}

export function sameEnvelope(a: OperationReader, b: OperationReader): boolean {
  const length = a.end - a.start
  if (length !== b.end - b.start) return false
  for (let i = 0; i < length; i++) if (a.bytes[a.start + i] !== b.bytes[b.start + i]) return false
  return true
}
