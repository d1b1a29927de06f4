/** Whether a server can keep what an ordered log promises, by what it says of itself. */
import type { Redis } from 'ioredis'
import { WarpError } from '../../../src/index.ts'
import type { OrderedLogPromises } from '../../../src/ports/ordered-log.ts'

export interface ServerFacts {
  /** By the names of INFO. */
  readonly info: ReadonlyMap<string, string>
  /** Sentinels watch it: another server may take its place. */
  readonly isWatched: boolean
  /** `undefined` where the server does not say. */
  readonly appendfsync: string | undefined
}

export async function factsOf(redis: Redis, isBySentinel: boolean): Promise<ServerFacts> {
  const [text, subscribers, config] = await Promise.all([
    redis.info(),
    redis.pubsub('NUMSUB', '__sentinel__:hello').catch(() => []),
    redis.config('GET', 'appendfsync').catch(() => []),
  ])
  const lines = text.split('\r\n').map((line) => line.split(/:(.*)/s))
  const info = new Map(lines.map(([name = '', value = '']) => [name, value]))
  const isWatched = isBySentinel || Number((subscribers as unknown[])[1] ?? 0) > 0
  return { info, isWatched, appendfsync: (config as string[])[1] }
}

/** What the log promises there. Throws `WARP_E_BROKER_UNFIT` with the reason and the remedy. */
export function promisesOf(name: string, facts: ServerFacts, acceptFailoverLoss: boolean): OrderedLogPromises {
  const reason = reasonAgainst(facts)
  if (reason !== undefined) throw unfit(name, reason)
  if (facts.isWatched && !acceptFailoverLoss)
    throw unfit(
      name,
      'Sentinels watch the server, and one that takes its place may lack what was acknowledged; use a server without Sentinels, or accept that by acceptFailoverLoss: true',
    )
  return {
    acknowledgedBy: 'broker',
    survives: facts.appendfsync === 'always' ? 'power loss' : 'kill',
    copies: 1,
    accepted: facts.isWatched ? ['failover'] : [],
  }
}

function reasonAgainst({ info }: ServerFacts): string | undefined {
  const said = (field: string): string => info.get(field) ?? 'unknown'
  const [major = 0, minor = 0] = said('redis_version').split('.').map(Number)
  if (major < 6 || (major === 6 && minor < 2)) return `it is version ${said('redis_version')}; take 6.2 or a later one`
  if (said('cluster_enabled') !== '0')
    return 'it is a node of a cluster, whose failover loses what was acknowledged; use a server of its own'
  if (said('role') !== 'master') return `its role is ${said('role')}; give the address of the primary`
  if (said('aof_enabled') !== '1') return 'it has no append-only file, so a restart loses records; set appendonly yes'
  if (said('maxmemory_policy') !== 'noeviction')
    return `its maxmemory-policy is ${said('maxmemory_policy')}, which may remove records; set noeviction`
  return undefined
}

function unfit(name: string, reason: string): WarpError {
  return new WarpError('WARP_E_BROKER_UNFIT', `${name}: the server cannot keep the log: ${reason}`, {
    details: { reason },
  })
}
