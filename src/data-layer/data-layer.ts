/**
 * The data layer: a cache in front of what holds the truth, correct on every replica. Reads through,
 * loads once, and never serves what has been invalidated. What it decides by is in `keeper.ts`, what
 * it waits for in `loads.ts`; here the calls come in.
 */
import { checkOptions, optionNames } from '../../crdt/checked-options.ts'
import { shownKind } from '../../crdt/shown-kind.ts'
import { asError, WarpError } from '../../crdt/warp-error.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Domain } from '../keys/domain.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import {
  COPY_OPTIONS,
  rulesOf,
  type CopyOptions,
  type CopyRules,
  type Load,
  type LoadMany,
  type Source,
} from '../keys/source/source.ts'
import { REMEMBERED_INVALIDATIONS_MAX } from '../limits.ts'
import type { EnteredInvalidation, Invalidation } from '../operation/invalidation.ts'
import type { EnteredLeaseNote } from '../operation/leases/lease-note.ts'
import type { Env } from '../ports/env.ts'
import type { CopyTalkPort } from '../ports/talk/copy-talk.ts'
import type { LoadTalkPort } from '../ports/talk/load-talk.ts'
import type { LeaseTalkPort } from '../ports/talk/lease-times.ts'
import type { Recorder } from '../ports/recorder.ts'
import type { EngineEvent } from '../store/event.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Writer } from '../store/write-road/writer.ts'
import { loadBatches, type Wish } from './batches.ts'
import type { CopyLimits, CopySlot } from './copies.ts'
import { LeaseDesk, type LeaseDeskOptions } from './leases/leases.ts'
import { Invalidations } from './invalidations.ts'
import { Invalidator } from './invalidator.ts'
import { Keeper, MISS } from './keeper.ts'
import { ClusterLoads } from './cluster/cluster-loads.ts'
import { CopyTeller } from './cluster/copy-teller.ts'
import { Fills } from './cluster/fills.ts'
import { checkTags, type LoadRequest } from './load-request.ts'
import { Loads } from './loads.ts'
import type { OpenOperation } from './stored/rows/open-operation.ts'
import { Making } from './stored/making.ts'
import { RowFills } from './stored/row-fills.ts'
import { Stores } from './stored/stores.ts'
import { Validator } from './upkeep/validator.ts'
import { WarmUp } from './upkeep/warm-up.ts'
import { WrittenCopies } from './written-copies.ts'

/** What a call may say of the copy that it asks for, instead of what the keyspace says. */
export interface GetOrSetOptions extends CopyOptions {
  /** Names of groups that the value belongs to, for `invalidateTag`. */
  readonly tags?: readonly string[]
  /** Gives up waiting with `WARP_E_ABORTED`; the load goes on, for others. */
  readonly signal?: AbortSignal
}

export const GET_OR_SET_OPTIONS: readonly string[] = [
  ...COPY_OPTIONS,
  ...optionNames<Omit<GetOrSetOptions, keyof CopyOptions>>({ tags: true, signal: true }),
]

/** What the data layer counts, since open unless said otherwise. */
export interface CopyCounts {
  /** Copies in memory now. */
  readonly copiesCount: number
  readonly entriesMax: number
  /** What they weigh; absent where `copies.bytesMax` is not given. */
  readonly bytes?: number
  readonly bytesMax?: number
  readonly hitsCount: number
  readonly missesCount: number
  /** Stale copies that were served: the source failed, or was slow. */
  readonly staleCount: number
  readonly loadsCount: number
  /** Of these, those that another replica has answered. */
  readonly fillsCount: number
  readonly loadFailuresCount: number
  /** Under way now. */
  readonly loadingCount: number
  /** Copies that had to go since there was no room. */
  readonly evictionsCount: number
  /** Seen, from here and elsewhere. */
  readonly invalidationsCount: number
  readonly rememberedInvalidationsCount: number
  /** Keys whose copies and rows a validator has compared, and of which they differed. */
  readonly validatedCount: number
  readonly driftsCount: number
}

export interface DataLayerOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly limits: CopyLimits
  readonly observe: (event: EngineEvent) => void
  readonly recorder: Recorder | undefined
  /** What has been applied here. Live. */
  readonly applied: VersionVector
  readonly writer: Writer
  /** Writes an invalidation, which enters at once. */
  readonly write: (invalidation: Invalidation) => Dot
  /** Something has been written that is to be sent. */
  readonly written: () => void
  /** Settles when what was written here outlives this process, as far as can be waited for. */
  readonly shared: (operations: readonly OpenOperation[]) => Promise<void>
  /** All of a key is in its store: its operations may leave the log. */
  readonly stored: (key: string) => void
  /** Whether every replica has an operation. */
  readonly isStable: (domain: Domain, dot: Dot) => boolean
  readonly leases: LeasePorts
  /** Other replicas, as far as they load for this one; `undefined`: there are none. */
  readonly talk: LoadTalkPort | undefined
  /** The same, as far as they tell what copies they hold. */
  readonly copyTalk: CopyTalkPort | undefined
}

/** What leases need of the engine and of other replicas. */
export interface LeasePorts extends Pick<LeaseDeskOptions, 'book' | 'self' | 'hasEnded' | 'write'> {
  /** `undefined`: there are no other replicas. */
  readonly talk: LeaseTalkPort | undefined
}

/** Keys that load, among others. */
export interface MixedRead {
  readonly signal: AbortSignal | undefined
  readonly check: () => void
  readonly others: (keys: readonly string[]) => Promise<Map<string, unknown>>
}

const NO_TAGS: readonly string[] = []

export class DataLayer {
  readonly invalidations: Invalidations = new Invalidations(REMEMBERED_INVALIDATIONS_MAX)
  readonly keeper: Keeper
  readonly loads: Loads
  readonly invalidator: Invalidator
  readonly leases: LeaseDesk
  readonly stores: Stores
  readonly #fills: Fills
  #cluster: ClusterLoads | undefined
  readonly warmUp: WarmUp
  readonly validator: Validator
  readonly #written: WrittenCopies
  readonly #making: Making
  readonly #options: DataLayerOptions
  readonly #store: KeyStore
  /** What the keyspaces said when the copies were made. */
  #keyspacesSeen: number
  #hitsCount = 0
  #missesCount = 0

  constructor(options: DataLayerOptions) {
    const { store, env, limits, observe, recorder, applied, copyTalk } = options
    const { invalidations } = this
    this.#options = options
    this.#store = store
    this.#keyspacesSeen = store.keyspaces.changesCount
    this.keeper = new Keeper(limits, invalidations, env)
    const { keeper } = this
    this.loads = new Loads({ env, keeper, invalidations, observe, recorder })
    this.invalidator = new Invalidator({
      ...options,
      writeLocally: (invalidation) => this.#note(invalidation, undefined),
    })
    this.leases = this.#openLeases()
    this.#written = new WrittenCopies({ store, keeper, loads: this.loads, invalidations })
    this.stores = new Stores({ ...options, keeper, invalidations, loads: this.loads })
    this.#making = new Making({ ...options, keeper, invalidations, stores: this.stores })
    this.#fills = this.#openFills()
    const { loads, stores } = this
    const upkeep = { store, env, observe, keeper, loads, stores }
    this.warmUp = new WarmUp({ ...upkeep, copyTalk, fills: this.#fills })
    if (copyTalk !== undefined) new CopyTeller({ env, talk: copyTalk, applied, keeper, loads, fills: this.#fills })
    this.validator = new Validator({
      ...{ ...upkeep, applied },
      voids: (key) => this.#note({ of: 'key', target: key, isHard: true }, undefined),
    })
    options.writer.through = (write, keyspace) => this.stores.writeThrough(write, keyspace)
    this.#cluster = this.#openCluster()
    this.loads.cluster = this.#cluster
    // What a log says of before is not known any more.
    invalidations.forgetAll(applied)
  }

  /** Makes the stores ready. Throws what no other try can mend. */
  open(): Promise<void> {
    return this.stores.open()
  }

  /** The value of a key that loads: from memory, or by a load. */
  get(key: string, keyspace: Keyspace): Promise<unknown> {
    const hit = this.hit(key)
    return hit === MISS ? this.load(key, keyspace, undefined) : this.#store.turns.settled(hit)
  }

  /** The value of a key of which there is no copy that may be served (`hit`). */
  load(key: string, keyspace: Keyspace, signal: AbortSignal | undefined): Promise<unknown> {
    const alone = this.#making.alone(key, keyspace)
    if (alone !== MISS) return this.#store.turns.settled(alone)
    this.#missesCount++
    const load = this.#loadOf(keyspace)
    if (load === undefined) return this.#store.turns.settled(undefined)
    const { rules } = keyspace.source as Source
    return this.#read(requestOf(key, rules, load, { tags: NO_TAGS, signal }))
  }

  /** What brings a value without anybody who calls: of the keyspace, or its store. */
  #loadOf(keyspace: Keyspace): Load | undefined {
    const { source } = keyspace
    return source?.store === undefined ? source?.load : (key) => this.stores.load(key, keyspace)
  }

  /** The value, if a copy may be served; otherwise `undefined`. */
  peek(key: string): unknown {
    const hit = this.#hitOrAlone(key)
    return hit === MISS ? undefined : hit
  }

  #hitOrAlone(key: string): unknown {
    const hit = this.hit(key)
    if (hit !== MISS) return hit
    return this.#making.alone(key, this.#store.keyspaceFor(key, this.#store.keys.find(key)))
  }

  /** See `Warp.getOrSet`. */
  getOrSet(key: string, load: unknown, options: GetOrSetOptions | undefined): Promise<unknown> {
    try {
      if (options !== undefined) checkOptions('getOrSet', options, GET_OR_SET_OPTIONS)
      const hit = this.hit(key)
      if (hit !== MISS) return this.#store.turns.settled(hit)
      const keyspace = this.#sourced('getOrSet', key)
      const alone = this.#making.alone(key, keyspace)
      if (alone !== MISS && alone !== undefined) return this.#store.turns.settled(alone)
      const request = this.#requestOf('getOrSet', key, load, options)
      return this.#read(keyspace.source?.store === undefined ? request : this.#making.request(keyspace, request))
    } catch (error) {
      return this.#store.turns.rejected(asError(error))
    }
  }

  /** See `Warp.getOrSetMany`. */
  async getOrSetMany(
    keys: Iterable<string>,
    load: unknown,
    options: GetOrSetOptions | undefined,
  ): Promise<Map<string, unknown>> {
    checkOptions('getOrSetMany', options, GET_OR_SET_OPTIONS)
    checkLoader('getOrSetMany', load)
    const all = [...keys]
    const isStored = (key: string): boolean => this.#sourced('getOrSetMany', key).source?.store !== undefined
    if (all.some(isStored)) return this.#makeMany(all, isStored, load as LoadMany, options)
    return this.#many(all, (key) => {
      const keyspace = this.#sourced('getOrSetMany', key)
      const rules = this.#rules(`getOrSetMany of '${key}'`, keyspace, options)
      const { tags = NO_TAGS, signal } = options ?? {}
      return { rules, tags, signal, loadMany: load as LoadMany, load: undefined }
    })
  }

  /** As `getOrSetMany`, where some keys have a store. */
  async #makeMany(
    keys: readonly string[],
    isStored: (key: string) => boolean,
    load: LoadMany,
    options?: GetOrSetOptions,
  ): Promise<Map<string, unknown>> {
    const [stored, others] = [keys.filter(isStored), keys.filter((key) => !isStored(key))]
    const found = await this.#many(stored, (key) => this.#wishOf(key, options?.signal))
    const missing = stored.filter((key) => !found.has(key))
    const rulesOfKey = (key: string): CopyRules =>
      this.#rules('getOrSetMany', this.#sourced('getOrSetMany', key), options)
    const [loaded, made] = await Promise.all([
      others.length === 0 ? new Map<string, unknown>() : this.getOrSetMany(others, load, options),
      this.#making.many(missing, load, { rulesOfKey, tags: options?.tags }),
    ])
    return inOrder(keys, [found, loaded, made])
  }

  /** The values of several keys, of which some load; in the order of the keys. */
  async readMixed(keys: Iterable<string>, { signal, check, others }: MixedRead): Promise<Map<string, unknown>> {
    const [own, loading]: [string[], string[]] = [[], []]
    const all: string[] = []
    for (const key of keys) {
      check()
      all.push(key)
      ;(this.#store.keyspaceOf(key).source === undefined ? own : loading).push(key)
    }
    const read = await Promise.all([others(own), this.#many(loading, (key) => this.#wishOf(key, signal))])
    if (own.length === 0) return read[1]
    return inOrder(all, read)
  }

  #many(keys: Iterable<string>, wish: (key: string) => Wish): Promise<Map<string, unknown>> {
    return loadBatches({ keys, wish, hit: (key) => this.#hitOrAlone(key), loads: this.loads, turns: this.#store.turns })
  }

  #wishOf(key: string, signal: AbortSignal | undefined): Wish {
    const keyspace = this.#store.keyspaceOf(key)
    const { load, loadMany, rules, store } = keyspace.source as Source
    if (store === undefined) return { rules, tags: NO_TAGS, signal, loadMany, load }
    return { rules, tags: NO_TAGS, signal, loadMany: this.stores.loadManyOf(keyspace), load: undefined }
  }

  /** Something has been said of a lease, here or elsewhere. */
  enteredLease(note: EnteredLeaseNote): void {
    this.keeper.hides ??= (key) => this.leases.hides(key)
    this.leases.entered(note)
  }

  /** An invalidation has become known here. */
  entered(invalidation: EnteredInvalidation): void {
    this.#note(invalidation, invalidation)
  }

  #openFills(): Fills {
    const { env, applied, store } = this.#options
    const { keeper, loads, invalidations } = this
    return new Fills({
      ...{ env, keeper, loads, invalidations, ended: store.table.ended },
      keyspaceOf: (key) => store.keyspaceOf(key),
      rows: new RowFills(this.stores.keys, applied),
      newestWrites: (key) => this.#written.newest(key),
    })
  }

  #openCluster(): ClusterLoads | undefined {
    const { env, talk, applied, store, leases } = this.#options
    if (talk === undefined) return undefined
    const { keeper, loads, invalidations } = this
    return new ClusterLoads({
      ...{ env, talk, applied, keeper, loads, invalidations, ended: store.table.ended, self: leases.self },
      keyspaceOf: (key) => store.keyspaceOf(key),
      loadOf: (keyspace) => this.#loadOf(keyspace),
      fills: this.#fills,
      stored: (rows) => this.stores.told(rows),
    })
  }

  #openLeases(): LeaseDesk {
    const { store, env, writer, observe, written, leases: ports } = this.#options
    const { talk, ...engine } = ports
    const desk = new LeaseDesk({
      ...{ store, env, writer, observe, written, ...engine },
      isSenior: () => talk?.isSenior ?? true,
      named: (call, target) => {
        const { of, target: named } = this.invalidator.named(call, target, true)
        return { of: of === 'key' ? 'key' : 'pattern', target: named }
      },
      voids: (invalidation, late) => {
        // Whoever has seen the attachment alone has not seen the end.
        if (late !== undefined) this.invalidations.forgotten.raise(late.replica, late.sequence)
        this.entered(invalidation)
      },
    })
    talk?.connect(desk.times)
    if (desk.times.size > 0) this.keeper.hides = (key) => desk.hides(key)
    return desk
  }

  /** A state has been taken over: no copy is known to be right. */
  reset(): void {
    const { invalidations } = this
    this.#dropAll()
    this.#written.forgetAll(invalidations.forgotten)
    invalidations.forgetAll(this.#options.applied)
    this.stores.reset()
    this.invalidator.reset()
    this.leases.reset()
    if (this.leases.times.size > 0) this.keeper.hides ??= (key) => this.leases.hides(key)
  }

  close(error: WarpError): void {
    this.loads.close(error)
    this.leases.close()
    this.warmUp.close()
    this.keeper.copies.clear()
  }

  counts(): CopyCounts {
    const { copies } = this.keeper
    const { entriesMax, bytesMax } = copies.limits
    return {
      copiesCount: copies.count,
      entriesMax,
      ...(bytesMax === Infinity ? {} : { bytes: copies.bytes, bytesMax }),
      hitsCount: this.#hitsCount,
      missesCount: this.#missesCount,
      staleCount: this.loads.staleCount,
      loadsCount: this.loads.loadsCount,
      fillsCount: this.#cluster?.fillsCount ?? 0,
      loadFailuresCount: this.loads.failuresCount,
      loadingCount: this.loads.flightsCount,
      evictionsCount: copies.evictionsCount,
      invalidationsCount: this.invalidations.seenCount,
      rememberedInvalidationsCount: this.invalidations.rememberedCount,
      validatedCount: this.validator.comparedCount,
      driftsCount: this.validator.driftsCount,
    }
  }

  #note(invalidation: Invalidation, entered: EnteredInvalidation | undefined): void {
    const { of, target, isHard } = invalidation
    const pattern = this.invalidations.note(invalidation, entered?.dot)
    if (pattern !== undefined) this.loads.voids(pattern.matches)
    if (of === 'key') {
      this.keeper.voids(target, isHard)
      this.loads.voidsKey(target)
    }
    // Which groups a value belongs to is known when it has been loaded.
  }

  /** A copy that may be served, or `MISS`. Counts a hit. */
  hit(key: string): unknown {
    if (this.#keyspacesSeen !== this.#store.keyspaces.changesCount) this.#keyspacesChanged()
    const slot = this.keeper.copies.find(key)
    if (slot === undefined) return MISS
    const value = this.keeper.fresh(slot)
    if (value === MISS) return MISS
    this.#hitsCount++
    if (this.keeper.isRefreshDue(slot)) this.#refresh(key, slot)
    return value
  }

  /** A pattern has come or gone: its keys may load from elsewhere now. */
  #keyspacesChanged(): void {
    this.#store.assertOpen()
    this.#keyspacesSeen = this.#store.keyspaces.changesCount
    this.#dropAll()
  }

  /** Nothing of what is in memory, or on its way, is known to be right. */
  #dropAll(): void {
    this.keeper.copies.clear()
    this.loads.voids(() => true)
  }

  /** By the keyspace's own loader: what a caller brought is gone with the call. */
  #refresh(key: string, slot: CopySlot): void {
    const load = this.#loadOf(this.#store.keyspaceFor(key, this.#store.keys.find(key)))
    const rules = this.keeper.copies.rulesOf(slot)
    const tags = this.keeper.copies.tags[slot] ?? NO_TAGS
    if (load !== undefined) this.loads.refresh(requestOf(key, rules, load, { tags }))
  }

  #read(request: LoadRequest): Promise<unknown> {
    return this.#store.turns.after(this.loads.read(request))
  }

  #requestOf(call: string, key: string, load: unknown, options: GetOrSetOptions | undefined): LoadRequest {
    checkLoader(call, load)
    const keyspace = this.#sourced(call, key)
    this.#missesCount++
    return requestOf(key, this.#rules(`${call} of '${key}'`, keyspace, options), load as Load, options)
  }

  #rules(what: string, { source }: Keyspace, options: GetOrSetOptions | undefined): CopyRules {
    const { rules, load } = source as Source
    if (options === undefined) return rules
    if (options.refreshAhead !== undefined && load === undefined)
      throw new WarpError('WARP_E_CONFIG', `${what}: refreshAhead needs a load of the pattern, for nobody calls then`)
    if (options.tags !== undefined) checkTags(what, options.tags)
    return rulesOf(what, options, rules)
  }

  /** The keyspace of a key, if it has a source. Throws `WARP_E_CONFIG`. */
  #sourced(call: string, key: string): Keyspace {
    this.#store.assertOpen()
    const keyspace = this.#store.keyspaceOf(key)
    if (keyspace.source !== undefined) return keyspace
    throw new WarpError(
      'WARP_E_CONFIG',
      `${call}: the truth of '${key}' is here, so there is nothing to load it from; ` +
        `give its pattern '${keyspace.pattern}' a load, or load: 'caller'`,
      { details: { key, pattern: keyspace.pattern } },
    )
  }
}

/** What was found of the keys, in their order. A key without a value is in none of the parts, or has `undefined`. */
function inOrder(keys: readonly string[], parts: readonly ReadonlyMap<string, unknown>[]): Map<string, unknown> {
  const values = new Map<string, unknown>()
  for (const key of keys) {
    const value = parts.find((part) => part.has(key))?.get(key)
    if (value !== undefined) values.set(key, value)
  }
  return values
}

function requestOf(
  key: string,
  rules: CopyRules,
  load: Load,
  {
    tags = NO_TAGS,
    signal,
  }: { readonly tags?: readonly string[] | undefined; readonly signal?: AbortSignal | undefined } = {},
): LoadRequest {
  return { key, rules, load: (context) => load(key, context), tags, signal }
}

function checkLoader(call: string, load: unknown): void {
  if (typeof load === 'function') return
  throw new WarpError('WARP_E_CONFIG', `${call} takes a function that loads, and got ${shownKind(load)}`)
}
