/**
 * Which records of operations that belong to no key the log still needs. What they say of who takes
 * part stands in other records once it is pruned (`src/operation/ended-ids.ts`), and an absence is
 * over with the next operation; from then on they are garbage, if nobody can ask for them any more.
 * So is an invalidation that everybody has, and what is known of a lease when everybody has its end.
 * Those of kinds that this build does not know stay.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { departureIn, type DepartureNote } from '../../operation/departures.ts'
import { leaseNoteIn, type EnteredLeaseNote } from '../../operation/leases/lease-note.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { Position } from '../../operation/position.ts'
import { LeaseBook, type BookedLease, type PlacedLeaseNote } from './lease-book.ts'

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
  readonly note: Note
}

/** What it says. `undefined`: an invalidation, which says nothing to who has it already. */
type Note = DepartureNote | { readonly kind: 'lease'; readonly note: EnteredLeaseNote } | undefined

/** Nobody can ask for it any more. */
function mayBeGone({ replica, sequence }: Dot, { table, floor }: Pick<AsideState, 'table' | 'floor'>): boolean {
  return table.ended.isPruned(replica) || floor.includes(replica, sequence)
}

function isNeeded(dot: Dot, note: Note, leases: LeaseBook, state: AsideState): boolean {
  if (!mayBeGone(dot, state)) return true
  if (note === undefined) return false
  const { replica, sequence } = dot
  const { applied } = state
  const { ended } = state.table
  switch (note.kind) {
    case 'lease':
      return leases.isNeeded(note.note)
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
  /** What the operations of leases amount to. */
  readonly leases: LeaseBook = new LeaseBook()

  /** Whether the log needs an operation that belongs to no key. */
  isNeeded(operation: OperationReader, state: AsideState): boolean {
    const { replica, sequence } = operation
    if (operation.kind === OPERATION_KIND.invalidate) return isNeeded(operation, undefined, this.leases, state)
    const lease = leaseNoteIn(operation)
    if (lease !== undefined)
      return isNeeded(operation, leaseNote({ ...lease, dot: { replica, sequence } }), this.leases, state)
    const note = departureIn(operation, state.table)
    return note === undefined || isNeeded(operation, note, this.leases, state)
  }

  /** Takes in what one says of a lease. Returns whether that changes anything. */
  noteLease(note: PlacedLeaseNote): boolean {
    const { dot, position, ...said } = note
    this.#kept.push({ dot, position, note: leaseNote({ ...said, dot }) })
    return this.leases.take(note)
  }

  /** A lease that a checkpoint holds. */
  noteKnown({ id: lease, ttlMs, grant, end, attachments }: BookedLease): void {
    const keep = (note: EnteredLeaseNote, position: Position): void =>
      void this.#kept.push({ dot: note.dot, position, note: leaseNote(note) })
    keep({ kind: 'grant', lease, ttlMs, dot: grant.dot }, grant.position)
    for (const { of, target, dot, position } of attachments.values())
      keep({ kind: 'attach', lease, of, target, dot }, position)
    if (end !== undefined) keep({ kind: 'end', lease, reason: end.reason, dot: end.dot }, end.position)
  }

  note({ replica, sequence }: Dot, note: DepartureNote | undefined, position: Position): void {
    this.#kept.push({ dot: { replica, sequence }, position, note })
  }

  /**
   * The newest operation of each writer that everybody has, and that may still be asked for, of those
   * that need not be for that: invalidations, and what is said of leases.
   */
  stable(isStable: (dot: Dot) => boolean, { floor }: Pick<AsideState, 'floor'>): VersionVector {
    const stable = new VersionVector()
    for (const { dot, note } of this.#kept) {
      const { replica, sequence } = dot
      const isPassed = note === undefined || note.kind === 'lease'
      if (isPassed && !floor.includes(replica, sequence) && isStable(dot)) stable.raise(replica, sequence)
    }
    return stable
  }

  /** Takes out those that are not needed any more. */
  takeDone(state: AsideState, isRewritten: (since: Position, through: Position) => boolean): Position[] {
    const done: Position[] = []
    this.leases.letGo((dot) => mayBeGone(dot, state), isRewritten)
    this.#kept = this.#kept.filter(({ dot, note, position }) => {
      if (isNeeded(dot, note, this.leases, state)) return true
      if (position > 0) done.push(position)
      return false
    })
    return done
  }
}

function leaseNote(note: EnteredLeaseNote): Note {
  return { kind: 'lease', note }
}
