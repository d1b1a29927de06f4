import type { Position } from '../operation/position.ts'

/** Where a key's operations are. */
export interface Chain {
  readonly head: Position
  /** The snapshot that stands for the records up to `cut`; 0 if there is none. */
  readonly snapshot: Position
  readonly cut: Position
  /**
   * How long a life lasts after its last write if that does not say so itself, ms; 0 or absent: for
   * ever. See `lives.ts`.
   */
  readonly lifeMs?: number
}
