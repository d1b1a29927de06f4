/**
 * A replica in a process of its own, over the real network from which it can be cut off: before a source that is slow,
 * and before the store of the test. Asked by tests; see `ReaderProgram`.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { fileLog } from '../../adapters/file/index.ts'
import { nodeEnv, openWarp } from '../../adapters/node/index.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { counter, register } from '../../crdt/index.ts'
import { functionStore } from '../../src/index.ts'
import { serve } from '../support/child-program.ts'
import { plugged, type Between, type Plugged } from './plugged.ts'
import { remoteStore } from './remote-store.ts'

interface Opening {
  readonly between: Between
  readonly loadMs?: number
  readonly clusterWaitMs?: number
  /** Where the test's store is asked. */
  readonly storeUrl?: string
  readonly flushDelayMs?: number
  /** Its clock is ahead by so much. */
  readonly aheadMs?: number
  /** The folder of its log. Default: in memory. */
  readonly folder?: string
}

let warp: Awaited<ReturnType<typeof openOn>>
let loadsCount = 0
let reads: Promise<unknown[]>
let plug: Plugged

function openOn(opening: Opening) {
  const { loadMs = 0, clusterWaitMs = 250, storeUrl, flushDelayMs = 50, aheadMs = 0, folder } = opening
  const load = async (key: string): Promise<string> => {
    loadsCount++
    await pause(loadMs)
    return `value of ${key}`
  }
  const store =
    storeUrl === undefined
      ? functionStore({ load: () => undefined, save: () => undefined, remove: () => undefined })
      : remoteStore(storeUrl)
  const env = nodeEnv()
  return openWarp({
    keys: {
      'page:*': { strategy: register<string>(), load, loads: 'cluster', clusterWaitMs },
      'k:*': { strategy: register<string>(), store, flushDelayMs, tags: () => ['all'] },
      'c:*': { strategy: counter(), store, flushDelayMs },
      't:*': { strategy: register<string>(), store, writes: 'through' },
    },
    transports: [plug.transport],
    env: { ...env, now: () => env.now() + aheadMs },
    ...(folder === undefined ? {} : { log: fileLog({ path: folder }) }),
  })
}

type StoredKey = `k:${string}` | `t:${string}`

const verbs = {
  async open(opening: Opening): Promise<void> {
    plug = await plugged(opening.between)
    warp = await openOn(opening)
  },

  replica: (): string => warp.replica,

  /** Waits until it sees so many others, and says who it is to them. */
  async meets({ count }: { count: number }): Promise<void> {
    while (warp.peers().filter(({ state, replica }) => state === 'up' && replica !== undefined).length < count)
      await pause(5)
    while (count > 0 && !warp.stats().isJoined) await pause(5)
  },

  /** So many callers begin to read a key. */
  read({ key, callers }: { key: `page:${string}`; callers: number }): void {
    reads = Promise.all(Array.from({ length: callers }, () => warp.get(key)))
    reads.catch(() => undefined)
  },

  /** The different values that they got. */
  got: async (): Promise<unknown[]> => [...new Set(await reads)],

  loadsCount: (): number => loadsCount,

  async loads(): Promise<void> {
    while (loadsCount === 0) await pause(2)
  },

  /** Reads pages 1 to `count`. */
  async readAll({ count }: { count: number }): Promise<void> {
    await warp.getMany(Array.from({ length: count }, (_, i) => `page:${i + 1}` as const))
  },

  /** Brings what others hold, and says what came of it. */
  warm: ({ pattern }: { pattern: string }): Promise<unknown> => warp.warm(pattern, { from: 'peers' }),

  /** How many of pages 1 to `count` are in memory. */
  held: ({ count }: { count: number }): number =>
    Array.from({ length: count }, (_, i) => warp.peek(`page:${i + 1}`)).filter((page) => page !== undefined).length,

  get: ({ key }: { key: StoredKey }): Promise<unknown> => warp.get(key),

  peek: ({ key }: { key: StoredKey }): unknown => warp.peek(key),

  count: ({ key }: { key: `c:${string}` }): Promise<number | undefined> => warp.get(key),

  /** Waits until the key reads like that. */
  async becomes({ key, value }: { key: StoredKey; value: unknown }): Promise<void> {
    while (!isDeepStrictEqual(await warp.get(key), value)) await pause(5)
  },

  /** The code of its error, if it is refused. */
  async set({ key, value }: { key: StoredKey; value: string }): Promise<string | undefined> {
    try {
      await warp.set(key, value)
      return undefined
    } catch (error) {
      return isWarpError(error) ? error.code : String(error)
    }
  },

  async increment({ key, by }: { key: `c:${string}`; by: number }): Promise<void> {
    await warp.key(key).increment(by)
  },

  async invalidate({ key }: { key: StoredKey }): Promise<void> {
    await warp.invalidate(key)
  },

  async invalidateTag({ tag }: { tag: string }): Promise<void> {
    await warp.invalidateTag(tag)
  },

  cut: () => plug.cut(),

  heal: () => plug.heal(),

  close: () => warp.close(),
}

/** What a test may ask this program. */
export type ReaderProgram = typeof verbs

serve(verbs)
