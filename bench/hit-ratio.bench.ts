/**
 * How often the value that is asked for is in memory, when memory holds a tenth of the keys and
 * their popularity follows Zipf's law (exponent 0.99, as in YCSB). No timing.
 */
import { LRUCache } from 'lru-cache'
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { BenchContext } from './support/bench.ts'
import { type UserKey, userKeys, userOf } from './support/users.ts'
import { zipfRanks } from './support/zipf.ts'

export const question = 'How often does a bounded cache hold what is asked for?'

const EXPONENT = 0.99

export async function run(context: BenchContext): Promise<void> {
  const keys = userKeys(context.size(100_000, 1000))
  const capacity = keys.length / 10
  const requests = zipf(context, keys, context.size(2_000_000, 20_000))
  // The first quarter fills the caches and is not counted.
  const warmup = requests.slice(0, requests.length / 4)
  const counted = requests.slice(requests.length / 4)
  const sieve = await warpHits(keys, capacity, [warmup, counted])
  const lru = lruHits(capacity, [warmup, counted])
  context.report(
    `zipf ${EXPONENT} over ${keys.length.toLocaleString('en-US')} keys, room for a tenth of them`,
    ['', 'hits'],
    [
      ['Warp', `${(sieve * 100).toFixed(1)} %`],
      ['lru-cache', `${(lru * 100).toFixed(1)} %`],
    ],
  )
  context.goal('Warp hits', sieve, { atLeast: 0.77 })
  context.check(sieve > lru, 'Warp hits more often than LRU')
}

async function warpHits(
  keys: readonly UserKey[],
  capacity: number,
  [warmup, counted]: readonly [readonly UserKey[], readonly UserKey[]],
): Promise<number> {
  const warp = await openWarp({ keys: { 'user:*': register() }, cache: { entriesMax: capacity } })
  for (const [i, key] of keys.entries()) await warp.set(key, userOf(i))
  for (const key of warmup) warp.peek(key)
  const missesBefore = warp.stats().cache.missesCount
  for (const key of counted) warp.peek(key)
  return 1 - (warp.stats().cache.missesCount - missesBefore) / counted.length
}

function lruHits(capacity: number, [warmup, counted]: readonly [readonly UserKey[], readonly UserKey[]]): number {
  const cache = new LRUCache<UserKey, true>({ max: capacity })
  let hits = 0
  const read = (key: UserKey): void => {
    if (cache.get(key) === true) hits++
    else cache.set(key, true)
  }
  warmup.forEach(read)
  hits = 0
  counted.forEach(read)
  return hits / counted.length
}

/** Draws by the inverse of the cumulated popularity. Ranks are shuffled over the keys. */
function zipf(context: BenchContext, keys: readonly UserKey[], count: number): UserKey[] {
  const random = context.random('zipf')
  const ranked = random.shuffled(keys)
  const nextRank = zipfRanks(random, EXPONENT, keys.length)
  return Array.from({ length: count }, () => ranked[nextRank()] as UserKey)
}
