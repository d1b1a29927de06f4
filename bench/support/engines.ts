/**
 * The engines that replicas may meet over, by name: the mesh needs nothing, each other one needs a server
 * (`scripts/servers`). For benches that ask the same of all.
 */
import { execFileSync } from 'node:child_process'
import { kafkaOrderedLog, kafkaTransport } from '../../adapters/kafka/index.ts'
import { natsOrderedLog, natsTransport } from '../../adapters/nats/index.ts'
import { redisOrderedLog, redisTransport } from '../../adapters/redis/index.ts'
import type { OrderedLog } from '../../src/ports/ordered-log.ts'
import type { Transport } from '../../src/ports/transport.ts'

export const ENGINES = {
  nats: {
    server: 'nats',
    variable: 'WARP_NATS_URL',
    transport: (url: string, name: string): Transport => natsTransport({ servers: url, subject: name }),
    order: (url: string, name: string): OrderedLog => natsOrderedLog({ servers: url, stream: name }),
  },
  redis: {
    server: 'valkey',
    variable: 'WARP_VALKEY_URL',
    transport: (url: string, name: string): Transport => redisTransport({ url, prefix: name }),
    order: (url: string, name: string): OrderedLog => redisOrderedLog({ url, prefix: name }),
  },
  kafka: {
    server: 'kafka',
    variable: 'WARP_KAFKA_URL',
    transport: (url: string, name: string): Transport => kafkaTransport({ brokers: url, topic: name }),
    order: (url: string, name: string): OrderedLog => kafkaOrderedLog({ brokers: url, topic: name }),
  },
} as const

export type EngineName = keyof typeof ENGINES

/** Where a server of that kind listens that has been started for everybody; `undefined` if there is none. */
export function serverOf(engine: EngineName): string | undefined {
  const { server, variable } = ENGINES[engine]
  const given = process.env[variable]
  if (given !== undefined) return given
  const said = execFileSync(process.execPath, ['tools/servers.mjs', 'status', '--json'], { encoding: 'utf8' })
  return (JSON.parse(said) as Partial<Record<string, { readonly url: string }>>)[server]?.url
}

/** A name that nothing else on that server has. */
export function freshName(): string {
  return `bench-${process.pid}-${Math.trunc(performance.now() * 1000)}`
}
