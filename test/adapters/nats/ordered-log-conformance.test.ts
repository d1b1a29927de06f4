/** The suite that every ordered log passes, on a real server. */
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream'
import { afterAll, beforeAll, test } from 'vitest'
import { orderedLogSuite } from '../../../adapters/conformance/ordered-log/suite.ts'
import { natsOrderedLog } from '../../../adapters/nats/index.ts'
import { byExtent } from '../../support/extent.ts'
import { describeOn, type ServerName } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'

let count = 0

/** On three servers each record waits for two of them, and all that is asked for the one that leads. */
const ON: readonly ServerName[] = byExtent({
  some: ['nats'],
  all: ['nats', 'nats-cluster'],
  soak: ['nats', 'nats-cluster'],
})

for (const name of ON) describeOn(name, `an ordered log in JetStream: ${name}`, suiteOn)

function suiteOn(urls: string): void {
  const [url = ''] = urls.split(',')
  let nats: NatsConnection
  let manager: JetStreamManager
  beforeAll(async () => {
    nats = await connect({ servers: url })
    manager = await jetstreamManager(nats)
  })
  afterAll(() => nats.close())

  async function removeAll(stream: string): Promise<void> {
    for await (const { config } of manager.streams.list())
      if (config.name.startsWith(`${stream}-`)) await manager.streams.delete(config.name)
  }

  /** As a backup of that moment would be: the same stream, with its records up to there. */
  async function rollBack(name: string, offset: number): Promise<void> {
    const { config } = await manager.streams.info(name)
    const records = []
    for (let seq = 1; seq <= offset; seq++) records.push(await manager.streams.getMessage(name, { seq }))
    await manager.streams.delete(name)
    await manager.streams.add(config)
    const js = manager.jetstream()
    for (const record of records) await js.publish(record!.subject, record!.data, { headers: record!.header })
  }

  orderedLogSuite({
    test,
    create: async ({ partitions }) => {
      const stream = `conformance-${process.pid}-${++count}`
      const { proxy, url: proxied } = await TcpProxy.before(url)
      return {
        log: natsOrderedLog({ servers: proxied, stream, partitions }),
        operator: {
          recreate: () => removeAll(stream),
          purge: async (partition) => void (await manager.streams.purge(`${stream}-${partition}`)),
          rollBack: (partition, offset) => rollBack(`${stream}-${partition}`, offset),
          disconnect: () => proxy.away(),
          reconnect: () => proxy.back(),
        },
        dispose: async () => {
          await removeAll(stream)
          await proxy.close()
        },
      }
    },
  })
}
