import type { Dot } from '../../crdt/time/dot.ts'
import type { Stamp } from '../../crdt/time/hlc.ts'
import type { Position } from '../operation/position.ts'

/** One operation of a key, by its place in the log. */
export interface Placed extends Stamp {
  readonly position: Position
  readonly kind: number
  /** The code of the strategy that wrote it; of kinds that no strategy makes, 0. */
  readonly strategy: number
  /** How long what it writes lives, ms; 0 if it does not say. */
  readonly lifeMs: number
  /** Under which name it was issued first, if that is another one. */
  readonly origin?: Dot | undefined
}

/** One as it was read from the log. */
export interface PlacedRecord extends Placed {
  /** How long the body of its record is. */
  readonly bytes: number
}
