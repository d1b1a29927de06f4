/** Users who change a value that they were given, or have given, as far as it lets them. */

/** Changes everything in a value that can be changed; what refuses is left alone. */
export function meddleWith(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  attempt(() => {
    const date = value as { getTime(): number; setTime(ms: number): void }
    date.setTime(date.getTime() + 86_400_000)
  })
  attempt(() => value instanceof Uint8Array && value.fill(0xff))
  const inside = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value)
  for (const entry of inside) meddleWith(entry)
  attempt(() => ((value as Record<string, unknown>)['meddled'] = true))
  attempt(() => (value as unknown[]).pop())
  attempt(() => (value as Set<unknown>).clear())
}

function attempt(change: () => unknown): void {
  try {
    change()
  } catch {
    // It refuses: all the better.
  }
}
