/** What the ordered log in memory does to those who use it, when it is asked to. */
import { describe, expect, test } from 'vitest'
import type { MemoryOrderedLogSettings } from '../../../src/ports/ordered-memory/memory-ordered-log.ts'
import {
  appendAll,
  bytesOf,
  followed,
  IDS,
  idsIn,
  kindsOf,
  logWorld,
  now,
  piecesOf,
} from '../../support/memory-log-world.ts'
import { refused } from '../../support/refused.ts'

describe('an answer that is lost', () => {
  test('leaves a record of which its writer does not know, after answerMs', async () => {
    const { env, log, a } = await logWorld({ answersLost: 1, answerMs: 300 })
    const outcome = a.append(0, 'x', bytesOf('x'))
    let isThere = false
    void outcome.then(() => (isThere = true))
    await env.advance(299)
    expect([isThere, idsIn(log.records(0))]).toEqual([false, 'x'])
    await env.advance(1)
    expect(await outcome).toMatchObject({
      kind: 'unknown',
      error: { code: 'WARP_E_TRANSPORT', outcome: 'indeterminate' },
    })
    expect(log.stats()).toMatchObject({ lostAnswers: 1, lostAppends: 0, appendedRecords: 1 })
  })

  test('leaves a barrier without one', async () => {
    const { env, a } = await logWorld({ answersLost: 1 })
    const barrier = expect(a.barrier(0)).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
    await env.advance(5000)
    await barrier
  })
})

test('an append that is lost leaves no record, and its writer does not know', async () => {
  const world = await logWorld({ appendsLost: 1 })
  expect(kindsOf(await appendAll(world))).toEqual({ unknown: 200 })
  expect(world.log.records(0)).toEqual([])
  expect(world.log.stats().lostAppends).toBe(200)
})

test('a share of appends is lost, and the others keep their order', async () => {
  const world = await logWorld({ appendsLost: 0.3, answersLost: 0.3 })
  const outcomes = await appendAll(world)
  const { lostAppends, lostAnswers, appendedRecords } = world.log.stats()
  for (const count of [lostAppends, lostAnswers, appendedRecords]) expect(count).toBeGreaterThan(30)
  expect(lostAppends + appendedRecords).toBe(200)
  const there = world.log.records(0).map(({ id }) => id)
  expect(there).toEqual(IDS.filter((id) => there.includes(id)))
  outcomes.forEach(({ kind }, index) => {
    if (kind === 'appended') expect(there).toContain(IDS[index])
    else expect(kind).toBe('unknown')
  })
})

test('a repeated append takes two places, and names the first', async () => {
  const world = await logWorld({ repeated: 1, delayMs: 5, jitterMs: 50 })
  const outcomes = await appendAll(world)
  const records = world.log.records(0)
  expect(records.length).toBe(400)
  IDS.forEach((id, index) => {
    const places = records.filter((record) => record.id === id)
    expect(places.length).toBe(2)
    expect(outcomes[index]).toEqual({ kind: 'appended', offset: places[0]?.offset })
  })
  const between = records.findLastIndex(({ id }) => id === IDS[0]) - records.findIndex(({ id }) => id === IDS[0])
  expect(between).toBeGreaterThan(1)
})

test('records that are handed over again are the last ones, and none is left out', async () => {
  const world = await logWorld({ redelivered: 1, batchRecords: 5 })
  const told = followed(world.b)
  await appendAll(world)
  expect(told.records.length).toBeGreaterThan(300)
  let last = 0
  for (const { offset } of told.records) {
    expect(offset).toBeGreaterThan(last - 13)
    expect(offset).toBeLessThanOrEqual(last + 1)
    last = Math.max(last, offset)
  }
  expect(last).toBe(200)
  expect(world.log.stats().redeliveredRecords).toBeGreaterThan(100)
})

test('a reader is handed nothing from before its bookmark, however often records come again', async () => {
  const world = await logWorld()
  await appendAll(world, IDS.slice(0, 10))
  world.log.troubles({ redelivered: 1, batchRecords: 1 })
  const told = followed(world.b, { offset: 5, id: 'record-4' })
  await world.env.runUntilIdle()
  expect(Math.min(...told.records.map(({ offset }) => offset))).toBe(6)
  expect(told.records.length).toBeGreaterThan(10)
})

test('a log with nothing new hands nothing over again', async () => {
  const { env, a, b } = await logWorld({ redelivered: 1 })
  const told = followed(b)
  await a.append(0, 'x', bytesOf('x'))
  await env.advance(60_000)
  expect(idsIn(told.records)).toBe('x x')
})

test('holes are left out of the offsets, and nowhere else', async () => {
  const world = await logWorld({ holes: 0.5 })
  const told = followed(world.b)
  const outcomes = await appendAll(world)
  expect(idsIn(told.records)).toBe(IDS.join(' '))
  const offsets = told.records.map(({ offset }) => offset)
  const steps = new Set(offsets.map((offset, index) => offset - (offsets[index - 1] ?? 0)))
  expect([...steps].sort()).toEqual([1, 2, 3, 4, 5])
  expect(outcomes.map((outcome) => outcome.kind === 'appended' && outcome.offset)).toEqual(offsets)
})

describe('a delay', () => {
  test('keeps requests of a link in order, and lets those of links overtake one another', async () => {
    const { env, log, a, b } = await logWorld({ delayMs: 5, jitterMs: 50 })
    for (const id of IDS.slice(0, 50)) {
      void a.append(0, `a-${id}`, bytesOf(id))
      void b.append(0, `b-${id}`, bytesOf(id))
    }
    await env.advance(4.9)
    expect(log.records(0)).toEqual([])
    await env.advance(100)
    const order = log.records(0).map(({ id }) => id)
    for (const name of ['a', 'b'])
      expect(order.filter((id) => id.startsWith(name))).toEqual(IDS.slice(0, 50).map((id) => `${name}-${id}`))
    const alternating = IDS.slice(0, 50).flatMap((id) => [`a-${id}`, `b-${id}`])
    expect(order).not.toEqual(alternating)
  })

  test('lets the outcome and the record come in either order', async () => {
    const { env, a } = await logWorld({ jitterMs: 50 })
    const order: string[] = []
    followed(a, undefined, (batch) => void order.push(...batch.map(() => 'record')))
    for (const id of IDS.slice(0, 30)) {
      void a.append(0, id, bytesOf(id)).then(() => order.push('outcome'))
      await env.advance(1000)
    }
    const pairs = new Set(Array.from({ length: 30 }, (_, index) => order.slice(2 * index, 2 * index + 2).join()))
    expect([...pairs].sort()).toEqual(['outcome,record', 'record,outcome'])
  })

  test('is of one link, where it is asked for so', async () => {
    const { env, log, a, b } = await logWorld()
    log.troubles({ delayMs: 1000 }, 'a')
    log.troubles({ slowMs: 1 })
    void a.append(0, 'slow', bytesOf('x'))
    await env.advance(100)
    void b.append(0, 'quick', bytesOf('x'))
    await env.advance(1000)
    expect(idsIn(log.records(0))).toBe('quick slow')
    log.troubles({ delayMs: 0 }, 'a')
    void a.append(0, 'again', bytesOf('x'))
    await env.runUntilIdle()
    expect(idsIn(log.records(0))).toBe('quick slow again')
  })
})

test('a slow consumer is handed its batches later, and holds up nobody else', async () => {
  const world = await logWorld({ batchRecords: 10 })
  world.log.troubles({ slowMs: 100 }, 'b')
  const [slow, quick] = [followed(world.b), followed(world.a)]
  for (const id of IDS) void world.a.append(0, id, bytesOf(id))
  await world.env.runUntilIdle()
  expect([slow.batches.length, quick.batches.length]).toEqual([1, 20])
  await world.env.advance(500)
  expect(slow.batches.length).toBe(6)
  await world.env.advance(60_000)
  expect(idsIn(slow.records)).toBe(IDS.join(' '))
})

test('a snapshot that is lost leaves the former one', async () => {
  const { env, log, a } = await logWorld()
  await a.append(0, 'x', bytesOf('x'))
  await a.append(0, 'y', bytesOf('y'))
  await a.saveSnapshot(0, { bookmark: { offset: 1, id: 'x' }, pieces: piecesOf(bytesOf('first')) })
  log.troubles({ snapshotsLost: 1 })
  const saving = a.saveSnapshot(0, { bookmark: { offset: 2, id: 'y' }, pieces: piecesOf(bytesOf('second')) })
  await expect(saving).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
  await env.runUntilIdle()
  expect((await a.loadSnapshot(0))?.bookmark).toEqual({ offset: 1, id: 'x' })
})

describe('a request that is on its way', () => {
  test('ends at once when its signal fires, and arrives all the same', async () => {
    const { env, log, a } = await logWorld({ delayMs: 1000 })
    const controller = new AbortController()
    const append = a.append(0, 'x', bytesOf('x'), controller.signal)
    const barrier = now(env, a.barrier(0, controller.signal))
    await env.advance(10)
    expect([await now(env, append), await barrier]).toEqual(['waits', 'waits'])
    const given = a.barrier(0, controller.signal)
    controller.abort()
    expect(await now(env, append)).toMatchObject({
      kind: 'unknown',
      error: { code: 'WARP_E_ABORTED', outcome: 'indeterminate' },
    })
    expect(await now(env, given)).toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'indeterminate' })
    await env.advance(5000)
    expect(idsIn(log.records(0))).toBe('x')
    expect(env.timerCount).toBe(0)
  })

  test('ends at once when its link closes', async () => {
    const { env, log, a } = await logWorld({ delayMs: 1000 })
    const append = a.append(0, 'x', bytesOf('x'))
    const others = [a.barrier(0), a.trim(0, 1), a.loadSnapshot(0)]
    for (const other of others) other.catch(() => undefined)
    await env.advance(10)
    await a.close()
    expect(await now(env, append)).toMatchObject({ kind: 'unknown', error: { code: 'WARP_E_CLOSED' } })
    for (const other of others)
      expect(await now(env, other)).toMatchObject({ code: 'WARP_E_CLOSED', outcome: 'indeterminate' })
    await env.advance(5000)
    expect([idsIn(log.records(0)), env.timerCount]).toEqual(['x', 0])
  })
})

describe('the same seed', () => {
  const TROUBLES: MemoryOrderedLogSettings = {
    ...{ delayMs: 2, jitterMs: 30, appendsLost: 0.1, answersLost: 0.1, repeated: 0.1, redelivered: 0.3, holes: 0.1 },
    ...{ batchRecords: 7, barriers: 'records' },
  }

  async function run(seed: number): Promise<string> {
    const world = await logWorld({ ...TROUBLES, seed })
    const told = followed(world.b)
    const first = appendAll(world, IDS.slice(0, 100))
    world.log.disconnect('b')
    world.log.reconnect('b')
    const outcomes = [...(await first), ...(await appendAll(world, IDS.slice(100)))]
    const seen = told.records.map(({ offset, id, timeMs }) => [offset, id, timeMs])
    return JSON.stringify([outcomes.map(({ kind }) => kind), seen, world.log.stats()])
  }

  test('gives the same run, and another seed another one', async () => {
    expect(await run(3)).toBe(await run(3))
    expect(await run(4)).not.toBe(await run(3))
  })
})

test.each<[string, MemoryOrderedLogSettings, RegExp]>([
  ['a misspelt trouble', { answerLost: 1 } as MemoryOrderedLogSettings, /did you mean 'answersLost'/],
  ['less than nothing', { delayMs: -1 }, /delayMs is -1; it is at least 0/],
])('troubles that are set later: %s is refused', async (_, settings, message) => {
  const { log } = await logWorld()
  expect(refused(() => log.troubles(settings)).message).toMatch(message)
  expect(refused(() => log.troubles(settings, 'a')).code).toBe('WARP_E_CONFIG')
})
