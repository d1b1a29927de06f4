/** Before any test: picks and prints the seed, and builds `dist/`, which some tests run as users would. */
import type { TestProject } from 'vitest/node'
import { ensureBuilt } from '../../tools/built.mjs'

const DEFAULT_SEED = '20111'

export default function setup(project: TestProject): void {
  const isSoak = project.config.env['SOAK'] === '1'
  process.env['SEED'] ??= isSoak ? freshSeed() : DEFAULT_SEED
  console.info(
    `seed ${process.env['SEED']}; to repeat this run: SEED=${process.env['SEED']}${isSoak ? ' npm run soak' : ''}`,
  )
  ensureBuilt()
}

/** Taken from the clock: any number will do, it is printed. */
function freshSeed(): string {
  return String(Date.now() % 2_147_483_647)
}
