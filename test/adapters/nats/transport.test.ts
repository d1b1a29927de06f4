import { connect } from '@nats-io/transport-node'
import { afterEach, describe, expect, test } from 'vitest'
import { transportSuite } from '../../../adapters/conformance/transport.ts'
import { natsTransport, type NatsTransportOptions } from '../../../adapters/nats/index.ts'
import type { TransportLink, TransportReport } from '../../../src/index.ts'
import { describeOn } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { FakeClock } from '../broker/fake-clock.ts'
import { until } from '../broker/log-client.ts'

let count = 0

describeOn('nats', 'the transport over NATS', (url) => {
  describe('each with a connection of its own', () => {
    transportSuite({
      test,
      create: (wanted) => {
        const subject = `test.${process.pid}.${++count}`
        return { transports: Array.from({ length: wanted }, () => natsTransport({ servers: url, subject })) }
      },
    })
  })

  describe('all on one connection', () => {
    transportSuite({
      test,
      create: async (wanted) => {
        const connection = await connect({ servers: url })
        const subject = `test.${process.pid}.${++count}`
        const transports = Array.from({ length: wanted }, () => natsTransport({ connection, subject }))
        return { transports, dispose: () => connection.close() }
      },
    })
  })

  describe('what goes wrong', () => {
    interface Heard {
      readonly link: TransportLink
      readonly ups: string[]
      readonly downs: string[]
      readonly reports: TransportReport[]
      readonly frames: { readonly from: string; readonly bytes: Uint8Array }[]
    }

    const links: TransportLink[] = []
    afterEach(async () => {
      for (const link of links.splice(0)) await link.close()
    })

    async function open(options: Partial<NatsTransportOptions>): Promise<Heard> {
      const [ups, downs]: [string[], string[]] = [[], []]
      const [reports, frames]: [TransportReport[], Heard['frames'][number][]] = [[], []]
      const servers = options.connection === undefined ? { servers: url } : {}
      const link = await natsTransport({ ...servers, ...options }).open({
        receive: (from, bytes) => void frames.push({ from, bytes }),
        peerUp: (peer) => void ups.push(peer),
        peerDown: (peer) => void downs.push(peer),
        report: (report) => void reports.push(report),
      })
      links.push(link)
      return { link, ups, downs, reports, frames }
    }

    test('who comes is up, who goes is down at once, and who says nothing is suspected, and down then', async () => {
      const subject = `test.${process.pid}.${++count}`
      const { proxy, url: proxied } = await TcpProxy.before(url)
      const a = await open({ subject, heartbeatMs: 100 })
      const b = await open({ subject, heartbeatMs: 100 })
      const c = await open({ subject, heartbeatMs: 100, servers: proxied })
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
      await proxy.close()
    })

    test('a burst is deflated for those who understand it, and for nobody else', async () => {
      const subject = `test.${process.pid}.${++count}`
      const a = await open({ subject, heartbeatMs: 60_000 })
      const b = await open({ subject, heartbeatMs: 60_000 })
      await until(() => a.ups.length === 1 && b.ups.length === 1)
      const listener = await connect({ servers: url })
      const sizes: number[] = []
      listener.subscribe(`${subject}.all`, { callback: (_, { data }) => void sizes.push(data.length) })
      await listener.flush()
      const [small, large] = [1000, 40_000].map((length) =>
        Buffer.from(Array.from({ length }, (_, i) => `invalidate page:${(i * 7919) % 10_007}, `).join('')),
      ) as [Buffer, Buffer]
      for (const frame of [small, large]) a.link.broadcast(frame)
      await until(() => b.frames.length === 2)
      expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan((small.length + large.length) / 3)
      // One of an older build comes, which leaves the marks 0.
      listener.publish(`${subject}.here`, Buffer.from([1, 2, ...new Array<number>(8).fill(7), 0, 0]))
      await until(() => a.ups.length === 2)
      sizes.length = 0
      a.link.broadcast(small)
      await until(() => b.frames.length === 3 && sizes.length === 1)
      expect(sizes[0]).toBeGreaterThan(small.length)
      expect(b.frames.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([small, large, small].map(String))
      await listener.close()
    })

    test('after a lost connection each peer is up anew, so that it is told what there is', async () => {
      const subject = `test.${process.pid}.${++count}`
      const { proxy, url: proxied } = await TcpProxy.before(url)
      const a = await open({ subject, heartbeatMs: 60_000, servers: proxied })
      const b = await open({ subject, heartbeatMs: 60_000 })
      await until(() => a.ups.length === 1)
      proxy.cut()
      await until(() => a.reports.length === 1)
      expect(a.reports[0]).toMatchObject({ kind: 'transport:degraded', error: { code: 'WARP_E_TRANSPORT' } })
      expect(a.link.send(a.ups[0]!, Uint8Array.of(1))).toBe(false)
      await until(() => a.ups.length === 2)
      expect(a.ups[1]).toBe(a.ups[0])
      expect(a.link.send(a.ups[0]!, Uint8Array.of(2))).toBe(true)
      await until(() => b.frames.length === 1)
      await proxy.close()
    })

    test('what cannot be sent is not kept without end: send says no, broadcast drops, and it is told once', async () => {
      const subject = `test.${process.pid}.${++count}`
      const { proxy, url: proxied } = await TcpProxy.before(url)
      const a = await open({ subject, servers: proxied, queueBytesMax: 4 * 1024 * 1024 })
      const b = await open({ subject })
      await until(() => a.ups.length === 1)
      proxy.hold()
      const frame = new Uint8Array(1024 * 1024)
      const taken = Array.from({ length: 10 }, () => a.link.send(a.ups[0]!, frame))
      expect(taken.filter(Boolean).length).toBeLessThanOrEqual(4)
      for (let i = 0; i < 10; i++) a.link.broadcast(frame)
      expect(a.reports).toMatchObject([{ kind: 'transport:degraded', error: { code: 'WARP_E_LIMIT' } }])
      proxy.release()
      await until(() => b.frames.length === taken.filter(Boolean).length)
      await until(() => a.link.send(a.ups[0]!, Uint8Array.of(7)))
      await until(() => b.frames.at(-1)?.bytes[0] === 7)
      await proxy.close()
    })

    test('on a connection that is shared nobody hears themselves', async () => {
      const connection = await connect({ servers: url })
      const subject = `test.${process.pid}.${++count}`
      const [a, b] = [await open({ connection, subject }), await open({ connection, subject })]
      await until(() => a.ups.length === 1 && b.ups.length === 1)
      a.link.broadcast(Uint8Array.of(1))
      await until(() => b.frames.length === 1)
      await connection.flush()
      expect(a.frames).toEqual([])
      expect(a.ups).toHaveLength(1)
      for (const link of links.splice(0)) await link.close()
      expect(connection.isClosed()).toBe(false)
      await connection.close()
    })

    test('a frame that is too large is an error of the caller', async () => {
      const { link } = await open({ subject: `test.${process.pid}.${++count}` })
      const frame = new Uint8Array(link.frameBytesMax + 1)
      expect(() => link.broadcast(frame)).toThrow(expect.objectContaining({ code: 'WARP_E_LIMIT' }))
    })

    test('other formats are told of once, and what is malformed is counted and dropped', async () => {
      const subject = `test.${process.pid}.${++count}`
      const clock = new FakeClock()
      const a = await open({ subject, clock })
      const nats = await connect({ servers: url })
      const messages = [
        [9, 1, 2],
        [9],
        [],
        [1],
        [1, 99, ...new Array<number>(20).fill(0)],
        [1, 0],
        [1, 2, ...new Array<number>(11).fill(0)],
      ]
      for (const bytes of messages) nats.publish(`${subject}.all`, Uint8Array.from(bytes))
      await nats.flush()
      await until(() => a.reports.length === 1)
      expect(a.reports[0]).toMatchObject({ kind: 'peer:refused', error: { code: 'WARP_E_PROTOCOL' } })
      await nats.flush()
      clock.advance(60_000)
      await until(() => a.reports.length === 2)
      expect(a.reports[1]).toEqual({ kind: 'packets:refused', forgedCount: 0, replayedCount: 0, malformedCount: 5 })
      expect([a.frames, a.ups]).toEqual([[], []])
      await nats.close()
    })
  })
})
