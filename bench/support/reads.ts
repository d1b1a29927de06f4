/** Contestants that read users: the same values by the same order of keys. */
import { LRUCache } from 'lru-cache'
import { openWarp } from '../../adapters/node/index.ts'
import { register } from '../../crdt/index.ts'
import type { Contestant, Running } from './measure.ts'
import { type User, type UserKey, userOf } from './users.ts'

const TTL_MS = 600_000

export interface Reads {
  /** All that are in memory. */
  readonly keys: readonly UserKey[]
  /** What one batch reads, in this order. */
  readonly order: readonly UserKey[]
}

export function mapReads({ keys, order }: Reads): Contestant {
  return {
    name: 'Map',
    open() {
      const map = new Map(keys.map((key, i) => [key, userOf(i)]))
      return reading(order, (from) => {
        let sum = 0
        for (const key of from) sum += (map.get(key) as User).age
        return sum
      })
    },
  }
}

export function lruReads({ keys, order }: Reads): Contestant {
  return {
    name: 'lru-cache with TTL',
    open() {
      const cache = new LRUCache<UserKey, User>({ max: keys.length, ttl: TTL_MS })
      keys.forEach((key, i) => cache.set(key, userOf(i)))
      return reading(order, (from) => {
        let sum = 0
        for (const key of from) sum += (cache.get(key) as User).age
        return sum
      })
    },
  }
}

export function peeks({ keys, order }: Reads): Contestant {
  return {
    name: 'Warp peek',
    async open() {
      const warp = await openUsers(keys)
      return reading(order, (from) => {
        let sum = 0
        for (const key of from) sum += (warp.peek(key) as User).age
        return sum
      })
    },
  }
}

export function handlePeeks({ keys, order }: Reads): Contestant {
  return {
    name: 'Warp handle.peek',
    async open() {
      const warp = await openUsers(keys)
      const handles = new Map(keys.map((key) => [key, warp.key(key)]))
      const ordered = order.map((key) => handles.get(key) as ReturnType<typeof warp.key<UserKey>>)
      return reading(ordered, (from) => {
        let sum = 0
        for (const handle of from) sum += (handle.peek() as User).age
        return sum
      })
    },
  }
}

/** Bounded to as many entries as there are, each with a TTL. */
async function openUsers(keys: readonly UserKey[]) {
  const warp = await openWarp({
    keys: { 'user:*': { strategy: register<User>(), ttlMs: TTL_MS } },
    cache: { entriesMax: keys.length },
  })
  for (const [i, key] of keys.entries()) await warp.set(key, userOf(i))
  // Twice: the second read of a value is the one that marks it as read.
  for (let i = 0; i < 3; i++) for (const key of keys) warp.peek(key)
  return warp
}

function reading<Item>(order: readonly Item[], read: (order: readonly Item[]) => number): Running {
  let sum = 0
  return {
    batch: () => void (sum = read(order)),
    verify() {
      const expected = checksums.get(order.length)
      if (expected !== undefined && expected !== sum) throw new Error(`ages add up to ${sum}, not ${expected}`)
      checksums.set(order.length, sum)
    },
  }
}

/** What the first contestant has read: the others have to read the same. */
const checksums = new Map<number, number>()

/** One awaited read after the other. */
export function awaitedReads(
  order: readonly UserKey[],
  get: (key: UserKey) => Promise<User | undefined>,
  close: () => Promise<void>,
): Running {
  let sum = 0
  let expected = 0
  for (const key of order) expected += userOf(Number(key.slice('user:'.length))).age
  return {
    async batch() {
      sum = 0
      for (const key of order) sum += ((await get(key)) as User).age
    },
    verify() {
      if (sum !== expected) throw new Error(`ages add up to ${sum}, not ${expected}`)
    },
    close,
  }
}
