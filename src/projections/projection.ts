/**
 * A projection is a fold of the whole operation stream into one state: an index, a count, a search
 * table. Warp's own (cache, history, watch) are built on the same call. The state is never the
 * truth: it can be dropped and rebuilt from the log at any time, and therefore `apply` must depend
 * on nothing but its arguments.
 *
 * Cost: one direct call per operation. `value` and `operation` are computed only when read.
 */
import { optionNames, refusedOption, requireOptions } from '../../crdt/checked-options.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { OperationRecord } from '../store/kept-operation.ts'

/**
 * An operation, or the end of a key's life: then `value` is `undefined`, and `operation.kind` is
 * `'expired'`. A flyweight: valid only during the call of `apply`; copy what you keep.
 */
export interface ProjectedOperation {
  readonly key: string
  /**
   * The key's value now, `undefined` if it has none. Reading it may fold the key, and makes the
   * value: of a set, list or text of n elements in O(n), so whoever reads it after each operation of
   * a key that grows does so in O(n²). `operation.payload` says what was written, in O(1). Frozen.
   */
  readonly value: unknown
  /** A record that may be kept. */
  readonly operation: OperationRecord
  /** Where the operation is in this replica's log. Increases; survives restarts. */
  readonly position: number
}

export interface Projection<State> {
  /** Names it in `stats` and errors. One of a name at a time, or `WARP_E_CONFIG`. */
  readonly name: string
  /**
   * Only operations of keys that match this pattern. Default: of all keys. Throws `WARP_E_PATTERN`.
   */
  readonly keys?: string
  /**
   * Of what `initial`, `apply` and the checkpoint mean. A checkpoint of another version is not
   * used. Default: 0.
   */
  readonly version?: number | string
  /**
   * Keeps the state in the log now and then, so that the projection goes on from there when it is
   * started again.
   */
  readonly checkpoint?: ProjectionCheckpoint<State>
  initial(): State
  /**
   * Takes the next operation in, in log order, each once; and, of a key with a life, the end of that,
   * by this replica's clock. How often a key's life ends between two writes depends on when they
   * arrive: take it for "the key has no value now". May change the state that it is given and
   * return it. Synchronous. If it throws, the projection stops: `ProjectionHandle.state` throws the
   * same until a `rebuild` succeeds.
   */
  apply(state: State, change: ProjectedOperation): State
}

/**
 * How a projection's state is kept in the log. In a log in memory it is kept for as long as the log
 * is open.
 */
export interface ProjectionCheckpoint<State> {
  /**
   * After how many operations a checkpoint is written: a whole number of at least 1. One more is
   * written at `close` and before compaction.
   */
  readonly every: number
  /** The state as a value that can be encoded, at most 16 MiB of it. */
  encode(state: State): Encodable
  /** The state again, as `encode` was given it. If it throws, the projection is rebuilt. */
  decode(encoded: Encodable): State
}

export interface RebuildOptions {
  /** Gives up with `WARP_E_ABORTED`; the projection keeps the state that it had. */
  readonly signal?: AbortSignal
  /** Told now and then how far it is, 0 to 1. */
  readonly progress?: (fraction: number) => void
}

export interface ProjectionHandle<State> extends AsyncDisposable {
  readonly name: string
  /**
   * Contains every operation before `position`. Where the state of the engine is replaced otherwise
   * than by operations (a replica takes over that of a peer, or a snapshot of the ordered log), it
   * stays as it was until it has been made anew.
   */
  readonly state: State
  /** Where in the log the next operation will be. */
  readonly position: number
  /** Starts from `initial()` and reads the log again, in steps that let other work proceed. */
  rebuild(options?: RebuildOptions): Promise<void>
  /** Stops it. Idempotent. */
  close(): Promise<void>
}

export const REBUILD_OPTIONS: readonly string[] = optionNames<RebuildOptions>({ signal: true, progress: true })

/** How far a projection is behind the log. */
export interface ProjectionLag {
  readonly name: string
  /** The log has been taken in up to here. */
  readonly position: number
  /**
   * `'reading'`: it catches up with the log. `'failed'`: its `apply` threw, and it takes in nothing
   * more.
   */
  readonly state: 'reading' | 'live' | 'failed'
  /** Operations, of all keys, that it has not taken in; absent while it reads the log. */
  readonly behindCount?: number
  /** Bytes of the log that it has not taken in. */
  readonly behindBytes: number
}

const PROJECTION_OPTIONS = optionNames<Projection<unknown>>({
  ...{ name: true, keys: true, version: true, checkpoint: true, initial: true, apply: true },
})

/** Throws `WARP_E_CONFIG` for what is no projection. */
export function checkProjection(projection: Projection<unknown>): void {
  requireOptions(
    'project',
    projection,
    isLiteral(projection) ? PROJECTION_OPTIONS : namesIn(projection),
    '{ name, initial, apply }',
  )
  const { name, initial, apply, checkpoint } = projection as Partial<Projection<unknown>>
  if (typeof name !== 'string' || name === '' || !name.isWellFormed())
    throw refusedOption('project', 'name', name, 'give a well-formed text')
  if (typeof initial !== 'function') throw refusedOption('project', 'initial', initial, 'give a function')
  if (typeof apply !== 'function') throw refusedOption('project', 'apply', apply, 'give a function')
  if (checkpoint === undefined) return
  requireOptions('project: checkpoint', checkpoint, CHECKPOINT_OPTIONS, '{ every, encode, decode }')
  for (const one of ['encode', 'decode'] as const)
    if (typeof checkpoint[one] !== 'function')
      throw refusedOption('project: checkpoint', one, checkpoint[one], 'give a function')
}

const CHECKPOINT_OPTIONS = optionNames<ProjectionCheckpoint<unknown>>({ every: true, encode: true, decode: true })

/** Other objects, of a class say, may have members of their own. */
function isLiteral(projection: unknown): boolean {
  return typeof projection === 'object' && projection !== null && Object.getPrototypeOf(projection) === Object.prototype
}

function namesIn(projection: object | null | undefined): string[] {
  const names: string[] = []
  for (const name in projection) names.push(name)
  return names
}
