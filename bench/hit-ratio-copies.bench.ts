/**
 * The policies of copies against three caches of npm, on six kinds of requests; no timing. And what a copy costs in
 * memory, against an entry of lru-cache with a life.
 */
import { LRUCache } from 'lru-cache'
import QuickLru from 'quick-lru'
import { newCache } from 'transitory'
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { Random } from '../testing/world/random.ts'
import type { BenchContext } from './support/bench.ts'
import { retainedBytes } from './support/measure.ts'
import { zipfRanks } from './support/zipf.ts'

export const question = 'Which policy keeps the copies that are asked for again, and what does a copy cost?'

const LIFE_MS = 3_600_000
const POLICIES = ['sieve', 'adaptive', 'w-tinylfu', 'lru'] as const
/** What is asked for, by rank. */
type Requests = Int32Array
type Hit = (key: string) => boolean | Promise<boolean>
type OpenCache = (room: number) => Promise<{ readonly hit: Hit; readonly close?: () => Promise<void> }>

export async function run(context: BenchContext): Promise<void> {
  const keysCount = context.size(20_000, 1000)
  const count = context.size(600_000, 10_000)
  const room = keysCount / 10
  const rows: (readonly string[])[] = []
  const goals: (() => void)[] = []
  for (const [name, requests] of Object.entries(workloads(context, { keysCount, count, room }))) {
    const ours = await hitRatios(requests, room, OURS)
    const theirs = await hitRatios(requests, room, RIVALS)
    rows.push([name, ...[...ours, ...theirs].map((ratio) => `${(ratio * 100).toFixed(1)} %`)])
    const best = Math.max(...theirs)
    const [sieve = 0, adaptive = 0] = ours
    goals.push(
      () => context.goal(`${name}: sieve − best rival`, sieve - best, { atLeast: -0.01 }),
      () => context.goal(`${name}: adaptive − best rival`, adaptive - best, { atLeast: -0.01 }),
    )
  }
  const columns = ['', ...POLICIES.map((policy) => `Warp ${policy}`), ...Object.keys(RIVALS)]
  context.report(
    `hits, room for ${room.toLocaleString('en-US')} of ${keysCount.toLocaleString('en-US')} keys`,
    columns,
    rows,
  )
  for (const goal of goals) goal()
  await bytes(context)
}

const OURS: Readonly<Record<string, OpenCache>> = Object.fromEntries(
  POLICIES.map((policy) => [
    policy,
    async (room: number) => {
      const keys = { 'k:*': { strategy: register<number>(), load: 'caller' } } as const
      const warp = await openWarp({ keys, copies: { entriesMax: room, policy } })
      const hit: Hit = (key) => {
        if (warp.peek(key as 'k:1') !== undefined) return true
        return warp.getOrSet(key as 'k:1', () => 1).then(() => false)
      }
      return { hit, close: () => warp.close() }
    },
  ]),
)

const RIVALS: Readonly<Record<string, OpenCache>> = {
  'lru-cache': (room) => {
    const cache = new LRUCache<string, 1>({ max: room })
    return Promise.resolve({ hit: (key) => cache.get(key) !== undefined || (cache.set(key, 1), false) })
  },
  // Two generations: holds up to twice as many as it is told, so it is told half.
  'quick-lru': (room) => {
    const cache = new QuickLru<string, 1>({ maxSize: room / 2 })
    return Promise.resolve({ hit: (key) => cache.get(key) !== undefined || (cache.set(key, 1), false) })
  },
  transitory: (room) => {
    const cache = newCache<string, 1>().maxSize(room).build()
    return Promise.resolve({ hit: (key) => cache.getIfPresent(key) !== null || (cache.set(key, 1), false) })
  },
}

/** The first quarter fills the caches and is not counted. */
async function hitRatios(
  requests: Requests,
  room: number,
  caches: Readonly<Record<string, OpenCache>>,
): Promise<number[]> {
  const ratios: number[] = []
  for (const open of Object.values(caches)) {
    const { hit, close } = await open(room)
    const from = requests.length >>> 2
    let hits = 0
    for (const [at, rank] of requests.entries()) {
      const answer = hit(`k:${rank}`)
      const isHit = typeof answer === 'boolean' ? answer : await answer
      if (isHit && at >= from) hits++
    }
    await close?.()
    ratios.push(hits / (requests.length - from))
  }
  return ratios
}

interface Size {
  readonly keysCount: number
  readonly count: number
  readonly room: number
}

function workloads(context: BenchContext, size: Size): Record<string, Requests> {
  const { keysCount, count, room } = size
  const popular = zipf(context.random('popular'), 0.99, size)
  const scanEvery = room * 5
  return {
    'zipf 0.7': zipf(context.random('flat'), 0.7, size),
    'zipf 0.99': popular,
    // Now and then somebody reads as many keys as there is room for, each once.
    'zipf 0.99 with scans': popular.map((rank, at) => (at % scanEvery < room ? keysCount + at : rank)),
    // Half of the requests go round and round over twice as many keys as there is room for.
    'zipf 0.99 and a loop': popular.map((rank, at) => (at % 2 === 0 ? rank : keysCount + ((at >>> 1) % (2 * room)))),
    'a loop alone': Int32Array.from({ length: count }, (_, at) => at % (2 * room)),
    // What is popular becomes something else, ten times.
    'a hot set that drifts': popular.map((rank, at) => (rank + Math.floor((at * 10) / count) * room) % keysCount),
  }
}

function zipf(random: Random, exponent: number, { keysCount, count }: Size): Requests {
  return Int32Array.from({ length: count }, zipfRanks(random, exponent, keysCount))
}

async function bytes(context: BenchContext): Promise<void> {
  const count = context.size(100_000, 1000)
  const names = Array.from({ length: count }, (_, at) => `k:${at}` as const)
  const each: Record<string, number> = {}
  for (const policy of POLICIES) each[`Warp ${policy}`] = await bytesOfCopies(names, policy)
  each['lru-cache'] = bytesOfLru(names)
  context.report(
    `bytes for each copy with a life, of ${count.toLocaleString('en-US')}, without the key and the value`,
    ['', 'bytes'],
    Object.entries(each).map(([name, size]) => [name, size.toFixed(0)]),
  )
  context.goal('Warp sieve ÷ lru-cache, bytes', each['Warp sieve']! / each['lru-cache'], { atMost: 1 })
}

async function bytesOfCopies(names: readonly `k:${number}`[], policy: (typeof POLICIES)[number]): Promise<number> {
  const keys = { 'k:*': { strategy: register<number>(), load: 'caller', ttlMs: LIFE_MS } } as const
  const warp = await openWarp({ keys, copies: { entriesMax: names.length, policy } })
  const before = retainedBytes()
  for (const key of names) await warp.getOrSet(key, () => 1)
  const after = retainedBytes()
  await warp.close()
  return (after - before) / names.length
}

function bytesOfLru(names: readonly string[]): number {
  const before = retainedBytes()
  const cache = new LRUCache<string, number>({ max: names.length, ttl: LIFE_MS })
  for (const key of names) cache.set(key, 1)
  const after = retainedBytes()
  return cache.size === names.length ? (after - before) / names.length : Number.NaN
}
