/** What replicas do to a Redis key: few names and small values, so that they meet; and now and then one whose life is over. */
import fc from 'fast-check'
import { streamIdOf } from '../crdt/redis/streams/stream-id.ts'
import type { VerbCall } from '../testing/laws/law-operation.ts'

const NOW_MS = 100

function intent(verb: string, ...parameters: fc.Arbitrary<unknown>[]): fc.Arbitrary<VerbCall> {
  const now = fc.oneof({ arbitrary: fc.constant(NOW_MS), weight: 6 }, fc.constantFrom(120, 140))
  return fc.tuple(now, ...parameters).map((values) => ({ verb, parameters: values }))
}

function several(verb: string, item: fc.Arbitrary<unknown>): fc.Arbitrary<VerbCall> {
  return intent(verb, item, item).chain((call) =>
    fc.constantFrom(call, { ...call, parameters: call.parameters.slice(0, 2) }),
  )
}

const name = fc.constantFrom('a', 'b', '\xff')
const value = fc.constantFrom('', '7', '0.5', 'text', '\x80')
const until = fc.constantFrom(110, 130, 150, Infinity)
const life = fc.oneof({ arbitrary: fc.constant(Infinity), weight: 3 }, until, fc.constant('kept'))
const amount = fc.constantFrom<unknown>(1, 2, -3, '0.1', '-0.25', 2n ** 62n)
const score = fc.constantFrom(0.1, 1, -2, 1e17, Infinity, -Infinity)
const mode = fc.constantFrom('put', 'put', 'max', 'min')
const replacing = fc.option(fc.record({ untilMs: until }), { nil: undefined })
const side = fc.constantFrom('left', 'right')
const index = fc.integer({ min: 0, max: 3 })
const list = (item: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.array(item, { minLength: 1, maxLength: 3 })

const change: fc.Arbitrary<unknown> = fc.oneof(
  fc.record({ kind: fc.constant('append'), bytes: value }),
  fc.record({ kind: fc.constant('overwrite'), offset: index, bytes: value }),
  fc.record({
    kind: fc.constantFrom('set-bits', 'add-bits'),
    offset: fc.integer({ min: 0, max: 20 }),
    width: fc.constantFrom(1, 5, 8, 64),
    value: fc.constantFrom(1n, -1n, 200n),
  }),
)

const lives = fc.oneof({ arbitrary: intent('live', until), weight: 4 }, intent('repeatLife'))

export const strings: fc.Arbitrary<VerbCall> = fc.oneof(
  { arbitrary: intent('put', value, life), weight: 3 },
  { arbitrary: intent('add', amount), weight: 6 },
  { arbitrary: intent('patch', fc.array(change, { minLength: 1, maxLength: 2 })), weight: 2 },
  lives,
)

export const hashes: fc.Arbitrary<VerbCall> = fc.oneof(
  { arbitrary: intent('setFields', list(fc.tuple(name, value)), replacing), weight: 3 },
  { arbitrary: intent('addToField', name, amount), weight: 5 },
  { arbitrary: several('removeFields', name), weight: 2 },
  lives,
)

export const sets: fc.Arbitrary<VerbCall> = fc.oneof(
  {
    arbitrary: intent('join', list(name), fc.record({ replacing, isRenewing: fc.boolean() })),
    weight: 4,
  },
  { arbitrary: several('leave', name), weight: 3 },
  lives,
)

export const sortedSets: fc.Arbitrary<VerbCall> = fc.oneof(
  { arbitrary: intent('setScores', list(fc.tuple(name, score, mode)), replacing), weight: 3 },
  { arbitrary: intent('addToScore', name, score), weight: 5 },
  { arbitrary: several('removeScores', name), weight: 2 },
  lives,
)

export const lists: fc.Arbitrary<VerbCall> = fc.oneof(
  { arbitrary: intent('push', fc.record({ to: side, values: list(value), replacing })), weight: 4 },
  { arbitrary: intent('insertBeside', fc.record({ index, on: side, value })), weight: 3 },
  intent('setElement', index, value),
  { arbitrary: several('take', fc.tuple(index, fc.constantFrom(1, 2))), weight: 3 },
  lives,
)

const register = fc.record({ place: fc.constantFrom(0, 1, 16_384), rank: fc.integer({ min: 1, max: 5 }) })

export const hyperloglogs: fc.Arbitrary<VerbCall> = fc.oneof(
  { arbitrary: intent('raise', list(register), replacing), weight: 5 },
  lives,
)

const id = fc.integer({ min: 1, max: 5 }).map((n) => streamIdOf(0n, BigInt(n)))
const some = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> => fc.option(arbitrary, { nil: undefined })
const entry = fc.tuple(id, fc.tuple(name, value))
const mark = fc.record({ last: id, deleted: id, gone: fc.integer({ min: 0, max: 9 }) })

export const streams: fc.Arbitrary<VerbCall> = fc.oneof(
  { arbitrary: intent('changeStream', fc.record({ entries: list(entry), replacing })), weight: 5 },
  {
    arbitrary: intent('changeStream', fc.record({ removed: some(list(id)), floor: some(id), mark: some(mark) })),
    weight: 3,
  },
  { arbitrary: intent('note', list(fc.tuple(name, some(value)))), weight: 2 },
  lives,
)

/** Every type in one key. */
export const anything: fc.Arbitrary<VerbCall> = fc.oneof(
  ...[strings, hashes, sets, sortedSets, lists, hyperloglogs, streams],
)
