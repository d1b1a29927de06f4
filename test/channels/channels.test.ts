import { expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import { MESSAGE_BYTES_MAX } from '../../src/limits.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { channelWorld, failureOf, listen } from './world.ts'

const keys = { 'user:*': register<string>() } as const

async function alone() {
  const env = virtualEnv()
  return { env, warp: await openWarp({ keys, env }) }
}

test('a message reaches every subscriber of its channel, here and elsewhere, and no other', async () => {
  const world = channelWorld()
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const [here, there] = [listen(a.channel('chat:1').subscribe()), listen(b.channel('chat:1').subscribe())]
  const [all, others] = [listen(b.channel('chat:*').subscribe()), listen(b.channel('chat:2').subscribe())]
  expect(await a.channel('chat:1').publish({ text: 'hello' })).toEqual({ receipt: undefined })
  await b.channel('chat:1').publish(Uint8Array.of(1, 2))
  await world.env.advance(10)
  for (const heard of [here, there, all])
    expect(heard.shown.map((one) => JSON.stringify(one)).sort()).toEqual(['{"0":1,"1":2}', '{"text":"hello"}'])
  expect(others.shown).toEqual([])
  const first = there.news.find((news) => news.kind === 'message' && news.publisher === a.replica)
  expect(first).toEqual({
    ...{ kind: 'message', channel: 'chat:1', payload: { text: 'hello' }, publisher: a.replica },
    timeMs: expect.any(Number) as number,
  })
  await world.close()
})

test('messages of one publisher come in their order', async () => {
  const world = channelWorld({ networks: [{ delayMs: 5, jitterMs: 20, reorder: 0.4, repeat: 0.3, repeatDelayMs: 50 }] })
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const heard = listen(b.channel('n').subscribe())
  for (let i = 1; i <= 100; i++) {
    await a.channel('n').publish(i)
    await world.env.advance(3)
  }
  await world.env.advance(2000)
  expect(heard.shown).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
  expect(b.stats().channels).toMatchObject({ missedCount: 0, heldCount: 0 })
  await world.close()
})

test('over several transports a message is told once', async () => {
  const world = channelWorld({ networks: [{ delayMs: 3 }, { delayMs: 30, jitterMs: 10 }] })
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const heard = listen(b.channel('n').subscribe())
  for (let i = 1; i <= 20; i++) await a.channel('n').publish(i)
  await world.env.advance(1000)
  expect(heard.shown).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
  expect(b.stats().channels).toMatchObject({ receivedCount: 40, repeatedCount: 20 })
  await world.close()
})

test('what one transport loses another one brings, in order and without a gap', async () => {
  const world = channelWorld({ networks: [{ delayMs: 2, loss: 0.5 }, { delayMs: 40 }] })
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(3000)
  const heard = listen(b.channel('n').subscribe())
  for (let i = 1; i <= 50; i++) {
    await a.channel('n').publish(i)
    await world.env.advance(5)
  }
  await world.env.advance(1000)
  expect(heard.shown).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  await world.close()
})

test('a lost message is told as missed, the last one too, and operators hear of it', async () => {
  const world = channelWorld()
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const heard = listen(b.channel('n').subscribe())
  await world.env.advance(5000)
  await a.channel('n').publish('first')
  await world.env.advance(100)
  world.networks[0]?.partition([['a'], ['b']])
  await a.channel('n').publish('lost')
  await a.channel('n').publish('lost too')
  world.networks[0]?.heal()
  await a.channel('n').publish('fourth')
  await world.env.advance(500)
  expect(heard.shown).toEqual(['first', 'gap of 2', 'fourth'])
  expect(heard.news[1]).toEqual({ kind: 'gap', missedCount: 2, channel: 'n', publisher: a.replica })
  world.networks[0]?.partition([['a'], ['b']])
  await a.channel('n').publish('the last')
  world.networks[0]?.heal()
  await world.env.advance(3000)
  expect(heard.shown.slice(3)).toEqual(['gap of 1'])
  expect(b.stats().channels?.missedCount).toBe(3)
  expect(world.events.filter(({ kind }) => kind === 'messages:missed')).toEqual([
    { kind: 'messages:missed', reason: 'lost', missedCount: 2, channel: 'n' },
  ])
  await world.close()
})

test('what was missed in a long cut is told when the peers hear each other again', async () => {
  const world = channelWorld()
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const heard = listen(b.channel('n').subscribe())
  await a.channel('n').publish(1)
  await world.env.advance(1000)
  world.networks[0]?.partition([['a'], ['b']])
  await a.channel('n').publish(2)
  await world.env.advance(300_000)
  expect(heard.shown).toEqual([1])
  world.networks[0]?.heal()
  await world.env.advance(20_000)
  expect(heard.shown).toEqual([1, 'gap of 1'])
  await world.close()
})

test('the loss of the only message of a publisher is told as well', async () => {
  const world = channelWorld()
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const heard = listen(b.channel('n').subscribe())
  await world.env.advance(5000)
  world.networks[0]?.partition([['a'], ['b']])
  await a.channel('n').publish('lost')
  world.networks[0]?.heal()
  await world.env.advance(3000)
  expect(heard.shown).toEqual(['gap of undefined'])
  await world.close()
})

test('who begins to listen is told nothing of what was before', async () => {
  const world = channelWorld()
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  for (let i = 1; i <= 5; i++) await a.channel('n').publish(i)
  await world.env.advance(10)
  const heard = listen(b.channel('n').subscribe())
  await a.channel('n').publish(6)
  await world.env.advance(5000)
  expect(heard.shown).toEqual([6])
  // Nobody listened to 7.
  heard.subscription.close()
  await a.channel('n').publish(7)
  await world.env.advance(10)
  const again = listen(b.channel('n').subscribe())
  await a.channel('n').publish(8)
  await world.env.advance(5000)
  expect(again.shown).toEqual([8])
  await world.close()
})

test('a slow consumer is told of a gap and goes on from the present', async () => {
  const { env, warp } = await alone()
  const subscription = warp.channel('n').subscribe({ pendingCountMax: 3 })
  for (let i = 1; i <= 8; i++) await warp.channel('n').publish(i)
  const heard = listen(subscription)
  await env.runUntilIdle()
  expect(heard.shown).toEqual(['gap of 6', 7, 8])
  expect(heard.news[0]).toEqual({ kind: 'gap', missedCount: 6, channel: 'n' })
  expect(warp.stats().channels).toMatchObject({ droppedCount: 6, publishedCount: 8, subscriptionsCount: 1 })
  await warp.close()
})

test('the bytes that wait for a slow consumer have a bound too, and one message always has room', async () => {
  const { env, warp } = await alone()
  const subscription = warp.channel('n').subscribe({ pendingBytesMax: 100 })
  await warp.channel('n').publish('x'.repeat(200))
  const first = listen(subscription)
  await env.runUntilIdle()
  expect(first.shown).toHaveLength(1)
  first.subscription.close()
  const slow = warp.channel('n').subscribe({ pendingBytesMax: 100 })
  for (let i = 0; i < 3; i++) await warp.channel('n').publish(`${i}`.repeat(40))
  const heard = listen(slow)
  await env.runUntilIdle()
  expect(heard.shown).toEqual(['gap of 2', '2'.repeat(40)])
  await warp.close()
})

test('subscribers share no bytes with each other and with the publisher', async () => {
  const { env, warp } = await alone()
  const [one, two] = [listen(warp.channel('n').subscribe()), listen(warp.channel('n').subscribe())]
  const bytes = Uint8Array.of(1, 2, 3)
  await warp.channel('n').publish(bytes)
  bytes[0] = 9
  await env.runUntilIdle()
  ;(one.shown[0] as Uint8Array)[0] = 7
  expect(two.shown).toEqual([Uint8Array.of(1, 2, 3)])
  await warp.close()
})

test('a subscription ends by its signal, by leaving the loop, and with the engine, without an error', async () => {
  const { env, warp } = await alone()
  const controller = new AbortController()
  const heard = listen(warp.channel('n').subscribe({ signal: controller.signal }))
  const other = listen(warp.channel('n').subscribe())
  controller.abort()
  await env.runUntilIdle()
  expect([heard.state(), other.state()]).toEqual(['over', 'running'])
  await warp.channel('n').publish(1)
  const left = warp.channel('n').subscribe()
  const leaving = (async () => {
    for await (const news of left) return news
    return undefined
  })()
  await warp.channel('n').publish(2)
  expect(await leaving).toMatchObject({ payload: 2 })
  expect(warp.stats().channels?.subscriptionsCount).toBe(1)
  expect(listen(warp.channel('n').subscribe({ signal: AbortSignal.abort() })).shown).toEqual([])
  await warp.close()
  expect(other.state()).toBe('over')
  expect(other.shown).toEqual([1, 2])
})

test('a closed engine refuses', async () => {
  const { warp } = await alone()
  const channel = warp.channel('n')
  await warp.close()
  expect(await failureOf(() => channel.publish(1))).toMatchObject({ code: 'WARP_E_CLOSED' })
  expect(await failureOf(() => channel.subscribe())).toMatchObject({ code: 'WARP_E_CLOSED' })
  expect(await failureOf(() => warp.channel('n'))).toMatchObject({ code: 'WARP_E_CLOSED' })
})

test('more at once than a replica takes is told as missed, and so is the last one', async () => {
  const world = channelWorld()
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  const heard = listen(b.channel('n').subscribe({ pendingCountMax: 10_000 }))
  for (const isKnown of [false, true]) {
    const before = heard.shown.length
    const published = Array.from({ length: 5000 }, (_, i) => a.channel('n').publish(i))
    await world.env.advance(3000)
    await Promise.all(published)
    const news = heard.news.slice(before)
    const missedCount = news.reduce((sum, one) => sum + (one.kind === 'gap' ? (one.missedCount ?? NaN) : 0), 0)
    expect(news.filter(({ kind }) => kind === 'message').length + missedCount, `known: ${isKnown}`).toBe(5000)
    expect(news.at(-1)).toMatchObject({ kind: 'gap', channel: 'n', publisher: a.replica })
  }
  await world.close()
})

test('what cannot be published, or asked for, is refused, and says what to do', async () => {
  const { warp } = await alone()
  const chat = warp.channel('chat:1')
  const refusals: [() => unknown, string, string][] = [
    [() => warp.channel('chat:*').publish(1), 'WARP_E_PATTERN', 'is a pattern'],
    [() => warp.channel(''), 'WARP_E_PATTERN', 'the channel name "" is empty; write * to match every channel'],
    [() => warp.channel(7 as never), 'WARP_E_PATTERN', "a channel name is a text, such as 'chat:room1'"],
    [() => warp.channel('x\\'), 'WARP_E_PATTERN', 'the channel name "x\\" ends with a single backslash'],
    [() => warp.channel('\ud800'), 'WARP_E_PATTERN', 'the channel name'],
    [() => warp.channel('x'.repeat(5000)), 'WARP_E_PATTERN', 'the channel name'],
    [() => warp.channel('x'.repeat(241)), 'WARP_E_LIMIT', 'shorten it'],
    [() => chat.publish(undefined), 'WARP_E_UNENCODABLE', 'publish takes no undefined'],
    [() => chat.publish('x'.repeat(MESSAGE_BYTES_MAX)), 'WARP_E_LIMIT', 'publish it in several'],
    [() => chat.publish(1, { ack: 'logged' }), 'WARP_E_CONFIG', 'keeps nothing'],
    [() => chat.publish(1, { acks: { replicas: 1 } }), 'WARP_E_CONFIG', 'keeps nothing'],
    [() => chat.publish(1, { sginal: 1 } as never), 'WARP_E_CONFIG', "did you mean 'signal'"],
    [() => chat.publish(1, { signal: AbortSignal.abort() }), 'WARP_E_ABORTED', 'nothing was written'],
    [() => chat.subscribe({ from: 'x' }), 'WARP_E_CONFIG', 'nothing to go on from'],
    [() => chat.subscribe({ from: 7 as never }), 'WARP_E_CONFIG', 'cursor'],
    [() => chat.subscribe({ replay: 0 }), 'WARP_E_CONFIG', 'at least 1'],
    [() => chat.subscribe({ replay: true, from: 'x' }), 'WARP_E_CONFIG', 'two beginnings'],
    [() => chat.subscribe({ pendingCountMax: 0 }), 'WARP_E_CONFIG', 'at least 1'],
    [() => chat.subscribe({ pendingBytesMax: 1.5 }), 'WARP_E_CONFIG', 'at least 1'],
    [() => chat.subscribe({ capacity: 5 } as never), 'WARP_E_CONFIG', 'no option'],
  ]
  for (const [call, code, message] of refusals) {
    const refusal = await failureOf(call)
    expect(refusal).toMatchObject({ code })
    expect(refusal.message).toContain(message)
  }
  await warp.close()
})

test.each([
  [{ 'a*': 5 }, 'give options'],
  [{ 'a*': { repaly: {} } }, "did you mean 'replay'"],
  [{ 'a*': { replay: 100 } }, 'give { count }'],
  [{ 'a*': { replay: {} } }, 'give { count }'],
  [{ 'a*': { replay: { count: 0 } } }, 'from 1 to 10000'],
  [{ 'a*': { replay: { forMs: 0 } } }, 'milliseconds from 1'],
  [{ 'a*': { replay: { count: 1, from: 1 } } }, 'no option'],
  ['a*', 'give patterns'],
])('channels that are declared wrongly are refused: %j', async (channels, message) => {
  const refusal = await failureOf(() => openWarp({ keys, channels: channels as never, env: virtualEnv() }))
  expect(refusal).toMatchObject({ code: 'WARP_E_CONFIG' })
  expect(refusal.message).toContain(message)
})

test('an escaped star is part of a name', async () => {
  const { env, warp } = await alone()
  const heard = listen(warp.channel('a\\*').subscribe())
  await warp.channel('a\\*').publish(1)
  await warp.channel('ab').publish(2)
  await env.runUntilIdle()
  expect(heard.news).toMatchObject([{ channel: 'a*', payload: 1 }])
  await warp.close()
})
