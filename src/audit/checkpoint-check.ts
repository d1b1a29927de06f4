/**
 * A checkpoint is a shortcut for the records that it covers: opening by it must end in the same key
 * table as reading every record. What compaction has dropped since may be counted differently, and
 * nothing else.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import type { LogFiles } from '../ports/files.ts'
import { checkpointNumber, decodeCheckpoint } from '../log/opening/checkpoint.ts'
import type { Meter } from '../operation/budget.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import type { Recovered } from '../store/recovered.ts'
import type { Report } from './structure.ts'

export function isCheckpoint(name: string): boolean {
  return checkpointNumber(name) !== undefined
}

/**
 * Reads every checkpoint file, also those that an opening would not need. Returns the newest good
 * one's body.
 */
export function checkCheckpointFiles(files: LogFiles, report: Report, format: number): Uint8Array | undefined {
  let newest: Uint8Array | undefined
  for (const name of files.list().filter(isCheckpoint).sort()) {
    const file = files.open(name)
    const checkpoint = decodeCheckpoint(file.read(0, file.size), name, format)
    file.close()
    if (typeof checkpoint !== 'string') newest = checkpoint.body
    else
      report('checkpoint', `${name} is damaged: ${checkpoint}; the log is whole without it`, { file: name, offset: 0 })
  }
  return newest
}

/**
 * Compares what the log comes to when it is opened by its checkpoint with what all its records come
 * to.
 */
export function* checkShortcut(
  { byCheckpoint, byRecords, report, ended }: Shortcut,
  meter: Meter,
): Generator<void, void> {
  compareVectors('what counts as applied', byCheckpoint.applied, byRecords.applied, report)
  compareVectors('what may be compacted', byCheckpoint.floor, byRecords.floor, report)
  const [a, b] = [byCheckpoint.keys, byRecords.keys]
  for (const slot of a.occupied()) {
    const key = a.keys[slot] as string
    const other = b.find(key)
    if (other === undefined) report('checkpoint', `the checkpoint has a key '${key}' that no record shows`, { key })
    else compareKeys({ keys: a, slot }, { keys: b, slot: other }, { report, ended })
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  for (const slot of b.occupied()) {
    const key = b.keys[slot] as string
    if (a.find(key) === undefined)
      report('checkpoint', `the checkpoint lacks the key '${key}' that records show`, { key })
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
}

interface Shortcut {
  readonly byCheckpoint: Recovered
  readonly byRecords: Recovered
  readonly report: Report
  readonly ended: EndedIds
}

interface Entry {
  readonly keys: KeyTable
  readonly slot: Slot
}

const COLUMNS = ['head', 'tip', 'tipHlc', 'tipSequence', 'tipReplica', 'version', 'snapshot', 'cut'] as const

function compareKeys(
  a: Entry,
  b: Entry,
  { report, ended }: { readonly report: Report; readonly ended: EndedIds },
): void {
  const key = a.keys.keys[a.slot] as string
  const column = COLUMNS.find((name) => a.keys[name][a.slot] !== b.keys[name][b.slot])
  const isSame = column === undefined && ended.isSameIn(a.keys.vector(a.slot), b.keys.vector(b.slot))
  if (isSame) return
  const replica = b.keys.tipReplica[b.slot] as ReplicaId
  const dot = { replica, sequence: b.keys.tipSequence[b.slot] as number }
  const what = column ?? 'vector'
  report('checkpoint', `the checkpoint and the records differ in the ${what} of '${key}'`, { key, dot })
}

function compareVectors(what: string, a: VersionVector, b: VersionVector, report: Report): void {
  if (a.compare(b) !== 'equal') report('checkpoint', `the checkpoint and the records differ in ${what}`)
}
