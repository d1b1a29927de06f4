/**
 * What the users of a world that keeps its data elsewhere do, and what others do behind their backs.
 * Numbers that are written are unique, so that each can be found again.
 */
import { ack, type Draw, keyOf, removal, weighted, type Workload, type WorkloadMoment, write } from '../workload.ts'
import type { DataIntent, Saying } from './data-intent.ts'
import { COUNTERS, LEASED, LISTS, LOADED, REGISTERS } from './data-keys.ts'

const LEASES = 3
const LEASE_MS = [1500, 6000] as const

/** What is said of it may not keep copies young whose lease ought to have ended. */
const ANNOUNCED = LOADED.filter((space) => space !== LEASED)
const STORED = [...LISTS, ...COUNTERS, ...REGISTERS]
const SAYINGS: readonly Saying[] = ['key', 'pattern', 'clear']
/** Keyspaces whose copies know their groups. */
const TAGGED: readonly string[] = ['item', 'shared', 'page', 'name']

const unique = (moment: WorkloadMoment): readonly unknown[] => [moment.unique()]
const element = (moment: WorkloadMoment): readonly unknown[] => [[moment.unique()]]
const amount = ({ random }: WorkloadMoment): readonly unknown[] => [random.between(1, 9)]

function read(spaces: readonly string[]): Draw {
  return (moment) => ({ kind: 'read', key: keyOf(moment.random.pick(spaces), moment) })
}

function change(spaces: readonly string[], sayings: readonly Saying[]): Draw {
  return (moment) => {
    const space = moment.random.pick(spaces)
    const added = COUNTERS.includes(space) ? moment.random.between(1, 9) : moment.unique()
    const said = moment.random.pick(TAGGED.includes(space) ? [...sayings, 'tag' as const] : sayings)
    return { kind: 'change', key: keyOf(space, moment), added, said, ...ack(moment) }
  }
}

/** Nobody is told. */
const quietly: Draw = (moment) => ({
  ...{ kind: 'change', key: keyOf(moment.random.pick([...LOADED, LEASED]), moment), added: 0 },
})

function ofLease(make: (moment: WorkloadMoment, lease: number) => DataIntent): Draw {
  return (moment) => ({ ...make(moment, moment.random.below(LEASES)), ...ack(moment) })
}

export const DATA_WORKLOAD: Workload = weighted([
  [5, write('journal', 'set', element)],
  [4, write('ledger', 'set', element)],
  [3, write('hits', 'increment', amount)],
  [3, write('sums', 'increment', amount)],
  [3, write('name', 'set', unique)],
  [1, removal('name')],
  [3, write('title', 'set', unique)],
  [1, removal('title')],
  [12, read(STORED)],
  [16, read(LOADED)],
  [4, (moment) => ({ kind: 'getOrSet', key: keyOf('page', moment) })],
  [1, (moment) => ({ kind: 'forget', key: keyOf(moment.random.pick([...STORED, ...LOADED]), moment) })],
  [6, change(ANNOUNCED, SAYINGS)],
  [3, change(STORED, SAYINGS)],
  [4, quietly],
  [2, ofLease(({ random }, lease) => ({ kind: 'grant', lease, ttlMs: random.between(...LEASE_MS) }))],
  [
    3,
    ofLease((moment, lease) => {
      const target = moment.random.chance(0.3) ? `${LEASED}:*` : keyOf(LEASED, moment)
      return { kind: 'attach', lease, target }
    }),
  ],
  [4, ofLease((_, lease) => ({ kind: 'renew', lease }))],
  [1, ofLease((moment, lease) => ({ kind: 'revoke', lease, keys: [keyOf(LEASED, moment)] }))],
])
