/** What clients do with strong keys, and what of it stands in their history. */
import type { Warp } from '../src/api/public.ts'
import type { KeyMap } from '../src/keys/typed-keys.ts'
import type { Receipt } from '../src/store/write-road/receipt.ts'
import type { Json } from '../testing/history/json.ts'

export type Act =
  | { readonly f: 'get' | 'getVersioned' | 'delete'; readonly key: string }
  | {
      readonly f: 'set' | 'increment' | 'add' | 'remove' | 'update'
      readonly key: string
      readonly of: number
      readonly ttlMs?: number
    }
  /** By the version or the value that the client has seen last. */
  | {
      readonly f: 'cas'
      readonly key: string
      readonly by: 'version' | 'value' | 'absent'
      readonly next: number
      readonly ttlMs?: number
    }

export class Client {
  readonly index: number
  readonly #seen = new Map<string, { version?: number; value?: Json }>()

  constructor(index: number) {
    this.index = index
  }

  seen(key: string, is: Json): void {
    const seen = this.#seen.get(key) ?? {}
    this.#seen.set(key, seen)
    if (Array.isArray(is) && is.length === 2 && !key.startsWith('tags'))
      Object.assign(seen, { value: is[0], version: is[1] })
    else if (typeof is === 'object' && is !== null && 'conflict' in is) seen.version = is['conflict'] as number
    else if (typeof is === 'number') seen.version = is
  }

  versionOf(key: string): number {
    return this.#seen.get(key)?.version ?? 0
  }

  valueOf(key: string): Json {
    return this.#seen.get(key)?.value ?? -1
  }
}

export const UPDATE_TRIES = 4

export function inputOf(act: Act, client: Client): Json {
  switch (act.f) {
    case 'get':
    case 'getVersioned':
    case 'delete':
      return null
    case 'cas':
      if (act.by === 'absent') return ['absent', act.next]
      if (act.by === 'version') return [{ version: client.versionOf(act.key) }, act.next]
      return [{ value: client.valueOf(act.key) ?? -1 }, act.next]
    default:
      return act.of
  }
}

export function lifeOf(act: Act): number | undefined {
  if (!act.key.startsWith('brief')) return undefined
  return 'ttlMs' in act && act.ttlMs !== undefined ? act.ttlMs : 2000
}

type Called = (warp: Warp<KeyMap>, act: Act, of: Json, options: { readonly ttlMs?: number }) => Promise<Json>

/** A verb of the strategy. */
const verb: Called = async (warp, { f, key }, of) => {
  const handle = warp.key(key) as unknown as Readonly<Record<string, (value: unknown) => Promise<Receipt>>>
  return (await handle[f]!(of)).version
}

const CALLS: Readonly<Record<Act['f'], Called>> = {
  get: async (warp, { key }) => plain(key, await warp.get(key)),
  getVersioned: async (warp, { key }) => {
    const { value, version } = await warp.getVersioned(key)
    return [plain(key, value), version]
  },
  delete: async (warp, { key }) => (await warp.delete(key)).version,
  set: async (warp, { key }, of, options) => (await warp.set(key as never, of, options)).version,
  update: async (warp, { key }, of) => {
    const add = (value: number | undefined): number => (value ?? 0) + (of as number)
    return (await warp.update(key as never, add as never, { triesMax: UPDATE_TRIES }))?.version ?? null
  },
  cas: async (warp, { key }, of, options) => {
    const [expected, next] = of as readonly [Json, Json]
    const outcome = await warp.tryCompareAndSet(key as never, expected as never, next, options)
    return outcome.kind === 'ok' ? outcome.receipt.version : { conflict: outcome.version }
  },
  increment: verb,
  add: verb,
  remove: verb,
}

export async function perform(warp: Warp<KeyMap>, act: Act, of: Json): Promise<Json> {
  const options = 'ttlMs' in act && act.ttlMs !== undefined ? { ttlMs: act.ttlMs } : {}
  return CALLS[act.f](warp, act, of, options)
}

export function isConflict(is: Json): boolean {
  return typeof is === 'object' && is !== null && 'conflict' in is
}

/** As the model has it: what holds nothing is no value. */
export function plain(key: string, value: unknown): Json {
  if (key.startsWith('sum') && value === 0) return null
  if (value instanceof Set) return value.size === 0 ? null : [...(value as Set<number>)].sort((a, b) => a - b)
  return (value as Json | undefined) ?? null
}
