/** One line per strategy: see `testing/laws/laws.ts` for the laws, and `intents.ts` for what the replicas do. */
import { describe, test } from 'vitest'
import { boundedCounter } from '../crdt/bounded-counter.ts'
import { counter } from '../crdt/counter.ts'
import { custom } from '../crdt/custom.ts'
import { max, min } from '../crdt/extremum.ts'
import { map } from '../crdt/map.ts'
import { multiValue } from '../crdt/multi-value.ts'
import { recent } from '../crdt/recent.ts'
import { register } from '../crdt/register.ts'
import { set } from '../crdt/set.ts'
import { HLC_LOGICAL_STEPS } from '../crdt/time/hlc.ts'
import { checkLaws } from './check-laws.ts'
import * as intents from './intents.ts'
import * as oracles from './oracles.ts'
import { REPLICA_IDS } from '../testing/laws/reference-replica.ts'

const holder = REPLICA_IDS[1] as (typeof REPLICA_IDS)[number]
const append = (): ReturnType<typeof custom<string[]>> => custom<string[]>((old, next) => [...old, ...next])
const product = () => map({ price: register<number>(), tags: set<unknown>(), seen: counter(), nested: map(counter()) })
const ordered = () => map({ notes: append(), tags: set<unknown>(), price: register<number>(), nested: map(counter()) })

describe('every law holds for', () => {
  test('register', () => checkLaws(register(), intents.setAnything, { expected: oracles.lastPayload }))
  test('multi-value', () => checkLaws(multiValue(), intents.setAnything, { expected: oracles.unobservedPayloads }))
  test('counter', () => checkLaws(counter(), intents.count, { expected: oracles.sum }))
  test('counter beyond the safe integers', () => checkLaws(counter(), intents.countWidely))
  test('bounded counter', () => checkLaws(boundedCounter(), intents.trade, { invariant: oracles.within(0) }))
  test('bounded counter with a max', () =>
    checkLaws(boundedCounter({ min: -2, max: 9, holder }), intents.trade, { invariant: oracles.within(-2, 9) }))
  test('set', () => checkLaws(set(), intents.changeSet, { expected: oracles.unremoved }))
  test('max', () => checkLaws(max(), intents.setOrdered, { expected: oracles.greatest }))
  test('min', () => checkLaws(min(), intents.setOrdered))
  test('recent', () => checkLaws(recent(oracles.RECENT), intents.append, { expected: oracles.newest }))
  test('recent for a time', () =>
    checkLaws(recent({ countMax: Infinity, forMs: 3 / HLC_LOGICAL_STEPS, bytesMax: Infinity }), intents.append))
  test('custom', () => checkLaws(append(), intents.setTexts, { expected: oracles.concatenation }))
  test('custom with an initial value', () =>
    checkLaws(
      custom<number, number>((old, next) => old * 2 + next, { initial: 1 }),
      intents.setNumber,
    ))
  test('custom that may throw', () => checkLaws(oracles.picky(), intents.setNumber))
  test('map of counters', () => checkLaws(map(counter()), intents.changeEntries(intents.count)))
  test('map of registers', () => checkLaws(map(register()), intents.changeEntries(intents.setAnything)))
  test('map of maps', () => checkLaws(map(map(set())), intents.changeEntries(intents.changeEntries(intents.changeSet))))
  test('record', () => checkLaws(product(), intents.changeFields))
  test('record in canonical order', () => checkLaws(ordered(), intents.changeFields))
})
