/**
 * What is known of guests that have written, here or elsewhere: how far each has come, and the names
 * that its last writes have got. It follows from the provenance of operations, so it needs no record of
 * its own: opening reads the log, and replication brings the rest.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { GUEST_WINDOW, GUESTS_KNOWN_MAX } from '../../limits.ts'

/** A write of a guest that is an operation now. */
export interface NamedWrite {
  readonly key: string
  readonly dot: Dot
  /** Its writer had seen all that this replica had written to the key by then. */
  readonly hasSeenAll: boolean
}

export interface KnownGuest {
  /** Its writes up to this one are here, or have been refused. */
  last: number
  /** Of the last ones, by the guest's own count, ascending. */
  readonly names: Map<number, NamedWrite>
}

export class KnownGuests {
  /** The one that wrote last stands last. */
  readonly #guests = new Map<ReplicaId, KnownGuest>()

  get size(): number {
    return this.#guests.size
  }

  lastOf(guest: ReplicaId): number {
    return this.#guests.get(guest)?.last ?? 0
  }

  nameOf(guest: ReplicaId, sequence: number): NamedWrite | undefined {
    return this.#guests.get(guest)?.names.get(sequence)
  }

  /** Its last writes with their names. */
  *namesOf(guest: ReplicaId): Iterable<readonly [number, NamedWrite]> {
    yield* this.#guests.get(guest)?.names ?? []
  }

  note(guest: ReplicaId, sequence: number, name: NamedWrite): void {
    const known = this.#touched(guest)
    known.last = Math.max(known.last, sequence)
    known.names.set(sequence, name)
    if (known.names.size > GUEST_WINDOW) known.names.delete(first(known.names) as number)
  }

  /** It has been refused, and has no name. */
  noteRefused(guest: ReplicaId, sequence: number): void {
    const known = this.#touched(guest)
    known.last = Math.max(known.last, sequence)
  }

  #touched(guest: ReplicaId): KnownGuest {
    const known = this.#guests.get(guest) ?? { last: 0, names: new Map<number, NamedWrite>() }
    this.#guests.delete(guest)
    this.#guests.set(guest, known)
    if (this.#guests.size > GUESTS_KNOWN_MAX) this.#guests.delete(first(this.#guests) as ReplicaId)
    return known
  }
}

function first<Key>(map: ReadonlyMap<Key, unknown>): Key | undefined {
  return map.keys().next().value
}
