/** What the scenario asks of a replica's process. */
import type { Dot, Effect, PeerReport, ReplicaId } from '../../../adapters/node/index.ts'
import type { Session, WrittenKey } from './keys.ts'

export interface ReplicaCalls {
  /** Opens the log and joins the mesh. */
  readonly open: (settings: ReplicaSettings) => Promise<ReplicaId>
  /** The dots of the operations, once all are acknowledged. */
  readonly write: (writes: readonly Write[]) => Promise<readonly Dot[]>
  /**
   * Counts visits, one after the other, and tells of each ({@link Acknowledged}) as soon as it is
   * acknowledged. Answers at once.
   */
  readonly keepCounting: (nothing: undefined) => Promise<void>
  readonly status: (nothing: undefined) => Promise<Status>
  readonly read: (nothing: undefined) => Promise<readonly Reading[]>
  /** Every operation in the log, read from it. */
  readonly dots: (nothing: undefined) => Promise<readonly Dot[]>
  readonly explain: (key: WrittenKey) => Promise<Reasons>
  /** From now on nothing passes between this process and the network, or everything does again. */
  readonly cut: (nothing: undefined) => Promise<void>
  readonly heal: (nothing: undefined) => Promise<void>
  /** Closes what is open; the process may then be ended. */
  readonly close: (nothing: undefined) => Promise<void>
}

export interface ReplicaSettings extends MeshPlace {
  readonly folder: string
  /** Opens without a network, which `heal` gives it. */
  readonly isCut: boolean
}

/**
 * Where a process is in the mesh of the demo. Goes over IPC: arguments of a process, and the key is
 * among these, are for all to see.
 */
export interface MeshPlace {
  readonly port: number
  /** Addresses of the others. */
  readonly peers: readonly string[]
  readonly clusterKey: Uint8Array
}

export type Write =
  | { readonly kind: 'session'; readonly session: Session }
  | { readonly kind: 'login-code'; readonly code: string }
  | { readonly kind: 'visits'; readonly by: number }
  | { readonly kind: 'cart'; readonly change: 'add' | 'remove'; readonly items: readonly string[] }
  | { readonly kind: 'note'; readonly note: string }
  | { readonly kind: 'doc'; readonly index: number; readonly text: string }
  | { readonly kind: 'doc-end'; readonly text: string }

export interface Acknowledged {
  readonly acknowledged: Dot
}

export interface Status {
  /** Whether what it writes is sent. */
  readonly isJoined: boolean
  readonly peers: readonly PeerReport[]
  /** How many operations it holds, by the replica that wrote them; ascending by replica. */
  readonly held: readonly (readonly [replica: ReplicaId, count: number])[]
  readonly logBytes: number
}

export interface Reading {
  readonly key: WrittenKey
  /** For people. */
  readonly shown: string
  /** Canonical: equal bytes, equal values. */
  readonly bytes: Uint8Array
}

export interface Reasons {
  readonly key: WrittenKey
  readonly shown: string
  readonly strategy: string
  readonly operations: readonly Reason[]
}

export interface Reason {
  readonly dot: Dot
  readonly timeMs: number
  readonly wrote: string
  readonly effect: Effect
  readonly concurrentWith: readonly Dot[]
}
