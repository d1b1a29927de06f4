/** Changes over HTTP: each once, in order, across disconnections; a consumer that is slow is told so. */
import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { EventReader, KINDS, openKeys, serve, SocketReader } from './http-fixture.ts'

describe.each(KINDS)('%s', (kind) => {
  test('tells of changes of the keys that were asked for, and of nothing else', async () => {
    await using warp = await openKeys()
    const { url } = await serve(warp, { kind })
    await using events = await EventReader.open(`${url}/watch?keys=r:*`)
    expect(events.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    expect(await events.next()).toMatchObject({ type: 'open', id: expect.stringContaining('@') })
    await warp.set('s:1', 'no')
    await warp.set('r:1', { name: 'Ann', size: 12n })
    expect(await events.next()).toMatchObject({
      type: 'value',
      data: { key: 'r:1', value: { name: 'Ann', size: { $bigint: '12' } }, version: 1 },
    })
    await warp.delete('r:1')
    const deleted = await events.next()
    expect(deleted).toMatchObject({ type: 'value', data: { key: 'r:1', version: 2 } })
    expect(deleted?.data).not.toHaveProperty('value')
  })

  test('goes on where a consumer was, before its first change too', async () => {
    await using warp = await openKeys()
    const { url } = await serve(warp, { kind })
    const seen: unknown[] = []
    let last = ''
    for (let round = 0; round < 5; round++) {
      await using events = await EventReader.open(`${url}/watch?keys=r:*`, last === '' ? {} : { 'last-event-id': last })
      expect((await events.next())?.type).toBe('open')
      // In the first round nothing was missed, and it is gone before anything is told.
      if (round > 0) {
        await warp.set('r:end', round)
        const told = await events.until(({ data }) => data['key'] === 'r:end')
        seen.push(told.slice(0, -1).map(({ data }) => data['version']))
      }
      last = events.lastId
      await events[Symbol.asyncDispose]()
      for (let i = 0; i <= round; i++) await warp.set('r:1', `${round}.${i}`)
    }
    expect(seen).toEqual([[1], [2, 3], [4, 5, 6], [7, 8, 9, 10]])
  })

  test('does the same over a WebSocket', async () => {
    await using warp = await openKeys()
    const { url } = await serve(warp, { kind })
    let from = ''
    {
      await using socket = new SocketReader(`${url}/watch?keys=r:*`)
      expect(await socket.next()).toMatchObject({ kind: 'open' })
      await warp.set('r:1', 'x')
      const first = await socket.next()
      expect(first).toMatchObject({ kind: 'value', key: 'r:1', value: 'x' })
      from = first?.kind === 'value' ? first.cursor : ''
    }
    await warp.set('r:1', 'y')
    await using again = new SocketReader(`${url}/watch?keys=r:*&from=${encodeURIComponent(from)}`)
    expect([await again.next(), await again.next()]).toMatchObject([{ kind: 'open' }, { kind: 'value', value: 'y' }])
  })

  test('tells every consumer that the server goes down, and ends', async () => {
    await using warp = await openKeys()
    const { url, handler, close } = await serve(warp, { kind })
    await using events = await EventReader.open(`${url}/watch`)
    await using socket = new SocketReader(`${url}/watch`)
    expect([(await events.next())?.type, (await socket.next())?.kind]).toEqual(['open', 'open'])
    if (kind === 'Fastify') void close()
    else void handler.close()
    expect(await events.next()).toMatchObject({ type: 'failure', data: { error: { code: 'WARP_E_CLOSED' } } })
    expect(await events.next()).toBe(undefined)
    expect(await socket.next()).toMatchObject({ kind: 'error', error: { code: 'WARP_E_CLOSED' } })
    expect([await socket.next(), socket.closedWith]).toEqual([undefined, 1001])
    await close()
    expect(warp.stats().watchesCount).toBe(0)
  })
})

test('the end of a life is told', async () => {
  await using warp = await openKeys()
  const { url } = await serve(warp)
  await using events = await EventReader.open(`${url}/watch`)
  await events.next()
  await warp.set('r:1', 'x', { ttlMs: 1 })
  await events.next()
  expect(await events.next()).toMatchObject({ type: 'expired', data: { key: 'r:1', expiredAtMs: expect.any(Number) } })
})

test('a consumer that is away for too long is told of a gap, and so is one with a strange cursor', async () => {
  await using warp = await openKeys()
  const { url } = await serve(warp)
  await using events = await EventReader.open(`${url}/watch`, { 'last-event-id': 'of@another@log' })
  expect(await events.next()).toMatchObject({ type: 'open' })
  expect(await events.next()).toMatchObject({ type: 'gap', data: { missedCount: null } })
  await warp.set('r:1', 'x')
  expect(await events.next()).toMatchObject({ type: 'value', data: { value: 'x' } })
})

test('signs of life move the place from which a consumer resumes, though nothing is told', async () => {
  await using warp = await openKeys()
  const { url } = await serve(warp, { heartbeatMs: 10 })
  await using events = await EventReader.open(`${url}/watch?keys=r:*`)
  const first = (await events.next())?.id
  await warp.set('s:1', 'not watched')
  let beat = await events.next({ beats: true })
  while (beat?.id === first) beat = await events.next({ beats: true })
  expect(beat?.type).toBe('beat')
  await events[Symbol.asyncDispose]()
  await warp.set('r:1', 'x')
  await using again = await EventReader.open(`${url}/watch?keys=r:*`, { 'last-event-id': beat?.id ?? '' })
  expect([await again.next(), await again.next()]).toMatchObject([{ type: 'open' }, { data: { value: 'x' } }])
})

test('a value that cannot be read is told as such, and the others go on', async () => {
  await using warp = await openKeys()
  const { url } = await serve(warp)
  await using events = await EventReader.open(`${url}/watch`)
  await events.next()
  warp.write('s:1', 'x')
  const gone = warp.unregister('s:*')
  expect(await events.next()).toMatchObject({
    data: { key: 's:1', error: { code: expect.stringMatching(/^WARP_E_/) } },
  })
  await gone
  await warp.set('r:1', 'y')
  expect(await events.next()).toMatchObject({ data: { key: 'r:1', value: 'y' } })
})

/** A consumer that reads nothing until it is told to. */
async function deaf(url: string, path: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port) })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`)
  return socket
}

const LARGE = 'x'.repeat(100_000)

describe('a consumer that does not read', () => {
  test('costs one change, and is told of the gap when it reads on', async () => {
    await using warp = await openKeys()
    const { url } = await serve(warp, { pendingCountMax: 10 })
    const socket = await deaf(url, '/warp/watch')
    while (warp.stats().watchesCount === 0) await new Promise(setImmediate)
    // More than the system's buffers hold.
    for (let i = 0; i < 300; i++) await warp.set(`r:${i}`, LARGE)
    expect(warp.stats().watches[0]?.behindBytes).toBeGreaterThan(10 * LARGE.length)
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => (text += chunk))
    socket.resume()
    while (!text.includes('event: gap')) await new Promise(setImmediate)
    expect(/event: gap\ndata: \{"missedCount":(?:\d+|null),/.test(text)).toBe(true)
    await warp.set('r:1', 'after the gap')
    while (!text.includes('after the gap')) await new Promise(setImmediate)
  })

  test('is cut off after a while, and holds neither the log nor the close', async () => {
    await using warp = await openKeys()
    const { url } = await serve(warp, { stalledMsMax: 50 })
    const socket = await deaf(url, '/warp/watch')
    while (warp.stats().watchesCount === 0) await new Promise(setImmediate)
    for (let i = 0; i < 300; i++) await warp.set(`r:${i}`, LARGE)
    while (warp.stats().watchesCount > 0) await new Promise((resolve) => setTimeout(resolve, 1))
    socket.destroy()
  })

  test('does not keep the handler from closing', async () => {
    await using warp = await openKeys()
    const { url, handler } = await serve(warp)
    await deaf(url, '/warp/watch')
    while (warp.stats().watchesCount === 0) await new Promise(setImmediate)
    for (let i = 0; i < 300; i++) await warp.set(`r:${i}`, LARGE)
    await handler.close()
    expect(warp.stats().watchesCount).toBe(0)
  })
})

test('a consumer that leaves ends its watch, and so does one that does not answer a ping', async () => {
  await using warp = await openKeys()
  const { url } = await serve(warp, { heartbeatMs: 20 })
  const events = await EventReader.open(`${url}/watch`)
  const socket = new SocketReader(`${url}/watch`)
  await Promise.all([events.next(), socket.next()])
  expect(warp.stats().watchesCount).toBe(2)
  await events[Symbol.asyncDispose]()
  while (warp.stats().watchesCount > 1) await new Promise((resolve) => setTimeout(resolve, 1))
  socket.socket.pause()
  while (warp.stats().watchesCount > 0) await new Promise((resolve) => setTimeout(resolve, 1))
  await socket[Symbol.asyncDispose]()
})

test('an engine that closes ends what is being watched', async () => {
  const warp = await openKeys()
  const { url } = await serve(warp)
  await using events = await EventReader.open(`${url}/watch`)
  await events.next()
  await warp.close()
  expect(await events.next()).toMatchObject({ type: 'failure', data: { error: { code: 'WARP_E_CLOSED' } } })
  expect(await events.next()).toBe(undefined)
})
