/**
 * Servers that are stopped, killed, paused and cut off under appends: what was acknowledged is there, in one order for
 * everybody, and nothing is there twice but what was appended again.
 */
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { natsOrderedLog, type NatsOrderedLogOptions } from '../../../adapters/nats/index.ts'
import { byExtent } from '../../support/extent.ts'
import { NatsServers } from '../../support/nats-servers.ts'
import { describeOn } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { LogClient, until } from '../broker/log-client.ts'
import { expectWhole, grows, Load, upTo } from '../broker/log-load.ts'

/** Leaders that end, one after the other. A new one is elected within some five seconds. */
const LEADERS = byExtent({ some: 1, all: 3, soak: 20 })

const open: { close(): Promise<void> }[] = []
const unhandled: unknown[] = []
const note = (error: unknown): void => void unhandled.push(error)
process.on('unhandledRejection', note)
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
  expect(unhandled).toEqual([])
})

async function client(options: Partial<NatsOrderedLogOptions>): Promise<LogClient> {
  const made = await LogClient.open(natsOrderedLog({ stream: 'outage', timeoutMs: 2000, ...options }))
  open.push({ close: () => made.link.close() })
  return made
}

async function servers(made: Promise<NatsServers>): Promise<NatsServers> {
  open.push(await made)
  return made
}

describeOn('nats', 'a single server', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('that ends by %s under appends loses nothing', async (signal) => {
    const { node } = await servers(NatsServers.single())
    const [a, b] = [await client({ servers: node.url }), await client({ servers: node.url })]
    const readers = [a.follow(), b.follow()]
    const loads = [new Load(a, 'a'), new Load(b, 'b')]
    for (let round = 0; round < 3; round++) {
      await grows(loads[0]!, 100)
      await node.end(signal)
      await until(() => [a, b].every(({ connections }) => connections.at(-1) === false))
      expect(await a.link.append(0, 'away', new Uint8Array())).toMatchObject({
        kind: 'refused',
        error: { code: 'WARP_E_TRANSPORT' },
      })
      await expect(a.link.barrier(0)).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_TRANSPORT' }))
      await node.startAgain()
      await until(() => [a, b].every(({ connections }) => connections.at(-1) === true))
    }
    await grows(loads[0]!, 100)
    await Promise.all(loads.map((load) => load.end()))
    await upTo(readers, await a.link.barrier(0))
    const late = (await client({ servers: node.url })).follow()
    await upTo([late], await b.link.barrier(0))
    await upTo(readers, late.last!.offset)
    expectWhole([...readers, late], loads)
    expect(a.connections).toEqual([false, true, false, true, false, true])
    expect(a.reports.map(({ kind }) => kind)).toContain('order:degraded')
  })

  test('that stands still for longer than it is waited for: unknown outcomes, then everything goes on', async () => {
    const { node } = await servers(NatsServers.single())
    const a = await client({ servers: node.url, timeoutMs: 1000 })
    const reader = a.follow()
    const load = new Load(a, 'a', 4)
    await grows(load, 50)
    node.stand()
    await until(() => a.connections.at(-1) === false)
    expect(a.reports.at(-1)?.error.code).toBe('WARP_E_TRANSPORT')
    await pause(5000)
    node.goOn()
    await until(() => a.connections.at(-1) === true)
    await grows(load, 50)
    await load.end()
    await upTo([reader], await a.link.barrier(0))
    expectWhole([reader], [load])
  })

  test('whose answers are lost: outcomes are unknown, and what is appended again is there twice at most', async () => {
    const { node } = await servers(NatsServers.single())
    const { proxy, url } = await TcpProxy.before(node.url)
    open.push(proxy)
    const [a, b] = [await client({ servers: url }), await client({ servers: node.url })]
    const readers = [a.follow(), b.follow()]
    const load = new Load(a, 'a')
    for (let round = 0; round < 3; round++) {
      await grows(load, 50)
      proxy.holdAnswers()
      // They have a place, and nobody is told.
      await until(() => !load.acknowledged.has(readers[1]!.last!.id))
      proxy.cut()
      proxy.release()
      await until(() => a.connections.length === 2 * (round + 1))
    }
    await grows(load, 50)
    await load.end()
    await upTo(readers, await b.link.barrier(0))
    expectWhole(readers, [load])
    const ids = readers[0]!.ids
    expect(ids.length).toBeGreaterThan(new Set(ids).size)
  })
})

describeOn('nats', 'a server that takes nothing', (url) => {
  test('is sent no more than the window allows, and no more waits than there is room for', async () => {
    const { proxy, url: proxied } = await TcpProxy.before(url)
    open.push(proxy)
    const a = await client({ servers: proxied, stream: `window-${process.pid}`, appendsMax: 5, timeoutMs: 60_000 })
    proxy.hold()
    const appends = Array.from({ length: 20_100 }, (_, i) => a.link.append(0, `r${i}`, new Uint8Array()))
    expect(await appends.at(-1)).toMatchObject({ kind: 'refused', error: { code: 'WARP_E_LIMIT' } })
    proxy.cut()
    proxy.release()
    const outcomes = await Promise.all(appends)
    const unknown = outcomes.flatMap(({ kind }, i) => (kind === 'unknown' ? [i] : []))
    expect(unknown).toEqual([0, 1, 2, 3, 4])
    expect(outcomes.filter(({ kind }) => kind === 'refused')).toHaveLength(20_095)
    await until(() => a.connections.at(-1) === true)
    await a.append('last')
    const reader = a.follow()
    await until(() => reader.ids.includes('last'))
    // What was refused is not there, and what is unknown is there or not.
    expect(reader.ids.filter((id) => !['r0', 'r1', 'r2', 'r3', 'r4', 'last'].includes(id))).toEqual([])
    const nats = await connect({ servers: url })
    const { streams } = await jetstreamManager(nats)
    for (const part of ['0', 'snapshots']) await streams.delete(`window-${process.pid}-${part}`)
    await nats.close()
  })
})

describeOn('nats-cluster', 'a cluster of three', () => {
  async function leaderOf(urls: readonly string[]): Promise<string | undefined> {
    const nats = await connect({ servers: [...urls] })
    try {
      const { cluster } = await (await jetstreamManager(nats)).streams.info('outage-0')
      return cluster?.leader
    } finally {
      await nats.close()
    }
  }

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'whose leader ends by %s under load, one after the other, loses nothing',
    async (signal) => {
      const cluster = await servers(NatsServers.cluster())
      const options = { servers: cluster.urls, syncAlways: true }
      const clients = [await client(options), await client(options), await client(options)]
      expect(clients[0]!.link.promises).toEqual({
        acknowledgedBy: 'broker',
        survives: 'power loss',
        copies: 3,
        accepted: [],
      })
      const readers = clients.map((one) => one.follow())
      const loads = clients.map((one, i) => new Load(one, `client${i}`, 8))
      for (let round = 0; round < LEADERS; round++) {
        await Promise.all(loads.map((load) => grows(load, 50)))
        const node = cluster.nodes[Number((await leaderOf(cluster.urls))?.slice(1)) - 1]!
        await node.end(signal)
        // Those that are left go on.
        await Promise.all(loads.map((load) => grows(load, 50)))
        await node.startAgain()
      }
      await Promise.all(loads.map((load) => load.end()))
      await upTo(readers, await clients[0]!.link.barrier(0))
      const late = (await client(options)).follow()
      await upTo([late], readers[0]!.last!.offset)
      await upTo(readers, late.last!.offset)
      await upTo([late], Math.max(...readers.map(({ last }) => last!.offset)))
      await upTo(readers, late.last!.offset)
      expectWhole([...readers, late], loads)
    },
  )

  test('that has lost its majority takes nothing and says so, and goes on when it has one again', async () => {
    const cluster = await servers(NatsServers.cluster())
    const [first, ...others] = cluster.nodes
    const a = await client({ servers: first!.url, timeoutMs: 1000 })
    const reader = a.follow()
    await a.append('before')
    for (const node of others) await node.end('SIGKILL')
    expect((await a.link.append(0, 'alone', new Uint8Array())).kind).not.toBe('appended')
    await until(() => a.connections.at(-1) === false)
    await expect(a.link.barrier(0)).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_TRANSPORT' }))
    for (const node of others) await node.startAgain()
    await until(() => a.connections.at(-1) === true)
    const offset = await a.append('after')
    await upTo([reader], offset)
    expect(reader.ids).toContain('before')
    expect(reader.broken).toBeUndefined()
  })
})
