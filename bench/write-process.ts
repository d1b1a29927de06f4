/**
 * One contestant of the bench `write-text` in a process of its own: what the compiler learns from
 * one, and what lies on the heap of another, would change all of them. Prints the processor time of
 * a write in nanoseconds, of all threads: the collector works beside the main one.
 */
import { LRUCache } from 'lru-cache'
import { openWarp } from '../adapters/node/index.ts'
import { counter, list, map, max, multiValue, register, set, text } from '../crdt/index.ts'
import { seededRandom } from '../testing/world/random.ts'
import { turn } from './support/users.ts'

/** The event loop turns after so many writes. */
const WRITES_PER_TURN = 1024
const TEXT_CHARS = 256
const HEAP_BYTES = 300_000_000
/** An object of two numbers and its place in a list. */
const OBJECT_BYTES = 40

type Write = (i: number) => void

const [name = '', keysText = '', countText = ''] = process.argv.slice(2)
const keyCount = Number(keysText)
const count = Number(countText)
const random = seededRandom(20_111)
const keys = Array.from({ length: keyCount }, (_, i): `text:${string}` => `text:${i}`)
/** Each key once, and then by chance. */
const order = Array.from({ length: count }, (_, i) => (i < keyCount ? i : random.below(keyCount)))
const values = Array.from({ length: 1024 }, (_, i) => Buffer.alloc(TEXT_CHARS, `value ${i} `).toString())

const contestants: Record<string, () => Promise<Write>> = {
  'lru-cache set with ttl': () => {
    const cache = new LRUCache<string, string>({ max: keyCount, ttl: 3_600_000 })
    return Promise.resolve((i) => void cache.set(keys[order[i]!]!, values[i & 1023]))
  },
  'Warp write': async () => {
    const warp = await openWarp({ keys: { 'text:*': register<string>() } })
    return (i) => void warp.write(keys[order[i]!]!, values[i & 1023]!)
  },
  'Warp handle.write': async () => {
    const warp = await openWarp({ keys: { 'text:*': register<string>() } })
    const handles = keys.map((key) => warp.key(key))
    return (i) => void handles[order[i]!]!.write(values[i & 1023]!)
  },
  'Warp set': async () => {
    const warp = await openWarp({ keys: { 'text:*': register<string>() } })
    return (i) => void warp.set(keys[order[i]!]!, values[i & 1023]!)
  },
  'Warp handle.set': async () => {
    const warp = await openWarp({ keys: { 'text:*': register<string>() } })
    const handles = keys.map((key) => warp.key(key))
    return (i) => void handles[order[i]!]!.set(values[i & 1023]!)
  },
  'Warp set, `latest`': async () => {
    const warp = await openWarp({ keys: { 'text:*': { strategy: register<string>(), retain: 'latest' } } })
    return (i) => void warp.set(keys[order[i]!]!, values[i & 1023]!)
  },
  'Warp set beside 300 MB': () => {
    keep(Array.from({ length: HEAP_BYTES / OBJECT_BYTES }, (_, i) => ({ id: i, age: i + 0.5 })))
    return contestants['Warp set']!()
  },
  'Warp set beside seven other keyspaces': mixed,
}

/** Every strategy is written to first, a thousand times each, and now and then during the run. */
async function mixed(): Promise<Write> {
  const warp = await openWarp({
    keys: {
      'text:*': register<string>(),
      'count:*': counter(),
      'tags:*': set<string>(),
      'max:*': max<number>(),
      'both:*': multiValue<string>(),
      'fields:*': map({ name: register<string>(), hits: counter() }),
      'page:*': text(),
      'items:*': { strategy: list<number>(), retain: 'latest' },
    },
  })
  const others: Write[] = [
    (i) => void warp.key(`count:${i % 10}`).increment(),
    (i) => void warp.key(`tags:${i % 10}`).add(`tag ${i % 50}`),
    (i) => void warp.key(`max:${i % 10}`).set(i),
    (i) => void warp.key(`both:${i % 10}`).set(values[i & 1023]!),
    (i) => void warp.key(`fields:${i % 10}`).update('hits', 'increment'),
    (i) => void warp.key(`page:${i % 10}`).insert(0, 'x'),
    (i) => void warp.key(`items:${i % 10}`).insert(0, i),
  ]
  for (let i = 0; i < 7000; i++) {
    others[i % 7]!(i)
    if (i % WRITES_PER_TURN === 0) await turn()
  }
  return (i) => void warp.set(keys[order[i]!]!, values[i & 1023]!)
}

let kept: unknown
function keep(heap: unknown): void {
  kept = heap
}

/** Writes `[from, to)`. Returns the processor time of one write. */
async function timed(write: Write, from: number, to: number): Promise<number> {
  const before = process.cpuUsage()
  for (let i = from; i < to; i++) {
    write(i)
    if (i % WRITES_PER_TURN === 0) await turn()
  }
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / (to - from)
}

const open = contestants[name]
if (open === undefined) throw new Error(`no contestant is named ${name}`)
const write = await open()
const warmup = Math.floor(count / 3)
await timed(write, 0, warmup)
globalThis.gc?.()
const ns = await timed(write, warmup, count)
console.log(JSON.stringify({ ns, kept: kept === undefined ? 0 : 1 }))
process.exit(0)
