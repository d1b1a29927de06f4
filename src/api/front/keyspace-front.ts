/**
 * One keyspace in the shape that caches and stores of other libraries have: keys without the prefix
 * of its pattern, lives in milliseconds, and a `clear` of what is theirs. The adapters of Keyv,
 * express-session and unstorage stand on it; it does nothing but public calls of the engine.
 *
 * The keyspace is one of two kinds. If its truth is here (`register()`), its keys can be listed, and
 * stay until they are deleted or their life is over. If it loads (`load: 'caller'`), values are copies:
 * bounded by `openWarp({ copies })`, in no listing, and cleared by one operation.
 */
import { shownKind } from '../../../crdt/shown-kind.ts'
import { isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { compilePattern } from '../../keys/pattern.ts'
import { LIFE_MS_MAX } from '../../limits.ts'
import type { WriteOptions } from '../../store/write-road/receipt.ts'

/** What a front uses of an engine; every `Warp` has it. */
export interface FrontedEngine {
  get(key: string): Promise<unknown>
  getMany(keys: Iterable<string>): Promise<ReadonlyMap<string, unknown>>
  peek(key: string): unknown
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what values may be follows from the engine's keys
  set(key: string, value: any, options?: WriteOptions): Promise<unknown>
  delete(key: string, options?: WriteOptions): Promise<{ readonly dot: Dot | undefined }>
  key(key: string): object
  keys(pattern: string): AsyncIterable<string>
  clear(pattern: string): Promise<unknown>
  invalidateLocal(key: string): void
}

/** Keys that are read, or deleted, at once. */
const BATCH_KEYS = 256

export class KeyspaceFront {
  readonly #engine: FrontedEngine
  readonly #prefix: string
  /** A key of the keyspace, whose name nobody is likely to use. */
  readonly sample: string
  /** Whether values are copies of what is elsewhere. */
  readonly isOfCopies: boolean

  /**
   * `what` is the call that makes the front. Throws `WARP_E_PATTERN` if the pattern is no prefix with a
   * star behind it, `WARP_E_UNREGISTERED_KEY` if the engine has no such keys, `WARP_E_CONFIG` if they
   * take no `set`, or if `engine` is none.
   */
  constructor(what: string, engine: FrontedEngine, pattern: string) {
    checkEngine(what, engine)
    this.#engine = engine
    this.#prefix = prefixOf(what, pattern)
    this.sample = this.#prefix === '' ? 'a' : this.#prefix
    checkKeyspace(what, engine, { pattern, sample: this.sample })
    this.isOfCopies = loads(engine, this.sample)
    if (this.isOfCopies && isStored(engine, this.sample)) throw storedRefused(what, pattern)
  }

  keyOf(name: string): string {
    return this.#prefix + name
  }

  /** The name of a key of this keyspace. */
  nameOf(key: string): string {
    return key.slice(this.#prefix.length)
  }

  /** The pattern of all keys whose names begin with `beginning`. */
  patternOf(beginning: string): string {
    return `${this.keyOf(beginning).replaceAll(/[*?\\]/g, '\\$&')}*`
  }

  get(name: string): Promise<unknown> {
    return this.#engine.get(this.keyOf(name))
  }

  /** In the order of the names. */
  async getMany(names: readonly string[]): Promise<unknown[]> {
    const keys = names.map((name) => this.keyOf(name))
    const values = await this.#engine.getMany(keys)
    return keys.map((key) => values.get(key))
  }

  /**
   * `lifeMs` absent or infinite: as the pattern says. Zero or less: its life is over already, so it is
   * deleted.
   */
  async set(name: string, value: unknown, lifeMs?: number, options: WriteOptions = {}): Promise<void> {
    const key = this.keyOf(name)
    if (lifeMs === undefined || lifeMs === Infinity) await this.#engine.set(key, value, options)
    else if (lifeMs <= 0) await this.#engine.delete(key, options)
    else await this.#engine.set(key, value, { ...options, ttlMs: Math.min(Math.ceil(lifeMs), LIFE_MS_MAX) })
  }

  /** Whether there was something to delete; of copies that is not known, and `true`. */
  async delete(name: string, options: WriteOptions = {}): Promise<boolean> {
    const { dot } = await this.#engine.delete(this.keyOf(name), options)
    return dot !== undefined
  }

  /** Throws `WARP_E_CONFIG` for a keyspace of copies. */
  async *names(beginning = ''): AsyncGenerator<string, void, undefined> {
    if (this.isOfCopies) throw this.#isNotListed()
    for await (const key of this.#engine.keys(this.patternOf(beginning))) yield this.nameOf(key)
  }

  /** Names with their values. What ends meanwhile is left out. */
  async *entries(beginning = ''): AsyncGenerator<[string, unknown], void, undefined> {
    for await (const names of batches(this.names(beginning))) {
      const values = await this.getMany(names)
      for (const [at, name] of names.entries()) if (values[at] !== undefined) yield [name, values[at]]
    }
  }

  /**
   * Deletes all whose names begin so: copies by one operation, others by one operation each. What is
   * written meanwhile may stay. If it rejects, some are deleted.
   */
  async clear(beginning = ''): Promise<void> {
    if (this.isOfCopies) {
      await this.#engine.clear(this.patternOf(beginning))
      return
    }
    for await (const names of batches(this.names(beginning))) {
      await Promise.all(names.map((name) => this.delete(name)))
    }
  }

  #isNotListed(): WarpError {
    const pattern = this.patternOf('')
    return new WarpError(
      'WARP_E_CONFIG',
      `keys of '${pattern}' load, so nobody knows which there are; give the pattern register() without load`,
      { details: { pattern } },
    )
  }
}

async function* batches(names: AsyncIterable<string>): AsyncGenerator<string[], void, undefined> {
  let batch: string[] = []
  for await (const name of names) {
    if (batch.push(name) < BATCH_KEYS) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

function checkEngine(what: string, engine: unknown): void {
  const { get, set, keys } = (engine ?? {}) as Partial<FrontedEngine>
  if ([get, set, keys].every((method) => typeof method === 'function')) return
  throw new WarpError('WARP_E_CONFIG', `${what}: the engine is ${shownKind(engine)}; give what openWarp has opened`)
}

function prefixOf(what: string, pattern: string): string {
  const { literalPrefix, specificity } = compilePattern(pattern)
  const { literalLength, anyOneCount, anyRunCount } = specificity
  if (literalPrefix.length === literalLength && anyOneCount === 0 && anyRunCount === 1) return literalPrefix
  throw new WarpError(
    'WARP_E_PATTERN',
    `${what}: '${pattern}' is no beginning of keys with one * behind it; give a pattern such as 'cache:*'`,
    { details: { pattern } },
  )
}

function checkKeyspace(
  what: string,
  engine: FrontedEngine,
  { pattern, sample }: { readonly pattern: string; readonly sample: string },
): void {
  const handle = handleOf(what, engine, { pattern, sample }) as { readonly set?: unknown }
  if (typeof handle.set === 'function') return
  throw new WarpError(
    'WARP_E_CONFIG',
    `${what}: the strategy of '${pattern}' has no set; register the pattern with register()`,
    { details: { pattern } },
  )
}

function handleOf(
  what: string,
  engine: FrontedEngine,
  { pattern, sample }: { readonly pattern: string; readonly sample: string },
): object {
  try {
    return engine.key(sample)
  } catch (error) {
    if (!isWarpError(error, 'WARP_E_UNREGISTERED_KEY')) throw error
    throw new WarpError(
      'WARP_E_UNREGISTERED_KEY',
      `${what}: this engine has no keys '${pattern}'; open it with keys: { '${pattern}': register() }`,
      { details: { pattern }, cause: error },
    )
  }
}

/** Nobody else asks what the engine has behind a handle: a third party would find out by a write. */
function isStored(engine: FrontedEngine, sample: string): boolean {
  const { keyspace } = engine.key(sample) as { readonly keyspace?: { readonly source?: { readonly store?: unknown } } }
  return keyspace?.source?.store !== undefined
}

function storedRefused(what: string, pattern: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `${what}: the truth of '${pattern}' is in a store, where a clear would leave its rows; give a pattern without store`,
    { details: { pattern } },
  )
}

/** Nothing but a keyspace with a source has copies to let go of; `sample` is nobody's key. */
function loads(engine: FrontedEngine, sample: string): boolean {
  try {
    engine.invalidateLocal(sample.replaceAll(/[*?\\]/g, '\\$&'))
    return true
  } catch (error) {
    if (isWarpError(error, 'WARP_E_CONFIG')) return false
    throw error
  }
}
