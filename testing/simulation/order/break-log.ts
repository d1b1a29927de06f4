/** What operators and backups do to an ordered log that nobody recovers from by himself. */
import { partitionOf } from '../../../src/strong/strong-keys.ts'
import type { Bookmark } from '../../../src/ports/ordered-log.ts'
import type { Random } from '../../world/random.ts'
import type { SimulatedOrder } from './simulated-order.ts'

export interface Breakage {
  readonly kind: 'rollback' | 'purge' | 'recreation'
  readonly atMs: number
  readonly partition: number
  readonly partitionsCount: number
  /** A strong key of that partition. */
  readonly key: string
  /**
   * The machines that have had what is gone, or need it next, and since when. A snapshot may hold what the
   * log has lost: whoever takes it has lost that as well, from then on.
   */
  readonly losers: ReadonlyMap<string, number>
  /** Those who lack what is gone: a snapshot helps them if there is one, or somebody saves one in time. */
  readonly unsure: ReadonlySet<string>
  /** All that were up. */
  readonly names: readonly string[]
}

export interface BreakOptions {
  readonly order: SimulatedOrder
  readonly random: Random
  readonly names: readonly string[]
  readonly keys: ReadonlySet<string>
  readonly nowMs: number
}

/** So many records go, at most. */
const ROLLED_BACK_MAX = 20

export function breakLog({ order, random, names, keys, nowMs }: BreakOptions): Breakage {
  const { log, partitionsCount } = order
  const key = random.pick([...keys].filter((one) => one.startsWith('doc:') || one.startsWith('account:')))
  const partition = partitionOf(key, partitionsCount)
  const records = log.records(partition)
  const kind = records.length < 2 ? 'recreation' : random.pick(['rollback', 'purge', 'recreation'] as const)
  const of = { kind, atMs: nowMs, partition, partitionsCount, key, names }
  const reached = (name: string): number => order.reached(name, partition)
  const at = (losers: readonly string[]): Map<string, number> => new Map(losers.map((name) => [name, nowMs]))
  switch (kind) {
    case 'rollback': {
      const from = Math.max(0, records.length - 1 - random.between(1, ROLLED_BACK_MAX))
      const offset = records[from]?.offset ?? 0
      const gone = new Set(records.filter((record) => record.offset > offset).map(placeOf))
      const losers = at(names.filter((name) => reached(name) > offset))
      log.rollBack(partition, offset)
      order.onBegin((name, where, after) => {
        if (where === partition && gone.has(placeOf(after)) && !losers.has(name)) losers.set(name, order.nowMs)
      })
      return { ...of, losers, unsure: new Set() }
    }
    case 'purge': {
      const last = records.at(-1)?.offset ?? 0
      log.purge(partition)
      return { ...of, losers: at([]), unsure: new Set(names.filter((name) => reached(name) < last)) }
    }
    case 'recreation':
      log.recreate()
      return { ...of, losers: at(names), unsure: new Set() }
  }
}

function placeOf({ offset, id }: Bookmark): string {
  return `${offset} ${id}`
}
