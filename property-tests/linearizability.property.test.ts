/**
 * The linearizability checker against the definition: on small random histories it says what trying all orders says, whatever the model. Histories
 * of an object that is atomic are valid whatever their size.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { History, HistoryEvent, Process } from '../testing/history/history.ts'
import { checkLinearizability } from '../testing/linearizability/check-linearizability.ts'
import type { SequentialModel } from '../testing/linearizability/model.ts'
import {
  counterModel,
  fencedRegisterModel,
  lockModel,
  queueModel,
  registerModel,
  setModel,
} from '../testing/linearizability/models.ts'
import { naiveVerdict } from '../test/support/naive-linearizability.ts'
import { seededRandom } from '../testing/world/random.ts'
import {
  type AtomicObject,
  atomicCounter,
  atomicFencedRegister,
  atomicLock,
  atomicQueue,
  atomicRegister,
  atomicSet,
  mutated,
  simulatedHistory,
} from '../test/support/simulated-history.ts'
import { runs } from './seed.ts'

const OBJECTS: readonly [string, AtomicObject<unknown>, SequentialModel<unknown>][] = [
  ['register', atomicRegister, registerModel],
  ['counter', atomicCounter, counterModel],
  ['set', atomicSet, setModel],
  ['queue', atomicQueue, queueModel],
  ['lock', atomicLock, lockModel],
  ['fenced register', atomicFencedRegister, fencedRegisterModel],
]

const SMALL = { calls: 8, processes: 4, keys: 2, indeterminate: 0.3 }

describe.each(OBJECTS)('%s', (_, object, model) => {
  it('a small history is judged as trying all orders judges it', () => {
    const seen = { linearizable: 0, violation: 0, undecided: 0 }
    const property = fc.property(fc.nat(), fc.nat(3), (seed, mutations) => {
      const random = seededRandom(seed)
      let history = simulatedHistory(random, object, SMALL)
      for (let i = 0; i < mutations; i++) history = mutated(random, history)
      const verdict = checkLinearizability(history, model)
      expect(verdict.kind).toBe(naiveVerdict(history, model))
      seen[verdict.kind]++
    })
    const cases = runs(1500)
    fc.assert(property, cases)
    expect(seen.linearizable).toBeGreaterThan(cases.numRuns / 5)
    expect(seen.violation).toBeGreaterThan(cases.numRuns / 5)
  })

  it('a long history of an atomic object is linearizable, and the order found is one', () => {
    const property = fc.property(fc.nat(), (seed) => {
      const history = simulatedHistory(seededRandom(seed), object, { calls: 120, processes: 6, keys: 3 })
      const verdict = checkLinearizability(history, model)
      if (verdict.kind !== 'linearizable') throw new Error(verdict.kind === 'violation' ? verdict.text : verdict.kind)
      for (const order of verdict.orders.values()) {
        let latest = -1
        let state = model.initial
        for (const call of order) {
          latest = Math.max(latest, call.invokedAt)
          expect(call.returnedAt).toBeGreaterThan(latest)
          const step = model.apply(state, call)
          if (!step.accepts) throw new Error(`call ${call.index} does not fit`)
          state = step.state
        }
      }
    })
    fc.assert(property, runs(60))
  })

  it('what a violation blames is wrong whatever became of the rest, and none of it can be left in doubt', () => {
    const property = fc.property(fc.nat(), (seed) => {
      const random = seededRandom(seed)
      const history = mutated(random, simulatedHistory(random, object, { calls: 9, processes: 3 }))
      const verdict = checkLinearizability(history, model)
      if (verdict.kind !== 'violation') return
      const { calls, relaxed } = verdict.culprits
      const kept = new Set(calls.map(({ index }) => index))
      const blamed = new Set([...kept].filter((index) => !relaxed.has(index)))
      expect(naiveVerdict(inDoubt(history, blamed), model)).toBe('violation')
      for (const one of blamed) {
        const others = new Set([...blamed].filter((index) => index !== one))
        expect(naiveVerdict(inDoubt(history, others, kept), model)).toBe('linearizable')
      }
    })
    fc.assert(property, runs(80))
  })
})

/** The calls in `kept`, of which all but those in `certain` are of unknown outcome. */
function inDoubt(history: History, certain: ReadonlySet<number>, kept?: ReadonlySet<number>): History {
  const callOf = new Map<Process, number>()
  let count = 0
  const events = history.events.flatMap((event): HistoryEvent[] => {
    if (event.type === 'invoke') callOf.set(event.process, count++)
    const call = callOf.get(event.process) ?? 0
    if (kept?.has(call) === false) return []
    return [event.type === 'ok' && !certain.has(call) ? { ...event, type: 'info' } : event]
  })
  return { events }
}
