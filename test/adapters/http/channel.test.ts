/** Messages of channels over HTTP: to those who may have them, and kept ones across disconnections. */
import { describe, expect, test } from 'vitest'
import type { AskedRoute, ChannelHttpMessage } from '../../../adapters/http/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { ask, EventReader, keys, KINDS, serve, SocketReader, upgradeStatus } from './http-fixture.ts'

const channels = { 'kept:*': { replay: { count: 10 } } } as const
const open = () => openWarp({ keys, channels })

describe.each(KINDS)('%s', (kind) => {
  test('tells of the messages of the channels that were asked for, by events and by WebSocket', async () => {
    await using warp = await open()
    const { url } = await serve(warp, { kind })
    await using events = await EventReader.open(`${url}/channel?name=chat:*`)
    await using socket = new SocketReader(`${url}/channel?name=chat:1`)
    const opened = await events.next()
    expect([opened, await socket.next()]).toMatchObject([{ type: 'open', data: {} }, { kind: 'open' }])
    await warp.channel('other').publish('no')
    await warp.channel('chat:1').publish({ text: 'hello', size: 12n })
    const payload = { text: 'hello', size: { $bigint: '12' } }
    expect(await events.next()).toMatchObject({ id: '', type: 'message', data: { channel: 'chat:1', payload } })
    const said = (await socket.next()) as ChannelHttpMessage
    expect(said).toMatchObject({ kind: 'message', payload, publisher: warp.replica, timeMs: expect.any(Number) })
  })

  test('goes on behind the last kept message that a consumer was shown', async () => {
    await using warp = await open()
    const { url } = await serve(warp, { kind })
    for (const text of ['a', 'b', 'c']) await warp.channel('kept:1').publish(text)
    let last: string
    {
      await using events = await EventReader.open(`${url}/channel?name=kept:*&replay=2`)
      const shown = [await events.next(), await events.next(), await events.next()]
      expect(shown.map((event) => event?.data['payload'])).toEqual([undefined, 'b', 'c'])
      expect(events.lastId).toBe('')
      await warp.channel('kept:1').publish('d')
      expect(await events.next()).toMatchObject({ data: { payload: 'd' } })
      last = events.lastId
      expect(last).toContain('@')
    }
    await warp.channel('kept:1').publish('e')
    await using again = await EventReader.open(`${url}/channel?name=kept:*&replay=2`, { 'last-event-id': last })
    expect((await again.next())?.type).toBe('open')
    expect(await again.next()).toMatchObject({ data: { payload: 'e' } })
  })

  test('asks who may have which channel, and tells the others so', async () => {
    await using warp = await open()
    const asked: (string | undefined)[] = []
    const authorise = ({ route, channel, keys: wanted }: AskedRoute) => {
      asked.push(`${route} ${channel} ${wanted}`)
      return channel === 'open:1'
    }
    const { url } = await serve(warp, { kind, authorise })
    expect((await ask(`${url}/channel?name=secret:1`)).status).toBe(403)
    expect(await upgradeStatus(`${url}/channel?name=secret:1`)).toBe(403)
    expect(await upgradeStatus(`${url}/channel?name=open:1`)).toBe(101)
    expect(asked).toEqual(['channel secret:1 undefined', 'channel secret:1 undefined', 'channel open:1 undefined'])
  })
})

test('what cannot be subscribed to is refused', async () => {
  await using warp = await open()
  const { url } = await serve(warp)
  for (const query of ['name=', 'name=kept:1&replay=0', 'name=kept:1&replay=many', 'name=chat:1&from=x']) {
    const { status, body } = await ask(`${url}/channel?${query}`)
    expect([status, body]).toMatchObject([400, { error: { code: expect.stringMatching(/^WARP_E_(PATTERN|CONFIG)$/) } }])
  }
  expect((await ask(`${url}/channel`, { method: 'POST' })).status).toBe(405)
})

test('a consumer that is gone, and a handler that closes, leave no subscription behind', async () => {
  await using warp = await open()
  const { url, handler } = await serve(warp, { heartbeatMs: 10 })
  await using gone = await EventReader.open(`${url}/channel?name=chat:1`)
  await using left = await EventReader.open(`${url}/channel?name=chat:1`)
  expect([(await gone.next())?.type, (await left.next())?.type]).toEqual(['open', 'open'])
  // A sign of life that says nothing of where to resume.
  expect(await left.next({ beats: true })).toMatchObject({ type: 'beat', id: '' })
  await gone[Symbol.asyncDispose]()
  while (warp.stats().channels?.subscriptionsCount !== 1) await new Promise((resolve) => setImmediate(resolve))
  await handler.close()
  expect(await left.next()).toMatchObject({ type: 'failure', data: { error: { code: 'WARP_E_CLOSED' } } })
  expect(warp.stats().channels?.subscriptionsCount).toBe(0)
})
