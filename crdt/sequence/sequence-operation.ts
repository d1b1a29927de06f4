/**
 * What an operation on a sequence carries: the runs that it removes and, if it inserts, the new
 * elements and their parent.
 *
 *     payload  = [removed]                                              removes only
 *              | [removed, content]                                    inserts under the root
 *              | [removed, content, left, replica, sequence, index]    inserts beside that element; left: boolean
 *     removed  = [[replica, (sequence, index, count)+]*]               count < 0: that many operations of one element each
 *
 * The ids of the new elements follow from the operation's dot. A payload that does not have this
 * form is refused before the state is touched. What names elements that its writer had not seen is
 * not believed: such an element might be here on one replica and not yet on another.
 */
import type { Applied } from '../strategy.ts'
import type { Encodable } from '../encoding/encodable.ts'
import type { ElementId, Place, Run, Sequence } from './sequence.ts'
import type { ReplicaId } from '../time/replica-id.ts'
import { ROOT, addRun } from './sequence.ts'
import { WarpError } from '../warp-error.ts'

/** Keeps each list of a payload well below the entries that an encoded array may have. */
const RUNS_PER_GROUP_MAX = 10_000

type Removed = readonly (readonly (string | number)[])[]

export type SequencePayload<Content extends Encodable> =
  | readonly [removed: Removed]
  | readonly [removed: Removed, content: Content]
  | readonly [removed: Removed, content: Content, left: boolean, replica: ReplicaId, sequence: number, index: number]

export interface SequenceChange<Content> {
  readonly removed: readonly Run[]
  /** `undefined` if nothing is inserted. */
  readonly content: Content | undefined
  readonly place: Place
}

export type Rename = (replica: ReplicaId, sequence: number) => readonly [ReplicaId, number]

export function writePayload<Content extends Encodable>(change: SequenceChange<Content>): SequencePayload<Content> {
  const { content, place } = change
  const removed = groupRuns(change.removed)
  if (content === undefined) return [removed]
  const { parent, side } = place
  if (parent === undefined) return [removed, content]
  return [removed, content, side === 'left', parent.replica, parent.sequence, parent.index]
}

/** Throws `WARP_E_PROTOCOL` if the payload is malformed. */
export function readPayload<Content extends Encodable>(
  payload: SequencePayload<Content>,
  isContent: (content: unknown) => boolean,
): SequenceChange<Content> {
  const parts: readonly unknown[] = Array.isArray(payload) ? payload : []
  const removed = ungroupRuns(parts[0])
  if (parts.length === 1) return { removed, content: undefined, place: ROOT }
  if (!isContent(parts[1])) throw malformed('its elements')
  const content = parts[1] as Content // checked by its kind
  if (parts.length === 2) return { removed, content, place: ROOT }
  const parent = readElement(parts[3], parts[4], parts[5])
  if (parts.length !== 6 || typeof parts[2] !== 'boolean') throw malformed('its parent')
  return { removed, content, place: { parent, side: parts[2] ? 'left' : 'right' } }
}

/** Folds the change into the sequence. */
export function applyChange<Content extends Encodable>(
  sequence: Sequence<Content>,
  operation: Applied<SequencePayload<Content>>,
  change: SequenceChange<Content>,
): void {
  if (change.content !== undefined) {
    const { parent } = change.place
    const place = parent !== undefined && operation.observed(parent.replica, parent.sequence) ? change.place : ROOT
    sequence.insert({ replica: operation.replica, sequence: operation.sequence, index: 0 }, place, change.content)
  }
  for (const run of change.removed) {
    if (hasObserved(operation, run)) sequence.remove(run)
  }
}

/** Whether all of the run had been seen. Typed elements are an operation each, of which single ones may not have been. */
function hasObserved(operation: Applied<Encodable>, { first, count, typed }: Run): boolean {
  const operations = typed ? count : 1
  for (let i = operations - 1; i >= 0; i--) {
    if (!operation.observed(first.replica, first.sequence + i)) return false
  }
  return true
}

/**
 * The change under other dots. Runs of typed elements are renamed one by one, for their sequences
 * need not stay consecutive.
 */
export function renameChange<Content>(change: SequenceChange<Content>, rename: Rename): SequenceChange<Content> {
  const removed: Run[] = []
  for (const run of change.removed) {
    const operations = run.typed ? run.count : 1
    for (let i = 0; i < operations; i++) {
      const first = renameElement({ ...run.first, sequence: run.first.sequence + i }, rename)
      addRun(removed, { first, count: run.typed ? 1 : run.count, typed: run.typed })
    }
  }
  const { parent, side } = change.place
  return {
    ...change,
    removed,
    place: { parent: parent === undefined ? undefined : renameElement(parent, rename), side },
  }
}

function renameElement(id: ElementId, rename: Rename): ElementId {
  const [replica, sequence] = rename(id.replica, id.sequence)
  return { replica, sequence, index: id.index }
}

function groupRuns(runs: readonly Run[]): Removed {
  const groups: (string | number)[][] = []
  for (const { first, count, typed } of runs) {
    let group = groups[groups.length - 1]
    if (group === undefined || group[0] !== first.replica || group.length > RUNS_PER_GROUP_MAX * 3) {
      group = [first.replica]
      groups.push(group)
    }
    group.push(first.sequence, first.index, typed ? -count : count)
  }
  return groups
}

function ungroupRuns(removed: unknown): Run[] {
  if (!Array.isArray(removed)) throw malformed('its removed runs')
  const runs: Run[] = []
  for (const group of removed as readonly unknown[]) {
    if (!Array.isArray(group) || group.length % 3 !== 1) throw malformed('its removed runs')
    for (let i = 1; i < group.length; i += 3) {
      const first = readElement(group[0], group[i], group[i + 1])
      const count: unknown = group[i + 2]
      if (typeof count !== 'number' || !Number.isSafeInteger(count) || count === 0) throw malformed('a count')
      runs.push({ first, count: Math.abs(count), typed: count < 0 })
    }
  }
  return runs
}

function readElement(replica: unknown, sequence: unknown, index: unknown): ElementId {
  if (typeof replica !== 'string' || !isCount(sequence) || !isCount(index)) throw malformed('an element id')
  return { replica: replica as ReplicaId, sequence, index } // an id that no replica has is merely not found
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function malformed(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed operation on a sequence: ${what}`)
}
