/** Up to where enough replicas, in enough zones, hold the operations of one replica. */

export interface Holder {
  /** The last operation up to which it holds all. */
  readonly through: number
  /** Empty if it has none, or has not said. */
  readonly zone: string
}

/**
 * Returns the highest sequence that at least `replicas` of the holders hold, in at least `zones`
 * zones; 0 if there is none.
 */
export function heldByEnough(holders: readonly Holder[], replicas: number, zones: number): number {
  const sorted = [...holders].sort((a, b) => b.through - a.through)
  const seen = new Set<string>()
  let count = 0
  for (const { through, zone } of sorted) {
    if (through === 0) break
    count++
    if (zone !== '') seen.add(zone)
    // Replicas without a zone are somewhere: one place at least, and no more can be known.
    if (count >= replicas && Math.max(1, seen.size) >= zones) return through
  }
  return 0
}
