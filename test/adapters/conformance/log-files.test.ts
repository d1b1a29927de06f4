import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { logFilesSuite } from '../../../adapters/conformance/log-files.ts'
import { fileLog } from '../../../adapters/file/file-log.ts'
import { memoryFiles } from '../../../src/log/files/memory-files.ts'
import { faultyFiles } from '../../../testing/world/faulty-files.ts'

describe('files on disk', () => {
  logFilesSuite({
    test,
    create: async () => {
      const path = mkdtempSync(join(tmpdir(), 'warp-files-'))
      const log = fileLog({ path })
      return { files: await log.open(), reopen: () => log.open(), dispose: () => rmSync(path, { recursive: true }) }
    },
  })
})

describe('files in memory', () => {
  logFilesSuite({ test, create: () => ({ files: memoryFiles() }) })
})

describe('files in memory that play a disk', () => {
  logFilesSuite({
    test,
    create: () => {
      const files = memoryFiles({ persistent: true })
      return { files, reopen: () => Promise.resolve(files.copy()) }
    },
  })
})

describe('the faulty disk while it has no faults', () => {
  logFilesSuite({
    test,
    create: () => {
      const files = faultyFiles()
      return { files, reopen: () => Promise.resolve(files.kill()) }
    },
  })
})

test('the suite fails a disk that cannot read', async () => {
  const failures: string[] = []
  const runs: Promise<void>[] = []
  logFilesSuite({
    create: () => {
      const files = faultyFiles()
      files.failNext('read', 'EIO', 100)
      return { files }
    },
    test: (name, run) => runs.push(run().catch(() => void failures.push(name))),
  })
  await Promise.all(runs)
  expect(failures).toContain('any range that was written is read back, and less at the end')
  expect(failures).not.toContain('a new folder is empty')
})
