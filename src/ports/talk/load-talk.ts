/**
 * How replicas ask each other for a load, so that one of them loads a key for all, and tell each other
 * what rows of stores hold, so that one of them brings a write there for all.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { ToldCopy } from './copy-talk.ts'

/** What one replica asks of another one. */
export interface LoadAsked {
  readonly key: string
  /** What the answer has to have seen: what the asker has applied, and what it remembers no more. */
  readonly need: VersionVector
  /** Another replica was asked before, and fell silent. */
  readonly isSecond: boolean
}

/** A value that a load has brought, or a copy of it. */
export interface LoadFill extends ToldCopy {
  readonly kind: 'fill'
  /** What was seen when the load began. */
  readonly begin: VersionVector
}

/** `working`: it is being loaded. `cannot`: load it yourself. */
export type LoadAnswer = LoadFill | { readonly kind: 'working' } | { readonly kind: 'cannot' }

/** What the row of a key holds in its store. */
export interface StoredRow {
  readonly key: string
  readonly vector: VersionVector
}

/** Who loads for others. */
export interface LoadAnswererPort {
  /** `answer` may be called several times; the last time not with `working`. */
  asked(asked: LoadAsked, answer: (answer: LoadAnswer) => void): void
  /** Another replica has written these rows. */
  stored(rows: readonly StoredRow[]): void
}

export interface LoadTalkPort {
  connect(answerer: LoadAnswererPort): void
  /** Tells all that answer. What is lost they find out by themselves. */
  tellStored(rows: readonly StoredRow[]): void
  /** Those that are up and answer. */
  answerers(): Iterable<ReplicaId>
  /**
   * Asks one of them. `heard` is called with each answer, and with `gone` if there will be none.
   * Returns how to stop listening.
   */
  ask(replica: ReplicaId, asked: LoadAsked, heard: (answer: LoadAnswer | { readonly kind: 'gone' }) => void): () => void
}
