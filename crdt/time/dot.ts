/**
 * A dot names one operation for ever: the n-th operation of one replica, counted from 1, over all
 * keys.
 */
import type { ReplicaId } from './replica-id.ts'

export interface Dot {
  readonly replica: ReplicaId
  readonly sequence: number
}

export function isSameDot(a: Dot, b: Dot): boolean {
  return a.replica === b.replica && a.sequence === b.sequence
}

/** `replica:sequence`, for people. */
export function formatDot(dot: Dot): string {
  return `${dot.replica}:${dot.sequence}`
}
