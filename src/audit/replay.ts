/**
 * `replayLog`: what would the values be, had the keys meant something else? Every key's operations
 * are folded under both sets of patterns and the values compared. The log is not changed.
 *
 * Operations are given to the other strategy as they are, whoever wrote them; what it cannot take
 * it refuses, as it would from any replica, and so many are told. A key whose operations were
 * compacted away can only be read by a strategy that takes its snapshot.
 */
import { checkOptions, optionNames } from '../../crdt/checked-options.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { encode } from '../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { hlcToMs } from '../../crdt/time/hlc.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { Env } from '../ports/env.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import { Keyspaces, type Keyspace } from '../keys/keyspace.ts'
import type { LogFiles, LogStore } from '../ports/files.ts'
import { Log } from '../log/log.ts'
import { overlayFiles } from '../log/files/overlay-files.ts'
import type { Chain } from '../merge/chain.ts'
import { PausedWork, type Meter } from '../operation/budget.ts'
import { ReplicaTable } from '../operation/replica-table.ts'
import { shared } from '../../crdt/encoding/shared-value.ts'
import { Recovered } from '../store/recovered.ts'
import type { KeyMap } from '../keys/typed-keys.ts'
import type { Platform } from '../ports/platform.ts'
import { equalBytes } from '../ports/stores/rows.ts'
import { KeyOperations, type StoredOperation } from './key-operations.ts'
import { noLog } from './log-audit.ts'
import { emptyBase, naiveFold, type Base, type Folded } from './naive-fold.ts'

export interface ReplayOptions {
  readonly log: LogStore
  /** What the keys mean. */
  readonly keys: KeyMap
  /** What they are to mean instead. */
  readonly with: KeyMap
  /** Default: the platform's. */
  readonly env?: Env
  /** Told how many of how many keys have been looked at. Must not throw. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void
  /** Gives up with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

/** One key under one set of patterns. */
export interface ReplayedValue {
  /** The strategy's `kind`; `undefined` if no pattern matches. */
  readonly strategy: string | undefined
  readonly value: unknown
  /** Operations that the strategy refused to apply. */
  readonly rejectedCount: number
  /** Why the key cannot be read at all. */
  readonly unreadable?: string
}

export interface ReplayedKey {
  readonly key: string
  readonly kind: 'added' | 'removed' | 'changed' | 'unreadable'
  readonly before: ReplayedValue
  readonly after: ReplayedValue
}

const OPTIONS = optionNames<ReplayOptions>({
  log: true,
  keys: true,
  with: true,
  env: true,
  onProgress: true,
  signal: true,
})

/**
 * The keys that would differ. Throws what opening a log throws; `WARP_E_CONFIG` and
 * `WARP_E_PATTERN` for keys; `WARP_E_ABORTED`.
 */
export async function* replayLogOn(
  platform: Platform,
  options: ReplayOptions,
): AsyncGenerator<ReplayedKey, void, undefined> {
  checkOptions('replayLog', options, OPTIONS)
  const [before, after] = [new Keyspaces(options.keys, true), new Keyspaces(options.with, true)]
  const env = options.env ?? platform.env
  const below = await options.log.open()
  const replay = new Replay(env, before)
  try {
    await replay.open(overlayFiles(below), options.log.name)
    const { keys } = replay
    let done = 0
    const work = new PausedWork(() => pause(options, env, { done, total: keys.size }))
    await pause(options, env, { done: 1, total: keys.size })
    for (const slot of keys.occupied()) {
      done++
      const difference = await work.finish(replay.compare(slot, after, work))
      if (difference !== undefined) yield difference
      await work.spendKey()
    }
  } finally {
    await replay.close()
    await below.close()
  }
}

async function pause(
  { signal, onProgress }: ReplayOptions,
  env: Env,
  progress: { done: number; total: number },
): Promise<void> {
  onProgress?.(progress)
  await env.yield()
  if (signal?.aborted === true)
    throw new WarpError('WARP_E_ABORTED', 'replaying the log was given up', { cause: signal.reason })
}

class Replay {
  readonly #env: Env
  readonly #keyspaces: Keyspaces
  readonly #table = new ReplicaTable()
  readonly #known: Recovered
  #log: Log | undefined
  #operations: KeyOperations | undefined

  constructor(env: Env, keyspaces: Keyspaces) {
    this.#env = env
    this.#keyspaces = keyspaces
    this.#known = new Recovered(keyspaces, this.#table)
  }

  async open(files: LogFiles, name: string): Promise<void> {
    const known = this.#known
    this.#log = await Log.open(
      { files, env: this.#env },
      {
        restore: (body, budget) => budget.finish(known.restoreSteps(body, budget)),
        record: (record) => known.record(record),
      },
    )
    if (this.#log.recovery.created) throw noLog(name)
    this.#operations = new KeyOperations(this.#log, this.#table)
  }

  get keys(): KeyTable {
    return this.#known.keys
  }

  /** `undefined` if nothing would differ. In steps. */
  *compare(slot: Slot, other: Keyspaces, meter: Meter): Generator<void, ReplayedKey | undefined> {
    const key = this.keys.keys[slot] as string
    const before = yield* this.#replayed(slot, this.#keyspaces.find(key), meter)
    const after = yield* this.#replayed(slot, other.find(key), meter, AS_THEY_ARE)
    if (before.unreadable !== undefined || after.unreadable !== undefined) {
      const isSame = before.strategy === after.strategy && before.unreadable !== undefined
      return isSame ? undefined : { key, kind: 'unreadable', before, after }
    }
    if (isSameValue(before.value, after.value)) return undefined
    if (before.value === undefined) return { key, kind: 'added', before, after }
    return { key, kind: after.value === undefined ? 'removed' : 'changed', before, after }
  }

  async close(): Promise<void> {
    await this.#log?.close()
  }

  *#replayed(
    slot: Slot,
    keyspace: Keyspace | undefined,
    meter: Meter,
    given: Given = (operation) => operation,
  ): Generator<void, ReplayedValue> {
    if (keyspace === undefined) return { strategy: undefined, value: undefined, rejectedCount: 0 }
    const { strategy } = keyspace
    try {
      const { state, present, rejectedCount } = yield* this.#fold(slot, keyspace, meter, given)
      const isVisible = present && !this.#isExpired(slot, keyspace)
      return { strategy: strategy.kind, value: isVisible ? shared(strategy.read(state)) : undefined, rejectedCount }
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_UNKNOWN_OP') && !isWarpError(error, 'WARP_E_PROTOCOL')) throw error
      return { strategy: strategy.kind, value: undefined, rejectedCount: 0, unreadable: error.message }
    }
  }

  *#fold(slot: Slot, { strategy, lifeMs }: Keyspace, meter: Meter, given: Given): Generator<void, Folded> {
    const operations = this.#operations as KeyOperations
    const { head, snapshot, cut } = this.keys
    const chain: Chain = { head: head[slot] as number, snapshot: snapshot[slot] as number, cut: cut[slot] as number }
    const behind = yield* operations.ofChain(chain, meter)
    const fold = (base: Base, folded: readonly StoredOperation[]): Generator<void, Folded> =>
      naiveFold({ strategy, base, operations: folded.map((operation) => given(operation, strategy)), lifeMs }, meter)
    if (chain.snapshot === 0) return yield* fold(emptyBase(strategy), behind)
    const { strategy: code, baseVersion } = operations.snapshot(chain.snapshot)
    if (code === strategy.code) return yield* fold(operations.base(strategy, chain), behind)
    const before = yield* operations.beforeCut(chain, baseVersion, meter)
    if (before !== undefined) return yield* fold(emptyBase(strategy), before.concat(behind))
    throw new WarpError(
      'WARP_E_UNKNOWN_OP',
      `${baseVersion} of its operations are compacted into a snapshot by strategy ${code}, which ${strategy.kind} does not take`,
    )
  }

  #isExpired(slot: Slot, keyspace: Keyspace): boolean {
    const ttlMs = this.keys.lifeMs(slot) || keyspace.ttlMs
    return ttlMs > 0 && hlcToMs(this.keys.tipHlc[slot] as number) + ttlMs <= this.#env.now()
  }
}

type Given = (operation: StoredOperation, strategy: AnyStrategy) => StoredOperation

/** Operations are given to the other strategy as they are, whoever wrote them. */
const AS_THEY_ARE: Given = (operation, { code }) => ({ ...operation, strategy: code })

/** Documents of other libraries are compared by what they say of themselves in JSON. */
function isSameValue(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalBytes(encode(comparable(a)), encode(comparable(b)))
}

/** As an {@link Encodable}, different for different values of one kind. */
function comparable(value: unknown): Encodable {
  if (value === undefined) return null
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value as Encodable
  if (value instanceof Set) return { set: [...value].map(comparable) }
  if (Array.isArray(value)) return value.map(comparable)
  if ('toJSON' in value && typeof value.toJSON === 'function') return comparable((value.toJSON as () => unknown)())
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, comparable(entry)]))
}
