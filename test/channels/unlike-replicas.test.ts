import { expect, test } from 'vitest'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import { CHANNEL_KEY_PREFIX } from '../../src/keys/hidden/hidden-keys.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { channelWorld, failureOf, listen } from './world.ts'

const keys = { 'user:*': register<string>() } as const

/** `a` keeps the messages of `kept:*`, `b` knows nothing of it. */
async function unlike() {
  const world = channelWorld()
  const a = await world.open('a')
  const events: WarpEvent[] = []
  const b = await openWarp({
    ...{ keys, name: 'b', env: world.env.fork({ label: 'b' }) },
    transports: world.networks.map((network) => network.transport('b')),
    observe: (event) => events.push(event),
  })
  await world.env.advance(2000)
  const differs = (of: readonly WarpEvent[]): WarpEvent[] => of.filter(({ kind }) => kind === 'channel:differs')
  return { world, a, b, atA: () => differs(world.events), atB: () => differs(events) }
}

test('replicas hear each other in a channel that only one of them keeps, each message once', async () => {
  const { world, a, b } = await unlike()
  const heard = [a, b].flatMap((warp) =>
    ['kept:1', 'kept:*'].map((name) => listen(warp.channel(name).subscribe({ pendingCountMax: 100 }))),
  )
  for (let i = 0; i < 10; i++) {
    await a.channel('kept:1').publish(`a/${i}`)
    await b.channel('kept:1').publish(`b/${i}`)
    await world.env.advance(100)
  }
  await world.env.advance(5000)
  for (const { news, shown } of heard) {
    for (const [name, warp] of Object.entries({ a, b })) {
      const own = shown.filter((text) => String(text).startsWith(`${name}/`))
      expect(own).toEqual(Array.from({ length: 10 }, (_, i) => `${name}/${i}`))
      const published = news.filter((one) => one.kind === 'message' && one.publisher === warp.replica)
      expect(published).toHaveLength(10)
    }
    expect(shown).toHaveLength(20)
  }
  const closing = b.close()
  await world.close()
  await closing
})

test('that replicas declare a channel unlike each other is told once, with the peer and both declarations', async () => {
  const { world, a, b, atA, atB } = await unlike()
  listen(b.channel('kept:1').subscribe())
  for (let i = 0; i < 3; i++) {
    for (const warp of [a, b]) for (const name of ['kept:1', 'kept:2']) await warp.channel(name).publish(i)
    await world.env.advance(100)
  }
  await world.env.advance(1000)
  const [told] = [{ kind: 'channel:differs', channel: 'kept:1' }]
  expect(atA()).toEqual([{ ...told, replica: b.replica, here: 'kept', there: 'not kept' }])
  expect(atB()).toEqual([{ ...told, replica: a.replica, here: 'not kept', there: 'kept' }])
  const closing = b.close()
  await world.close()
  await closing
})

test('where all declare alike nothing is told', async () => {
  const world = channelWorld()
  const [a, b] = [await world.open('a'), await world.open('b')]
  await world.env.advance(2000)
  listen(b.channel('*').subscribe())
  for (const name of ['kept:1', 'hour:1', 'plain']) await a.channel(name).publish(1)
  await world.env.advance(2000)
  expect(world.events.filter(({ kind }) => kind === 'channel:differs')).toEqual([])
  await world.close()
})

test('what is kept is neither written nor read by the names of its keys', async () => {
  const env = virtualEnv()
  const channels = { 'kept:*': { replay: { count: 3 } } }
  const warp = await openWarp({ keys: { '*': register<string>() }, channels, env })
  await warp.channel('kept:1').publish('x')
  const key = `${CHANNEL_KEY_PREFIX}kept:1`
  const calls: (() => unknown)[] = [
    () => warp.set(key, 'y'),
    () => warp.write(key, 'y'),
    () => warp.delete(key),
    () => warp.setMany([[key, 'y']]),
    () => warp.key(key).set('y'),
    () => warp.get(key),
    () => warp.transaction((transaction) => transaction.set(key, 'y')),
  ]
  for (const call of calls) {
    const refusal = await failureOf(call)
    expect(refusal.code, String(call)).toBe('WARP_E_UNREGISTERED_KEY')
    expect(refusal.message).toContain("what the channel 'kept:1' keeps")
  }
  const heard = listen(warp.channel('kept:1').subscribe({ replay: true }))
  await env.runUntilIdle()
  expect(heard.shown).toEqual(['x'])
  await warp.close()
})

test('an engine may have channels and no keys', async () => {
  for (const channels of [{}, { 'chat:*': {} }, { 'chat:*': { replay: { count: 2 } } }]) {
    const env = virtualEnv()
    const warp = await openWarp({ keys: {}, channels, env })
    const heard = listen(warp.channel('chat:1').subscribe())
    await warp.channel('chat:1').publish('x')
    await env.runUntilIdle()
    expect(heard.shown).toEqual(['x'])
    await warp.close()
  }
  expect((await failureOf(() => openWarp({ keys: {}, env: virtualEnv() }))).message).toContain('declare channels')
})
