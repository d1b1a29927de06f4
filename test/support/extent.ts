/**
 * How much the random tests try: `npm test` a fifth of the cases, `npm run test:all` and CI all of
 * them, `npm run soak` many more, from a fresh seed.
 */
export type Extent = 'some' | 'all' | 'soak'

/** Set by the mode of vitest (vitest.config.ts). */
export const EXTENT: Extent = extentOf(process.env['EXTENT'])

export function byExtent<T>(values: Readonly<Record<Extent, T>>): T {
  return values[EXTENT]
}

function extentOf(text = 'some'): Extent {
  if (text === 'some' || text === 'all' || text === 'soak') return text
  throw new Error(`EXTENT is ${text}; give some, all or soak`)
}
