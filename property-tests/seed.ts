/**
 * The seed of every random test, printed by the test run and taken from it: `SEED=123 npx vitest run property-tests`.
 */
import fc from 'fast-check'

const DEFAULT_SEED = 20_111
const SOAK_FACTOR = 20

export const SEED: number = Number.parseInt(process.env['SEED'] ?? '', 10) || DEFAULT_SEED

/** Sets the seed for all properties of this process. Importing this module has done so already. */
export function configureSeed(): number {
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: SEED })
  return SEED
}

/** The parameters of a property with `n` cases, many more under `npm run soak`. */
export function runs(n = 10_000): { readonly numRuns: number } {
  const cases = Math.ceil(n) // fast-check would never end on a fraction
  return { numRuns: process.env['SOAK'] === '1' ? cases * SOAK_FACTOR : cases }
}

configureSeed()
