/**
 * Keyspaces whose truth lies elsewhere: in a database, or behind a function that loads. What is in
 * memory of their keys are copies. What such a keyspace says is checked here, once; how it is
 * carried out is the data layer's business (`src/data-layer/`).
 */
import { isNumberFrom, optionNames } from '../../../crdt/checked-options.ts'
import { shownKind, shownValue } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { LIFE_MS_MAX } from '../../limits.ts'
import { isAdaptive, type AdaptiveLife } from './adaptive-life.ts'
import { storeSourceOf, type StoreOptions, type StoreSource } from './store-source.ts'

/** What a loader returns in the place of a value: the copy in memory is still right. */
export const NOT_MODIFIED: unique symbol = Symbol('not modified')
export type NotModified = typeof NOT_MODIFIED

/** What a loader is given beside the key. */
export interface LoadContext<Value = unknown> {
  readonly key: string
  /** Fires when nobody waits for this load any more: at its hard timeout, or at `close`. */
  readonly signal: AbortSignal
  /**
   * The value that is in memory and out of date, to ask the source whether it has changed;
   * `undefined` if there is none.
   */
  readonly stale: Value | undefined
  /** How long this value is to live, ms, instead of what the keyspace or the call says. */
  ttlMs(ms: number): void
  /** Names of groups that this value belongs to, beside those of the keyspace and the call. */
  tags(...tags: readonly string[]): void
  /** Says, returned as the value, that `stale` is still right; it begins another life. */
  notModified(): NotModified
}

/** What a loader of many keys is given beside them. */
export interface LoadManyContext {
  readonly signal: AbortSignal
  ttlMs(key: string, ms: number): void
  tags(key: string, ...tags: readonly string[]): void
}

export type Load = (key: string, context: LoadContext) => unknown
/** Values by key; a key that is left out has no value. */
export type LoadedMany = Iterable<readonly [string, unknown]>
export type LoadMany = (keys: readonly string[], context: LoadManyContext) => LoadedMany | Promise<LoadedMany>

/** What may be said of copies by a keyspace, and by each call. */
export interface CopyOptions {
  /** How long a copy lives, ms. Default: until it is invalidated or pushed out. */
  readonly ttlMs?: number
  /** Up to so many ms are added to each life, at random, so that copies do not end together. Default 0. */
  readonly jitterMs?: number
  /**
   * Grace: for so long after its life a copy is served where the source fails or is slow. Default 0.
   */
  readonly staleMs?: number
  /** After a load that failed, a stale copy is served for so long without another try, ms. Default 1,000. */
  readonly throttleMs?: number
  /** A caller who could have a stale copy waits no longer than that for a load, ms. Default: as `hardTimeoutMs`. */
  readonly softTimeoutMs?: number
  /** A load that takes longer is given up, and its callers are told (`WARP_E_LOAD_TIMEOUT`). Default 10,000. */
  readonly hardTimeoutMs?: number
  /** A read behind this share of the life begins a load behind the caller's back, from 0 to 1. Default: never. */
  readonly refreshAhead?: number
  /** How long it is remembered that the source has no value, ms. Default 0: each read asks again. */
  readonly negativeTtlMs?: number
}

/** What a keyspace says of its copies, wherever its truth is. */
export interface CopyingOptions extends CopyOptions {
  /**
   * `'absolute'` (the default): a life counts from the load. `'sliding'`: from the last read.
   * `adaptive({ minMs, maxMs })`: as long as reads deserve.
   */
  readonly ttl?: 'absolute' | 'sliding' | AdaptiveLife
  /** Names of groups that a value belongs to, for `invalidateTag`. */
  readonly tags?: (key: string, value: never) => readonly string[]
  /** A copy that an invalidation has made void may be served as a stale one. Default `false`. */
  readonly staleAfterInvalidation?: boolean
}

/** What a keyspace says of who loads, where several replicas could. */
export interface ClusterOptions {
  /**
   * `'replica'` (the default): each replica loads for itself. `'cluster'`: one replica loads a key for
   * all. Give all replicas the same.
   */
  readonly loads?: 'replica' | 'cluster'
  /** So long another replica is waited for, ms; then it is loaded here. Default 250. */
  readonly clusterWaitMs?: number
}

/** What a keyspace may say whose values a function loads. */
export interface LoadingOptions extends CopyingOptions, ClusterOptions {
  /**
   * Brings the value of a key from where the truth is. `'caller'`: each call brings its own
   * (`getOrSet`). `undefined` as a value: there is none.
   */
  readonly load: Load | 'caller'
  /** Brings many keys at once, for `getMany`; otherwise they are loaded one by one. */
  readonly loadMany?: LoadMany
}

/** What a keyspace may say whose truth is in a primary store. */
export type StoringOptions = CopyingOptions & ClusterOptions & StoreOptions

/** As `CopyOptions`, with what was left out: of a keyspace, or of one call. */
export interface CopyRules {
  /** 0: for ever. */
  readonly ttlMs: number
  readonly jitterMs: number
  readonly staleMs: number
  readonly throttleMs: number
  /** `Infinity`: no other bound than the hard one. */
  readonly softTimeoutMs: number
  readonly hardTimeoutMs: number
  /** 1: never. */
  readonly refreshAhead: number
  readonly negativeTtlMs: number
  readonly isSliding: boolean
  readonly adaptive: AdaptiveLife | undefined
  readonly servesVoid: boolean
  readonly tags: ((key: string, value: unknown) => readonly string[]) | undefined
}

/** How a replica is asked that loads for others. */
export interface ClusterRules {
  readonly waitMs: number
}

/** What a keyspace says of where its truth is. */
export interface Source {
  /** `undefined`: each call brings its own. */
  readonly load: Load | undefined
  readonly loadMany: LoadMany | undefined
  /** Where the truth is, if writes go there as well. */
  readonly store: StoreSource | undefined
  /** One replica loads for all; `undefined`: each for itself. */
  readonly cluster: ClusterRules | undefined
  readonly rules: CopyRules
}

export const COPY_OPTIONS: readonly (keyof CopyOptions)[] = optionNames<CopyOptions>({
  ...{ ttlMs: true, jitterMs: true, staleMs: true, throttleMs: true, softTimeoutMs: true },
  ...{ hardTimeoutMs: true, refreshAhead: true, negativeTtlMs: true },
}) as readonly (keyof CopyOptions)[]

const COPYING: Readonly<Record<keyof CopyingOptions, true>> = {
  ...{ ttlMs: true, jitterMs: true, staleMs: true, throttleMs: true, softTimeoutMs: true },
  ...{ hardTimeoutMs: true, refreshAhead: true, negativeTtlMs: true },
  ...{ ttl: true, tags: true, staleAfterInvalidation: true },
}
const CLUSTER: Readonly<Record<keyof ClusterOptions, true>> = { loads: true, clusterWaitMs: true }

/** All options of a keyspace that make sense only where a function loads. */
export const LOADING_OPTIONS: readonly string[] = optionNames<LoadingOptions>({
  ...COPYING,
  ...CLUSTER,
  ...{ load: true, loadMany: true },
})

/** All options of a keyspace that make sense only where there is a store. */
export const STORING_OPTIONS: readonly string[] = optionNames<StoringOptions>({
  ...COPYING,
  ...CLUSTER,
  ...{ store: true, writes: true, storeTimeoutMs: true, flushDelayMs: true, flushBatch: true, tombstoneMs: true },
})

/** Some ways over a network and a load; more than that a load of one's own is worth. */
const CLUSTER_WAIT_MS = 250

const BASE: CopyRules = {
  ttlMs: 0,
  jitterMs: 0,
  staleMs: 0,
  throttleMs: 1000,
  softTimeoutMs: Infinity,
  hardTimeoutMs: 10_000,
  refreshAhead: 1,
  negativeTtlMs: 0,
  isSliding: false,
  adaptive: undefined,
  servesVoid: false,
  tags: undefined,
}

/** Milliseconds that each option takes at least. */
const LEAST: Readonly<Record<keyof CopyOptions, number>> = {
  ttlMs: 1,
  jitterMs: 0,
  staleMs: 0,
  throttleMs: 0,
  softTimeoutMs: 0,
  hardTimeoutMs: 1,
  refreshAhead: 0,
  negativeTtlMs: 0,
}

/**
 * What a pattern's options say of its source. Throws `WARP_E_CONFIG`, naming the pattern, the option,
 * the value and the remedy.
 */
export function sourceOf(pattern: string, options: LoadingOptions): Source {
  const what = `'${pattern}'`
  const { load, loadMany } = options
  if (load !== 'caller' && typeof load !== 'function')
    throw refused(what, 'load', shownKind(load), "give a function from a key to its value, or 'caller'")
  checkFunction(what, 'loadMany', loadMany)
  const rules = copyRulesOf(what, options)
  if (load === 'caller' && rules.refreshAhead < 1)
    throw refused(
      what,
      'refreshAhead',
      `${rules.refreshAhead} with load: 'caller'`,
      'give the pattern a load, for nobody calls when it refreshes',
    )
  const cluster = clusterOf(what, options)
  return { load: load === 'caller' ? undefined : load, loadMany, store: undefined, cluster, rules }
}

/** The same of a pattern with a store. Throws `WARP_E_CONFIG`. */
export function storedSourceOf(pattern: string, options: StoringOptions): Source {
  const what = `'${pattern}'`
  const store = storeSourceOf(what, options)
  const [cluster, rules] = [clusterOf(what, options), copyRulesOf(what, options)]
  return { load: undefined, loadMany: undefined, store, cluster, rules }
}

function clusterOf(what: string, { loads = 'replica', clusterWaitMs }: ClusterOptions): ClusterRules | undefined {
  if (loads !== 'replica' && loads !== 'cluster')
    throw refused(what, 'loads', shownValue(loads), "use 'replica' or 'cluster'")
  if (clusterWaitMs !== undefined) {
    if (loads === 'replica')
      throw refused(
        what,
        'clusterWaitMs',
        `${shownValue(clusterWaitMs)} without loads: 'cluster'`,
        'give both, or neither',
      )
    if (!isNumberFrom(clusterWaitMs, 1, LIFE_MS_MAX))
      throw refused(what, 'clusterWaitMs', shownValue(clusterWaitMs), `give a number from 1 to ${LIFE_MS_MAX}`)
  }
  return loads === 'cluster' ? { waitMs: clusterWaitMs ?? CLUSTER_WAIT_MS } : undefined
}

export function copyRulesOf(what: string, options: CopyingOptions): CopyRules {
  const { ttl, tags, staleAfterInvalidation = false } = options
  checkFunction(what, 'tags', tags)
  if (typeof (staleAfterInvalidation as unknown) !== 'boolean')
    throw refused(what, 'staleAfterInvalidation', shownKind(staleAfterInvalidation), 'give true or false')
  return {
    ...rulesOf(what, options, BASE),
    isSliding: ttl === 'sliding',
    adaptive: adaptiveLifeOf(what, options),
    servesVoid: staleAfterInvalidation,
    tags: tags as CopyRules['tags'],
  }
}

/** The rules of `base` with what `options` say otherwise. Throws `WARP_E_CONFIG`. */
export function rulesOf(what: string, options: CopyOptions, base: CopyRules): CopyRules {
  let rules: CopyRules = base
  for (const name of COPY_OPTIONS) {
    const value: unknown = options[name]
    if (value === undefined) continue
    const most = name === 'refreshAhead' ? 1 : LIFE_MS_MAX
    if (!isNumberFrom(value, LEAST[name], most))
      throw refused(what, name, shownValue(value), `give a number from ${LEAST[name]} to ${most}`)
    if (rules === base) rules = { ...base }
    ;(rules as Record<keyof CopyOptions, number>)[name] = value
  }
  if (rules.softTimeoutMs !== Infinity && rules.softTimeoutMs > rules.hardTimeoutMs)
    throw refused(
      what,
      'softTimeoutMs',
      `${rules.softTimeoutMs}, beyond hardTimeoutMs`,
      `give at most ${rules.hardTimeoutMs}`,
    )
  // What a call says of a life is the life.
  return options.ttlMs !== undefined && rules.adaptive !== undefined ? { ...rules, adaptive: undefined } : rules
}

function adaptiveLifeOf(what: string, { ttl = 'absolute', ttlMs }: CopyingOptions): AdaptiveLife | undefined {
  if (isAdaptive(ttl)) {
    if (ttlMs === undefined) return ttl
    throw refused(what, 'ttlMs', shownValue(ttlMs), 'leave it out where ttl is adaptive')
  }
  if (ttl !== 'absolute' && ttl !== 'sliding')
    throw refused(what, 'ttl', shownKind(ttl), "use 'absolute', 'sliding' or adaptive({ minMs, maxMs })")
  if (ttl === 'sliding' && ttlMs === undefined)
    throw refused(what, 'ttl', `'sliding' without ttlMs`, 'give ttlMs as well')
  return undefined
}

function checkFunction(what: string, option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function')
    throw refused(what, option, shownKind(value), 'give a function, or leave it out')
}

function refused(what: string, option: string, shown: string, remedy: string): WarpError {
  return new WarpError('WARP_E_CONFIG', `${what}: ${option} is ${shown}; ${remedy}`, { details: { option } })
}
