/**
 * Writes that survive a power failure, by 1, 16 and 256 writers each of which waits for its own:
 * Warp with `ack: 'durable'`, lmdb with `flushed`, and what the disk allows, a loop that appends
 * the same bytes in groups of that size and calls fdatasync.
 */
import { closeSync, fdatasyncSync, ftruncateSync, mkdtempSync, openSync, readFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import { open as openLmdb } from 'lmdb'
import { openWarp } from '../adapters/node/index.ts'
import { fileLog } from '../adapters/file/index.ts'
import { register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import type { Running } from './support/measure.ts'

export const question = 'How many durable writes a second, against the disk itself and lmdb?'

/** With key and header a record of some 300 bytes. */
const TEXT = 'x'.repeat(220)
const KEYS = Array.from({ length: 1000 }, (_, i): `note:${string}` => `note:${i}`)

const BATCHES = 2
const ROUNDS = 5

interface Load {
  readonly writers: number
  readonly groups: number
  /** Bytes of one operation in Warp's log. */
  readonly recordBytes: number
  /** Where contestants make their folders. */
  readonly folder: string
}

export async function run(context: BenchContext): Promise<void> {
  const folder = context.folder()
  const recordBytes = await measureRecord(folder)
  for (const [writers, groups, atLeast] of [
    [1, 300, 0.7],
    [16, 200, 0.7],
    [256, 120, 0.5],
  ] as const) {
    const load = { writers, groups: context.size(groups, 3), recordBytes, folder }
    await context.compare({
      title: `${writers} writer${writers === 1 ? '' : 's'}, ${recordBytes} bytes each`,
      baseline: 'append and fdatasync',
      operations: load.groups * writers,
      batches: BATCHES,
      rounds: ROUNDS,
      contestants: [
        { name: 'append and fdatasync', open: () => openRaw(load, 'append') },
        { name: 'the same into a preallocated file', open: () => openRaw(load, 'preallocated') },
        { name: 'Warp', open: () => openDurable(load) },
        { name: 'lmdb, flushed', open: () => openLmdbStore(load) },
      ],
      goals: [
        { of: 'Warp', atLeast },
        { of: 'Warp', to: 'the same into a preallocated file', atLeast },
        { of: 'Warp', to: 'lmdb, flushed', atLeast: 1.5 },
      ],
    })
  }
}

const keyOf = (i: number): `note:${string}` => KEYS[i % KEYS.length]!

function openLog(folder: string) {
  return openWarp({
    keys: { 'note:*': register<string>() },
    log: fileLog({ path: mkdtempSync(path.join(folder, 'warp-')) }),
    ack: 'durable',
  })
}

async function measureRecord(folder: string): Promise<number> {
  const warp = await openLog(folder)
  for (const key of KEYS) await warp.set(key, TEXT, { ack: 'memory' })
  const before = warp.stats().log.bytes
  for (const key of KEYS) await warp.set(key, TEXT, { ack: 'memory' })
  const bytes = warp.stats().log.bytes - before
  await warp.close()
  return Math.round(bytes / KEYS.length)
}

async function openDurable({ writers, groups, folder }: Load): Promise<Running> {
  const warp = await openLog(folder)
  const handles = KEYS.map((key) => warp.key(key))
  await byWriters(writers, 3, (i) => handles[i % handles.length]!.set(TEXT))
  const before = warp.stats().operations.writtenCount
  let batches = 0
  return {
    async batch() {
      await byWriters(writers, groups, (i) => handles[i % handles.length]!.set(TEXT))
      batches++
    },
    verify() {
      const written = warp.stats().operations.writtenCount - before
      if (written !== writers * groups * batches) throw new Error(`${written} writes instead of ${writers * groups}`)
    },
    close: () => warp.close(),
  }
}

function openLmdbStore({ writers, groups, folder }: Load): Running {
  const db = openLmdb<string, string>({ path: mkdtempSync(path.join(folder, 'lmdb-')) })
  let written = 0
  return {
    batch: () =>
      byWriters(writers, groups, async (i) => {
        await db.put(keyOf(i), TEXT)
        await db.flushed
        written++
      }),
    verify() {
      if (written % (writers * groups) !== 0 || db.get(keyOf(0)) !== TEXT) throw new Error('lmdb lost a write')
    },
    close: () => db.close(),
  }
}

/** Every writer waits for its own write before the next one. */
async function byWriters(writers: number, groups: number, write: (i: number) => Promise<unknown>): Promise<void> {
  const one = async (writer: number): Promise<void> => {
    for (let group = 0; group < groups; group++) await write(writer * groups + group)
  }
  await Promise.all(Array.from({ length: writers }, (_, writer) => one(writer)))
}

/** On the thread, without anything around it: nothing in Node is faster. */
function openRaw({ writers, groups, recordBytes, folder }: Load, how: 'append' | 'preallocated'): Running {
  const file = path.join(mkdtempSync(path.join(folder, 'raw-')), 'log')
  const descriptor = openSync(file, 'w+')
  const record = Buffer.alloc(recordBytes, 'x')
  const group = Buffer.alloc(recordBytes * writers)
  let at = 0
  if (how === 'preallocated') {
    // Zeros and not a hole: then the sync has no metadata to write.
    writeSync(descriptor, Buffer.alloc(group.length * groups * BATCHES * (ROUNDS + 1)))
    fdatasyncSync(descriptor)
  }
  return {
    batch() {
      for (let i = 0; i < groups; i++) {
        for (let writer = 0; writer < writers; writer++) record.copy(group, writer * recordBytes)
        writeSync(descriptor, group, 0, group.length, at)
        fdatasyncSync(descriptor)
        at += group.length
      }
    },
    verify() {
      if (
        readFileSync(file)
          .subarray(at - recordBytes, at)
          .compare(record) !== 0
      )
        throw new Error('the file lost bytes')
    },
    close() {
      ftruncateSync(descriptor, 0)
      closeSync(descriptor)
    },
  }
}
