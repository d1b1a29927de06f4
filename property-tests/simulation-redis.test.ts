/**
 * Redis keys on the real engine, under everything that can go wrong: replicas that crash, are cut off,
 * come back with old logs or as somebody else, compact and take snapshots over. A failing seed can be had
 * again by `simulate` with the keys and the workload of this file.
 */
import { expect, test } from 'vitest'
import { redis } from '../crdt/redis/redis.ts'
import type { AnyStrategy, Verb } from '../crdt/strategy.ts'
import { isWarpError } from '../crdt/warp-error.ts'
import { simulate, type Simulated, type SimulateOptions } from '../testing/index.ts'
import { write, removal, keyOf, type Draw, type Workload } from '../testing/simulation/workload.ts'
import { byExtent } from '../test/support/extent.ts'

const SEEDS = byExtent({ some: 2, all: 4, soak: 1000 })
const SIZE: SimulateOptions = byExtent({ some: { seconds: 20, replicas: 3 }, all: { seconds: 60 }, soak: {} })
const KINDS = ['string', 'hash', 'set', 'zset', 'list', 'any']

/** Users write without looking: what the key's state refuses they leave. */
function tolerant(): AnyStrategy {
  const strategy: AnyStrategy = redis()
  const verbs = Object.entries(strategy.verbs as Record<string, Verb<unknown>>).map(([name, verb]) => {
    const tried: Verb<unknown> = (prepare, ...parameters: unknown[]) => {
      try {
        return verb(prepare, ...parameters)
      } catch (error) {
        if (isWarpError(error)) return undefined
        throw error
      }
    }
    return [name, tried] as const
  })
  return { ...strategy, verbs: Object.fromEntries(verbs) }
}

const keys = Object.fromEntries(
  KINDS.flatMap((kind) => [
    [`${kind}:*`, tolerant()],
    [`${kind}-latest:*`, { strategy: tolerant(), retain: 'latest' as const }],
  ]),
)

const NAMES = ['a', 'b', 'c', '\xff']

/** The acts of a type, of keys that are kept whole and of those of which the latest is kept. */
function acts(kind: string, verb: string, draw: Parameters<typeof write>[2]): Draw[] {
  const timed: typeof draw = (moment) => [moment.wallMs, ...draw(moment)]
  return [kind, `${kind}-latest`, 'any'].map((space) => write(space, verb, timed))
}

const DRAWS: readonly Draw[] = [
  ...acts('string', 'put', ({ random, wallMs }) => [
    random.pick(['0', '10', 'text']),
    random.pick([Infinity, Infinity, wallMs + 3000]),
  ]),
  ...acts('string', 'add', ({ random }) => [random.between(1, 9)]),
  ...acts('string', 'add', ({ random }) => [random.pick(['0.1', '-2', '7'])]),
  ...acts('string', 'patch', () => [[{ kind: 'append', bytes: 'x' }]]),
  ...acts('hash', 'setFields', ({ random }) => [[[random.pick(NAMES), '1']]]),
  ...acts('hash', 'addToField', ({ random }) => [random.pick(NAMES), random.between(1, 5)]),
  ...acts('hash', 'removeFields', ({ random }) => [random.pick(NAMES)]),
  ...acts('hash', 'live', ({ random, wallMs }) => [random.pick([Infinity, wallMs + 2000])]),
  ...acts('set', 'join', (moment) => [[String(moment.unique()), moment.random.pick(NAMES)]]),
  ...acts('set', 'leave', ({ random }) => [random.pick(NAMES)]),
  ...acts('zset', 'setScores', ({ random }) => [[[random.pick(NAMES), random.below(9)]]]),
  ...acts('zset', 'addToScore', ({ random }) => [random.pick(NAMES), random.float()]),
  ...acts('zset', 'removeScores', ({ random }) => [random.pick(NAMES)]),
  ...acts('list', 'push', (moment) => [
    { to: moment.random.pick(['left', 'right']), values: [String(moment.unique())] },
  ]),
  ...acts('list', 'take', ({ random }) => [[random.below(3), 1]]),
  ...acts('list', 'insertBeside', (moment) => [{ index: 0, on: 'right', value: String(moment.unique()) }]),
  ...KINDS.map(removal),
  (moment) => ({ kind: 'read', key: keyOf(moment.random.pick(KINDS), moment) }),
]

const workload: Workload = (moment) => moment.random.pick(DRAWS)(moment)

test.each(Array.from({ length: SEEDS }, (_, i) => i + 1))(
  'seed %i',
  async (seed) => {
    const simulated: Simulated = await simulate({ ...SIZE, keys, workload, seed, minimise: false })
    expect(simulated.violations.map((violation) => JSON.stringify(violation)).join('\n')).toBe('')
    expect(simulated.history.calls.length).toBeGreaterThan(100)
  },
  600_000,
)
