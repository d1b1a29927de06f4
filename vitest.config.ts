import { defineConfig } from 'vitest/config'

export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts', 'property-tests/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // How much the random tests try: test/support/extent.ts.
    env: mode === 'soak' || mode === 'all' ? { EXTENT: mode } : {},
    pool: 'forks',
    maxWorkers: 2,
    execArgv: ['--expose-gc'],
    // Nothing is timed; this only ends what hangs, also on a machine that is busy otherwise.
    testTimeout: mode === 'soak' ? 3_600_000 : 300_000,
    hookTimeout: 300_000,
    reporters: ['default', './test/support/skipped-reporter.ts'],
  },
}))
