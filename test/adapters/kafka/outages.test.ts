/**
 * Brokers that are killed, stand still and are cut off under appends, and a log that lost something: what was
 * acknowledged is there, in one order for everybody, or it is told that it is not.
 */
import { openSync, closeSync, ftruncateSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { kafkaOrderedLog, type KafkaOrderedLogOptions } from '../../../adapters/kafka/index.ts'
import { byExtent } from '../../support/extent.ts'
import { KafkaOperator } from '../../support/kafka-operator.ts'
import { KafkaProxies } from '../../support/kafka-proxies.ts'
import { KafkaServers } from '../../support/kafka-servers.ts'
import { describeOn } from '../../support/servers.ts'
import { LogClient, until } from '../broker/log-client.ts'
import { expectWhole, grows, Load, upTo } from '../broker/log-load.ts'

const CUTS = byExtent({ some: 5, all: 15, soak: 500 })
/** Leaders that end, one after the other. */
const LEADERS = byExtent({ some: 1, all: 3, soak: 20 })
const TEST_MS = byExtent({ some: 120_000, all: 600_000, soak: 3_600_000 })
const GOES_ON_MS = 10_000

let count = 0
const closing: (() => unknown)[] = []
const unhandled: unknown[] = []
process.on('unhandledRejection', (error: unknown) => void unhandled.push(error))
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  expect(unhandled).toEqual([])
})

async function client(options: KafkaOrderedLogOptions): Promise<LogClient> {
  const made = await LogClient.open(kafkaOrderedLog({ timeoutMs: 2000, ...options }))
  closing.unshift(() => made.link.close())
  return made
}

describeOn('kafka', 'connections to three brokers', (brokers) => {
  let operator: KafkaOperator
  beforeAll(async () => {
    operator = await KafkaOperator.of(brokers)
  })
  afterAll(() => operator.close())

  function newTopic(): string {
    const topic = `outage-${process.pid}-${++count}`
    closing.push(() => operator.deleteTopics(topic, `${topic}.snapshots`))
    return topic
  }

  async function proxied(): Promise<KafkaProxies> {
    const proxies = await KafkaProxies.before(brokers)
    closing.push(() => proxies.close())
    return proxies
  }

  test(
    'that are cut in the middle of sends lose nothing that was acknowledged',
    async () => {
      const topic = newTopic()
      const proxies = await proxied()
      const { socketFactory } = proxies
      const a = await client({ brokers, topic, connect: { socketFactory } })
      const b = await client({ brokers, topic })
      const readers = [a.follow(), b.follow()]
      const load = new Load(a, 'a')
      for (let cut = 0; cut < CUTS; cut++) {
        await grows(load, 30)
        // Records are stored, and nobody is told: the next request must not take their place.
        proxies.all.forEach((proxy) => proxy.holdAnswers())
        await until(() => !load.acknowledged.has(readers[1]!.last!.id))
        proxies.all.forEach((proxy) => proxy.cut())
        proxies.all.forEach((proxy) => proxy.release())
        await until(() => a.connections.length >= 2 * (cut + 1) && a.connections.at(-1) === true)
      }
      await grows(load, 30)
      await load.end()
      await upTo(readers, await b.link.barrier(0))
      expectWhole(readers, [load])
    },
    TEST_MS,
  )

  test('whose answers are lost: unknown is what was sent, refused what was not', async () => {
    const topic = newTopic()
    const proxies = await proxied()
    const { socketFactory } = proxies
    const a = await client({ brokers, topic, timeoutMs: 60_000, appendsMax: 3, connect: { socketFactory } })
    const reader = (await client({ brokers, topic })).follow()
    proxies.all.forEach((proxy) => proxy.holdAnswers())
    const first = a.link.append(0, 'sent', Buffer.from('x'))
    await until(() => reader.records.length === 1)
    const others = ['waits', 'waits too', 'not even taken'].map((id) =>
      a.link.append(0, id.replaceAll(' ', '-'), Buffer.from('x')),
    )
    proxies.all.forEach((proxy) => proxy.away())
    const outcomes = await Promise.all([first, ...others])
    expect(outcomes.map(({ kind }) => kind)).toEqual(['unknown', 'refused', 'refused', 'refused'])
    expect(reader.ids).toEqual(['sent'])
  })

  test('that nobody answers on are given up, and made again', async () => {
    const topic = newTopic()
    const proxies = await proxied()
    const { socketFactory } = proxies
    const pingMs = 1000
    const a = await client({ brokers, topic, pingMs, connect: { socketFactory } })
    await a.append('before')
    proxies.all.forEach((proxy) => proxy.hold())
    await until(() => a.connections.at(-1) === false)
    proxies.all.forEach((proxy) => proxy.release())
    proxies.all.forEach((proxy) => proxy.cut())
    await until(() => a.connections.at(-1) === true)
    await a.append('after')
  })

  describe('a topic', () => {
    const fit = {
      'retention.ms': '-1',
      'retention.bytes': '-1',
      'message.timestamp.type': 'LogAppendTime',
      'min.insync.replicas': '2',
    }
    test.each<[string, Record<string, string>, number, string]>([
      ['of one copy', {}, 1, "give it 3 replicas, or accept it by acceptUnfit: ['replicas']"],
      ['that one broker alone acknowledges', { 'min.insync.replicas': '1' }, 3, 'set min.insync.replicas=2'],
      ['that any broker may lead', { 'unclean.leader.election.enable': 'true' }, 3, "acceptUnfit: ['election']"],
      ['that forgets after a week', { 'retention.ms': '604800000' }, 3, 'set retention.ms=-1'],
      ['that forgets what is large', { 'retention.bytes': '1000000' }, 3, 'set retention.bytes=-1'],
      ['that keeps the last record of each key', { 'cleanup.policy': 'compact' }, 3, 'set cleanup.policy=delete'],
      ['that is dated by its writers', { 'message.timestamp.type': 'CreateTime' }, 3, '=LogAppendTime'],
      ['that is compressed unreadably', { 'compression.type': 'zstd' }, 3, 'set compression.type=producer'],
    ])('%s is refused, with the remedy', async (_what, settings, copies, remedy) => {
      const topic = newTopic()
      await operator.makeTopic(topic, { ...fit, ...settings }, copies)
      const opening = client({ brokers, topic })
      await expect(opening).rejects.toMatchObject({ code: 'WARP_E_BROKER_UNFIT' })
      await expect(opening).rejects.toThrow(remedy)
    })

    test('whose shortcomings are accepted is used, and shows them', async () => {
      const topic = newTopic()
      await operator.makeTopic(topic, { ...fit, 'retention.ms': '604800000', 'flush.messages': '1' }, 1)
      const a = await client({ brokers, topic, acceptUnfit: ['replicas', 'retention', 'election'] })
      expect(a.link.promises).toMatchObject({ copies: 1, survives: 'kill', accepted: ['replicas', 'retention'] })
      await a.append('one')
    })

    test('that flushes each record, with snapshots that do so, keeps them over a loss of power', async () => {
      const topic = newTopic()
      for (const one of [topic, `${topic}.snapshots`]) await operator.makeTopic(one, { ...fit, 'flush.messages': '1' })
      const { link } = await client({ brokers, topic })
      expect(link.promises).toEqual({ acknowledgedBy: 'broker', survives: 'power loss', copies: 3, accepted: [] })
    })

    test('of other partitions is refused, and one that nobody made, where none is to be made', async () => {
      const topic = newTopic()
      await client({ brokers, topic, partitions: 2 })
      await expect(client({ brokers, topic, partitions: 3 })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
      const missing = client({ brokers, topic: 'nobody-made-it', create: false })
      await expect(missing).rejects.toThrow('kafka-topics.sh --create --topic nobody-made-it')
    })

    test('that was made anew is another log, and one with another record in the place of the bookmark, too', async () => {
      const topic = newTopic()
      const a = await client({ brokers, topic, pingMs: 4000 })
      const whoHasSeenNothing = await client({ brokers, topic, pingMs: 60_000 })
      const reader = a.follow()
      await a.append('one')
      await until(() => reader.records.length === 1)
      await operator.deleteTopics(topic)
      const b = await client({ brokers, topic })
      expect(b.link.identity).not.toBe(a.link.identity)
      const offset = await b.append('other')
      expect(await told(whoHasSeenNothing)).toBe('WARP_E_ORDER_BROKEN')
      await until(() => reader.broken !== undefined)
      expect(reader.ids).toEqual(['one'])
      const returning = b.follow({ offset, id: 'one' })
      await until(() => returning.broken !== undefined)
    })

    test('that was deleted while nobody appends is told to be broken', async () => {
      const topic = newTopic()
      const a = await client({ brokers, topic, pingMs: 4000 })
      const reader = a.follow()
      await a.append('one')
      await until(() => reader.records.length === 1)
      await operator.deleteTopics(topic)
      await until(() => reader.broken !== undefined)
      expect(reader.broken).toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
      const after = await a.link.append(0, 'two', Buffer.from('x'))
      expect(after).toMatchObject({ kind: 'refused', error: { code: 'WARP_E_ORDER_BROKEN' } })
      await expect(a.link.barrier(0)).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
    })
  })
})

/** What becomes of an append once the connection has been made again. */
async function told({ link }: LogClient): Promise<string> {
  for (let i = 0; ; i++) {
    const outcome = await link.append(0, `theirs-${i}`, Buffer.from('x'))
    if (outcome.kind === 'appended') return outcome.kind
    if (outcome.error.code !== 'WARP_E_TRANSPORT') return outcome.error.code
    await pause(50)
  }
}

describeOn('kafka', 'brokers that end', () => {
  async function servers(brokers: number): Promise<{ cluster: KafkaServers; urls: string; operator: KafkaOperator }> {
    const cluster = await KafkaServers.start({ brokers })
    closing.push(() => cluster.close())
    const urls = cluster.urls.join(',')
    const operator = await KafkaOperator.of(urls)
    closing.unshift(() => operator.close())
    return { cluster, urls, operator }
  }

  test(
    'the leader of three, killed under load: appends and readers go on within ten seconds, and nothing is lost',
    async () => {
      const { cluster, urls, operator } = await servers(3)
      const clients = [await client({ brokers: urls, topic: 'log' }), await client({ brokers: urls, topic: 'log' })]
      expect(clients[0]!.link.promises.copies).toBe(3)
      const readers = clients.map((one) => one.follow())
      const loads = clients.map((one, i) => new Load(one, `client${i}`, 8))
      for (let round = 0; round < LEADERS; round++) {
        await Promise.all(loads.map((load) => grows(load, 50)))
        const leader = await operator.leaderOf({ topic: 'log', partition: 0 })
        const node = cluster.nodes.find(({ url }) => url === leader)!
        const begun = performance.now()
        await node.end('SIGKILL')
        const seen = readers.map(({ records }) => records.length)
        await Promise.all(loads.map((load) => grows(load, 20)))
        await until(() => readers.every(({ records }, i) => records.length > seen[i]! + 20))
        expect(performance.now() - begun).toBeLessThan(GOES_ON_MS)
        await node.startAgain()
      }
      await Promise.all(loads.map((load) => load.end()))
      await upTo(readers, await clients[0]!.link.barrier(0))
      const late = (await client({ brokers: urls, topic: 'log' })).follow()
      await upTo([late], await clients[1]!.link.barrier(0))
      await upTo(readers, late.last!.offset)
      await upTo([late], Math.max(...readers.map(({ last }) => last!.offset)))
      expectWhole([...readers, late], loads)
    },
    TEST_MS,
  )

  test(
    'one that comes back without what it has acknowledged is told to be broken, and takes nothing',
    async () => {
      const { cluster, urls } = await servers(1)
      const options = { brokers: urls, topic: 'log', acceptUnfit: ['replicas'] } as const
      const a = await client(options)
      const reader = a.follow()
      for (let i = 0; i < 5; i++) await a.append(`record-${i}`)
      await until(() => reader.records.length === 5)
      const { folder } = cluster.node.server
      await cluster.node.end('SIGKILL')
      cutAfter(path.join(folder, 'logs/log-0/00000000000000000000.log'), 3)
      await cluster.node.startAgain()
      await until(() => reader.broken !== undefined)
      expect(reader.broken).toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
      await expect(a.link.barrier(0)).rejects.toMatchObject({ code: 'WARP_E_ORDER_BROKEN' })
      const other = (await client(options)).follow()
      await until(() => other.records.length >= 3)
      expect(other.ids).toEqual(['record-0', 'record-1', 'record-2'])
    },
    TEST_MS,
  )
})

/** As a disk would have it that lost its last writes. A batch begins with its offset (8 bytes) and its length (4). */
function cutAfter(file: string, batches: number): void {
  const bytes = readFileSync(file)
  let at = 0
  for (let i = 0; i < batches; i++) at += 12 + bytes.readInt32BE(at + 8)
  const descriptor = openSync(file, 'r+')
  ftruncateSync(descriptor, at)
  closeSync(descriptor)
}
