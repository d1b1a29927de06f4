/** Before any test: picks and prints the seed, and builds `dist/` and `lib/`, which some tests run as users would. */
import type { TestProject } from 'vitest/node'
import { ensureBundled } from '../../tools/bundle.mjs'

const DEFAULT_SEED = '20111'

export default async function setup(project: TestProject): Promise<void> {
  const isSoak = project.config.env['EXTENT'] === 'soak'
  process.env['SEED'] ??= isSoak ? freshSeed() : DEFAULT_SEED
  console.info(
    `seed ${process.env['SEED']}; to repeat this run: SEED=${process.env['SEED']}${isSoak ? ' npm run soak' : ''}`,
  )
  await ensureBundled()
}

/** Taken from the clock: any number will do, it is printed. */
function freshSeed(): string {
  return String(Date.now() % 2_147_483_647)
}
