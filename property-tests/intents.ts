/** What replicas do to a key, per strategy: few and small values, so that they meet. */
import fc from 'fast-check'
import type { VerbCall } from '../testing/laws/law-operation.ts'
import { REPLICA_IDS } from '../testing/laws/reference-replica.ts'

function intent(verb: string, ...parameters: fc.Arbitrary<unknown>[]): fc.Arbitrary<VerbCall> {
  return fc.tuple(...parameters).map((values) => ({ verb, parameters: values }))
}

const value: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: fc.integer({ min: -2, max: 300 }), weight: 3 },
  { arbitrary: fc.constantFrom<unknown>('', 'a', 'é', '😀', 0.5, -0, NaN, true, null, 7n, -7n), weight: 3 },
  fc.constantFrom(new Date(0), new Date(-5), Uint8Array.of(), Uint8Array.of(1, 2)),
  fc.constantFrom<unknown>([], [1, ['x']], {}, { b: 1, a: [2] }, { a: [2], b: 1, c: undefined }, { ['__proto__']: 1 }),
)

const small: fc.Arbitrary<number> = fc.integer({ min: -3, max: 9 })
const amount: fc.Arbitrary<number> = fc.integer({ min: 0, max: 6 })
const wide: fc.Arbitrary<number> = fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, 1, 2)
const comparable: fc.Arbitrary<unknown> = fc.oneof(
  { arbitrary: small, weight: 3 },
  fc.constantFrom<unknown>(1n, 'a', 'b', '1', new Date(1), new Date(2), -0, Infinity, NaN),
)
const replica: fc.Arbitrary<string> = fc.constantFrom(...REPLICA_IDS.slice(0, 4))
const name: fc.Arbitrary<string> = fc.constantFrom('a', 'b', '__proto__')

export const setAnything: fc.Arbitrary<VerbCall> = intent('set', value)
export const setNumber: fc.Arbitrary<VerbCall> = intent('set', small)
export const setOrdered: fc.Arbitrary<VerbCall> = intent('set', comparable)
export const setTexts: fc.Arbitrary<VerbCall> = intent(
  'set',
  fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }),
)

/** Of different sizes, so that what has to go is now much, now little. */
export const append: fc.Arbitrary<VerbCall> = intent('append', fc.uint8Array({ maxLength: 9 }))

export const count: fc.Arbitrary<VerbCall> = fc.oneof(intent('increment', small), intent('decrement', small))
export const countWidely: fc.Arbitrary<VerbCall> = fc.oneof(intent('increment', wide), intent('decrement', wide))

export const trade: fc.Arbitrary<VerbCall> = fc.oneof(
  { arbitrary: intent('increment', amount), weight: 3 },
  { arbitrary: intent('decrement', amount), weight: 3 },
  intent('transfer', replica, amount),
  intent('transfer', replica, amount, fc.constant('increment')),
)

export const changeSet: fc.Arbitrary<VerbCall> = fc.oneof(
  { arbitrary: intent('add', value), weight: 3 },
  { arbitrary: fc.constantFrom('add', 'remove').chain((verb) => intent(verb, amount)), weight: 5 },
  intent('add', amount, amount),
  intent('remove', amount, amount),
)

/** Of a map all of whose entries take the same intents. */
export function changeEntries(inner: fc.Arbitrary<VerbCall>): fc.Arbitrary<VerbCall> {
  const update = fc.tuple(name, inner).map(([entry, { verb, parameters }]) => updating(entry, verb, parameters))
  return fc.oneof({ arbitrary: update, weight: 4 }, intent('remove', name))
}

/** Of the records in `laws.property.test.ts`; what a record lacks is refused. */
export const changeFields: fc.Arbitrary<VerbCall> = fc.oneof(
  field('price', setNumber),
  field('tags', changeSet),
  field('seen', count),
  field('notes', setTexts),
  field('nested', changeEntries(count)),
  intent('remove', fc.constantFrom('price', 'tags', 'seen', 'notes', 'nested')),
)

function field(entry: string, inner: fc.Arbitrary<VerbCall>): fc.Arbitrary<VerbCall> {
  return inner.map(({ verb, parameters }) => updating(entry, verb, parameters))
}

function updating(entry: string, verb: string, parameters: readonly unknown[]): VerbCall {
  return { verb: 'update', parameters: [entry, verb, ...parameters] }
}
