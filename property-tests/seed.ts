/**
 * The seed of every random test: `SEED=123 npx vitest run property-tests`. Printed, so that a failure anywhere can be repeated.
 */
import fc from 'fast-check'

const DEFAULT_SEED = 20_111

export const SEED: number = Number.parseInt(process.env['SEED'] ?? '', 10) || DEFAULT_SEED

fc.configureGlobal({ seed: SEED })
console.info(`fast-check seed ${SEED}; repeat with SEED=${SEED}`)
