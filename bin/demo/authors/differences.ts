/**
 * The two questions on which the demo's verdict rests: are the values equal, and is everything
 * there that was acknowledged?
 */
import type { Dot } from '../../../adapters/node/index.ts'
import { formatDot } from '../../../crdt/time/dot.ts'
import type { WrittenKey } from '../replicas/keys.ts'
import type { Reading } from '../replicas/replica-calls.ts'

/** The keys whose canonical bytes are not the same in all of these. */
export function differingKeys([first = [], ...others]: readonly (readonly Reading[])[]): WrittenKey[] {
  const differs = ({ key, bytes }: Reading): boolean =>
    others.some((readings) => {
      const other = readings.find((reading) => reading.key === key)
      return other === undefined || Buffer.compare(other.bytes, bytes) !== 0
    })
  return first.filter(differs).map(({ key }) => key)
}

/** Those of `wanted` that are not among `held`. */
export function missingDots(held: readonly Dot[], wanted: readonly Dot[]): Dot[] {
  const names = new Set(held.map(formatDot))
  return wanted.filter((dot) => !names.has(formatDot(dot)))
}
