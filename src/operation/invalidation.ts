/**
 * Operations that say: what you have of this may be wrong, ask the source again. They belong to no
 * key's chain; what they are about stands in the place of the key.
 *
 *     invalidate = flags:u8          bits 0 and 1: what the target is; bit 2: hard
 *
 * What is said softly may still be served where a keyspace says so, if the source fails; what is
 * said hard is never served again.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import { ByteReader } from './byte-reader.ts'
import { OPERATION_KIND } from './envelope/kinds.ts'
import type { OperationReader } from './envelope/operation-reader.ts'
import { textOf } from './text.ts'

export type InvalidationTarget = 'key' | 'pattern' | 'tag'

export interface Invalidation {
  readonly of: InvalidationTarget
  /** The key, the pattern or the tag. */
  readonly target: string
  readonly isHard: boolean
}

/** One that has become known here. */
export interface EnteredInvalidation extends Invalidation {
  readonly dot: Dot
}

const TARGETS: readonly InvalidationTarget[] = ['key', 'pattern', 'tag']
const TARGET_BITS = 0b011
const HARD = 0b100

export function invalidationPayload({ of, isHard }: Pick<Invalidation, 'of' | 'isHard'>): Uint8Array {
  return Uint8Array.of(TARGETS.indexOf(of) | (isHard ? HARD : 0))
}

/**
 * What an operation invalidates; `undefined` if nothing. Throws `WARP_E_PROTOCOL` if it is malformed:
 * the border asks, so what is in a log is well formed.
 */
export function invalidationIn(operation: OperationReader): EnteredInvalidation | undefined {
  const { kind, bytes, keyStart, keyEnd, payloadStart, end, replica, sequence } = operation
  if (kind !== OPERATION_KIND.invalidate) return undefined
  const reader = new ByteReader(bytes, payloadStart, end)
  const flags = reader.u8()
  const of = TARGETS[flags & TARGET_BITS]
  if (of === undefined || flags > (TARGET_BITS | HARD)) throw reader.malformed(`an invalidation with flags ${flags}`)
  reader.mustBeAtEnd()
  if (keyStart === keyEnd) throw reader.malformed('an invalidation of nothing')
  return { of, target: textOf(bytes, keyStart, keyEnd), isHard: (flags & HARD) !== 0, dot: { replica, sequence } }
}
