/** A keyspace: what one key pattern says about the keys that match it, checked once at open. */
import { isRegister } from '../../crdt/register.ts'
import { hlcToMs, type Hlc } from '../../crdt/time/hlc.ts'
import { isForeignCode, type AnyStrategy } from '../../crdt/strategy.ts'
import { checkOptions, isNumberFrom, isWholeFrom, optionNames, refusedOption } from '../../crdt/checked-options.ts'
import { shownKind, shownValue } from '../../crdt/shown-kind.ts'
import { LIFE_MS_MAX } from '../limits.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { DOMAINS, type Domain } from './domain.ts'
import { assertNotHidden, isHidden } from './hidden/hidden-keys.ts'
import { PatternIndex } from './pattern-index.ts'
import { comparePatterns, compilePattern } from './pattern.ts'
import {
  LOADING_OPTIONS,
  sourceOf,
  storedSourceOf,
  STORING_OPTIONS,
  type LoadingOptions,
  type Source,
  type StoringOptions,
} from './source/source.ts'
import type { KeyMap, KeyOptions, Mode, Retention } from './typed-keys.ts'

export interface Keyspace {
  /** Its place among the keyspaces of this engine. */
  readonly index: number
  readonly pattern: string
  readonly strategy: AnyStrategy
  readonly mode: Mode
  /** Who orders its operations, and who gets them. */
  readonly domain: Domain
  /** 0: never. */
  readonly ttlMs: number
  /** Reads prolong the life here. */
  readonly isSliding: boolean
  /** Reads prolong the life on all replicas, by touches. */
  readonly isTouched: boolean
  /**
   * The time to live where it counts from the last write, so that all replicas agree on it;
   * otherwise 0. See `merge/lives.ts`.
   */
  readonly lifeMs: number
  readonly retain: Retention
  /** Only the greatest operation in canonical order counts: no state is kept. */
  readonly isLast: boolean
  /** The strategy is none of Warp's own: what it hands out is looked through. */
  readonly isForeign: boolean
  /**
   * Its strategy is `register()`: what is written is the value that is read. The way of a write
   * looks here and not into the strategy, for strategies have many shapes
   * (`npm run bench -- write-text`).
   */
  readonly isRegister: boolean
  /** The strategy's code. */
  readonly code: number
  /** Its keys are the engine's own: nobody reads or writes them by name. */
  readonly isHidden: boolean
  /** Where its truth is, if that is not here: then what is in memory are copies. */
  readonly source: Source | undefined
}

/** The key table holds the index of a keyspace in 16 bits; indices are not used again. */
const KEYSPACES_MAX = 65_535

/** Throws `WARP_E_PATTERN`, `WARP_E_CONFIG`, `WARP_E_LINEARIZABLE_UNSUPPORTED`. */
export class Keyspaces {
  /**
   * By the index that the key table holds. The place of one that was unregistered holds
   * `unregistered`.
   */
  readonly list: readonly Keyspace[]
  /** How often patterns have been registered or unregistered since opening. */
  changesCount = 0
  /**
   * Where keys go that come from other replicas and match no pattern here: kept and forwarded,
   * never read.
   */
  readonly unregistered: Keyspace
  readonly #index: PatternIndex<Keyspace>
  readonly #all: Keyspace[]

  readonly #isOrdered: boolean

  /**
   * `isOrdered`: there is an ordered log, so that keys may be strong. `hidden`: the engine's own key patterns, where
   * channels are declared.
   */
  constructor(keys: KeyMap, isOrdered = false, hidden?: KeyMap) {
    checkMap(keys)
    for (const pattern of Object.keys(keys)) assertNotHidden(pattern)
    this.#isOrdered = isOrdered
    this.#index = new PatternIndex<Keyspace>()
    const registered = Object.entries({ ...keys, ...hidden }).map(([pattern, definition], index) => {
      const keyspace = defineKeyspace(pattern, definitionOf(pattern, definition), { index, isOrdered })
      this.#index.add(pattern, keyspace)
      return keyspace
    })
    this.unregistered = keyspaceOf({ ...UNREGISTERED, index: registered.length })
    this.#all = [...registered, this.unregistered]
    this.list = this.#all
    // Locks need no keys, and neither do channels.
    if (registered.length === 0 && !isOrdered && hidden === undefined)
      throw misconfigured('keys', 'is empty', 'register at least one key pattern, or declare channels')
  }

  find(key: string): Keyspace | undefined {
    return this.#index.find(key)
  }

  /** The keyspace of this very pattern. */
  at(pattern: string): Keyspace | undefined {
    return this.#index.at(pattern)
  }

  /** What `add` would make of a pattern. Throws as `add` does; changes nothing. */
  tried(pattern: string, definition: unknown): Keyspace {
    const keyspace = this.#define(pattern, definition)
    this.#index.add(pattern, keyspace)
    this.#index.remove(pattern)
    return keyspace
  }

  /** Adds a pattern by the rules of the constructor. Keys that are known stay where they are. */
  add(pattern: string, definition: unknown): Keyspace {
    const keyspace = this.#define(pattern, definition)
    this.#index.add(pattern, keyspace)
    this.#all.push(keyspace)
    this.changesCount++
    return keyspace
  }

  /** Whether a key that both match belongs to `one`. */
  isNarrower(one: Keyspace, other: Keyspace): boolean {
    return comparePatterns(compilePattern(one.pattern), compilePattern(other.pattern)) < 0
  }

  /** As `find`, as if `keyspace` were not there. */
  findWithout(key: string, keyspace: Keyspace): Keyspace | undefined {
    return this.#index.find(key, keyspace)
  }

  /** Takes a pattern away: from now on its keys are read as those of no pattern. */
  remove(keyspace: Keyspace): void {
    this.#index.remove(keyspace.pattern)
    this.#all[keyspace.index] = this.unregistered
    this.changesCount++
  }

  #define(pattern: string, definition: unknown): Keyspace {
    // Before it is named in any other refusal.
    compilePattern(pattern)
    assertNotHidden(pattern)
    if (this.#all.length > KEYSPACES_MAX)
      throw misconfigured(pattern, `is one pattern more than the ${KEYSPACES_MAX} of one opening`, 'open the log again')
    return defineKeyspace(pattern, definitionOf(pattern, definition), {
      index: this.#all.length,
      isOrdered: this.#isOrdered,
    })
  }
}

/** Makes nothing of any operation: for keys of which it is not known what they mean. */
export const OPAQUE: AnyStrategy = {
  kind: 'unregistered',
  code: 0,
  fold: 'any',
  deletes: 'refused',
  initial: () => undefined,
  apply: (state: unknown) => state,
  read: () => undefined,
  isEmpty: () => false,
  encodeState: () => null,
  decodeState: () => undefined,
  verbs: {},
}

const UNREGISTERED: Omit<Facts, 'index'> = {
  pattern: '',
  strategy: OPAQUE,
  mode: 'eventual',
  domain: DOMAINS.shared,
  ttlMs: 0,
  isSliding: false,
  isTouched: false,
  retain: 'all',
  source: undefined,
}

/** What the rest of a keyspace follows from. */
type Facts = Omit<Keyspace, 'lifeMs' | 'isLast' | 'isForeign' | 'isRegister' | 'code' | 'isHidden'>

/**
 * All keyspaces have one hidden class: a literal without a spread. V8 gives what is made by a spread
 * a class of its own after some collections, and the ways of reads and writes, which look into
 * keyspaces, are then compiled anew for each engine of a process (`npm run bench -- write-memory`).
 */
function keyspaceOf(facts: Facts): Keyspace {
  const { index, pattern, strategy, mode, domain, ttlMs, isSliding, isTouched, retain, source } = facts
  return {
    index,
    pattern,
    strategy,
    mode,
    domain,
    ttlMs,
    isSliding,
    isTouched,
    retain,
    lifeMs: isSliding ? 0 : ttlMs,
    isLast: strategy.fold === 'last',
    isForeign: isForeignCode(strategy.code),
    // What is written where the truth is elsewhere says what its writer had seen of it; what is strong
    // is written by the ordered log.
    isRegister: isRegister(strategy) && source === undefined && mode !== 'strong',
    code: strategy.code,
    isHidden: isHidden(pattern),
    source,
  }
}

const KEYS_EXAMPLE = "give key patterns with their strategies, such as { 'user:*': register() }"

function checkMap(keys: unknown): void {
  const isMap = typeof keys === 'object' && keys !== null && !Array.isArray(keys) && !(keys instanceof Map)
  if (!isMap) throw refusedOption('openWarp', 'keys', keys, KEYS_EXAMPLE)
}

function isStrategy(definition: AnyStrategy | KeyOptions): definition is AnyStrategy {
  return 'apply' in definition
}

/** Throws for what only callers without a compiler write. */
function definitionOf(pattern: string, definition: unknown): KeyOptions {
  if (typeof definition === 'function') {
    const { name } = definition as { readonly name: string }
    throw misconfigured(pattern, `has a function (${name || 'without a name'})`, `call it: ${name || 'strategy'}()`)
  }
  if (typeof definition !== 'object' || definition === null) {
    throw misconfigured(pattern, `has ${shownKind(definition)}`, 'give a strategy, or options with a strategy')
  }
  return isStrategy(definition as AnyStrategy | KeyOptions)
    ? { strategy: definition as AnyStrategy }
    : (definition as KeyOptions)
}

const KEY_OPTIONS = optionNames<Exclude<KeyOptions, LoadingOptions | StoringOptions>>({
  strategy: true,
  mode: true,
  retain: true,
  ttlMs: true,
  ttl: true,
  sliding: true,
})
const LOADING_KEY_OPTIONS = [...new Set(['strategy', 'mode', 'retain', ...LOADING_OPTIONS])]
const STORING_KEY_OPTIONS = [...new Set(['strategy', 'mode', 'retain', ...STORING_OPTIONS])]
const ALL_KEY_OPTIONS = [...new Set([...KEY_OPTIONS, ...LOADING_KEY_OPTIONS, ...STORING_KEY_OPTIONS])]
const VERSIONS_OPTION = ['versions']
const FOR_MS_OPTION = ['forMs']

interface Among {
  readonly index: number
  readonly isOrdered: boolean
}

function defineKeyspace(pattern: string, options: KeyOptions, { index, isOrdered }: Among): Keyspace {
  checkOptions(`the key pattern '${pattern}'`, options, ALL_KEY_OPTIONS)
  const truth = truthOf(options)
  checkKindOfOptions(pattern, options, truth)
  const { strategy, mode = 'eventual' } = options
  const lives = truth === 'here' ? livesOf(pattern, options as LivingOptions) : NO_LIVES
  const { retain = retentionOf(lives, truth) } = options
  if ((mode as unknown) === 'strong' && !isOrdered) throw strongUnsupported(pattern)
  const domain = DOMAIN_OF_MODE.get(mode)
  if (domain === undefined)
    throw misconfigured(pattern, `has mode ${shownKind(mode)}`, `use 'local', 'eventual' or 'strong'`)
  checkRetention(pattern, retain)
  if (typeof strategy === 'function') definitionOf(pattern, strategy)
  checkStrategy(pattern, strategy)
  if (mode === 'strong') checkStrong(pattern, { strategy, truth, lives })
  return keyspaceOf({
    index,
    pattern,
    strategy,
    mode,
    domain,
    ...lives,
    retain,
    source: checkedSource(pattern, options, truth),
  })
}

/** Where the truth of keys is: in the log, behind a function that loads, in a primary store. */
type Truth = 'here' | 'load' | 'store'

function truthOf(options: KeyOptions): Truth {
  if ('load' in options && options.load !== undefined) return 'load'
  return 'store' in options && (options as StoringOptions).store !== undefined ? 'store' : 'here'
}

/** What ends would stay in the log for ever otherwise. */
function retentionOf({ ttlMs }: Lives, truth: Truth): Retention {
  return truth !== 'here' || ttlMs > 0 ? 'latest' : 'all'
}

function checkedSource(pattern: string, options: KeyOptions, truth: Truth): Source | undefined {
  if (truth === 'here') return undefined
  const { strategy } = options
  if (truth === 'load') {
    if (!isRegister(strategy)) throw loadsNoRegister(pattern, strategy)
    return sourceOf(pattern, options as LoadingOptions)
  }
  if (strategy.fromValue === undefined) throw storesNot(pattern, strategy)
  return storedSourceOf(pattern, options as StoringOptions)
}

function storesNot(pattern: string, { kind }: AnyStrategy): WarpError {
  return misconfigured(
    pattern,
    `has a store, and strategy '${kind}', whose state does not follow from its value`,
    'use register(), counter() or custom(); a strategy of your own needs fromValue',
  )
}

type LivingOptions = Exclude<KeyOptions, LoadingOptions | StoringOptions>
type Lives = Pick<Keyspace, 'ttlMs' | 'isSliding' | 'isTouched'>

/** With a source, lives are lives of copies: they take no part in the merge. */
const NO_LIVES: Lives = { ttlMs: 0, isSliding: false, isTouched: false }

function livesOf(pattern: string, options: LivingOptions): Lives {
  const { ttlMs = 0, ttl = 'absolute', sliding = 'local' } = options
  checkTtl(pattern, options.ttlMs, ttl)
  checkSliding(pattern, options)
  const isTouched = sliding === 'replicas'
  return { ttlMs, isSliding: ttl === 'sliding' && !isTouched, isTouched }
}

/** An option of the other kind would be believed in. */
function checkKindOfOptions(pattern: string, options: object, truth: Truth): void {
  const known = KNOWN_OPTIONS[truth]
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || known.includes(name)) continue
    if (truth !== 'here') throw misconfigured(pattern, `has ${name} and ${truth}`, `leave one of them out`)
    const missing = STORING_KEY_OPTIONS.includes(name) && !LOADING_KEY_OPTIONS.includes(name) ? 'store' : 'load'
    const problem = missing === 'store' ? 'no store' : 'nothing that loads'
    throw misconfigured(pattern, `has ${name} and ${problem}`, `give ${missing} as well, or leave ${name} out`)
  }
}

const KNOWN_OPTIONS: Readonly<Record<Truth, readonly string[]>> = {
  here: KEY_OPTIONS,
  load: LOADING_KEY_OPTIONS,
  store: STORING_KEY_OPTIONS,
}

function loadsNoRegister(pattern: string, { kind }: AnyStrategy): WarpError {
  return misconfigured(
    pattern,
    `loads, and has strategy '${kind}'`,
    'use register(): what is loaded is a whole value, and nothing merges with it',
  )
}

/** Each replica judges a strong write by itself, and all must come to the same. */
function checkStrong(
  pattern: string,
  { strategy, truth, lives }: { readonly strategy: AnyStrategy; readonly truth: Truth; readonly lives: Lives },
): void {
  if (truth !== 'here')
    throw misconfigured(
      pattern,
      `has mode 'strong' and ${truth}`,
      `leave ${truth} out: the truth of strong keys is in the ordered log`,
    )
  if (strategy.appliesOnPrepare === true)
    throw misconfigured(
      pattern,
      `has mode 'strong' and strategy '${strategy.kind}', whose writes depend on who runs them`,
      `use mode 'eventual'; the strategy merges by itself`,
    )
  if (lives.isSliding || lives.isTouched)
    throw misconfigured(
      pattern,
      `has mode 'strong' and a life that slides`,
      `use ttl: 'absolute'; a read of one replica cannot prolong a life on all`,
    )
}

const DOMAIN_OF_MODE: ReadonlyMap<Mode, Domain> = new Map([
  ['local', DOMAINS.local],
  ['eventual', DOMAINS.shared],
  ['strong', DOMAINS.ordered],
])

function checkTtl(pattern: string, ttlMs: unknown, ttl: string): void {
  const isLife = ttlMs === undefined || isNumberFrom(ttlMs, 1, LIFE_MS_MAX)
  if (!isLife)
    throw misconfigured(
      pattern,
      `has ttlMs ${shownValue(ttlMs)}`,
      `use milliseconds from 1 to ${LIFE_MS_MAX}, or leave it out`,
    )
  if (ttl !== 'absolute' && ttl !== 'sliding')
    throw misconfigured(pattern, `has ttl ${shownKind(ttl)}`, `use 'absolute' or 'sliding'`)
}

function checkSliding(pattern: string, { sliding, ttl, ttlMs = 0 }: LivingOptions): void {
  if (sliding === undefined) return
  if ((sliding as unknown) !== 'local' && (sliding as unknown) !== 'replicas')
    throw misconfigured(pattern, `has sliding ${shownKind(sliding)}`, `use 'local' or 'replicas'`)
  if (ttl !== 'sliding' || ttlMs === 0)
    throw misconfigured(
      pattern,
      `has sliding '${sliding}' and no life that slides`,
      `give ttlMs and ttl: 'sliding' as well`,
    )
}

function checkRetention(pattern: string, retain: Retention): void {
  if (retain === 'all' || retain === 'latest') return
  if (typeof retain === 'object' && (retain as unknown) !== null) {
    const isVersions = 'versions' in retain
    checkOptions(`the key pattern '${pattern}': retain`, retain, isVersions ? VERSIONS_OPTION : FOR_MS_OPTION)
    const count = isVersions ? retain.versions : retain.forMs
    if (isVersions ? isWholeFrom(count, 1) : isNumberFrom(count, 1, Number.MAX_VALUE)) return
    throw retains(pattern, `{ ${isVersions ? 'versions' : 'forMs'}: ${shownValue(count)} }`)
  }
  throw retains(pattern, shownKind(retain))
}

function retains(pattern: string, what: string): WarpError {
  return misconfigured(
    pattern,
    `retains ${what}`,
    `use 'all', 'latest', { versions } (a whole number) or { forMs } of at least 1`,
  )
}

/**
 * Names that handles have anyway, for callers or for the engine; and `then`, which would make a
 * handle a promise to `await`.
 */
const HANDLE_NAMES = new Set([
  ...['key', 'get', 'peek', 'write', 'delete', 'log', 'getAt', 'explain', 'watch', 'with', 'touch'],
  ...['keyspace', 'slot', 'runVerb', 'runQuery', 'constructor', 'then'],
])

const FOLDS: ReadonlySet<unknown> = new Set(['last', 'any', 'canonical'])
const DELETE_RULES: ReadonlySet<unknown> = new Set(['observed', 'ordered', 'refused'])
const CODE_MAX = 255

function checkStrategy(pattern: string, strategy: AnyStrategy): void {
  if (typeof (strategy as AnyStrategy | undefined)?.apply !== 'function') {
    throw misconfigured(pattern, 'has no strategy', 'give one, or options with a strategy')
  }
  const { kind, code, fold, deletes } = strategy
  if (!isWholeFrom(code, 1, CODE_MAX)) {
    throw misconfigured(
      pattern,
      `has strategy '${kind}' with code ${shownValue(code)}`,
      'use a whole number from 64 to 255',
    )
  }
  if (!FOLDS.has(fold))
    throw misconfigured(
      pattern,
      `has strategy '${kind}' with fold ${shownKind(fold)}`,
      `use 'last', 'any' or 'canonical'`,
    )
  if (!DELETE_RULES.has(deletes)) {
    throw misconfigured(
      pattern,
      `has strategy '${kind}' with deletes ${shownKind(deletes)}`,
      `use 'observed', 'ordered' or 'refused'`,
    )
  }
  if (fold === 'any' && deletes === 'ordered') {
    throw misconfigured(
      pattern,
      `has strategy '${kind}' with fold 'any' and deletes 'ordered'`,
      `use fold 'canonical', or deletes 'observed' or 'refused'`,
    )
  }
  for (const name of methodsOf(strategy)) {
    if (HANDLE_NAMES.has(name))
      throw misconfigured(
        pattern,
        `has strategy '${kind}' with a verb '${name}'`,
        'every handle has that already; rename it',
      )
  }
}

function methodsOf(strategy: AnyStrategy): string[] {
  const { verbs, queries = {} } = strategy as { readonly verbs: object; readonly queries?: object }
  return [...Object.keys(verbs), ...Object.keys(queries)]
}

function misconfigured(what: string, problem: string, remedy: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `'${what}' ${problem}; ${remedy}`)
}

function strongUnsupported(pattern: string): WarpError {
  return new WarpError(
    'WARP_E_LINEARIZABLE_UNSUPPORTED',
    `'${pattern}' asks for mode 'strong', which needs an ordered log; none is configured; ` +
      `give openWarp({ order }), such as memoryOrderedLog() or natsOrderedLog(…), or use mode 'eventual' with a ` +
      `strategy that merges, or 'local'`,
    { details: { pattern } },
  )
}

/**
 * When a value stops being visible, ms, that was last written at `written` and, if its life slides,
 * last read at `readMs`. Where the writer's clock was ahead of the reader's, reading does not
 * shorten it.
 */
export function endOfLife(ttlMs: number, written: Hlc, readMs = 0): number {
  return Math.max(hlcToMs(written), readMs) + ttlMs
}
