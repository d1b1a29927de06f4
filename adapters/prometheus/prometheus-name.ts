/**
 * What Prometheus calls an instrument: words parted by `_`, base units (seconds and bytes) at the
 * end, and `_total` behind a counter, as `promtool check metrics` wants it.
 */
import type { Instrument } from '../../src/index.ts'

/** `warp.log.flush.duration` in `ms` is `warp_log_flush_duration_seconds`. */
export function prometheusName({ name, kind, unit }: Instrument): string {
  const words = kind === 'span' ? `${name}.duration` : name
  const base = words.replaceAll('.', '_')
  const inUnit = withUnit(base, unit)
  return kind === 'counter' ? `${inUnit}_total` : inUnit
}

function withUnit(base: string, unit: string): string {
  const suffix = unit === 'ms' ? '_seconds' : unit === 'By' ? '_bytes' : ''
  return base.endsWith(suffix) ? base : `${base}${suffix}`
}

/** The value in the unit of the name. */
export function inBaseUnit(value: number, unit: string): number {
  return unit === 'ms' ? value / 1000 : value
}
