/** What `--trace` asks of an author's process. */
import type { ReplicaId } from '../../../adapters/node/index.ts'
import type { DocumentKind } from './document-kinds.ts'
import type { MeshPlace } from '../replicas/replica-calls.ts'
import type { Trace } from './trace-file.ts'

export interface AuthorCalls {
  /** Opens the log and joins the mesh. */
  readonly open: (settings: AuthorSettings) => Promise<ReplicaId>
  readonly status: (nothing: undefined) => Promise<AuthorStatus>
  /** From now on nothing arrives but what `write` says the author had seen. */
  readonly hold: (nothing: undefined) => Promise<void>
  /** Writes what the author wrote. */
  readonly write: (part: Part) => Promise<void>
  /** Lets everything arrive. */
  readonly release: (nothing: undefined) => Promise<void>
  readonly read: (nothing: undefined) => Promise<string>
  /** Closes what is open; the process may then be ended. */
  readonly close: (nothing: undefined) => Promise<void>
}

export interface AuthorSettings extends MeshPlace {
  readonly folder: string
  readonly kind: DocumentKind
  readonly hasSurrogates: boolean
}

export interface Part {
  readonly trace: Trace
  readonly author: number
  /** The authors' replicas. */
  readonly replicas: readonly ReplicaId[]
}

export interface AuthorStatus {
  readonly isJoined: boolean
  /** Replicas that have been heard. */
  readonly heardCount: number
  readonly writtenCount: number
  /** In its log, its own and others'. */
  readonly heldCount: number
  readonly logBytes: number
}
