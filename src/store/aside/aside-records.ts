/**
 * Which records of operations that belong to no key the log still needs. What they say of who takes
 * part stands in other records once it is pruned (`src/operation/ended-ids.ts`), and an absence is
 * over with the next operation; from then on they are garbage, if nobody can ask for them any more.
 * So is an invalidation that everybody has. Those of kinds that this build does not know stay.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { departureIn, type DepartureNote } from '../../operation/departures.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { Position } from '../../operation/position.ts'

export interface AsideState {
  readonly table: ReplicaTable
  /** What has been applied. */
  readonly applied: VersionVector
  /** What may be gone: who lacks it takes over a state. */
  readonly floor: VersionVector
}

interface Kept {
  readonly dot: Dot
  readonly position: Position
  /** `undefined`: an invalidation, which says nothing to who has it already. */
  readonly note: DepartureNote | undefined
}

/** Whether the log needs an operation that belongs to no key. */
export function isAsideNeeded(operation: OperationReader, state: AsideState): boolean {
  if (operation.kind === OPERATION_KIND.invalidate) return isNeeded(operation, undefined, state)
  const note = departureIn(operation, state.table)
  return note === undefined || isNeeded(operation, note, state)
}

function isNeeded(
  { replica, sequence }: Dot,
  note: DepartureNote | undefined,
  { table, applied, floor }: AsideState,
): boolean {
  const { ended } = table
  const mayBeGone = ended.isPruned(replica) || floor.includes(replica, sequence)
  if (!mayBeGone) return true
  if (note === undefined) return false
  switch (note.kind) {
    case 'away':
      return applied.get(replica) === sequence
    case 'ended':
      return note.ends.some(([over]) => !ended.isPruned(over))
    default:
      return note.replicas.some((over) => !ended.isPruned(over))
  }
}

/** Where they lie, as far as they have been written or read since the log was opened. */
export class AsideRecords {
  #kept: Kept[] = []

  note({ replica, sequence }: Dot, note: DepartureNote | undefined, position: Position): void {
    this.#kept.push({ dot: { replica, sequence }, position, note })
  }

  /** The newest invalidation of each writer that everybody has, and that may still be asked for. */
  stableInvalidations(isStable: (dot: Dot) => boolean, { floor }: Pick<AsideState, 'floor'>): VersionVector {
    const stable = new VersionVector()
    for (const { dot, note } of this.#kept) {
      const { replica, sequence } = dot
      if (note === undefined && !floor.includes(replica, sequence) && isStable(dot)) stable.raise(replica, sequence)
    }
    return stable
  }

  /** Takes out those that are not needed any more. */
  takeDone(state: AsideState): Position[] {
    const done: Position[] = []
    this.#kept = this.#kept.filter(({ dot, note, position }) => {
      if (isNeeded(dot, note, state)) return true
      done.push(position)
      return false
    })
    return done
  }
}
