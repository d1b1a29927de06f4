import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The two halves of the simulator's seeds take longest: side by side from the start. */
class SeedsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isSeeds = ({ moduleId }: TestSpecification): boolean => moduleId.includes('property-tests/simulation')
    return [...sorted.filter(isSeeds), ...sorted.filter((file) => !isSeeds(file))]
  }
}

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts', 'property-tests/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // Whatever is random in a test comes from one seed, also where its file does not ask for it.
    setupFiles: ['property-tests/seed.ts'],
    // How much the random tests try: test/support/extent.ts.
    env: mode === 'soak' || mode === 'all' ? { EXTENT: mode } : {},
    pool: 'forks',
    // Files share what has been loaded: half of the work of a run would be loading it again for each of them.
    isolate: false,
    // One more than the cores of CI: many files wait for servers and processes.
    maxWorkers: 3,
    sequence: { sequencer: SeedsFirst },
    execArgv: ['--expose-gc'],
    // Nothing is timed; this only ends what hangs, also on a machine that is busy otherwise.
    testTimeout: mode === 'soak' ? 3_600_000 : 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './test/support/skipped-reporter.ts'],
  },
}))
