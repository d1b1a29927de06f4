/** Members of two formats in one cluster: 2, and a 3 that is pretended. */
import { describe, expect, test } from 'vitest'
import { Formats } from '../../src/operation/envelope/formats.ts'
import type { TestReplica, TestReplicas } from '../support/replicas.ts'
import { kinds, testReplicas } from '../support/replicas.ts'
import { NaiveStore } from '../support/naive-store.ts'

const self = (name: string): { name: string } => ({ name })

async function world(
  formats: Readonly<Record<string, number>>,
): Promise<TestReplicas & { join3(name: string, format: number): Promise<TestReplica> }> {
  const replicas = await testReplicas({ names: [], self })
  const join3 = (name: string, format: number): Promise<TestReplica> =>
    replicas.join(name, {}, new NaiveStore(replicas.env.fork({ label: name }), new Formats(format)))
  for (const [name, format] of Object.entries(formats)) await join3(name, format)
  await replicas.env.advance(6000)
  return { ...replicas, join3 }
}

const written = (replicas: readonly TestReplica[]): number[] => replicas.map(({ store }) => store.table.formats.written)

describe('a cluster', () => {
  test('of members that read 3 writes 3, after a few rounds and with an event', async () => {
    const { all, close } = await world({ a: 3, b: 3, c: 3 })
    expect(written(all)).toEqual([3, 3, 3])
    for (const replica of all) expect(kinds(replica)).toContain('format:raised')
    await close()
  })

  test('with one member that reads 2 writes 2, and says who holds it back', async () => {
    const { all, close } = await world({ a: 3, b: 2, c: 3 })
    expect(written(all)).toEqual([2, 2, 2])
    const [a] = all as [TestReplica]
    expect(a.events.filter(({ kind }) => kind === 'format:held').at(-1)).toMatchObject({
      format: 2,
      by: [{ name: 'b', highest: 2 }],
    })
    expect(() => a.store.table.formats.require(3, 'a feature')).toThrow(
      expect.objectContaining({
        code: 'WARP_E_PROTOCOL',
        message: 'a feature needs format 3, and this cluster writes format 2: held back by b (format 2); upgrade it',
      }),
    )
    await close()
  })

  test('of builds that read 2 only says nothing of formats', async () => {
    const { all, close } = await world({ a: 2, b: 2 })
    expect(all.flatMap(kinds).filter((kind) => kind.startsWith('format:'))).toEqual([])
    await close()
  })

  test('is lowered at once by a newcomer that reads 2, while nothing has been written in 3', async () => {
    const { env, all, join3, close } = await world({ a: 3, b: 3 })
    const old = await join3('old', 2)
    await env.advance(1000)
    expect(written(all)).toEqual([2, 2, 2])
    for (const { store } of all) store.write('text')
    await env.advance(5000)
    for (const { store } of all) expect(store.texts()).toHaveLength(3)
    expect(kinds(old)).not.toContain('format:refused')
    await close()
  })

  test('refuses a newcomer that cannot read what has been written, on both sides, and goes on', async () => {
    const { env, all, join3, close } = await world({ a: 3, b: 3 })
    const [a, b] = all as [TestReplica, TestReplica]
    a.store.write('in 3')
    await env.advance(1000)
    const old = await join3('old', 2)
    await env.advance(10_000)
    expect(written([a, b])).toEqual([3, 3])
    for (const { events } of [a, b])
      expect(events.filter(({ kind }) => kind === 'format:refused')).toMatchObject([
        { side: 'peer', peer: { name: 'old' } },
      ])
    expect(old.events.find(({ kind }) => kind === 'format:refused')).toMatchObject({
      side: 'us',
      error: { code: 'WARP_E_PROTOCOL' },
    })
    expect(old.store.texts()).toEqual([])
    // It counts as no member: nobody is told that it holds the format back.
    expect([a, b].flatMap(({ events }) => events).filter(({ kind }) => kind === 'format:held')).toEqual([])
    b.store.write('goes on')
    await env.advance(1000)
    expect(a.store.texts()).toEqual(['goes on', 'in 3'])
    await close()
  })
})

test('a peer whose id has come to an end, and that is going to come back under another one, holds the format back', async () => {
  const { env, network, all, join3, close } = await world({ a: 3, b: 3 })
  const members = [...all]
  const old = await join3('old', 2)
  await env.advance(1000)
  // It is heard, and hears nobody.
  for (const { name } of members) network.cut(name, 'old', { oneWay: true })
  for (const { store } of members) store.retired.retire(old.store.replica, 0)
  await env.advance(4000)
  expect(written(members)).toEqual([2, 2])
  await close()
})

test.each([
  ['goes on in the format of its log', true, 3],
  ['waits for the others before it writes a format that nobody has written', false, 2],
])('a member that is started again and hears nobody %s', async (_, writes, expected) => {
  const { env, network, all, join, close } = await world({ a: 3, b: 3, c: 3 })
  const [a] = all as [TestReplica]
  expect(written(all)).toEqual([3, 3, 3])
  if (writes) a.store.write('in 3')
  await env.advance(1000)
  await a.replicator.close()
  network.cut('a', 'b')
  network.cut('a', 'c')
  const formats = new Formats(3)
  formats.take(a.store.table.formats.held, 'a log')
  a.store.restart(formats)
  const again = await join('a', {}, a.store)
  await env.advance(10_000)
  expect(written([again])).toEqual([expected])
  network.heal()
  await env.advance(10_000)
  expect(written([again])).toEqual([3])
  await close()
})

test('a member that is started again waits for one that it has not heard, though somebody else reads more', async () => {
  const { env, all, join, close } = await world({ a: 3, b: 3, c: 2 })
  const [a, b, c] = all as [TestReplica, TestReplica, TestReplica]
  c.store.write('of c')
  await env.advance(2000)
  // The others know c by its operation alone, once it is down and they have been started again.
  await c.replicator.close()
  for (const { name, store, replicator } of [a, b]) {
    await replicator.close()
    store.restart(new Formats(3))
    await join(name, {}, store)
  }
  await env.advance(10_000)
  expect(a.store.texts()).toEqual(['of c'])
  expect(written([a, b])).toEqual([2, 2])
  await close()
})

test('a rolling upgrade, one by one, and back before the last one: nothing is lost', async () => {
  const { env, all, join, close } = await world({ a: 2, b: 2, c: 2 })
  let present = [...all]
  let count = 0
  const settle = async (): Promise<void> => {
    for (const { store, name } of present) {
      store.write(`${name} ${count}`)
      count++
    }
    await env.advance(6000)
    for (const { store } of present) expect(store.texts()).toHaveLength(count)
  }
  const restart = async (name: string, format: number): Promise<void> => {
    const before = present.find((replica) => replica.name === name)!
    await before.replicator.close()
    before.store.restart(new Formats(format))
    present = [...present.filter((replica) => replica !== before), await join(name, {}, before.store)]
  }
  await settle()
  const steps = ['a3', 'b3', 'b2', 'a2', 'a3', 'b3']
  for (const [name = '', format] of steps) {
    await restart(name, Number(format))
    await settle()
    expect(written(present)).toEqual([2, 2, 2])
  }
  await restart('c', 3)
  await settle()
  expect(written(present)).toEqual([3, 3, 3])
  await settle()
  await close()
})
