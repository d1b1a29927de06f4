/**
 * Two logs of one cluster against each other. A dot names one content for ever, so where both have
 * an operation its bytes must be the same; and replicas that hold the same operations of a key hold
 * the same state. What only one of them has says nothing: the other may be behind, or may have
 * compacted it; whether it has lost it, its own check finds out.
 */
import { formatDot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace, Keyspaces } from '../keys/keyspace.ts'
import type { Log } from '../log/log.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import { isOrderedId } from '../operation/names/ordered-id.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { type Recovered } from '../store/recovered.ts'
import { textOf } from '../operation/text.ts'
import type { Position } from '../operation/position.ts'
import { PausedWork, type Meter } from '../operation/budget.ts'
import type { DotTable } from './dot-table.ts'
import { equalBytes } from '../ports/stores/rows.ts'
import type { FoldCheck } from './fold-check.ts'
import { sameEnvelope, type Report } from './structure.ts'

/** A log that has been checked by itself. */
export interface ComparedLog {
  readonly name: string
  readonly log: Log
  readonly table: ReplicaTable
  readonly dots: DotTable
  readonly end: Recovered
  readonly folds: FoldCheck
}

export interface ComparisonOptions {
  /** What the keys mean, if that is known. */
  readonly keyspaces: Keyspaces | undefined
  readonly report: Report
  /** Lets other work proceed, and throws when the comparison is to be given up. */
  readonly pause: (done: number) => Promise<void>
}

export async function compareLogs(a: ComparedLog, b: ComparedLog, options: ComparisonOptions): Promise<void> {
  let done = 0
  const work = new PausedWork(() => options.pause(done))
  await options.pause(1)
  for (const replica of a.dots.replicas()) {
    // Keys of mode `local` never leave their folder: a copy of it goes its own way under the name
    // that it was copied with.
    if (replica === a.end.meta?.local && replica === b.end.meta?.local) continue
    for (const sequence of a.dots.sequences(replica)) {
      done++
      await work.spendKey()
      compareDot(a, b, { replica, sequence, report: options.report })
    }
  }
  const { keyspaces, report } = options
  if (keyspaces === undefined) return
  for (const slot of a.end.keys.occupied()) {
    done++
    await work.finish(compareKey({ log: a, slot }, b, { keyspaces, report, meter: work }))
    await work.spendKey()
  }
}

interface ComparedDot {
  readonly replica: ReplicaId
  readonly sequence: number
  readonly report: Report
}

function compareDot(a: ComparedLog, b: ComparedLog, { replica, sequence, report }: ComparedDot): void {
  const other = b.dots.position(replica, sequence)
  if (other === 0) return
  const one = operationAt(a, a.dots.position(replica, sequence))
  const two = operationAt(b, other)
  if (isOrderedId(replica) ? sameInAnyFormat(one, two) : sameEnvelope(one, two)) return
  const dot = { replica, sequence }
  const key = textOf(one.bytes, one.keyStart, one.keyEnd)
  report('difference', `${formatDot(dot)} is another operation in ${b.name}: in one of them it is forged`, { dot, key })
}

/** What an ordered log has decided each replica writes by itself, in the format that it writes just then. */
function sameInAnyFormat(one: OperationReader, two: OperationReader): boolean {
  const behindFormat = ({ bytes, start, end }: OperationReader): Uint8Array => bytes.subarray(start + 1, end)
  return equalBytes(behindFormat(one), behindFormat(two))
}

function operationAt({ log, table }: ComparedLog, position: Position): OperationReader {
  const { bytes, start, end } = log.record(position)
  return new OperationReader(table).load(bytes, start, end)
}

function* compareKey(
  a: { readonly log: ComparedLog; readonly slot: Slot },
  b: ComparedLog,
  { keyspaces, report, meter }: { readonly keyspaces: Keyspaces; readonly report: Report; readonly meter: Meter },
): Generator<void, void> {
  const { keys } = a.log.end
  const key = keys.keys[a.slot] as string
  const other = b.end.keys.find(key)
  const keyspace = keyspaces.list[keys.keyspace[a.slot] as number] as Keyspace
  if (other === undefined || keyspace === keyspaces.unregistered || !keyspace.domain.isSent) return
  // Each log holds what it does not know to be in the store.
  if (keyspace.source?.store !== undefined) return
  if (keys.vector(a.slot).compare(b.end.keys.vector(other)) !== 'equal') return
  const one = yield* a.log.folds.stateOf(a.slot, keyspace, meter)
  const two = yield* b.folds.stateOf(other, keyspace, meter)
  if (one === undefined || two === undefined || equalBytes(one, two)) return
  const dot = { replica: keys.tipReplica[a.slot] as ReplicaId, sequence: keys.tipSequence[a.slot] as number }
  report(
    'difference',
    `'${key}' has another state in ${b.name}, of the same operations: what one of them has compacted is wrong`,
    { key, dot },
  )
}
