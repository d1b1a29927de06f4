/**
 * A driver of unstorage: items are keys of the engine, and its watch tells of what any replica writes.
 * unstorage makes texts of values; raw items are bytes.
 */
import type { Driver, TransactionOptions, WatchCallback } from 'unstorage'
import { checkOptions, isNumberFrom, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import { type FrontedEngine, KeyspaceFront } from '../../src/api/front/keyspace-front.ts'
import type { Watch } from '../../src/index.ts'

/** What the driver uses of an engine; every `Warp` has it. */
export interface WatchableEngine extends FrontedEngine {
  watch(pattern: string): Watch
}

export interface WarpDriverOptions {
  /**
   * How long an item lives that is set without a `ttl` of its own, *seconds*, as everywhere in
   * unstorage. Default: as the pattern says.
   */
  readonly ttl?: number
}

const OPTIONS = optionNames<WarpDriverOptions>({ ttl: true })

/**
 * A driver for `createStorage` and `mount`:
 *
 *     const storage = createStorage({ driver: warpDriver(warp, 'files:*') })
 *
 * `setItem` takes `{ ttl }`, seconds. `dispose` ends its watches and leaves the engine open. Throws
 * `WARP_E_PATTERN`, `WARP_E_UNREGISTERED_KEY` if the engine has no such pattern, and `WARP_E_CONFIG` if its
 * strategy has no `set`.
 */
export function warpDriver(warp: WatchableEngine, pattern: string, options: WarpDriverOptions = {}): Driver {
  checkOptions('warpDriver', options, OPTIONS)
  if (options.ttl !== undefined && !isNumberFrom(options.ttl, 0.001))
    throw refusedOption('warpDriver', 'ttl', options.ttl, 'give seconds, more than 0')
  const front = new KeyspaceFront('warpDriver', warp, pattern)
  const watches = new Set<Watch>()
  // Of several items at once, unstorage gives none where none were given.
  const set = (name: string, value: unknown, { ttl = options.ttl }: TransactionOptions = {}): Promise<void> =>
    front.set(name, value, typeof ttl === 'number' && ttl !== 0 ? ttl * 1000 : undefined)

  return {
    name: 'warp',
    options,
    hasItem: async (name) => (await front.get(name)) !== undefined,
    getItem: async (name) => itemOf(await front.get(name)),
    getItems: async (items) => {
      const values = await front.getMany(items.map(({ key }) => key))
      return items.map(({ key }, at) => ({ key, value: itemOf(values[at]) }))
    },
    getItemRaw: async (name) => (await front.get(name)) ?? null,
    setItem: set,
    setItemRaw: set,
    removeItem: async (name) => void (await front.delete(name)),
    getKeys: async (base) => {
      const names: string[] = []
      for await (const name of front.names(base)) names.push(name)
      return names
    },
    clear: (base) => front.clear(base),
    watch: (callback) => {
      const watch = warp.watch(front.patternOf(''))
      watches.add(watch)
      void tell(watch, front, callback)
      return () => {
        watches.delete(watch)
        watch.close()
      }
    },
    dispose: () => {
      for (const watch of watches) watch.close()
      watches.clear()
    },
  }
}

/** What unstorage reads as absent is `null`. */
function itemOf(value: unknown): string | null {
  return (value ?? null) as string | null // unstorage hands on whatever it is
}

/** Ends with the watch. What the listeners throw, and a log that cannot be read, is a warning of the process. */
async function tell(watch: Watch, front: KeyspaceFront, callback: WatchCallback): Promise<void> {
  try {
    for await (const change of watch) {
      if (change.kind === 'gap') await tellOfAll(front, callback)
      else
        callback(
          change.kind === 'expired' || change.value === undefined ? 'remove' : 'update',
          front.nameOf(change.key),
        )
    }
  } catch (error) {
    process.emitWarning(`a watch of unstorage over Warp ended: ${String(error)}`, 'WarpWarning')
  }
}

/** Too much has happened to say what: any item may have changed. */
async function tellOfAll(front: KeyspaceFront, callback: WatchCallback): Promise<void> {
  if (front.isOfCopies) return
  for await (const name of front.names()) callback('update', name)
}
