/** What the log tells its observer: things that happened to it, never payloads. */
import type { Position } from '../operation/position.ts'
import type { WarpError } from '../../crdt/warp-error.ts'

export type LogEvent =
  | { readonly kind: 'tail-cut'; readonly position: Position; readonly bytes: number; readonly records: number }
  | { readonly kind: 'checkpoint-ignored'; readonly name: string; readonly reason: string }
  | { readonly kind: 'storage-full'; readonly error: WarpError }
  | { readonly kind: 'poisoned'; readonly error: WarpError }
  | { readonly kind: 'leftover-removed'; readonly name: string }
