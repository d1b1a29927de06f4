import { defineConfig } from 'vitest/config'

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts', 'property-tests/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // `npm run soak`: the same tests with more cases, more cycles and a fresh seed.
    env: mode === 'soak' ? { SOAK: '1' } : {},
    pool: 'forks',
    maxWorkers: 2,
    execArgv: ['--expose-gc'],
    // Nothing is timed; this only ends what hangs, also on a machine that is busy otherwise.
    testTimeout: mode === 'soak' ? 3_600_000 : 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './test/support/skipped-reporter.ts'],
  },
}))
