/** An empty folder for one test, gone when the test is over. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'

/** Outside of a test (in `beforeAll`), pass `remove: afterAll`. */
export function temporaryFolder(remove: (callback: () => void) => void = onTestFinished): string {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'warp-test-')))
  remove(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}
