/**
 * What the users of a simulated cluster do: each call of a workload draws one intent. The default
 * one goes over all strategies, few keys of each, so that replicas meet on them. Elements that it
 * adds are unique, so that each can be found again, or missed.
 */
import type { Ack } from '../../src/store/write-road/receipt.ts'
import type { Random } from '../world/random.ts'
import type { Intent } from './report/run-history.ts'

export interface WorkloadMoment {
  readonly random: Random
  readonly nowMs: number
  /** The wall clock of the machine at which the intent will be carried out. */
  readonly wallMs: number
  /** A number that no call before has got. */
  unique(): number
}

export type Workload = (moment: WorkloadMoment) => Intent

export type Draw = (moment: WorkloadMoment) => Intent

const KEYS_EACH = 2

/** One of the few keys of a keyspace. */
export function keyOf(space: string, { random }: WorkloadMoment): string {
  return `${space}:${random.below(KEYS_EACH)}`
}

export function ack({ random }: WorkloadMoment): { readonly ack?: Ack } {
  return random.pick<{ readonly ack?: Ack }>([{}, {}, { ack: 'memory' }, { ack: 'durable' }])
}

export function write(space: string, verb: string, draw: (moment: WorkloadMoment) => readonly unknown[]): Draw {
  return (moment) => ({
    ...{ kind: 'write', key: keyOf(space, moment), verb, parameters: draw(moment) },
    ...ack(moment),
  })
}

export function removal(space: string): Draw {
  return (moment) => ({ kind: 'delete', key: keyOf(space, moment), ...ack(moment) })
}

const unique = (moment: WorkloadMoment): readonly unknown[] => [moment.unique()]
const small = ({ random }: WorkloadMoment): readonly unknown[] => [random.between(1, 9)]
const early = ({ random }: WorkloadMoment): readonly unknown[] => [random.below(3)]

const SPACES = [
  ...['doc', 'audit', 'brief', 'sliding', 'count', 'tally', 'stock', 'cart', 'seen', 'kept', 'record', 'votes'],
  ...['list', 'queue', 'text', 'many', 'peak', 'notes', 'fussy', 'own'],
]

/** Among these amounts go round. */
const PURSES = ['purse:0', 'purse:1', 'purse:2', 'purse:3']

function transferred({ random }: WorkloadMoment): Intent {
  const [from, ...others] = random.shuffled(PURSES) as [string, ...string[]]
  return { kind: 'transfer', from, to: others.slice(0, random.between(1, 3)), amount: random.between(1, 9) }
}

const AGO_MS_MAX = 20_000

const DRAWS: readonly (readonly [weight: number, draw: Draw])[] = [
  [3, write('doc', 'set', unique)],
  [1, removal('doc')],
  [2, write('audit', 'set', unique)],
  [3, write('brief', 'set', unique)],
  [1, write('sliding', 'increment', small)],
  [3, write('count', 'increment', small)],
  [2, write('count', 'decrement', small)],
  [3, write('tally', 'increment', small)],
  [2, write('stock', 'increment', small)],
  [2, write('stock', 'decrement', small)],
  [3, write('cart', 'add', (moment) => [moment.random.below(12)])],
  [2, write('cart', 'remove', (moment) => [moment.random.below(12)])],
  [1, removal('cart')],
  [6, write('seen', 'add', unique)],
  [5, write('kept', 'add', unique)],
  [2, write('record', 'update', (moment) => ['price', 'set', moment.unique()])],
  [2, write('record', 'update', (moment) => ['tags', 'add', moment.random.below(9)])],
  [1, write('record', 'update', ({ random }) => ['tags', 'remove', random.below(9)])],
  [2, write('record', 'update', ({ random }) => ['views', 'increment', random.between(1, 5)])],
  [1, write('record', 'remove', ({ random }) => [random.pick(['price', 'tags', 'views'])])],
  [1, removal('record')],
  [2, write('votes', 'update', ({ random }) => [random.pick(['a', 'b']), 'increment', 1])],
  [3, write('list', 'push', unique)],
  [2, write('list', 'insert', (moment) => [0, moment.unique()])],
  [1, write('list', 'remove', early)],
  [3, write('queue', 'push', unique)],
  [3, write('text', 'push', ({ random }) => [random.pick(['ab', 'é', '😀', 'xyz '])])],
  [1, write('text', 'remove', early)],
  [1, removal('text')],
  [2, write('many', 'set', unique)],
  [1, removal('many')],
  [2, write('peak', 'set', ({ random }) => [random.below(1000)])],
  [1, removal('peak')],
  [3, write('notes', 'set', (moment) => [[moment.unique()]])],
  [3, write('fussy', 'set', ({ random }) => [random.below(100)])],
  [1, removal('fussy')],
  [2, write('own', 'increment', small)],
  [4, transferred],
  [2, ({ random }) => ({ kind: 'sum', keys: PURSES, how: random.pick(['keys', 'transaction'] as const) })],
  [10, (moment) => ({ kind: 'read', key: keyOf(moment.random.pick(SPACES), moment) })],
  [
    3,
    (moment) => {
      const timeMs = moment.wallMs - moment.random.below(AGO_MS_MAX)
      return { kind: 'getAt', key: keyOf(moment.random.pick(SPACES), moment), at: { timeMs } }
    },
  ],
  [1, (moment) => ({ kind: 'log', key: keyOf(moment.random.pick(SPACES), moment) })],
]

/** Draws one of these for each call, the more often the greater its weight. */
export function weighted(draws: readonly (readonly [weight: number, draw: Draw])[]): Workload {
  const total = draws.reduce((sum, [weight]) => sum + weight, 0)
  return (moment) => {
    let ticket = moment.random.below(total)
    for (const [weight, draw] of draws) {
      ticket -= weight
      if (ticket < 0) return draw(moment)
    }
    throw new RangeError('the weights do not add up')
  }
}

export const DEFAULT_WORKLOAD: Workload = weighted(DRAWS)
