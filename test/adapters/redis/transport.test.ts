import { Cluster, Redis } from 'ioredis'
import { afterEach, describe, expect, test } from 'vitest'
import { transportSuite } from '../../../adapters/conformance/transport.ts'
import { redisTransport, type RedisTransportOptions } from '../../../adapters/redis/index.ts'
import type { TransportLink, TransportReport } from '../../../src/index.ts'
import { describeOn } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { FakeClock } from '../broker/fake-clock.ts'
import { until } from '../broker/log-client.ts'

let count = 0
const newPrefix = (): string => `test:${process.pid}:${++count}`

interface Heard {
  readonly link: TransportLink
  readonly ups: string[]
  readonly downs: string[]
  readonly reports: TransportReport[]
  readonly frames: { readonly from: string; readonly bytes: Uint8Array }[]
}

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function open(options: RedisTransportOptions): Promise<Heard> {
  const [ups, downs]: [string[], string[]] = [[], []]
  const [reports, frames]: [TransportReport[], Heard['frames'][number][]] = [[], []]
  const link = await redisTransport(options).open({
    receive: (from, bytes) => void frames.push({ from, bytes }),
    peerUp: (peer) => void ups.push(peer),
    peerDown: (peer) => void downs.push(peer),
    report: (report) => void reports.push(report),
  })
  closing.unshift(() => link.close())
  return { link, ups, downs, reports, frames }
}

function client(url: string): Redis {
  const redis = new Redis(url, { retryStrategy: () => 100 })
  redis.on('error', () => undefined)
  closing.unshift(() => redis.disconnect())
  return redis
}

async function proxied(url: string): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
  const made = await TcpProxy.before(url)
  closing.unshift(() => made.proxy.close())
  return made
}

describeOn('valkey', 'the transport over Redis', (url) => {
  describe('where the server is', () => {
    transportSuite({
      test,
      create: (wanted) => {
        const prefix = newPrefix()
        return { transports: Array.from({ length: wanted }, () => redisTransport({ url, prefix })) }
      },
    })
  })

  describe("as the user's client", () => {
    transportSuite({
      test,
      create: (wanted) => {
        const redis = new Redis(url, { keyPrefix: 'theirs:' })
        const prefix = newPrefix()
        const transports = Array.from({ length: wanted }, () => redisTransport({ client: redis, prefix }))
        return { transports, dispose: () => redis.disconnect() }
      },
    })
  })

  test('who comes is up, who goes is down at once, and who says nothing is suspected, and down then', async () => {
    const prefix = newPrefix()
    const { proxy, url: through } = await proxied(url)
    const a = await open({ url, prefix, heartbeatMs: 100 })
    const b = await open({ url, prefix, heartbeatMs: 100 })
    const c = await open({ url: through, prefix, heartbeatMs: 100, pingMs: 60_000 })
    await until(() => [a, b, c].every(({ ups }) => ups.length === 2))
    expect(a.link.peers?.().map(({ state }) => state)).toEqual(['up', 'up'])
    await b.link.close()
    await until(() => a.downs.length === 1)
    expect(a.reports).toEqual([])
    proxy.hold()
    await until(() => a.downs.length === 2)
    expect(a.reports.map(({ kind }) => kind)).toEqual(['peer:suspect'])
    proxy.release()
    await until(() => a.ups.length === 3)
  })

  test('after a lost connection each peer is up anew, so that it is told what there is', async () => {
    const prefix = newPrefix()
    const { proxy, url: through } = await proxied(url)
    const a = await open({ url: through, prefix, heartbeatMs: 60_000 })
    const b = await open({ url, prefix, heartbeatMs: 60_000 })
    await until(() => a.ups.length === 1)
    proxy.cut()
    await until(() => a.reports.length === 1)
    expect(a.reports[0]).toMatchObject({ kind: 'transport:degraded', error: { code: 'WARP_E_TRANSPORT' } })
    expect(a.link.send(a.ups[0]!, Uint8Array.of(1))).toBe(false)
    await until(() => a.ups.length === 2)
    expect(a.ups[1]).toBe(a.ups[0])
    expect(a.link.send(a.ups[0]!, Uint8Array.of(2))).toBe(true)
    await until(() => b.frames.length === 1)
    expect(b.frames[0]?.bytes).toEqual(Uint8Array.of(2))
  })

  test('one connection of the two that is killed is made again, with the other', async () => {
    const prefix = newPrefix()
    const a = await open({ url, prefix, heartbeatMs: 60_000, connect: { connectionName: prefix } })
    const b = await open({ url, prefix, heartbeatMs: 60_000 })
    await until(() => a.ups.length === 1)
    const redis = client(url)
    const list = String(await redis.call('CLIENT', 'LIST'))
    const lines = list.split('\n').filter((line) => line.includes(`name=${prefix} `))
    expect(lines).toHaveLength(2)
    for (const isSubscribed of [true, false]) {
      const before = a.ups.length
      const now = String(await redis.call('CLIENT', 'LIST')).split('\n')
      const line = now.find((one) => one.includes(`name=${prefix} `) && one.includes(' sub=2 ') === isSubscribed)
      await redis.call('CLIENT', 'KILL', 'ID', /^id=(\d+)/.exec(line ?? '')?.[1] ?? '')
      await until(() => a.ups.length === before + 1)
    }
    a.link.broadcast(Uint8Array.of(5))
    await until(() => b.frames.length === 1)
  })

  test('a server that stands still is given up within two ping intervals', async () => {
    const { proxy, url: through } = await proxied(url)
    const pingMs = 400
    const a = await open({ url: through, prefix: newPrefix(), pingMs, heartbeatMs: 60_000 })
    const begun = performance.now()
    proxy.hold()
    await until(() => a.reports.length === 1)
    expect(performance.now() - begun).toBeLessThan(2 * pingMs + 200)
    expect(a.reports[0]).toMatchObject({ kind: 'transport:degraded', error: { code: 'WARP_E_TRANSPORT' } })
  })

  test('while nobody answers there is at most one try a second, and nobody waits for long afterwards', async () => {
    const { proxy, url: through } = await proxied(url)
    const a = await open({ url: through, prefix: newPrefix(), heartbeatMs: 60_000 })
    proxy.away()
    await until(() => a.reports.length === 1)
    const [before, begun] = [proxy.connectionsCount, performance.now()]
    await until(() => proxy.connectionsCount >= before + 3)
    const tookMs = performance.now() - begun
    expect(tookMs).toBeGreaterThan(3000)
    proxy.back()
    const backAt = performance.now()
    await until(() => a.link.peers !== undefined && a.link.send('f'.repeat(16), Uint8Array.of(1)))
    expect(performance.now() - backAt).toBeLessThan(3000)
  })

  test('what cannot be sent is not kept without end: send says no, broadcast drops, and it is told once', async () => {
    const prefix = newPrefix()
    const { proxy, url: through } = await proxied(url)
    const a = await open({ url: through, prefix, queueBytesMax: 5 * 1024 * 1024, pingMs: 60_000 })
    const b = await open({ url, prefix })
    await until(() => a.ups.length === 1)
    proxy.hold()
    const frame = new Uint8Array(1024 * 1024)
    const taken = Array.from({ length: 10 }, () => a.link.send(a.ups[0]!, frame))
    const takenCount = taken.filter(Boolean).length
    expect(takenCount).toBeGreaterThan(2)
    expect(takenCount).toBeLessThanOrEqual(5)
    for (let i = 0; i < 10; i++) a.link.broadcast(frame)
    expect(a.reports).toMatchObject([
      { kind: 'transport:degraded', error: { code: 'WARP_E_LIMIT', details: { droppedCount: 1 } } },
    ])
    proxy.release()
    await until(() => b.frames.length === takenCount)
    await until(() => a.link.send(a.ups[0]!, Uint8Array.of(7)))
    await until(() => b.frames.at(-1)?.bytes[0] === 7)
  })

  test('in a burst many frames share a packet, and they come whole and in order', async () => {
    const prefix = newPrefix()
    const [a, b] = [await open({ url, prefix }), await open({ url, prefix })]
    await until(() => a.ups.length === 1 && b.ups.length === 1)
    const redis = client(url)
    let packets = 0
    redis.on('messageBuffer', () => packets++)
    await redis.subscribe(`${prefix}:all`)
    const frames = Array.from({ length: 1000 }, (_, i) => new Uint8Array(i % 300).fill(i & 0xff))
    for (const frame of frames) a.link.broadcast(frame)
    await until(() => b.frames.length === 1000)
    expect(b.frames.map(({ bytes }) => bytes)).toEqual(frames)
    expect(packets).toBeLessThan(20)
  })

  test('a subscriber that the server has cut off for what it had to keep is there again, and told anew', async () => {
    const prefix = newPrefix()
    const { proxy, url: through } = await proxied(url)
    const redis = client(url)
    const [, before] = await redis.config('GET', 'client-output-buffer-limit')
    await redis.config('SET', 'client-output-buffer-limit', 'pubsub 1mb 1mb 1')
    closing.unshift(() => redis.config('SET', 'client-output-buffer-limit', before ?? ''))
    const a = await open({ url: through, prefix, pingMs: 60_000, heartbeatMs: 60_000 })
    const b = await open({ url, prefix, heartbeatMs: 60_000 })
    await until(() => a.ups.length === 1)
    proxy.hold()
    const clients = async (): Promise<number> => Number(await redis.pubsub('NUMSUB', `${prefix}:all`).then((x) => x[1]))
    expect(await clients()).toBe(2)
    for (let kept = 2; kept === 2; kept = await clients()) b.link.broadcast(new Uint8Array(1024 * 1024))
    proxy.release()
    await until(() => a.reports.length === 1)
    await until(() => a.ups.length === 2)
    a.frames.length = 0
    b.link.broadcast(Uint8Array.of(3))
    await until(() => a.frames.length === 1)
  })

  test('nobody hears themselves, though the server sends it to them', async () => {
    const prefix = newPrefix()
    const [a, b] = [await open({ url, prefix }), await open({ url, prefix })]
    await until(() => a.ups.length === 1 && b.ups.length === 1)
    a.link.broadcast(Uint8Array.of(1))
    await until(() => b.frames.length === 1)
    expect(a.frames).toEqual([])
    expect(a.ups).toHaveLength(1)
  })

  test('clusters with different prefixes do not hear each other', async () => {
    const [a, b] = [await open({ url, prefix: newPrefix() }), await open({ url, prefix: newPrefix() })]
    const c = await open({ url, prefix: 'test:another' })
    const d = await open({ url, prefix: 'test:another' })
    await until(() => c.ups.length === 1 && d.ups.length === 1)
    expect([a.ups, b.ups]).toEqual([[], []])
  })

  test('a frame that is too large is an error of the caller', async () => {
    const { link } = await open({ url, prefix: newPrefix() })
    const frame = new Uint8Array(link.frameBytesMax + 1)
    expect(() => link.broadcast(frame)).toThrow(expect.objectContaining({ code: 'WARP_E_LIMIT' }))
  })

  test('other formats are told of once, and what is malformed is counted and dropped', async () => {
    const prefix = newPrefix()
    const clock = new FakeClock()
    const a = await open({ url, prefix, clock, pingMs: 60_000, heartbeatMs: 60_000 })
    const redis = client(url)
    const head = [1, 0, ...new Array<number>(12).fill(7)]
    const packets = [[9, 1, 2], [9], [], [1], [...head, 0], [...head, 99, 0, 0, 0, 0], [...head, 0, 0, 0, 0, 9]]
    for (const bytes of packets) await redis.publish(`${prefix}:all`, Buffer.from(bytes))
    await until(() => a.reports.length === 1)
    expect(a.reports[0]).toMatchObject({ kind: 'peer:refused', error: { code: 'WARP_E_PROTOCOL' } })
    // What comes behind them has come behind them.
    await open({ url, prefix })
    await until(() => a.ups.length === 1)
    clock.advance(60_000)
    await until(() => a.reports.length === 2)
    expect(a.reports[1]).toEqual({ kind: 'packets:refused', forgedCount: 0, replayedCount: 0, malformedCount: 5 })
    expect(a.frames).toEqual([])
  })

  test('a burst is deflated for those who understand it, and for nobody else', async () => {
    const prefix = newPrefix()
    const a = await open({ url, prefix, heartbeatMs: 60_000 })
    const b = await open({ url, prefix, heartbeatMs: 60_000 })
    await until(() => a.ups.length === 1 && b.ups.length === 1)
    const [redis, listener] = [client(url), client(url)]
    const sizes: number[] = []
    await listener.subscribe(`${prefix}:all`)
    listener.on('messageBuffer', (_channel: Buffer, packet: Buffer) => void sizes.push(packet.length))
    const words = Array.from({ length: 1000 }, (_, i) => `invalidate page:${(i * 7919) % 10_007}, `)
    const frame = Buffer.from(words.join(''))
    a.link.broadcast(frame)
    await until(() => b.frames.length === 1 && sizes.length === 1)
    // One of an older build comes, which leaves the marks 0.
    const asking = Buffer.from([1, 0, ...new Array<number>(8).fill(7), 0, 0, 0, 1, 3, 0, 0, 0, 0])
    await redis.publish(`${prefix}:all`, asking)
    await until(() => a.ups.length === 2)
    a.link.broadcast(frame)
    a.link.send(a.ups[0]!, frame)
    await until(() => b.frames.length === 3 && sizes.length >= 3)
    for (const { bytes } of b.frames) expect(Buffer.compare(bytes, frame)).toBe(0)
    expect(sizes[0]).toBeLessThan(frame.length / 3)
    expect(sizes.at(-1)).toBeGreaterThan(frame.length)
  })

  test('who may not subscribe or publish is told so', async () => {
    const redis = client(url)
    const prefix = newPrefix()
    const rules = ['on', '>secret', '+@all', 'resetchannels']
    await redis.call('ACL', 'SETUSER', 'mute', ...rules)
    closing.unshift(() => redis.call('ACL', 'DELUSER', 'mute'))
    const as = (password: string): string => url.replace('//', `//mute:${password}@`)
    await expect(open({ url: as('secret'), prefix })).rejects.toMatchObject({ code: 'WARP_E_AUTH' })
    const wrong = await open({ url: as('wrong'), prefix }).catch((error: unknown) => error)
    expect(wrong).toMatchObject({ code: 'WARP_E_AUTH' })
    expect(String(wrong)).not.toContain('wrong')
  })

  test('nobody who answers is an error that says where it was looked', async () => {
    const { proxy, url: through } = await TcpProxy.before(url)
    await proxy.close()
    const failure = open({ url: through.replace('//', '//me:secret@'), prefix: newPrefix() })
    await expect(failure).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
    await expect(failure).rejects.toThrow(new URL(through).host)
    await expect(failure).rejects.not.toThrow('secret')
  })
})

describeOn('cluster', 'the transport over a cluster of Redis', (url) => {
  transportSuite({
    test,
    create: async (wanted) => {
      const { hostname: host, port } = new URL(url)
      const cluster = new Cluster([{ host, port: Number(port) }])
      await new Promise((resolve) => cluster.once('ready', resolve))
      const prefix = newPrefix()
      const transports = Array.from({ length: wanted }, () => redisTransport({ client: cluster, prefix }))
      return { transports, dispose: () => cluster.disconnect() }
    },
  })
})
