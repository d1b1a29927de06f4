import { describe, expect, test } from 'vitest'
import { memoryOrderedLog } from '../../../adapters/memory/memory-ordered-log.ts'
import {
  memoryOrderedLogOn,
  type MemoryOrderedLogSettings,
} from '../../../src/ports/ordered-memory/memory-ordered-log.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'
import { bytesOf, followed, idsIn, logWorld, piecesOf } from '../../support/memory-log-world.ts'
import { refused } from '../../support/refused.ts'

describe('the ordered log in memory', () => {
  test('acknowledges a record in a later turn, and hands it over in one after that', async () => {
    const { log, a, b } = await logWorld()
    const said: string[] = []
    followed(b, undefined, (batch) => void said.push(...batch.map(({ id }) => `${id} handed over`)))
    const outcome = a.append(0, 'x', bytesOf('x')).then(({ kind }) => said.push(`x ${kind}`))
    await Promise.resolve()
    expect(log.records(0)).toEqual([])
    await outcome
    expect(said).toEqual(['x appended'])
    await new Promise(setImmediate)
    expect(said).toEqual(['x appended', 'x handed over'])
  })

  test('tells the time of its own clock, which may go back', async () => {
    const { env, a, b } = await logWorld()
    const told = followed(b)
    env.setWall(2000)
    await a.append(0, 'x', bytesOf('x'))
    env.setWall(1000)
    await a.append(0, 'y', bytesOf('y'))
    await env.runUntilIdle()
    expect(told.records.map(({ timeMs }) => timeMs)).toEqual([2000, 1000])
  })

  test('hands over at most 512 records, and a mebibyte unless one record has more', async () => {
    const { env, a, b } = await logWorld()
    for (let index = 0; index < 600; index++) void a.append(0, `small-${index}`, bytesOf('.'))
    for (const id of ['x', 'y', 'z']) void a.append(0, id, new Uint8Array(700_000))
    void a.append(0, 'large', new Uint8Array(3_000_000))
    await env.runUntilIdle()
    const told = followed(b)
    await env.runUntilIdle()
    expect(told.batches).toEqual([512, 89, 1, 1, 1])
    expect(told.records.length).toBe(604)
  })

  test('keeps no more bytes than it may, until somebody trims behind a snapshot', async () => {
    const { env, log, a } = await logWorld({ keptBytesMax: 2000 })
    for (const id of ['x', 'y']) expect((await a.append(0, id, new Uint8Array(800))).kind).toBe('appended')
    const full = await a.append(0, 'z', new Uint8Array(800))
    expect(full).toMatchObject({ kind: 'refused', error: { code: 'WARP_E_STORAGE_FULL', outcome: 'failed' } })
    await a.saveSnapshot(0, { bookmark: { offset: 1, id: 'x' }, pieces: piecesOf() })
    await a.trim(0, 2)
    expect(await a.append(0, 'z', new Uint8Array(800))).toEqual({ kind: 'appended', offset: 3 })
    await env.runUntilIdle()
    expect(log.stats()).toMatchObject({ appendedRecords: 3, refusedRecords: 1, trimmedRecords: 1, keptRecords: 2 })
  })

  test('works in turns: a thousand requests, and a mebibyte of a snapshot, in each', async () => {
    const env = virtualEnv()
    let turns = 0
    const counted = {
      ...env,
      yield: () => {
        turns++
        return env.yield()
      },
    }
    const log = memoryOrderedLogOn(counted)
    const link = await log.open({ connected: () => undefined })
    turns = 0
    await Promise.all(Array.from({ length: 5000 }, (_, index) => link.append(0, `record-${index}`, bytesOf('.'))))
    expect(turns).toBe(5)
    const state = new Uint8Array(8 * 1024 * 1024)
    await link.saveSnapshot(0, { bookmark: { offset: 1, id: 'record-0' }, pieces: piecesOf(state) })
    expect(turns).toBeGreaterThanOrEqual(5 + 8)
    turns = 0
    let bytes = 0
    for await (const piece of (await link.loadSnapshot(0))?.pieces ?? piecesOf()) bytes += piece.length
    expect([bytes, turns]).toEqual([state.length, 1 + 8])
  })

  test('survives the links of its replicas', async () => {
    const { log, a, b } = await logWorld()
    await a.append(0, 'x', bytesOf('x'))
    await a.close()
    await b.close()
    expect(log.stats().links).toBe(0)
    const again = await log.open({ connected: () => undefined })
    expect(again.identity).toBe(a.identity)
    expect(await again.barrier(0)).toBe(1)
  })

  test('has an identity of its own, from the randomness that it is given', () => {
    const identities = new Set<string>()
    for (const seed of [1, 2]) {
      const random = virtualEnv({ seed })
      void memoryOrderedLogOn(random)
        .open({ connected: () => undefined })
        .then(({ identity }) => identities.add(identity))
    }
    return new Promise(setImmediate).then(() => expect(identities.size).toBe(2))
  })

  test('works on the clock of the platform', async () => {
    const log = memoryOrderedLog({ delayMs: 1 })
    const link = await log.open({ connected: () => undefined })
    const told = followed(link)
    expect(await link.append(0, 'x', bytesOf('x'))).toEqual({ kind: 'appended', offset: 1 })
    await expect.poll(() => idsIn(told.records)).toBe('x')
    expect(told.records[0]?.timeMs).toBeGreaterThan(1_600_000_000_000)
  })

  test.each<[string, MemoryOrderedLogSettings, RegExp]>([
    ['a misspelt option', { partition: 2 } as MemoryOrderedLogSettings, /did you mean 'partitions'/],
    ['no partition', { partitions: 0 }, /partitions is the number 0; give a whole number from 1 to 256/],
    ['records larger than a frame', { recordBytesMax: 5_000_000 }, /recordBytesMax is the number 5000000/],
    ['no bytes', { keptBytesMax: 0 }, /keptBytesMax/],
    ['no time for an answer', { answerMs: 0 }, /answerMs/],
    ['another kind of barrier', { barriers: 'none' as 'asked' }, /barriers is the string "none"; give 'asked'/],
    ['no name', { name: '' }, /name/],
    ['a seed that is none', { seed: NaN }, /seed/],
    ['more than all', { repeated: 2 }, /repeated is 2; it is at least 0 and at most 1/],
    ['no records in a batch', { batchRecords: 0 }, /batchRecords is 0; it is at least 1 and at most 512/],
  ])('refuses %s', (_, settings, message) => {
    const error = refused(() => memoryOrderedLog(settings))
    expect(error.code).toBe('WARP_E_CONFIG')
    expect(error.message).toMatch(message)
  })
})
