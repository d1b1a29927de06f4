/**
 * How a replica asks another one what copies it holds, to have them before anybody asks. First for keys,
 * page by page, and then for the copies of those that it lacks. A question is answered at once from what
 * is in memory, and nothing of it is remembered: who hears no answer asks again.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'

/** `from`: where the page begins; 0, or `next` of the page before. */
export interface KeysWanted {
  readonly kind: 'keys'
  readonly pattern: string
  readonly from: number
}

export interface CopiesWanted {
  readonly kind: 'copies'
  readonly keys: readonly string[]
}

export type HoldingsWanted = KeysWanted | CopiesWanted

/** What is told of a row beside its value. */
export interface FilledRow {
  /** `undefined`: there is no row. */
  readonly meta: Uint8Array | undefined
  readonly token: Uint8Array
  /** All that is known of the key where the row was read. */
  readonly known: VersionVector
}

/** A copy as it is told. */
export interface ToldCopy {
  /** The value encoded; `undefined`: the source has none. */
  readonly value: Uint8Array | undefined
  /** How long it lives from now on, ms; 0: for ever. */
  readonly leftMs: number
  readonly tags: readonly string[]
  /** Where the truth is in a store, `value` is that of the row, and this the rest. */
  readonly row?: FilledRow | undefined
}

export interface KeysHeld {
  readonly kind: 'keys'
  readonly keys: readonly string[]
  /** Where the next page begins; 0: there is none. */
  readonly next: number
}

export interface CopiesHeld {
  readonly kind: 'copies'
  /** What had been seen where the copies are: they are right as of then. */
  readonly begin: VersionVector
  /** So many of the keys have been looked at, from the first on. The others are to be asked for again. */
  readonly lookedCount: number
  /** By the places of their keys in the question. A key without one has no copy that may be told. */
  readonly copies: readonly (readonly [index: number, copy: ToldCopy])[]
}

/** `cannot`: the question means nothing there. */
export type HoldingsTold = KeysHeld | CopiesHeld | { readonly kind: 'cannot' }

/** Who has copies to tell of. */
export interface CopyTellerPort {
  told(wanted: HoldingsWanted): HoldingsTold
}

/** Another replica that is up. */
export interface CopyPeer {
  readonly replica: ReplicaId
  /** For people; empty if it has none. */
  readonly name: string
  /** Whether its build answers. */
  readonly tells: boolean
}

export interface CopyTalkPort {
  connect(teller: CopyTellerPort): void
  /** Those that are up, each once. */
  peers(): readonly CopyPeer[]
  /** This replica has had what the others know, once since it started, and all that are up have said who they are. */
  readonly hasMetThem: boolean
  /**
   * Asks one of them. `heard` is called once with its answer, or with `gone` if there will be none; never,
   * if one of both is lost. Returns how to stop listening.
   */
  ask(
    replica: ReplicaId,
    wanted: HoldingsWanted,
    heard: (told: HoldingsTold | { readonly kind: 'gone' }) => void,
  ): () => void
}
