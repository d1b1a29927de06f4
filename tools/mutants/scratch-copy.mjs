/**
 * A copy of the tree to do harm in: what git knows or would know, as it is now, with the packages
 * of the original. It has a configuration of its own for vitest: nothing is built first, one
 * worker, and what hangs ends soon.
 */
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

export const SCRATCH_CONFIG = 'vitest.scratch.config.ts'

/**
 * @param {string} root
 * @param {number} testTimeoutMs
 * @returns {string} its folder
 */
export function makeScratchCopy(root, testTimeoutMs) {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'warp-mutants-'))
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  for (const name of new Set(listed.split('\0'))) {
    // Listed and not there: removed, and not committed yet.
    if (name === '' || !existsSync(path.join(root, name))) continue
    mkdirSync(path.dirname(path.join(scratch, name)), { recursive: true })
    cpSync(path.join(root, name), path.join(scratch, name))
  }
  symlinkSync(path.join(root, 'node_modules'), path.join(scratch, 'node_modules'), 'dir')
  writeFileSync(path.join(scratch, SCRATCH_CONFIG), configuration(testTimeoutMs))
  return scratch
}

/** @param {string} scratch */
export function removeScratchCopy(scratch) {
  rmSync(scratch, { recursive: true, force: true })
}

/** @param {number} testTimeoutMs */
function configuration(testTimeoutMs) {
  return `import { defineConfig } from 'vitest/config'
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'property-tests/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--expose-gc'],
    env: { EXTENT: 'all' },
    testTimeout: ${testTimeoutMs},
    hookTimeout: ${testTimeoutMs},
  },
})
`
}
