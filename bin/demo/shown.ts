/** A value for people, on one line. */
export function shown(value: unknown): string {
  if (value === undefined) return '-'
  if (value instanceof Set) return `{${[...value].join(', ')}}`
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return Object.entries(value)
    .map(([name, part]) => `${name}: ${shown(part)}`)
    .join(', ')
}
