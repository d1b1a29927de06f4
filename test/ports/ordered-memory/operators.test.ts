/** Connections of the ordered log in memory that are cut, processes that are gone, and what operators do to the log. */
import { describe, expect, test } from 'vitest'
import type { OrderedLogLink } from '../../../src/ports/ordered-log.ts'
import type { MemoryOrderedLogSettings } from '../../../src/ports/ordered-memory/memory-ordered-log.ts'
import {
  appendAll,
  bytesOf,
  followed,
  IDS,
  idsIn,
  kindsOf,
  type LogWorld,
  logWorld,
  now,
  piecesOf,
} from '../../support/memory-log-world.ts'
import { refused } from '../../support/refused.ts'

describe('a connection that is cut', () => {
  test('answers what waits, lets some of it arrive, and refuses the rest', async () => {
    const world = await logWorld({ delayMs: 10 })
    const { env, log, a, connections } = world
    const outcomes = Promise.all(IDS.map((id) => a.append(0, id, bytesOf(id))))
    const barrier = a.barrier(0).catch((error: unknown) => error)
    await env.advance(5)
    log.disconnect('a')
    expect(await now(env, barrier)).toMatchObject({ code: 'WARP_E_TRANSPORT', outcome: 'indeterminate' })
    expect(await now(env, outcomes.then(kindsOf))).toEqual({ unknown: 200 })
    expect(log.records(0)).toEqual([])
    await env.advance(100)
    const arrived = log.records(0).map(({ id }) => id)
    expect(arrived.length).toBeGreaterThan(50)
    expect(arrived.length).toBeLessThan(150)
    expect(arrived).toEqual(IDS.filter((id) => arrived.includes(id)))
    expect(await a.append(0, 'away', bytesOf('x'))).toMatchObject({
      kind: 'refused',
      error: { code: 'WARP_E_TRANSPORT', outcome: 'failed' },
    })
    expect(connections).toEqual(['a down'])
  })

  test('lets what is under way be overtaken by what is sent after it is back', async () => {
    const { env, log, a } = await logWorld({ delayMs: 1000 })
    for (const id of IDS.slice(0, 20)) void a.append(0, id, bytesOf(id))
    log.disconnect('a')
    log.troubles({ delayMs: 0 })
    log.reconnect('a')
    await a.append(0, 'new', bytesOf('x'))
    await env.advance(2000)
    expect(log.records(0)[0]?.id).toBe('new')
    expect(log.records(0).length).toBeGreaterThan(1)
  })

  test('hands over what came meanwhile when it is back, and the batch that was lost', async () => {
    const { env, log, a, b, connections } = await logWorld()
    log.troubles({ delayMs: 10 }, 'b')
    const told = followed(b)
    await env.advance(10)
    await a.append(0, 'under-way', bytesOf('x'))
    await env.advance(5)
    log.disconnect('b')
    await a.append(0, 'meanwhile', bytesOf('x'))
    await env.advance(1000)
    expect(told.records).toEqual([])
    log.reconnect('b')
    await env.advance(10)
    expect(idsIn(told.records)).toBe('under-way meanwhile')
    expect(connections).toEqual(['b down', 'b up'])
  })

  test('is cut for everybody, and for those who come, when the log is down', async () => {
    const { env, log, a, b, open, connections } = await logWorld()
    log.disconnect('b')
    log.disconnect()
    await expect(open('c')).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
    expect((await a.append(0, 'x', bytesOf('x'))).kind).toBe('refused')
    log.reconnect()
    expect((await a.append(0, 'x', bytesOf('x'))).kind).toBe('appended')
    expect((await b.append(0, 'y', bytesOf('y'))).kind).toBe('refused')
    log.reconnect('b')
    expect((await b.append(0, 'y', bytesOf('y'))).kind).toBe('appended')
    await env.runUntilIdle()
    expect(connections).toEqual(['b down', 'a down', 'a up', 'b up'])
  })

  test('fails a snapshot that is being saved or read, and leaves the former one', async () => {
    const { env, log, a } = await logWorld()
    await a.append(0, 'x', bytesOf('x'))
    await a.saveSnapshot(0, { bookmark: { offset: 1, id: 'x' }, pieces: piecesOf(new Uint8Array(200_000)) })
    let release: (() => void) | undefined
    async function* slow(): AsyncGenerator<Uint8Array> {
      yield bytesOf('half')
      await new Promise<void>((resolve) => (release = resolve))
      yield bytesOf('whole')
    }
    const saving = a.saveSnapshot(0, { bookmark: { offset: 1, id: 'x' }, pieces: slow() })
    const snapshot = await a.loadSnapshot(0)
    const reading = snapshot?.pieces[Symbol.asyncIterator]()
    await reading?.next()
    log.disconnect('a')
    await expect(saving).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
    await expect(reading?.next()).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
    log.reconnect('a')
    release?.()
    await env.runUntilIdle()
    const [piece] = await all((await a.loadSnapshot(0))?.pieces)
    expect(piece?.length).toBe(65_536)
  })
})

test('of a process that is gone nobody is told, and what it had sent arrives', async () => {
  const { env, log, a, open } = await logWorld({ delayMs: 10 })
  const told = followed(a)
  let isAnswered = false
  void a.append(0, 'x', bytesOf('x')).then(() => (isAnswered = true))
  log.abandon('a')
  const again = open('a')
  await env.advance(10_000)
  expect([isAnswered, told.batches.length, idsIn(log.records(0)), log.stats().links]).toEqual([false, 0, 'x', 2])
  const late = followed(await again)
  await env.advance(10)
  expect(idsIn(late.records)).toBe('x')
})

describe('acts of an operator', () => {
  async function started(
    settings: MemoryOrderedLogSettings = {},
  ): Promise<LogWorld & { readonly link: OrderedLogLink }> {
    const world = await logWorld(settings)
    await appendAll(world, IDS.slice(0, 5))
    return { ...world, link: world.b }
  }

  test.each<[string, (world: LogWorld) => void]>([
    ['rolling back', ({ log }) => log.rollBack(0, 2)],
    ['making anew', ({ log }) => log.recreate()],
  ])('%s is told with the next record, and not before it; a barrier notices at once', async (_, act) => {
    const world = await started()
    const told = followed(world.b)
    await world.env.runUntilIdle()
    act(world)
    await world.env.advance(60_000)
    expect(told.said).toEqual([])
    await expect(world.b.barrier(0)).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
    await world.a.append(0, 'next', bytesOf('x'))
    await world.env.runUntilIdle()
    expect(told.said).toEqual(['WARP_E_ORDER_BROKEN'])
    expect(told.records.length).toBe(5)
  })

  test('a purge is told to whoever misses what no snapshot holds; who has it all goes on', async () => {
    const { env, log, a, b, open } = await started({ batchRecords: 2 })
    let release: (() => void) | undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    const [whole, slow] = [followed(a), followed(b, undefined, () => gate)]
    await env.runUntilIdle()
    log.purge(0)
    await expect(b.barrier(0)).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
    expect(await a.barrier(0)).toBe(5)
    await a.append(0, 'next', bytesOf('x'))
    release?.()
    await env.runUntilIdle()
    const late = followed(await open('c'))
    await env.runUntilIdle()
    expect([whole.said, slow.said, late.said]).toEqual([[], ['WARP_E_ORDER_BROKEN'], ['WARP_E_ORDER_BROKEN']])
    expect([whole.records.length, slow.records.length, late.records.length]).toEqual([6, 2, 0])
    await a.saveSnapshot(0, { bookmark: { offset: 6, id: 'next' }, pieces: piecesOf() })
    const later = followed(await open('d'))
    await env.runUntilIdle()
    expect(later.said).toEqual(['trimmed 6'])
  })

  test('a purge of what the snapshot holds is a trim', async () => {
    const { env, log, a, b } = await started()
    const told = followed(b)
    await a.saveSnapshot(0, { bookmark: { offset: 5, id: 'record-4' }, pieces: piecesOf() })
    log.purge(0)
    await a.append(0, 'next', bytesOf('x'))
    await env.runUntilIdle()
    expect([told.said, told.records.length]).toEqual([[], 6])
  })

  test('rolling back to what a reader has seen is no matter for it', async () => {
    const { env, log, a, b } = await started({ batchRecords: 1 })
    let release: (() => void) | undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    const told = followed(b, { offset: 2, id: 'record-1' }, () => gate)
    await env.runUntilIdle()
    log.rollBack(0, 3)
    expect(await a.append(0, 'next', bytesOf('x'))).toEqual({ kind: 'appended', offset: 4 })
    release?.()
    await env.runUntilIdle()
    expect([told.said, idsIn(told.records)]).toEqual([[], 'record-2 next'])
  })

  test('rolling back beyond what is there is refused', async () => {
    const { log } = await started()
    for (const offset of [-1, 6, 1.5]) expect(refused(() => log.rollBack(0, offset)).code).toBe('WARP_E_CONFIG')
    expect(refused(() => log.purge(1)).message).toMatch(/there is no partition 1; they are 0 to 0/)
  })

  test('a link of a log that was made anew saves no snapshot there', async () => {
    const { env, log, a } = await started()
    log.recreate()
    await a.append(0, 'record-0', bytesOf('x'))
    const saving = a.saveSnapshot(0, { bookmark: { offset: 1, id: 'record-0' }, pieces: piecesOf() })
    await expect(saving).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
    await env.runUntilIdle()
    expect(log.records(0).length).toBe(1)
  })
})

async function all<Piece>(pieces: AsyncIterable<Piece> | undefined): Promise<Piece[]> {
  const result: Piece[] = []
  if (pieces !== undefined) for await (const piece of pieces) result.push(piece)
  return result
}
