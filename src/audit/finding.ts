/** What a check of a log says: findings while it runs, a report at its end. */
import type { Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Env } from '../ports/env.ts'
import type { LogStore } from '../ports/files.ts'
import type { KeyMap } from '../keys/typed-keys.ts'

/**
 * - `'damaged'`: stored bytes fail their checksum, or a file is missing.
 * - `'malformed'`: a record with a good checksum that is not what its kind says.
 * - `'missing'`: operations that must be here and are not.
 * - `'duplicate'`: two different operations under one dot.
 * - `'order'`: a stamp that is not behind those of its replica's previous operation or of the
 *   causes that the operation names.
 * - `'cause'`: an operation that names as seen what this log does not have.
 * - `'chain'`: an operation that is not linked to the one before it of its key.
 * - `'snapshot'`: one that does not decode, holds what was never applied, or is not the fold of the
 *   operations it stands for.
 * - `'kept'`: a state kept beside a key's operations that does not decode, or is not their fold; the
 *   log is whole without it.
 * - `'checkpoint'`: one that is damaged, or that says otherwise than the records it covers.
 * - `'value'`: the engine's fold of a key is not that of its operations in canonical order: the
 *   strategy is not deterministic, or not lawful.
 * - `'difference'`: two logs have different content under one dot, or different states of a key of
 *   which they hold the same operations.
 * - `'tail'`: bytes behind the last whole record, as a crash leaves them; the next opening cuts
 *   them off.
 * - `'unreadable'`: a key that holds an operation or a snapshot that its strategy, as given, cannot
 *   fold.
 */
export type FindingKind =
  | 'damaged'
  | 'malformed'
  | 'missing'
  | 'duplicate'
  | 'order'
  | 'cause'
  | 'chain'
  | 'snapshot'
  | 'kept'
  | 'checkpoint'
  | 'value'
  | 'difference'
  | 'tail'
  | 'unreadable'

export interface Finding {
  readonly kind: FindingKind
  /** `'note'`: worth knowing, and nothing is wrong with the log. */
  readonly severity: 'damage' | 'note'
  /** The name of the log; of a difference between two, of the first. */
  readonly log: string
  /** A sentence. Never carries values. */
  readonly message: string
  readonly key?: string
  readonly dot?: Dot
  readonly file?: string
  readonly offset?: number
  /** How many operations, if it is not about one: from `dot` on. */
  readonly count?: number
}

export interface CheckProgress {
  readonly log: string
  readonly phase: 'opening' | 'reading' | 'folding' | 'comparing'
  readonly done: number
  /** `done` at the end of the phase. */
  readonly total: number
}

export interface CheckLogOptions {
  /** The logs to check; of more than one also against each other. None is changed. */
  readonly logs: readonly LogStore[]
  /**
   * What the keys mean. Without it nothing is folded: integrity, structure and operations are
   * checked.
   */
  readonly keys?: KeyMap
  /** Default: the platform's. */
  readonly env?: Env
  /** Called with each finding, as it is found. Must not throw. */
  readonly onFinding?: (finding: Finding) => void
  readonly onProgress?: (progress: CheckProgress) => void
  /** Gives up with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

/** What was looked at in one log. */
export interface CheckedLog {
  readonly name: string
  readonly replica: ReplicaId | undefined
  readonly bytes: number
  /** Operations that make up values now. */
  readonly operationsCount: number
  readonly keysCount: number
  readonly snapshotsCount: number
  /** Keys that were folded and compared. */
  readonly foldedKeysCount: number
  /** What is contained, per replica, in operations and snapshots. */
  readonly applied: Readonly<Record<string, number>>
}

export interface CheckReport {
  readonly isSound: boolean
  readonly logs: readonly CheckedLog[]
  readonly damageCount: number
  readonly notesCount: number
  /** The first damage found. */
  readonly first: Finding | undefined
}
