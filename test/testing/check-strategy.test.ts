/** `checkStrategy` finds what is wrong with each strategy in `test/fixtures/wrong-strategies/`, and says it so that a person understands. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { operationsOf } from '../../testing/arbitraries.ts'
import { checkStrategy, examineStrategy } from '../../testing/check-strategy.ts'
import type { Counterexample } from '../../testing/laws/counterexample.ts'
import type { LawName } from '../../testing/laws/laws.ts'
import { appendingAsItComes } from '../fixtures/wrong-strategies/appending-as-it-comes.ts'
import { choosyApply } from '../fixtures/wrong-strategies/choosy-apply.ts'
import { doubleCounting } from '../fixtures/wrong-strategies/double-counting.ts'
import { eagerVerb } from '../fixtures/wrong-strategies/eager-verb.ts'
import { forgetfulSnapshot } from '../fixtures/wrong-strategies/forgetful-snapshot.ts'
import { halfRefused } from '../fixtures/wrong-strategies/half-refused.ts'
import { jsonSnapshot } from '../fixtures/wrong-strategies/json-snapshot.ts'
import { lastByArrival } from '../fixtures/wrong-strategies/last-by-arrival.ts'
import { liveValue } from '../fixtures/wrong-strategies/live-value.ts'
import { mapOrder } from '../fixtures/wrong-strategies/map-order.ts'
import { maxOfSums } from '../fixtures/wrong-strategies/max-of-sums.ts'
import { moodyMerge } from '../fixtures/wrong-strategies/moody-merge.ts'
import { mutatingMerge } from '../fixtures/wrong-strategies/mutating-merge.ts'
import { resurrectingRemove } from '../fixtures/wrong-strategies/resurrecting-remove.ts'
import { shallowSnapshot } from '../fixtures/wrong-strategies/shallow-snapshot.ts'
import { sharedStart } from '../fixtures/wrong-strategies/shared-start.ts'
import { spoiledState } from '../fixtures/wrong-strategies/spoiled-state.ts'
import { tieByFirst } from '../fixtures/wrong-strategies/tie-by-first.ts'
import { unseenAdds } from '../fixtures/wrong-strategies/unseen-adds.ts'
import type { WrongStrategy } from '../fixtures/wrong-strategies/wrong-strategy.ts'

const RUNS = 2000

/** More than one: what one seed finds at once, another one finds late, and from another side. */
const SEEDS = [1, 2, 3, 4, 5]

function faultOf({ strategy, options }: WrongStrategy, seed: number): Counterexample {
  const { counterexample } = examineStrategy(strategy, { ...options, runs: RUNS, seed })
  if (counterexample === undefined) throw new Error(`nothing found with seed ${seed}`)
  return counterexample
}

/** `set, set`: what was written, with a comma between concurrent operations and an arrow behind what was seen. */
function shapeOf({ operations }: Counterexample): string {
  return operations
    .map(({ verb, seen }, i) => `${i === 0 ? '' : seen.length > 0 ? ' > ' : ', '}${String(verb)}`)
    .join('')
}

type Row = readonly [fault: string, wrong: WrongStrategy, law: LawName, shape: string, outcomes: RegExp]

const FAULTS: readonly Row[] = [
  [
    'the last to arrive wins',
    lastByArrival,
    'order',
    'set, set',
    /order (.)1, (.)1:\n {2}"(.)"\n.*order \2.*\1.*\n {2}"(?!\3)/,
  ],
  [
    'a tie goes to who is here first',
    tieByFirst,
    'order',
    'set, set',
    /order (.)1, (.)1:\n {2}"(.)"\n.*order \2.*\1.*\n {2}"(?!\3)/,
  ],
  ['an order-dependent fold is said to commute', appendingAsItComes, 'order', 'set, set', /"(.)(.)"\n.*\n {2}"\2\1"/],
  [
    'a snapshot lists a Map in order of arrival',
    mapOrder,
    'order',
    'set, set',
    /in a snapshot \["(.)", "(.)"\]\n.*\n.*in a snapshot \["\2", "\1"\]/,
  ],
  [
    'the greatest of sums loses increments',
    maxOfSums,
    'expected',
    'increment, increment',
    /folds them to:\n {2}1\n`expected` says:\n {2}2/,
  ],
  [
    'a remove takes adds that it had not seen',
    unseenAdds,
    'observed-remove',
    '',
    /no remove had seen .*:\n {2}and yet "(.)" is not in \[\]/,
  ],
  [
    'a merge function remembers',
    moodyMerge,
    'determinism',
    'set > set',
    /a2 applied to the same state, the second time:/,
  ],
  [
    'a merge function pushes into its argument',
    mutatingMerge,
    'purity',
    '',
    /at set\("x"\), given frozen values:\n.*object is not extensible/,
  ],
  [
    'apply changes a state that the engine goes back to',
    spoiledState,
    'purity',
    'set',
    /a state:\n {2}\[\]\nthe same state after .*:\n {2}\["x"\]/,
  ],
  [
    'a snapshot forgets an operation',
    forgetfulSnapshot,
    'encoding',
    'set',
    /the state:\n {2}\["x"\]\nencoded and decoded:\n {2}\[\]/,
  ],
  [
    'a snapshot loses NaN',
    jsonSnapshot,
    'encoding',
    'set',
    /the state:\n {2}\[NaN\]\nencoded and decoded:\n {2}\[null\]/,
  ],
  [
    'a removed element is back after a restart',
    resurrectingRemove,
    'encoding',
    'add > remove',
    /the state:\n {2}\[\]\nencoded and decoded:\n {2}\["/,
  ],
  [
    'a snapshot leaves out what the next operation needs',
    shallowSnapshot,
    'snapshot',
    'set > set',
    /all operations:\n {2}"(.)"\na snapshot of .*, then .*:\n {2}"(?!\1)/,
  ],
  [
    'readers are given the state',
    liveValue,
    'aliasing',
    'set',
    /a value that was read before:\n {2}\[\]\n.*\n {2}\["x"\]/,
  ],
  [
    'apply refuses what a verb wrote',
    choosyApply,
    'total',
    '',
    /the strategy threw while replicas wrote:\n {2}RangeError: too much at once/,
  ],
  [
    'a verb has begun when it refuses',
    halfRefused,
    'refusal',
    '',
    /after take\(6\) was refused with WARP_E_BOUND:\n {2}-1\nits log, folded again:\n {2}5/,
  ],
  [
    'apply counts a repetition, and claims otherwise',
    doubleCounting,
    'idempotence',
    'increment',
    /a1 applied once:\n {2}1\na1 applied twice:\n {2}2/,
  ],
  [
    'a verb changes the state itself',
    eagerVerb,
    'replay',
    'increment',
    /live: a1:\n {2}2\nfolded again from its log:\n {2}1/,
  ],
  ['all keys share one initial state', sharedStart, 'empty', '', /do calls of initial\(\) share it\?/],
]

describe('within 2,000 histories the fault is found, and nothing can be left out of the counterexample', () => {
  test.each(FAULTS)('%s', (...row) => {
    const [, wrong, law, shape, outcomes] = row
    for (const seed of SEEDS) {
      const found = faultOf(wrong, seed)
      expect(found.law, found.text).toBe(law)
      expect(found.text).toMatch(outcomes)
      if (wrong === unseenAdds) expect(['add > remove > add', 'add, add > remove']).toContain(shapeOf(found))
      else expect(shapeOf(found)).toBe(shape)
    }
  })
})

describe('a counterexample', () => {
  test('says who wrote what, having seen what, and how to see it again', () => {
    expect(faultOf(lastByArrival, 1).text).toMatchInlineSnapshot(`
      "the strategy 'last-by-arrival' breaks the law of order: operations give the same state in whatever causal order they come, and however often

        a1  set("x")  by a, stamped 1,  having seen nothing
        b1  set("z")  by b, stamped 1,  having seen nothing

      delivered in the order b1, a1:
        "x"
      delivered in the order a1, b1:
        "z"

      history 1; to repeat it: checkStrategy(strategy, { ..., seed: 1, path: "0:1:0:0:3:3:3:3:3:3:3:3" })
      "
    `)
  })

  test('is an error with a code, and the same again from its seed and path', () => {
    const { strategy, options } = lastByArrival
    const { seed, path, text } = faultOf(lastByArrival, 4)
    const again = (): unknown => checkStrategy(strategy, { ...options, seed, path })
    expect(again).toThrow(WarpError)
    expect(again).toThrow(
      expect.objectContaining({
        code: 'WARP_E_LAW',
        details: expect.objectContaining({ law: 'order', seed, operations: 2 }),
      }),
    )
    expect(again).toThrow(text.split('\nhistory')[0] ?? '')
  })
})

describe('a strategy that keeps the laws', () => {
  test('is reported with what it was asked', () => {
    const report = checkStrategy(counter(), {
      operations: operationsOf(counter(), { increment: [fc.nat(5)], decrement: [fc.nat(5)] }),
      expected: (live) => live.reduce((sum, { payload }) => sum + (payload as number), 0),
      runs: 200,
      seed: 1,
    })
    expect(report).toMatchObject({ kind: 'counter', runs: 200, seed: 1, counterexample: undefined })
    expect(report.operationsCount).toBeGreaterThan(200)
    expect(report.laws).toEqual(expect.arrayContaining(['total', 'purity', 'compaction', 'expected']))
    for (const unclaimed of ['invariant', 'idempotence', 'merge', 'observed-remove'])
      expect(report.laws).not.toContain(unclaimed)
  })

  test('may have merge functions that refuse, and how often they did is told', () => {
    const upwards = custom<number>((old, next) => {
      if (next < old) throw new RangeError('downwards')
      return next
    })
    const report = checkStrategy(upwards, {
      operations: operationsOf(upwards, { set: [fc.nat(9)] }),
      runs: 200,
      seed: 1,
    })
    expect(report.refusedCount).toBeGreaterThan(50)
  })

  test('breaks a law that somebody adds as an invariant', () => {
    const wrong: WrongStrategy = {
      strategy: counter(),
      options: {
        operations: operationsOf(counter(), { decrement: [fc.nat(5)] }),
        invariant: (replica) => {
          if ((replica.value as number) < 0) throw new Error('sold more than there was')
        },
      },
    }
    expect(faultOf(wrong, 1)).toMatchObject({
      law: 'invariant',
      text: expect.stringContaining('sold more than there was'),
    })
  })

  test('a claimed merge of states is held to what the operations give', () => {
    const { operations } = maxOfSums.options
    const sums = { strategy: maxOfSums.strategy, options: { operations, merge: (a: number, b: number) => a + b } }
    expect(faultOf(sums as WrongStrategy, 1)).toMatchObject({
      law: 'merge',
      text: expect.stringContaining('merge(a, a)'),
    })
  })
})

describe('refused, since nothing would be examined', () => {
  const operations = operationsOf(counter(), { increment: [fc.nat(5)] })

  test.each([{ runs: 0 }, { replicas: 1 }, { replicas: 6 }, { stepsMax: 0 }, { path: '0:1' }])('%o', (options) => {
    expect(() => checkStrategy(counter(), { operations, ...options })).toThrow(
      expect.objectContaining({ code: 'WARP_E_CONFIG' }),
    )
  })

  test.each([undefined, {}, [operations]])('operations that are no arbitrary: %o', (drawn) => {
    expect(() => checkStrategy(counter(), { operations: drawn as typeof operations })).toThrow(
      expect.objectContaining({ code: 'WARP_E_CONFIG', message: expect.stringContaining('operationsOf(') }),
    )
  })

  test('a strategy all of whose writes are refused, with the first refusal as the cause', () => {
    const never = custom<number>(() => Number.NaN, { initial: 0 })
    const angry = custom<number>(
      () => {
        throw new RangeError('no')
      },
      { initial: 0 },
    )
    const drawn = operationsOf(never, { set: [fc.nat(5)] })
    expect(() => checkStrategy(angry, { operations: drawn, runs: 20 })).toThrow(
      expect.objectContaining({ code: 'WARP_E_CONFIG', cause: expect.objectContaining({ code: 'WARP_E_MERGE' }) }),
    )
    expect(checkStrategy(never, { operations: drawn, runs: 20 }).refusedCount).toBe(0)
  })
})
