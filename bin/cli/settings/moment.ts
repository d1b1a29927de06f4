/** A moment of the past as people name it: a version, a time, or how long ago. */
import { UsageError } from '../program/failure.ts'

export type Moment = { readonly version: number } | { readonly timeMs: number }

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Throws `UsageError`. */
export function parseMoment(text: string, nowMs: number): Moment {
  if (/^\d+$/.test(text)) return { version: Number(text) }
  const [, epochMs] = /^@(\d+)$/.exec(text) ?? []
  if (epochMs !== undefined) return { timeMs: Number(epochMs) }
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? []
  if (count !== undefined && unit !== undefined) return { timeMs: nowMs - Number(count) * (UNITS_MS[unit] ?? 1) }
  const timeMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(timeMs)) return { timeMs }
  throw new UsageError(
    `'${text}' is no moment: give a version (12), a time (2026-01-31T12:00:00Z, @1769860800000) or how long ago (90s, 5m, 2h, 1d)`,
  )
}
