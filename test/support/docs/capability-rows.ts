/** Engines of each kind, and what they say of themselves: the rows of docs/guarantees.md. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileLog } from '../../../adapters/file/index.ts'
import { memoryNetwork, memoryOrderedLog } from '../../../adapters/memory/index.ts'
import { meshTransport } from '../../../adapters/mesh/index.ts'
import { promisesOf } from '../../../adapters/nats/ordered/log-link.ts'
import { promisesOf as kafkaPromisesOf } from '../../../adapters/kafka/ordered/log-topics.ts'
import { promisesOf as redisPromisesOf } from '../../../adapters/redis/ordered/fitness.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import type { Capabilities, OrderedLog, OrderedLogPromises, WarpOptions } from '../../../src/index.ts'
import { freePort } from '../free-port.ts'

export interface CapabilityRow {
  readonly name: string
  readonly capabilities: Capabilities
}

type Options = Omit<WarpOptions<Record<string, never>>, 'keys'>

export async function capabilityRows(): Promise<CapabilityRow[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'warp-capabilities-'))
  const mesh = meshTransport({ port: await freePort(), insecure: true })
  const rows: readonly (readonly [string, Options])[] = [
    ['nothing: all in memory', {}],
    ['`fileLog`', { log: fileLog({ path: folder }) }],
    ['`memoryNetwork`', { transports: [memoryNetwork().transport('a')] }],
    ['`meshTransport`', { transports: [mesh] }],
    ['`memoryOrderedLog`', { order: memoryOrderedLog() }],
    ['`natsOrderedLog`, one server', { order: promising('NATS', natsPromises(1, false)) }],
    ['`natsOrderedLog`, three servers', { order: promising('NATS', natsPromises(3, false)) }],
    ['`natsOrderedLog`, three servers, `syncAlways`', { order: promising('NATS', natsPromises(3, true)) }],
    ['`redisOrderedLog`, `appendfsync everysec`', { order: promising('Redis', redisPromises('everysec', false)) }],
    ['`redisOrderedLog`, `appendfsync always`', { order: promising('Redis', redisPromises('always', false)) }],
    [
      '`redisOrderedLog` behind Sentinels, `acceptFailoverLoss`',
      { order: promising('Redis', redisPromises('always', true)) },
    ],
    ['`kafkaOrderedLog`, three copies', { order: promising('Kafka', kafkaPromises(3, false)) }],
    ['`kafkaOrderedLog`, three copies, `flush.messages=1`', { order: promising('Kafka', kafkaPromises(3, true)) }],
    [
      "`kafkaOrderedLog`, one broker, `acceptUnfit: ['replicas']`",
      { order: promising('Kafka', kafkaPromises(1, false)) },
    ],
  ]
  try {
    const found: CapabilityRow[] = []
    for (const [name, options] of rows) {
      await using warp = await openWarp({ keys: { '*': register() }, ...options })
      found.push({ name, capabilities: warp.capabilities() })
    }
    return found
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function natsPromises(copies: number, syncAlways: boolean): OrderedLogPromises {
  return promisesOf({ copies, accepted: [], isInMemory: false }, syncAlways)
}

function kafkaPromises(copies: number, isFlushed: boolean): OrderedLogPromises {
  return kafkaPromisesOf({ copies, isFlushed, accepted: copies < 3 ? ['replicas'] : [] })
}

function redisPromises(appendfsync: string, isWatched: boolean): OrderedLogPromises {
  const info = new Map([
    ...([
      ['redis_version', '7.2.0'],
      ['cluster_enabled', '0'],
      ['role', 'master'],
    ] as const),
    ...([
      ['aof_enabled', '1'],
      ['maxmemory_policy', 'noeviction'],
    ] as const),
  ])
  return redisPromisesOf('redis', { info, isWatched, appendfsync }, isWatched)
}

/** A log that promises what one of a broker would: for this table no server is needed. */
function promising(name: string, promises: OrderedLogPromises): OrderedLog {
  const log = memoryOrderedLog()
  return {
    kind: 'ordered',
    name,
    open: async (receiver) => {
      const link = await log.open(receiver)
      return new Proxy(link, {
        get: (target, property) => {
          if (property === 'promises') return promises
          const value: unknown = Reflect.get(target, property, target)
          return typeof value === 'function' ? (value.bind(target) as unknown) : value
        },
      })
    },
  }
}
