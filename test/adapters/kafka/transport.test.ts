import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { transportSuite } from '../../../adapters/conformance/transport.ts'
import { kafkaTransport, type KafkaTransportOptions } from '../../../adapters/kafka/index.ts'
import type { TransportLink, TransportReport } from '../../../src/index.ts'
import { KafkaOperator } from '../../support/kafka-operator.ts'
import { KafkaProxies } from '../../support/kafka-proxies.ts'
import { describeOn } from '../../support/servers.ts'
import { until } from '../broker/log-client.ts'

interface Heard {
  readonly link: TransportLink
  readonly ups: string[]
  readonly downs: string[]
  readonly reports: TransportReport[]
  readonly frames: { readonly from: string; readonly bytes: Uint8Array }[]
}

let count = 0
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

describeOn('kafka', 'the transport over Kafka', (brokers) => {
  let operator: KafkaOperator
  beforeAll(async () => {
    operator = await KafkaOperator.of(brokers)
  })
  afterAll(() => operator.close())

  function newTopic(): string {
    const topic = `test-${process.pid}-${++count}`
    closing.push(() => operator.deleteTopics(topic))
    return topic
  }

  async function open(options: KafkaTransportOptions): Promise<Heard> {
    const [ups, downs]: [string[], string[]] = [[], []]
    const [reports, frames]: [TransportReport[], Heard['frames'][number][]] = [[], []]
    const link = await kafkaTransport({ brokers, ...options }).open({
      receive: (from, bytes) => void frames.push({ from, bytes }),
      peerUp: (peer) => void ups.push(peer),
      peerDown: (peer) => void downs.push(peer),
      report: (report) => void reports.push(report),
    })
    closing.unshift(() => link.close())
    return { link, ups, downs, reports, frames }
  }

  async function proxied(): Promise<KafkaProxies> {
    const proxies = await KafkaProxies.before(brokers)
    closing.push(() => proxies.close())
    return proxies
  }

  describe.each([1, 4])('with a topic of %i partitions', (partitions) => {
    transportSuite({
      test,
      create: (wanted) => {
        const topic = newTopic()
        return { transports: Array.from({ length: wanted }, () => kafkaTransport({ brokers, topic, partitions })) }
      },
    })
  })

  test('who comes is up, who goes is down at once, and who says nothing is suspected, and down then', async () => {
    const topic = newTopic()
    const proxies = await proxied()
    const a = await open({ topic, heartbeatMs: 200 })
    const b = await open({ topic, heartbeatMs: 200 })
    const { socketFactory } = proxies
    const c = await open({ topic, heartbeatMs: 200, pingMs: 60_000, connect: { socketFactory } })
    await until(() => [a, b, c].every(({ ups }) => ups.length === 2))
    await b.link.close()
    await until(() => a.downs.length === 1)
    proxies.all.forEach((proxy) => proxy.hold())
    await until(() => a.downs.length === 2)
    expect(a.reports.map(({ kind }) => kind)).toContain('peer:suspect')
    proxies.all.forEach((proxy) => proxy.release())
    await until(() => a.ups.length >= 3)
  })

  test('what is for one replica is heard by nobody else, and nobody hears themselves', async () => {
    const topic = newTopic()
    // All read the same one.
    const options = { topic, partitions: 1 }
    const members = [await open(options), await open(options), await open(options)]
    const [a, b, c] = members as [Heard, Heard, Heard]
    await until(() => members.every(({ ups }) => ups.length === 2))
    b.link.broadcast(Uint8Array.of(1))
    await until(() => a.frames.length === 1)
    a.link.send(a.frames[0]!.from, Uint8Array.of(2))
    a.link.broadcast(Uint8Array.of(3))
    await until(() => b.frames.length === 2 && c.frames.length === 2)
    expect(b.frames.map(({ bytes }) => bytes[0]).sort()).toEqual([2, 3])
    expect(c.frames.map(({ bytes }) => bytes[0])).toEqual([1, 3])
    expect(a.frames.map(({ bytes }) => bytes[0])).toEqual([1])
  })

  test('after a lost connection each peer is up anew, and what others said meanwhile is heard all the same', async () => {
    const topic = newTopic()
    const proxies = await proxied()
    const { socketFactory } = proxies
    const a = await open({ topic, heartbeatMs: 60_000, connect: { socketFactory } })
    const b = await open({ topic, heartbeatMs: 60_000 })
    await until(() => a.ups.length === 1 && b.ups.length === 1)
    proxies.all.forEach((proxy) => proxy.away())
    await until(() => a.reports.length === 1)
    expect(a.reports[0]).toMatchObject({ kind: 'transport:degraded', error: { code: 'WARP_E_TRANSPORT' } })
    expect(a.link.send(a.ups[0]!, Uint8Array.of(1))).toBe(false)
    b.link.broadcast(Uint8Array.of(2))
    proxies.all.forEach((proxy) => proxy.back())
    await until(() => a.ups.length === 2)
    await until(() => a.frames.length === 1)
    expect(a.frames[0]?.bytes).toEqual(Uint8Array.of(2))
    expect(a.link.send(a.ups[0]!, Uint8Array.of(3))).toBe(true)
    await until(() => b.frames.length === 1)
  })

  test('a broker that stands still is given up', async () => {
    const topic = newTopic()
    const proxies = await proxied()
    const pingMs = 600
    const { socketFactory } = proxies
    const a = await open({ topic, pingMs, heartbeatMs: 60_000, connect: { socketFactory } })
    proxies.all.forEach((proxy) => proxy.hold())
    await until(() => a.reports.length === 1)
    expect(a.reports[0]).toMatchObject({ kind: 'transport:degraded', error: { code: 'WARP_E_TRANSPORT' } })
  })

  test('what cannot be sent is not kept without end: send says no, broadcast drops, and it is told once', async () => {
    const topic = newTopic()
    const proxies = await proxied()
    const { socketFactory } = proxies
    const queueBytesMax = 5 * 1024 * 1024
    const a = await open({ topic, queueBytesMax, pingMs: 60_000, connect: { socketFactory } })
    const b = await open({ topic })
    await until(() => a.ups.length === 1)
    proxies.all.forEach((proxy) => proxy.hold())
    const frame = new Uint8Array(1024 * 1024)
    const takenCount = Array.from({ length: 10 }, () => a.link.send(a.ups[0]!, frame)).filter(Boolean).length
    expect(takenCount).toBeGreaterThan(2)
    expect(takenCount).toBeLessThanOrEqual(5)
    for (let i = 0; i < 10; i++) a.link.broadcast(frame)
    expect(a.reports).toMatchObject([
      { kind: 'transport:degraded', error: { code: 'WARP_E_LIMIT', details: { droppedCount: 1 } } },
    ])
    proxies.all.forEach((proxy) => proxy.release())
    await until(() => b.frames.length === takenCount)
    await until(() => a.link.send(a.ups[0]!, Uint8Array.of(7)))
    await until(() => b.frames.at(-1)?.bytes[0] === 7)
  })

  test('a topic that was deleted is made anew, and everybody hears each other in it', async () => {
    const topic = newTopic()
    const [a, b] = [await open({ topic, pingMs: 3000 }), await open({ topic, pingMs: 3000 })]
    await until(() => a.ups.length === 1 && b.ups.length === 1)
    await operator.admin.deleteTopics({ topics: [topic] })
    await until(() => a.ups.length >= 2 && b.ups.length >= 2)
    a.link.broadcast(Uint8Array.of(4))
    await until(() => b.frames.at(-1)?.bytes[0] === 4)
  })

  test('without a topic and without leave to make it nothing is opened', async () => {
    const opening = open({ topic: 'nobody-made-it', create: false })
    await expect(opening).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(opening).rejects.toThrow('make it with retention.ms=600000')
  })

  test('nobody who answers is an error that says where it was looked', async () => {
    const proxies = await KafkaProxies.before(brokers)
    await proxies.close()
    const { socketFactory } = proxies
    const failure = open({ topic: newTopic(), connect: { socketFactory } })
    await expect(failure).rejects.toMatchObject({ code: 'WARP_E_TRANSPORT' })
    await expect(failure).rejects.toThrow(brokers.split(',')[0])
  })
})
