/**
 * Order domains: who orders the operations of a key, who gets them, and from when nothing can come
 * between them any more. Each keyspace has one; whoever needs to know asks it, and never for a
 * mode.
 *
 * Operations of one domain are numbered under one replica id, without holes. A domain whose
 * operations wait for somebody, or never leave, therefore needs an id of its own: others would wait
 * for the hole.
 */

export type DomainKind = 'local' | 'shared' | 'through' | 'ordered'

export interface Domain {
  readonly kind: DomainKind
  /** Its place among a replica's writers. */
  readonly index: number
  /**
   * Whether replication sends its operations to other replicas. If not, what others write to a key of
   * that name is kept for others and is no part of it: the key is this replica's own, or an ordered
   * log gives it to all.
   */
  readonly isSent: boolean
  /**
   * From when an operation may be sent, in the order in which its writer has numbered it: never; as
   * soon as it outlives this process; once it has entered, after a store has taken it; or once the
   * ordered log has given it a place, which is how it is sent.
   */
  readonly sentFrom: 'never' | 'logged' | 'entered' | 'decided'
  /**
   * From when nothing concurrent with an operation can come any more, so that it may be folded
   * away: as soon as it is written; once every known replica has applied it; or once the ordered
   * log has given it a place.
   */
  readonly stableFrom: 'written' | 'acknowledged' | 'decided'
  /**
   * Under which id it is numbered: the replica's own one, or another that is known exactly if that
   * one is, or to nobody; or one of the ordered log (`operation/names/ordered-id.ts`).
   */
  readonly id: 'own' | 'second' | 'private' | 'the order'
}

/** No keyspace has `through` yet: writes through are shared ones. */
export const DOMAINS: Readonly<Record<DomainKind, Domain>> = {
  shared: { kind: 'shared', index: 0, isSent: true, sentFrom: 'logged', stableFrom: 'acknowledged', id: 'own' },
  local: { kind: 'local', index: 1, isSent: false, sentFrom: 'never', stableFrom: 'written', id: 'private' },
  through: { kind: 'through', index: 2, isSent: true, sentFrom: 'entered', stableFrom: 'acknowledged', id: 'second' },
  ordered: { kind: 'ordered', index: 3, isSent: false, sentFrom: 'decided', stableFrom: 'decided', id: 'the order' },
}
