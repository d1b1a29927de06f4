/** What the arbitraries promise of all that they draw. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { counter } from '../../crdt/counter.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { set } from '../../crdt/set.ts'
import '../../property-tests/seed.ts'
import { checkKey } from '../../src/keys/key-refusals.ts'
import { compilePattern } from '../../src/keys/pattern.ts'
import {
  causalHistories,
  deliveryOrders,
  encodables,
  faultPlans,
  keyPatterns,
  keys,
  operationsOf,
} from '../../testing/arbitraries.ts'
import { isSameBytes } from '../../testing/laws/digest.ts'
import { FAULT_KINDS } from '../../testing/simulation/faults/fault-plan.ts'
import { hasObserved, type LawOperation } from '../../testing/laws/law-operation.ts'

const tags = set<string>()
const tag = fc.constantFrom('x', 'y')
const changes = operationsOf(tags, { add: [tag, tag], remove: [tag] })

describe('what is drawn is valid', () => {
  test('every key is a key, every pattern a pattern, and they often meet', () => {
    let met = 0
    fc.assert(
      fc.property(keys(), keyPatterns(), (key, pattern) => {
        checkKey(key)
        if (compilePattern(pattern).matches(key)) met++
      }),
    )
    expect(met).toBeGreaterThan(0)
  })

  test('every encodable can be encoded', () => {
    fc.assert(
      fc.property(encodables(), (value) => {
        expect(isSameBytes(encode(decode(encode(value))), encode(value))).toBe(true)
      }),
    )
  })

  test('operations are calls of the verbs that are named, and of no other one', () => {
    const drawn = fc.sample(changes, 100)
    expect(new Set(drawn.map(({ verb, parameters }) => `${verb} ${parameters.length}`))).toEqual(
      new Set(['add 2', 'remove 1']),
    )
  })
})

describe('a plan of faults', () => {
  test('is some of the kinds that are allowed, and shrinks to the one that matters', () => {
    fc.assert(fc.property(faultPlans(), ({ faults }) => faults.every((kind) => FAULT_KINDS.includes(kind))))
    const found = fc.check(fc.property(faultPlans(), ({ faults }) => !faults.includes('clone')))
    expect(found.counterexample?.[0].faults).toEqual(['clone'])
  })
})

describe('a causal history', () => {
  const histories = causalHistories(tags, changes, { replicas: 3 })

  test('has no operation whose writer had seen a later one, and has concurrent, tied and deleting ones', () => {
    const counts = { concurrent: 0, tied: 0, deletes: 0 }
    fc.assert(
      fc.property(histories, ({ operations }) => {
        operations.forEach((one, i) => {
          if (one.isDelete) counts.deletes++
          for (const other of operations.slice(i + 1)) {
            expect(hasObserved(one, other)).toBe(false)
            if (!hasObserved(other, one)) counts.concurrent++
            if (other.hlc === one.hlc) counts.tied++
          }
        })
      }),
    )
    expect(Math.min(counts.concurrent, counts.tied, counts.deletes)).toBeGreaterThan(5)
  })

  test('of a strategy that refuses deletes has none', () => {
    const noDeletes = causalHistories(counter(), operationsOf(counter(), { increment: [fc.nat(3)] }), {
      deletes: false,
    })
    fc.assert(fc.property(noDeletes, ({ operations }) => !operations.some(({ isDelete }) => isDelete)))
  })

  test('is delivered in orders that hold each operation, causes first, and other orders than its own', () => {
    let others = 0
    let repetitions = 0
    const delivered = histories.chain((history) => fc.tuple(fc.constant(history), deliveryOrders(history.operations)))
    fc.assert(
      fc.property(delivered, ([{ operations }, order]) => {
        const firsts = [...new Set<LawOperation>(order)]
        expect(new Set(firsts)).toEqual(new Set(operations))
        firsts.forEach((one, i) => expect(firsts.slice(i + 1).some((later) => hasObserved(one, later))).toBe(false))
        if (firsts.some((one, i) => one !== operations[i])) others++
        if (order.length > operations.length) repetitions++
      }),
    )
    expect(Math.min(others, repetitions)).toBeGreaterThan(5)
  })
})
