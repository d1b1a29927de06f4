/** As laws.property.test.ts, for the one strategy that is many: each type alone, and all of them in one key. */
import { describe, test } from 'vitest'
import { redis } from '../crdt/redis/redis.ts'
import { checkLaws } from './check-laws.ts'
import * as intents from './redis-intents.ts'
import { shownByRule } from './redis-oracle.ts'

const some = { runs: 2000, expected: shownByRule }

describe('every law holds for a Redis key that is', () => {
  test('a string', () => checkLaws(redis(), intents.strings, some))
  test('a hash', () => checkLaws(redis(), intents.hashes, some))
  test('a set', () => checkLaws(redis(), intents.sets, some))
  test('a sorted set', () => checkLaws(redis(), intents.sortedSets, some))
  test('a list', () => checkLaws(redis(), intents.lists, some))
  test('a HyperLogLog', () => checkLaws(redis(), intents.hyperloglogs, { ...some, runs: 300 }))
  test('a stream', () => checkLaws(redis(), intents.streams, some))
  test('of any type', () => checkLaws(redis(), intents.anything, some))
})
