/**
 * Hybrid logical clock (Kulkarni, Demirbas, Madappa, Avva, Leone 2014: "Logical Physical Clocks and
 * Consistent Snapshots in Globally Distributed Databases").
 *
 * A stamp is one double: milliseconds since 1970 × 2,048 + a logical count. It is exact until the
 * year 2109 (2^53), costs a compare instead of a BigInt, and sorts as a number. More than 2,047
 * stamps in one millisecond borrow from the next one, which the drift bound tolerates. Ties between
 * replicas are broken by replica id, then sequence, see {@link compareStamps}.
 *
 * Pure: time comes in as an argument.
 */
import type { ReplicaId } from './replica-id.ts'

export type Hlc = number

export const HLC_LOGICAL_STEPS = 2048

/** The milliseconds that a stamp was made at, by the clock of its replica. */
export function hlcToMs(hlc: Hlc): number {
  return Math.floor(hlc / HLC_LOGICAL_STEPS)
}

/** The first stamp of a millisecond. */
export function hlcFromMs(ms: number): Hlc {
  return Math.floor(ms) * HLC_LOGICAL_STEPS
}

/** The last stamp of a millisecond: "everything up to and including `ms`". */
export function hlcAtEndOfMs(ms: number): Hlc {
  return hlcFromMs(ms) + HLC_LOGICAL_STEPS - 1
}

/**
 * The next stamp of a clock whose last one was `last`: strictly greater, and no earlier than
 * `nowMs`.
 */
export function nextHlc(last: Hlc, nowMs: number): Hlc {
  const physical = nowMs * HLC_LOGICAL_STEPS
  return physical > last ? physical : last + 1
}

/**
 * The parts of the canonical total order (HLC, replica id, sequence). Strict, and extends
 * happened-before.
 */
export interface Stamp {
  readonly hlc: Hlc
  readonly replica: ReplicaId
  readonly sequence: number
}

/** Negative, zero or positive, as for `Array.sort`. Zero only for one and the same operation. */
export function compareStamps(a: Stamp, b: Stamp): number {
  if (a.hlc !== b.hlc) return a.hlc - b.hlc
  if (a.replica !== b.replica) return a.replica < b.replica ? -1 : 1
  return a.sequence - b.sequence
}
