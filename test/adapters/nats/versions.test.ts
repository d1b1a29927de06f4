/** Servers of other versions: those that lose records are refused, others are used, with all that the log does. */
import { afterEach, describe, expect, test } from 'vitest'
import { natsOrderedLog, type NatsOrderedLogOptions } from '../../../adapters/nats/index.ts'
import { NatsServers } from '../../support/nats-servers.ts'
import { describeOn } from '../../support/servers.ts'
import { byExtent } from '../../support/extent.ts'
import { FakeNats } from './fake-nats.ts'
import { LogClient, until } from '../broker/log-client.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function client(options: Partial<NatsOrderedLogOptions>): Promise<LogClient> {
  const made = await LogClient.open(natsOrderedLog({ stream: 'versions', timeoutMs: 2000, ...options }))
  open.push({ close: () => made.link.close() })
  return made
}

describeOn('nats', 'the version of the server', () => {
  test('2.9, as Debian has it, is refused, and nothing is made there', async () => {
    const servers = await NatsServers.single({ version: 'debian', syncAlways: false })
    open.push(servers)
    const opened = client({ servers: servers.urls, accept: ['version'] })
    await expect(opened).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT', message: expect.stringContaining('nats-server 2.9.') }),
    )
  })

  test.each(['2.9.10', '2.10.20', '2.10.21', '2.10.22'])('%s is refused before anything is asked', async (version) => {
    const fake = await FakeNats.start({ version })
    open.push(fake)
    await expect(client({ servers: fake.url })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT', message: expect.stringContaining(version) }),
    )
    expect(fake.subjects.filter((subject) => subject.startsWith('$JS'))).toEqual([])
  })

  test('2.10.19 in a cluster is refused, because its streams would have copies', async () => {
    const fake = await FakeNats.start({ version: '2.10.19', cluster: 'warp' })
    open.push(fake)
    await expect(client({ servers: fake.url })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT' }),
    )
  })

  test('a server without JetStream is unfit, and the remedy is said', async () => {
    const fake = await FakeNats.start({ version: '2.15.1' })
    open.push(fake)
    await expect(client({ servers: fake.url })).rejects.toThrow(
      expect.objectContaining({ code: 'WARP_E_BROKER_UNFIT', message: expect.stringContaining('has no JetStream') }),
    )
  })

  test('that it was downgraded is noticed when it is back: nothing is appended there, and it is said', async () => {
    const servers = await NatsServers.single()
    open.push(servers)
    const port = Number(new URL(servers.node.url).port)
    const a = await client({ servers: servers.urls })
    await a.append('one')
    await servers.node.end('SIGTERM')
    const fake = await FakeNats.start({ version: '2.10.21', port })
    await until(() => a.reports.some(({ error }) => error.code === 'WARP_E_BROKER_UNFIT'))
    expect(a.connections).toEqual([false])
    expect(await a.link.append(0, 'two', new Uint8Array())).toMatchObject({
      kind: 'refused',
      error: { code: 'WARP_E_BROKER_UNFIT' },
    })
    await fake.close()
    await servers.node.startAgain()
    await until(() => a.connections.at(-1) === true)
    expect(await a.append('three')).toBeGreaterThan(1)
  })

  describe.each(byExtent({ some: ['2.10.26'], all: ['2.10.26', '2.12.8'], soak: ['2.10.26', '2.12.8'] }))(
    'nats-server %s',
    (version) => {
      test.each(['a single server', 'a cluster'])(
        '%s: records, barriers, snapshots, trims, a restart',
        async (kind) => {
          const isCluster = kind === 'a cluster'
          const servers = await (isCluster ? NatsServers.cluster({ version }) : NatsServers.single({ version }))
          open.push(servers)
          const [a, b] = [await client({ servers: servers.urls }), await client({ servers: servers.urls })]
          expect(a.link.promises.copies).toBe(isCluster ? 3 : 1)
          const readers = [a.follow(), b.follow()]
          const ids = Array.from({ length: 500 }, (_, i) => `record-${i}`)
          const outcomes = await Promise.all(ids.map((id) => a.link.append(0, id, Buffer.from(id))))
          expect(outcomes).toEqual(ids.map((_, i) => ({ kind: 'appended', offset: i + 1 })))
          const barrier = await b.link.barrier(0)
          await until(() => readers.every(({ last }) => (last?.offset ?? 0) >= barrier))
          for (const reader of readers) expect(reader.ids).toEqual(ids)
          const bookmark = { offset: 400, id: 'record-399' }
          await a.link.saveSnapshot(0, { bookmark, pieces: piecesOf(new Uint8Array(3_000_000).fill(7)) })
          await a.link.trim(0, 401)
          const late = (await client({ servers: servers.urls })).follow()
          await until(() => late.trimmed !== undefined)
          expect(late.trimmed).toBe(401)
          const snapshot = await b.link.loadSnapshot(0)
          expect(snapshot?.bookmark).toEqual(bookmark)
          let bytes = 0
          for await (const piece of snapshot!.pieces) bytes += piece.length
          expect(bytes).toBe(3_000_000)
          for (const node of servers.nodes) {
            await node.end('SIGKILL')
            await node.startAgain()
          }
          await until(() => [a, b].every(({ connections }) => connections.at(-1) !== false))
          const identity = a.link.identity
          const again = await reopened({ servers: servers.urls })
          expect(again.link.identity).toBe(identity)
          const reader = again.follow(snapshot!.bookmark)
          await until(() => reader.ids.length >= 100)
          expect(reader.ids.slice(0, 100)).toEqual(ids.slice(400))
          expect(readers.map(({ broken }) => broken)).toEqual([undefined, undefined])
        },
      )
    },
  )

  /** While leaders are elected, streams cannot be asked. */
  async function reopened(options: Partial<NatsOrderedLogOptions>): Promise<LogClient> {
    for (;;) {
      try {
        return await client(options)
      } catch (error) {
        expect(error).toMatchObject({ code: 'WARP_E_TRANSPORT' })
      }
    }
  }
})

async function* piecesOf(...pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}
