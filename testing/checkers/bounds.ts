/**
 * W47: what a replica holds of operations that wait for others, of values in memory and of peers
 * stays within what was configured, at every moment looked at.
 */
import type { Checker, LoadEvent, Violation } from './checker.ts'

export function boundsChecker(): Checker {
  return {
    name: 'W47',
    observe: (event) => (event.kind === 'load' ? exceeded(event) : undefined),
    verify: () => [],
  }
}

function exceeded({ machine, stats, bounds }: LoadEvent): Violation[] {
  const held = [
    ['operations that wait for others', stats.operations.waitingCount, bounds.waitingOperations],
    ['values in memory', stats.cache.entriesCount, bounds.cacheEntries],
    ['peers', stats.peers.length, bounds.peers],
  ] as const
  return held.flatMap(([what, count, max]) =>
    count <= max
      ? []
      : [{ invariant: 'W47', message: `${machine} holds ${count} ${what}, and may hold ${max}`, machine }],
  )
}
