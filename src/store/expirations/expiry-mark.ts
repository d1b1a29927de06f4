/**
 * How far expirations have been told: those up to a mark have been, those behind it have not. They
 * are ordered by the moment at which the life ended, and within one millisecond by the stamp of the
 * operation that began it, so that a mark may stand between any two of them. It survives a restart:
 * nothing in it depends on memory.
 */
import type { Hlc } from '../../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'

/** The end of one life, as far as its order matters. */
export interface LifeEnd {
  readonly endMs: number
  readonly hlc: Hlc
  readonly replica: ReplicaId
}

/** Behind one expiration; without a stamp, behind all of its millisecond. */
export interface ExpiryMark {
  readonly endMs: number
  readonly hlc?: Hlc
  readonly replica?: ReplicaId
}

/** In front of all expirations. */
export const NOTHING_TOLD: ExpiryMark = { endMs: 0 }

/** Negative, zero or positive, as for `Array.sort`. */
export function compareEnds(a: LifeEnd, b: LifeEnd): number {
  if (a.endMs !== b.endMs) return a.endMs - b.endMs
  if (a.hlc !== b.hlc) return a.hlc - b.hlc
  return a.replica === b.replica ? 0 : a.replica < b.replica ? -1 : 1
}

/** Whether an expiration lies at a mark or before it. */
export function isTold({ endMs, hlc, replica }: ExpiryMark, end: LifeEnd): boolean {
  if (end.endMs !== endMs) return end.endMs < endMs
  return hlc === undefined || compareEnds(end, { endMs, hlc, replica: replica as ReplicaId }) <= 0
}

/** The mark behind one expiration. */
export function markBehind({ endMs, hlc, replica }: LifeEnd): ExpiryMark {
  return { endMs, hlc, replica }
}

/** `ms` or `ms:hlc:replica`. */
export function formatMark({ endMs, hlc, replica }: ExpiryMark): string {
  return hlc === undefined ? String(endMs) : `${endMs}:${hlc}:${replica}`
}

const FORM = /^(?<endMs>\d{1,16}(?:\.\d{1,16})?)(?::(?<hlc>\d{1,16}):(?<replica>[0-9a-f]{16}))?$/

/** `undefined` for a text that is no mark. */
export function parseMark(text: string): ExpiryMark | undefined {
  const { endMs, hlc, replica } = FORM.exec(text)?.groups ?? {}
  if (endMs === undefined) return undefined
  if (hlc === undefined) return { endMs: Number(endMs) }
  return { endMs: Number(endMs), hlc: Number(hlc), replica: replica as ReplicaId }
}
