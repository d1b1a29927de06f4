/**
 * What every implementation of the file port must do, as a suite for any test runner: hand it the
 * runner's `test` function and a way to make an empty folder. It knows of no faults; those are the
 * implementation's own tests.
 *
 * ```ts
 * logFilesSuite({ test, create: async () => ({ files: await myLog().open() }) })
 * ```
 */
import type { LogFile, LogFiles } from '../../src/ports/files.ts'
import { assertBytes, assertEqual, assertRejected } from './assert.ts'

export interface LogFilesSubject {
  /** An empty folder. */
  readonly files: LogFiles
  /**
   * The same folder, opened again after `files` has been closed. Leave it out where nothing
   * outlives the folder.
   */
  readonly reopen?: () => Promise<LogFiles>
  /** Called after each test, with everything closed. */
  readonly dispose?: () => void | Promise<void>
}

export interface LogFilesSuiteOptions {
  readonly test: (name: string, run: () => Promise<void>) => unknown
  readonly create: () => LogFilesSubject | Promise<LogFilesSubject>
}

type Check = (files: LogFiles, subject: LogFilesSubject) => Promise<void>

export function logFilesSuite({ test, create }: LogFilesSuiteOptions): void {
  for (const [name, check] of Object.entries({ ...NAMES, ...CONTENTS, ...FLUSHES })) {
    test(name, async () => {
      const subject = await create()
      try {
        await check(subject.files, subject)
        await subject.files.close()
      } finally {
        await subject.dispose?.()
      }
    })
  }
}

const NAMES: Readonly<Record<string, Check>> = {
  'a new folder is empty': async (files) => {
    assertEqual(files.list().length, 0, 'names')
  },

  'a created file is empty, listed, and opens again with its bytes': async (files) => {
    const file = files.create('a')
    assertEqual(file.size, 0, 'size')
    await file.write(0, range(10))
    file.close()
    assertNames(files, 'a')
    withFile(files.open('a'), (opened) => assertBytes(opened.read(0, 10), range(10)))
  },

  'a name that is taken is refused, and its file stays as it is': async (files) => {
    await put(files, 'a', range(3))
    assertRejected(() => files.create('a'))
    withFile(files.open('a'), (file) => assertBytes(file.read(0, 9), range(3)))
  },

  'a name that is not there cannot be opened, renamed or removed': async (files) => {
    assertRejected(() => files.open('a'))
    assertRejected(() => files.rename('a', 'b'))
    assertRejected(() => files.remove('a'))
    assertNames(files)
  },

  'renaming replaces the file of the new name': async (files) => {
    await put(files, 'a', range(3))
    await put(files, 'b', range(5))
    files.rename('a', 'b')
    assertNames(files, 'b')
    withFile(files.open('b'), (file) => assertBytes(file.read(0, 9), range(3)))
  },

  'a removed name is free again': async (files) => {
    await put(files, 'a', range(3))
    files.remove('a')
    assertNames(files)
    withFile(files.create('a'), (file) => assertEqual(file.size, 0, 'size'))
  },
}

const CONTENTS: Readonly<Record<string, Check>> = {
  'any range that was written is read back, and less at the end': async (files) => {
    const file = files.create('a')
    await file.write(0, range(100))
    assertBytes(file.read(0, 100), range(100))
    assertBytes(file.read(37, 5), range(100).subarray(37, 42))
    assertBytes(file.read(90, 50), range(100).subarray(90))
    assertEqual(file.read(100, 1).length, 0, 'bytes read at the end')
    assertEqual(file.read(5000, 10).length, 0, 'bytes read beyond the end')
    file.close()
  },

  'overwriting changes these bytes and nothing else': async (files) => {
    const file = files.create('a')
    await file.write(0, range(10))
    await file.write(3, new Uint8Array(2))
    assertEqual(file.size, 10, 'size')
    assertBytes(file.read(0, 10), Uint8Array.of(1, 2, 3, 0, 0, 6, 7, 8, 9, 10))
    file.close()
  },

  'a gap before what was written reads as zeros': async (files) => {
    const file = files.create('a')
    await file.write(4, range(2))
    assertEqual(file.size, 6, 'size')
    assertBytes(file.read(0, 6), Uint8Array.of(0, 0, 0, 0, 1, 2))
    file.close()
  },

  'reserving adds zeros and never shortens': async (files) => {
    const file = files.create('a')
    await file.write(0, range(10))
    file.reserve(700_001)
    assertEqual(file.size, 700_001, 'size')
    assertBytes(file.read(0, 10), range(10))
    assertBytes(file.read(10, 700_000), new Uint8Array(699_991))
    file.reserve(5)
    assertEqual(file.size, 700_001, 'size')
    file.close()
  },

  'what was cut off does not come back when the file grows': async (files) => {
    const file = files.create('a')
    await file.write(0, range(10))
    file.truncate(4)
    assertEqual(file.size, 4, 'size')
    assertBytes(file.read(0, 10), range(4))
    file.reserve(10)
    assertBytes(file.read(0, 10), Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 0, 0, 0))
    file.close()
  },

  'bytes that were read stay as they are when the file changes': async (files) => {
    const file = files.create('a')
    await file.write(0, range(10))
    const kept = file.read(0, 10)
    await file.write(0, new Uint8Array(10))
    assertBytes(kept, range(10))
    file.close()
  },

  'bytes that were written belong to the caller again': async (files) => {
    const file = files.create('a')
    const bytes = range(10)
    await file.write(0, bytes)
    bytes.fill(0)
    assertBytes(file.read(0, 10), range(10))
    file.close()
  },

  'a write of more than a megabyte arrives whole': async (files) => {
    const file = files.create('a')
    await file.write(1, range(1_300_007))
    assertBytes(file.read(1, 2_000_000), range(1_300_007))
    file.close()
  },
}

const FLUSHES: Readonly<Record<string, Check>> = {
  'flushes may overlap one another and writes': async (files) => {
    const file = files.create('a')
    const flushes: Promise<void>[] = [files.syncNames()]
    for (let i = 0; i < 8; i++) {
      await file.write(i * 10, range(10))
      flushes.push(file.sync())
    }
    await Promise.all(flushes)
    assertEqual(file.size, 80, 'size')
    file.close()
  },

  'a file may be closed while it is being flushed': async (files) => {
    const file = files.create('a')
    await file.write(0, range(10))
    const flushed = file.sync()
    file.close()
    await flushed
  },

  'names and bytes are there when the folder is opened again': async (files, { reopen }) => {
    if (reopen === undefined) return
    await put(files, 'a', range(10))
    await put(files, 'b', range(20))
    files.rename('a', 'c')
    await files.close()
    const again = await reopen()
    assertNames(again, 'b', 'c')
    withFile(again.open('c'), (file) => assertBytes(file.read(0, 99), range(10)))
    await again.close()
  },

  'a folder may be closed twice': async (files) => {
    await files.close()
  },
}

/** 1, 2, 3 … modulo 256. */
function range(count: number): Uint8Array {
  const bytes = new Uint8Array(count)
  for (let i = 0; i < count; i++) bytes[i] = (i + 1) & 0xff
  return bytes
}

async function put(files: LogFiles, name: string, bytes: Uint8Array): Promise<void> {
  const file = files.create(name)
  await file.write(0, bytes)
  file.close()
}

function withFile(file: LogFile, check: (file: LogFile) => void): void {
  check(file)
  file.close()
}

function assertNames(files: LogFiles, ...names: readonly string[]): void {
  assertEqual(files.list().sort().join(), names.join(), 'names')
}
