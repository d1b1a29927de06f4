/** The bytes on disk are those of docs/wire-format.md. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Env } from '../../src/ports/env.ts'
import { type MemoryFiles, memoryFiles } from '../../src/log/files/memory-files.ts'
import { decodeSegmentHeader } from '../../src/log/segments/segment-format.ts'
import { fromHex, toHex } from '../support/hex.ts'
import { append, openLog, QUICK, texts } from './log-fixture.ts'

const SALT = [0x5a, 0x17, 0x0c, 0x0d]
const env: Env = { ...QUICK.env, random: (count) => Uint8Array.from({ length: count }, (_, i) => SALT[i % 4] ?? 0) }

/** The first column of each table of a section, joined: the bytes of one file. */
function vectorsOf(heading: string): string[] {
  const text = readFileSync(new URL('../../docs/wire-format.md', import.meta.url), 'utf8')
  const section = text.split(`\n### ${heading}\n`)[1]?.split('\n#')[0] ?? ''
  const tables = section.split('\n\n').filter((block) => block.trim().startsWith('|'))
  return tables.map((table) => [...table.matchAll(/^\| `([0-9a-f]+)`/gm)].map(([, bytes]) => bytes).join(''))
}

function file(files: MemoryFiles, name: string, bytes: number): string {
  return toHex(files.bytes(name).slice(0, bytes))
}

const [closed = '', rewritten = '', checkpoint = ''] = vectorsOf('Segment vectors')

test('a log of two records, closed in order', async () => {
  const files = memoryFiles({ persistent: true, home: '/var/lib/warp', bootId: 'boot-1' })
  const { log } = await openLog(files, { env })
  append(log, 'two', append(log, 'one'))
  await log.close()
  expect(file(files, 'segment-0000000001', 182)).toBe(closed)
})

test('its segment after the first record was dropped, and a checkpoint', async () => {
  const files = memoryFiles({ persistent: true, home: '/var/lib/warp', bootId: 'boot-1' })
  const { log } = await openLog(files, { env, segmentBytes: 4096 })
  const one = append(log, 'one')
  append(log, 'two', one)
  append(log, 'x'.repeat(4000))
  await log.rewrite(1, ({ position }) => position !== one)
  expect(toHex(files.bytes('segment-0000000001'))).toBe(rewritten)
  await log.writeCheckpoint(new TextEncoder().encode('index'))
  expect(toHex(files.bytes('checkpoint-0000000001'))).toBe(checkpoint)
  expect(texts(log).slice(0, 1)).toEqual(['two'])
})

test('the bytes of the document open to the records that it names', async () => {
  const files = memoryFiles({ persistent: true, home: '/var/lib/warp', bootId: 'boot-1' })
  await files.create('segment-0000000001').write(0, fromHex(closed))
  const { log, replayed } = await openLog(files, { env })
  expect(replayed).toEqual([
    { text: 'one', position: 2 ** 32 + 104 },
    { text: 'two', position: 2 ** 32 + 123 },
  ])
  expect(log.recovery).toMatchObject({ clean: true, sameBoot: true, sameHome: true })
})

test('a header that was torn while it was written is told from one that was damaged later', () => {
  const header = fromHex(closed.slice(0, 128))
  for (let torn = 0; torn < 64; torn++) {
    const bytes = new Uint8Array(256)
    bytes.set(header.subarray(0, torn))
    expect(decodeSegmentHeader(bytes).kind).toBe('blank')
    bytes[200] = 1
    expect(decodeSegmentHeader(bytes).kind).toBe('damaged')
  }
})
