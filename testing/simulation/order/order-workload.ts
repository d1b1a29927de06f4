/**
 * What the users of a world with an ordered log do. Values are unique, so that each read says which
 * write it has seen.
 */
import { keyOf, removal, weighted, type Draw, type Workload, type WorkloadMoment, write } from '../workload.ts'
import { READS, type LockStep, type OrderIntent } from './order-intent.ts'
import {
  ACCOUNTS,
  ALONE,
  FENCED,
  JUDGED,
  LEADER,
  LISTS,
  POOL,
  POOL_PERMITS,
  SESSION_SPACES,
  SESSION_USERS,
  SHARED,
} from './order-keys.ts'

/** Transfers that their users give up. */
const GIVEN_UP = 0.3
const TTL_MS = [200, 3000] as const
const WAIT_MS = [1, 8000] as const
const STEP_MS = 1500
const STEPS_MAX = 4

const unique = (moment: WorkloadMoment): readonly unknown[] => [moment.unique()]

function judged(make: (key: string, moment: WorkloadMoment) => OrderIntent, spaces = JUDGED): Draw {
  return (moment) => make(keyOf(moment.random.pick(spaces), moment), moment)
}

function ttlOf({ random }: WorkloadMoment): number {
  return random.between(...TTL_MS)
}

function stepsOf(name: string, moment: WorkloadMoment): LockStep[] {
  const { random } = moment
  return Array.from({ length: random.below(STEPS_MAX) }, () => {
    const writes = FENCED.includes(name) ? [{ write: moment.unique() }, { write: moment.unique() }] : []
    return { pauseMs: random.below(STEP_MS), then: random.pick<LockStep['then']>(['renew', 'nothing', ...writes]) }
  })
}

const move: Draw = (moment) => {
  const { random } = moment
  const [from = '', ...to] = random.shuffled(ACCOUNTS).slice(0, random.between(2, 5))
  return {
    ...{ kind: 'move', number: moment.unique(), from, to, amount: random.between(1, 9) },
    ...{ isGivenUp: random.chance(GIVEN_UP), pauseMs: random.chance(0.4) ? random.between(1, 150) : 0 },
  }
}

const lists: Draw = (moment) => {
  const { random } = moment
  const steps = Array.from({ length: random.between(1, 4) }, () => {
    const key = random.pick(LISTS)
    return random.chance(0.5) ? (['r', key, null] as const) : (['append', key, moment.unique()] as const)
  })
  return { kind: 'lists', steps, pauseMs: random.chance(0.5) ? random.between(1, 150) : 0 }
}

const lock: Draw = (moment) => {
  const { random } = moment
  const name = random.pick([...ALONE, ...ALONE, SHARED, POOL])
  const permits = name === SHARED ? random.pick([READS, READS, 1]) : name === POOL ? POOL_PERMITS : 1
  return {
    ...{ kind: 'lock', name, ttlMs: ttlOf(moment), permits, waitMs: random.pick([0, random.between(...WAIT_MS)]) },
    ...{ steps: stepsOf(name, moment), isForgotten: random.chance(0.25) },
  }
}

const withLock: Draw = (moment) => {
  const { random } = moment
  const name = random.pick(ALONE)
  const ttlMs = ttlOf(moment)
  const maxMs = ttlMs + random.below(4000)
  return { kind: 'with lock', name, ttlMs, waitMs: random.between(...WAIT_MS), maxMs, steps: stepsOf(name, moment) }
}

const elect: Draw = (moment) => ({
  ...{ kind: 'elect', name: LEADER, ttlMs: ttlOf(moment), forMs: moment.random.between(500, 8000) },
  steps: stepsOf(LEADER, moment),
})

const inSession: Draw = (moment) => {
  const { random } = moment
  const key = keyOf(random.pick(SESSION_SPACES), moment)
  const value = random.chance(0.4) ? { value: moment.unique() } : {}
  return { kind: 'session', user: random.below(SESSION_USERS), key, ...value }
}

const REGISTERS = ['doc']

type Weighted = readonly (readonly [weight: number, draw: Draw])[]

const SINGLE_KEYS: Weighted = [
  [5, write('doc', 'set', unique)],
  [1, removal('doc')],
  [3, write('sum', 'increment', ({ random }) => [random.pick([1, 2, 3])])],
  [2, write('tags', 'add', ({ random }) => [random.below(6)])],
  [2, write('tags', 'remove', ({ random }) => [random.below(6)])],
  [8, (moment) => ({ kind: 'read', key: keyOf(moment.random.pick(JUDGED), moment) })],
  [5, judged((key) => ({ kind: 'versioned', key }))],
  [4, judged((key) => ({ kind: 'stale', key }))],
  [
    8,
    judged((key, moment) => {
      const by = moment.random.pick(['version', 'version', 'value', 'absent'] as const)
      return { kind: 'cas', key, by, next: moment.unique() }
    }, REGISTERS),
  ],
  [3, judged((key, moment) => ({ kind: 'update', key, add: moment.random.between(1000, 9000) }), REGISTERS)],
]
const MONEY: Weighted = [
  [10, move],
  [4, ({ random }) => ({ kind: 'balances', how: random.pick(['linearizable', 'stale', 'transaction'] as const) })],
]
const READS_AND_APPENDS: Weighted = [[7, lists]]
const LOCKS: Weighted = [
  [5, lock],
  [2, withLock],
  [1, elect],
]
const OTHERS: Weighted = [
  [16, inSession],
  [4, ({ random }) => ({ kind: 'resolve', back: random.below(4) })],
  [3, write('seen', 'add', unique)],
  [2, write('count', 'increment', ({ random }) => [random.between(1, 9)])],
  [2, (moment) => ({ kind: 'read', key: keyOf(moment.random.pick(['seen', 'count']), moment) })],
]

const ALL: Workload = weighted([...SINGLE_KEYS, ...MONEY, ...READS_AND_APPENDS, ...LOCKS, ...OTHERS])
/** One of them is what most users are about for a while, so that they meet. */
const THEMES: readonly Workload[] = [SINGLE_KEYS, MONEY, READS_AND_APPENDS, LOCKS].map(weighted)
const THEME_MS = 1000
const ON_THEME = 0.6

export const ORDER_WORKLOAD: Workload = (moment) => {
  const { random, nowMs } = moment
  const theme = THEMES[Math.floor(nowMs / THEME_MS) % THEMES.length]
  return random.chance(ON_THEME) && theme !== undefined ? theme(moment) : ALL(moment)
}
