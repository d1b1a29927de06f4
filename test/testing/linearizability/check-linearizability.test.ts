import { describe, expect, test } from 'vitest'
import type { History, HistoryEvent } from '../../../testing/history/history.ts'
import type { Json } from '../../../testing/history/json.ts'
import { checkLinearizability } from '../../../testing/linearizability/check-linearizability.ts'
import { REFUSED, type SequentialModel } from '../../../testing/linearizability/model.ts'
import { counterModel, registerModel } from '../../../testing/linearizability/models.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { atomicRegister, simulatedHistory } from '../../support/simulated-history.ts'

/** One call after the other, each of a process of its own. */
function sequence(...calls: readonly (readonly [f: string, input: Json, output: Json])[]): HistoryEvent[] {
  return calls.flatMap(([f, value, output], process) => [
    { type: 'invoke' as const, process, f, value },
    { type: 'ok' as const, process, f, value: output },
  ])
}

/** Calls that all overlap. */
function overlapping(...calls: readonly (readonly [f: string, input: Json, output: Json])[]): HistoryEvent[] {
  const events = sequence(...calls)
  return [...events.filter(({ type }) => type === 'invoke'), ...events.filter(({ type }) => type === 'ok')]
}

describe('the bound on steps', () => {
  // Additions of different powers of two that overlap have 2^n sums; the read wants one that none of them is.
  const hard: History = {
    events: overlapping(
      ...Array.from({ length: 20 }, (_, i) => ['add', 2 ** i, null] as const),
      ['read', null, 0.5],
      ['read', null, 2 ** 19 + 0.5],
    ),
  }

  test('gives up with the keys that are not decided, instead of hanging', () => {
    const verdict = checkLinearizability(hard, counterModel, { stepsMax: 10_000 })
    expect(verdict).toMatchObject({ kind: 'undecided', keys: [''] })
    expect(verdict.stepsCount).toBeLessThan(10_100)
  })

  test('does not hide that another object is wrong', () => {
    const keyed = hard.events.map((event) => ({ ...event, key: 'hard' }))
    const wrong = sequence(['read', null, 5]).map((event) => ({ ...event, process: 'w', key: 'wrong' }))
    const verdict = checkLinearizability({ events: [...keyed, ...wrong] }, counterModel, { stepsMax: 10_000 })
    expect(verdict).toMatchObject({ kind: 'violation', key: 'wrong' })
  })

  test('is hardly touched by histories with many lost answers', () => {
    const shape = { calls: 400, processes: 8, indeterminate: 0.3 }
    const verdicts = Array.from({ length: 20 }, (_, seed) =>
      checkLinearizability(simulatedHistory(seededRandom(seed), atomicRegister, shape), registerModel),
    )
    expect(verdicts.map(({ kind }) => kind)).toEqual(Array.from({ length: 20 }, () => 'linearizable'))
  })
})

describe('what is to blame', () => {
  test('is found among many calls, and the write is shown whose value is read too late', () => {
    const random = seededRandom(7)
    const { events } = simulatedHistory(random, atomicRegister, {
      calls: 100,
      processes: 4,
      indeterminate: 0,
      failed: 0,
    })
    const stale = sequence(['write', 'old', null], ['write', 'new', null], ['read', null, 'old'])
    const late = stale.map((event) => ({ ...event, key: 'k0', process: 100 + Number(event.process) }))
    const verdict = checkLinearizability({ events: [...events, ...late] }, registerModel)
    if (verdict.kind !== 'violation') throw new Error(verdict.kind)
    const shown = verdict.culprits.calls.map(({ f, input, output }) => [f, input ?? output])
    expect(shown).toEqual([
      ['write', 'old'],
      ['write', 'new'],
      ['read', 'old'],
    ])
    expect(verdict.longest).toHaveLength(102)
  })
})

describe('a model of a user', () => {
  /** A stack with its own idea of a key: the first letter of the names of its calls. */
  const stack: SequentialModel<readonly Json[]> = {
    name: 'stack',
    initial: [],
    apply(state, call) {
      if (call.f === 'push') return { accepts: true, state: [call.input, ...state] }
      if (call.outcome === 'ok' && call.output !== (state[0] ?? null)) return REFUSED
      return { accepts: true, state: state.slice(1) }
    },
    key: () => 'the stack',
  }

  test('judges as the built-in ones do', () => {
    const events = sequence(
      ['push', 1, null],
      ['push', 2, null],
      ['pop', null, 2],
      ['pop', null, 1],
      ['pop', null, null],
    )
    expect(checkLinearizability({ events }, stack)).toMatchObject({ kind: 'linearizable', stepsCount: 5 })
    const swapped = sequence(['push', 1, null], ['push', 2, null], ['pop', null, 1])
    expect(checkLinearizability({ events: swapped }, stack)).toMatchObject({ kind: 'violation', key: 'the stack' })
  })
})

test('a call that the model does not know is no verdict but a mistake', () => {
  const events = sequence(['increment', 1, null])
  expect(() => checkLinearizability({ events }, registerModel)).toThrow(/register has no call increment/)
  expect(() => checkLinearizability({ events: sequence(['cas', 1, null]) }, registerModel)).toThrow(/no call cas/)
})

test('an empty history, and one of failed calls, is linearizable', () => {
  expect(checkLinearizability({ events: [] }, registerModel).kind).toBe('linearizable')
  const failed: HistoryEvent[] = [
    { type: 'invoke', process: 0, f: 'read' },
    { type: 'fail', process: 0, f: 'read' },
  ]
  expect(checkLinearizability({ events: failed }, registerModel).kind).toBe('linearizable')
})
