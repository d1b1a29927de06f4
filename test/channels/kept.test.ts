import { expect, test } from 'vitest'
import { openWarp, type LogStore } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { CHANNEL_KEY_PREFIX } from '../../src/keys/hidden/hidden-keys.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { CHANNELS, channelWorld, failureOf, listen } from './world.ts'

const keys = { '*': register<string>() } as const

async function alone(env = virtualEnv(), log?: LogStore) {
  return { env, warp: await openWarp({ keys, channels: CHANNELS, env, ...(log === undefined ? {} : { log }) }) }
}

/** A log that outlives the engines that are opened on it. */
function keptLog(): LogStore {
  let files = memoryFiles({ persistent: true })
  return { name: 'memory', open: () => Promise.resolve((files = files.copy())) }
}

test('a late joiner gets the newest kept messages of a channel, in order, and then what comes', async () => {
  const world = channelWorld()
  const a = await world.open('a')
  const first = a.channel('kept:1')
  for (let i = 1; i <= 5; i++) expect((await first.publish(i)).receipt?.version).toBe(i)
  const b = await world.open('b')
  await world.env.advance(10_000)
  const heard = listen(b.channel('kept:1').subscribe({ replay: true }))
  const last = listen(b.channel('kept:1').subscribe({ replay: 1 }))
  const live = listen(b.channel('kept:1').subscribe())
  await world.env.runUntilIdle()
  expect(heard.news).toMatchObject([3, 4, 5].map((payload) => ({ channel: 'kept:1', payload, publisher: a.replica })))
  await first.publish(6)
  await world.env.advance(500)
  expect([heard.shown, last.shown, live.shown]).toEqual([[3, 4, 5, 6], [5, 6], [6]])
  await world.close()
})

test('kept messages outlive the process, and what is compacted is trimmed to the newest', async () => {
  const log = keptLog()
  const { env, warp } = await alone(virtualEnv(), log)
  for (let i = 1; i <= 50; i++) await warp.channel('kept:1').publish({ i })
  await warp.compact()
  expect(warp.stats().log.operationsCount).toBe(0)
  await warp.close()
  const { warp: again } = await alone(env, log)
  const heard = listen(again.channel('kept:*').subscribe({ replay: true }))
  await env.runUntilIdle()
  expect(heard.shown).toEqual([{ i: 48 }, { i: 49 }, { i: 50 }])
  await again.close()
})

test('what enters while kept messages are replayed comes once', async () => {
  const { env, warp } = await alone()
  await warp.channel('kept:1').publish('before')
  const subscription = warp.channel('kept:1').subscribe({ replay: true })
  expect(subscription.cursor).toBeUndefined()
  await warp.channel('kept:1').publish('between')
  const heard = listen(subscription)
  await warp.channel('kept:1').publish('after')
  await env.runUntilIdle()
  expect(heard.shown).toEqual(['before', 'between', 'after'])
  expect(subscription.cursor).toBeDefined()
  await warp.close()
})

test('a kept message that the network loses comes all the same', async () => {
  const world = channelWorld()
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const heard = listen(b.channel('kept:1').subscribe())
  world.networks[0]?.partition([['a'], ['b']])
  await a.channel('kept:1').publish(1)
  await a.channel('kept:1').publish(2)
  await world.env.advance(100)
  world.networks[0]?.heal()
  await world.env.advance(5000)
  expect(heard.shown).toEqual([1, 2])
  await world.close()
})

test('messages are kept for a time, by their stamps', async () => {
  const { env, warp } = await alone()
  await warp.channel('hour:1').publish('old')
  await env.advance(3_000_000)
  await warp.channel('hour:1').publish('new')
  await env.advance(1_000_000)
  const heard = listen(warp.channel('hour:*').subscribe({ replay: true }))
  await env.runUntilIdle()
  expect(heard.shown).toEqual(['new'])
  await env.advance(3_000_000)
  const later = listen(warp.channel('hour:1').subscribe({ replay: true }))
  await env.runUntilIdle()
  expect(later.shown).toEqual([])
  await warp.close()
})

test('a consumer resumes behind the last message that it was shown, after a restart too', async () => {
  const log = keptLog()
  const { env, warp } = await alone(virtualEnv(), log)
  const heard = listen(warp.channel('kept:*').subscribe())
  await warp.channel('kept:1').publish(1)
  await warp.channel('kept:2').publish(2)
  await env.runUntilIdle()
  const [first] = heard.news
  if (first?.kind !== 'message' || first.cursor === undefined) throw new Error('no cursor')
  const cursor = heard.subscription.cursor
  await warp.channel('kept:1').publish(3)
  await warp.close()
  const { warp: again } = await alone(env, log)
  const [from, behind] = [first.cursor, cursor as string]
  const [one, two] = [from, behind].map((start) => listen(again.channel('kept:*').subscribe({ from: start })))
  await env.runUntilIdle()
  expect([one?.shown, two?.shown]).toEqual([[2, 3], [3]])
  await again.close()
})

test('who resumes from before what is kept is told of a gap', async () => {
  const { env, warp } = await alone()
  const heard = listen(warp.channel('kept:1').subscribe())
  await warp.channel('kept:1').publish(1)
  await env.runUntilIdle()
  const cursor = heard.subscription.cursor as string
  heard.subscription.close()
  for (let i = 2; i <= 20; i++) await warp.channel('kept:1').publish(i)
  await warp.compact()
  const again = listen(warp.channel('kept:1').subscribe({ from: cursor }))
  await env.runUntilIdle()
  expect(again.news).toMatchObject([{ kind: 'gap' }])
  await warp.close()
})

test('what is no cursor is refused, and one of another log is answered with a gap', async () => {
  const { env, warp } = await alone()
  const { warp: other } = await alone()
  for (const from of ['nonsense', '', 'a@b', '@1@', 'a@-@'])
    expect(await failureOf(() => warp.channel('kept:1').subscribe({ from })), from).toMatchObject({
      code: 'WARP_E_CONFIG',
      message: expect.stringContaining('give the cursor of a message') as string,
    })
  await other.channel('kept:1').publish('x')
  const from = other.channel('kept:1').subscribe().cursor as string
  const heard = listen(warp.channel('kept:1').subscribe({ from }))
  await env.runUntilIdle()
  expect(heard.shown).toEqual(['gap of undefined'])
  for (const one of [warp, other]) await one.close()
})

test('a slow consumer of kept messages is told of a gap, as in a watch', async () => {
  const { env, warp } = await alone()
  const subscription = warp.channel('kept:1').subscribe({ pendingCountMax: 10 })
  for (let i = 1; i <= 2000; i++) await warp.channel('kept:1').publish(i)
  const heard = listen(subscription)
  await env.runUntilIdle()
  expect(heard.shown).toEqual(['gap of 2000'])
  await warp.channel('kept:1').publish('after')
  await env.runUntilIdle()
  expect(heard.shown).toEqual(['gap of 2000', 'after'])
  await warp.close()
})

test('a pattern brings what is kept and what is not', async () => {
  const { env, warp } = await alone()
  await warp.channel('kept:1').publish('before')
  const heard = listen(warp.channel('*').subscribe({ replay: true }))
  await env.runUntilIdle()
  await warp.channel('kept:1').publish('kept')
  await warp.channel('other').publish('passing')
  await warp.channel('kept:2').publish('kept too')
  await env.runUntilIdle()
  expect(heard.shown[0]).toBe('before')
  expect(heard.shown.slice(1).sort()).toEqual(['kept', 'kept too', 'passing'])
  expect(heard.shown.indexOf('kept')).toBeLessThan(heard.shown.indexOf('kept too'))
  await warp.close()
  expect(heard.state()).toBe('over')
})

test('nobody who lists, watches or projects keys meets the keys of kept messages', async () => {
  const { env, warp } = await alone()
  const seen: string[] = []
  const watched = warp.watch('*')
  void (async () => {
    for await (const change of watched) if (change.kind === 'value') seen.push(change.key)
  })()
  const projection = await warp.project<string[]>({
    name: 'all',
    initial: () => [],
    apply: (state, { key }) => [...state, key],
  })
  await warp.channel('kept:1').publish(1)
  await warp.set('a', 'x')
  await env.runUntilIdle()
  const listed: string[] = []
  for await (const key of warp.keys('*')) listed.push(key)
  for await (const { key } of warp.entries('*')) listed.push(key)
  expect([seen, projection.state, listed]).toEqual([['a'], ['a'], ['a', 'a']])
  await projection.rebuild()
  expect(projection.state).toEqual(['a'])
  await warp.close()
})

test('the keys of kept messages cannot be claimed', async () => {
  const pattern = `${CHANNEL_KEY_PREFIX}kept:*`
  const claimed = { keys: { [pattern]: register<string>() }, env: virtualEnv() }
  expect(await failureOf(() => openWarp(claimed))).toMatchObject({ code: 'WARP_E_PATTERN' })
  const { warp } = await alone()
  expect(await failureOf(() => warp.register(pattern as 'x', register<string>()))).toMatchObject({
    code: 'WARP_E_PATTERN',
  })
  await warp.close()
})

test('a replica that declares nothing keeps and forwards what others keep', async () => {
  const world = channelWorld()
  const a = await world.open('a')
  const plain = await openWarp({
    ...{ keys, name: 'plain', env: world.env.fork({ label: 'plain' }) },
    transports: world.networks.map((network) => network.transport('plain')),
  })
  await world.env.advance(2000)
  await a.channel('kept:1').publish('kept')
  await world.env.advance(3000)
  world.networks[0]?.partition([['a'], ['plain', 'c']])
  const c = await world.open('c')
  await world.env.advance(10_000)
  const heard = listen(c.channel('kept:1').subscribe({ replay: true }))
  await world.env.runUntilIdle()
  expect(heard.shown).toEqual(['kept'])
  world.networks[0]?.heal()
  const closing = plain.close()
  await world.close()
  await closing
})

test('a kept message is acknowledged as a write is', async () => {
  const world = channelWorld()
  const [a] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const published = a.channel('kept:1').publish('x', { acks: { replicas: 1, countSelf: false } })
  await world.env.advance(2000)
  expect((await published).receipt?.acks).toMatchObject({ replicas: 1 })
  await world.close()
})
