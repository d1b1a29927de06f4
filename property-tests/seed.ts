/**
 * The seed of every random test, printed by the test run and taken from it: `SEED=123 npx vitest run property-tests`.
 */
import fc from 'fast-check'
import { byExtent } from '../test/support/extent.ts'

const DEFAULT_SEED = 20_111
const SOAK_FACTOR = 20
const SOME_SHARE = 1 / 10

export const SEED: number = Number.parseInt(process.env['SEED'] ?? '', 10) || DEFAULT_SEED

/** Sets the seed for all properties of this process. Importing this module has done so already. */
export function configureSeed(): number {
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED })
  return SEED
}

/** The parameters of a property with `n` cases in CI, fewer in `npm test`, many more in a soak. */
export function runs(n = 10_000): { readonly numRuns: number } {
  const factor = byExtent({ some: SOME_SHARE, all: 1, soak: SOAK_FACTOR })
  return { numRuns: Math.ceil(n * factor) } // fast-check would never end on a fraction
}

configureSeed()
