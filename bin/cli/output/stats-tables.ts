/**
 * `warp.stats()` for people: a table per group, numbers with their units, and lists only where
 * something stands in them.
 */
import type { Stats } from '../../../adapters/node/index.ts'
import { printable } from '../values.ts'
import type { ReplicaNames } from './replica-names.ts'

export interface StatsTable {
  readonly head: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

export function statsTables(stats: Stats, names: ReplicaNames): StatsTable[] {
  const { log, cache, operations, replication, keysCount, isJoined } = stats
  const own = {
    ...(stats.name === undefined ? {} : { name: stats.name }),
    ...{ id: stats.replica, keysCount, isJoined },
  }
  const groups: readonly (readonly [string, object | undefined])[] = [
    ['replica', own],
    ['log', log],
    ['cache', cache],
    ['operations', operations],
    ['sent', replication?.sent],
    ['received', replication?.received],
    ['not taken in', replication?.dropped],
  ]
  return [
    ...groups.flatMap(([title, group]) => (group === undefined ? [] : [{ head: [title, 'now'], rows: rowsOf(group) }])),
    ...listsOf(stats, names).filter(({ rows }) => rows.length > 0),
  ]
}

function listsOf(stats: Stats, names: ReplicaNames): StatsTable[] {
  const { compaction, queues, watches, projections, peers } = stats
  const { waitingCount, standstill } = compaction
  return [
    {
      head: ['compaction', 'now'],
      rows: [
        ['operations that wait', number(waitingCount)],
        ...(standstill === undefined ? [] : [['stands still', standstill]]),
      ],
    },
    {
      head: ['held back by', 'since'],
      rows: compaction.holds.map(({ name, sinceMs }) => [printable(name), moment(sinceMs)]),
    },
    waitsForTable(stats, names),
    regionsTable(stats),
    orderTable(stats),
    {
      head: ['queue', 'count', 'of', 'bytes', 'of'],
      rows: queues.map(({ name, count, countMax, bytes, bytesMax }) => [
        ...[name, number(count), number(countMax), number(bytes), number(bytesMax)],
      ]),
    },
    {
      head: ['watch', 'operations behind', 'bytes behind', 'gap beyond'],
      rows: watches.map(({ keys, behindCount, behindBytes, pendingCountMax }) => [
        ...[printable(keys), number(behindCount), number(behindBytes), number(pendingCountMax)],
      ]),
    },
    {
      head: ['projection', 'state', 'operations behind', 'bytes behind'],
      rows: projections.map(({ name, state, behindCount, behindBytes }) => [
        ...[printable(name), state, number(behindCount), number(behindBytes)],
      ]),
    },
    {
      head: ['peer', 'transport', 'state'],
      rows: peers.map(({ address, transport, up }) => [printable(address), printable(transport), up ? 'up' : 'down']),
    },
  ]
}

/** How far each region is behind. */
export function regionsTable({ regions }: Pick<Stats, 'regions'>): StatsTable {
  return {
    head: ['region', 'lag', 'silent', 'replicas up', 'relays up'],
    rows: regions.map(({ region, lagCount, silentMs, upCount, relaysCount }) => [
      ...[printable(region), number(lagCount), `${number(silentMs)} ms`, number(upCount), number(relaysCount)],
    ]),
  }
}

/** How far this replica is behind the ordered log. */
function orderTable({ order }: Pick<Stats, 'order'>): StatsTable {
  return {
    head: ['ordered log', 'partition', 'offset', 'lag', 'writes that wait', 'away'],
    rows: (order?.partitions ?? []).map(({ partition, offset, lagCount, waitingCount }) => [
      ...[printable(order?.name ?? ''), number(partition), number(offset), number(lagCount), number(waitingCount)],
      `${number(order?.awayMs)} ms`,
    ]),
  }
}

/** Which replicas have to say something before compaction can go on. */
export function waitsForTable({ compaction }: Pick<Stats, 'compaction'>, names: ReplicaNames): StatsTable {
  return {
    head: ['waits for', 'lacks its', 'operations', 'since'],
    rows: compaction.replicas.map(({ replica, name, lacks, missingCount, sinceMs }) => {
      const who = names.knows(replica) || name === undefined ? names.replica(replica) : printable(name)
      return [who, lacks, number(missingCount), moment(sinceMs)]
    }),
  }
}

/** `flushesCount: 3` is a row `flushes 3`. */
function rowsOf(group: object): string[][] {
  return Object.entries(group).map(([name, value]: [string, unknown]) => [wordsOf(name), shown(name, value)])
}

/** `discardedBytes` is `discarded bytes`, `keysCount` is `keys`. */
function wordsOf(name: string): string {
  return name
    .replace(/Count$/, '')
    .replace(/^is/, '')
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .trim()
}

function shown(name: string, value: unknown): string {
  if (name === 'hitRatioMin') return (value as number).toFixed(3)
  if (typeof value === 'number') return number(value)
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : printable(String(value))
}

/** `1_234_567`, as in a program: commas would be read as decimal points by half of all people. */
function number(value: number | undefined): string {
  return value === undefined ? '-' : String(value).replaceAll(/\B(?=(\d{3})+$)/g, '_')
}

function moment(ms: number): string {
  return new Date(ms).toISOString()
}
