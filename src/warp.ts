/**
 * The composition root: puts log, engine, projections and replication together behind the public
 * face, and takes them down in order. Decides nothing by itself. `adapters/node` adds the
 * platform's `Env`.
 */
import { checkOptions, optionNames } from '../crdt/checked-options.ts'
import type { ReplicaId } from '../crdt/time/replica-id.ts'
import type { Dot } from '../crdt/time/dot.ts'
import type { Position } from './operation/position.ts'
import type { Stamp } from '../crdt/time/hlc.ts'
import { shownKind } from '../crdt/shown-kind.ts'
import { ignoreOutcome } from '../crdt/synchronous.ts'
import { asError, WarpError } from '../crdt/warp-error.ts'
import { usersCodeDepth } from './merge/users-code.ts'
import { Engine } from './engine.ts'
import type { Door, Platform } from './ports/platform.ts'
import { DIRECT, DirectKeys } from './api/direct/direct-keys.ts'
import { GUESTS, GuestDesk } from './guests/gateway/guest-desk.ts'
import { ClusterLink } from './api/links/cluster-link.ts'
import { assessHealth } from './api/health/assess-health.ts'
import type { Health } from './api/health/health.ts'
import { missingPart, NoHistory, NO_TRANSFER } from './api/missing-parts.ts'
import { heardOnce, checkOpenOptions, type CheckedOptions, type StrongLimits } from './api/open-options.ts'
import type { ChannelsPart, ComposedPlatform, WarpParts } from './api/parts.ts'
import type { DeclaredChannels } from './channels/channel-options.ts'
import type { Channel, ChannelMap } from './channels/channel-types.ts'
import type { Channels } from './channels/channels.ts'
import type { Env } from './ports/env.ts'
import { INSTRUMENTS } from './ports/instrument-catalogue.ts'
import type { Instruments, Tell } from './ports/instruments.ts'
import { Recorder } from './ports/recorder.ts'
import { tellObserved } from './observability/observed.ts'
import { handleMaker, type Handle, type HandleParts } from './api/handle.ts'
import { EntryListing, ENTRIES_OPTIONS, type EntriesOptions, type Entry } from './api/entry-listing.ts'
import { listKeys, readMany } from './api/key-listing.ts'
import type { CopyLimits } from './data-layer/copies.ts'
import type { DataLayer, GetOrSetOptions } from './data-layer/data-layer.ts'
import type { Invalidated, InvalidateOptions } from './data-layer/invalidator.ts'
import { MISS } from './data-layer/keeper.ts'
import { leasesOf } from './data-layer/leases/leases-facade.ts'
import type { Leases } from './data-layer/leases/lease-types.ts'
import type { Validated, ValidateOptions } from './data-layer/upkeep/validate-options.ts'
import type { Warmed, WarmOptions } from './data-layer/upkeep/warm-up.ts'
import { DOMAINS } from './keys/domain.ts'
import type { Slot } from './keys/key-table.ts'
import { Keyspaces, type Keyspace } from './keys/keyspace.ts'
import { memoryFiles } from './log/files/memory-files.ts'
import type { At, ExplainOptions, Explanation, LogOptions } from './history/explanation.ts'
import type { OperationRecord } from './store/kept-operation.ts'
import type { Watch, WatchOptions } from './watch/change.ts'
import type { Projection, ProjectionHandle, RebuildOptions } from './projections/projection.ts'
import { checkProjection } from './projections/projection.ts'
import { TOO_LONG } from './cache/values.ts'
import { HOT_MORTAL_VISITED, HOT_VISITED, type Residency } from './cache/residency.ts'
import type { ProjectionSource } from './projections/projection-source.ts'
import { ProjectionRunner } from './projections/runner.ts'
import { WatchHub } from './watch/watch.ts'
import { StrongLink } from './api/links/strong-link.ts'
import { OpenSession } from './api/sessions/session.ts'
import { SessionGround } from './api/sessions/session-ground.ts'
import type { SessionOptions } from './api/sessions/session-types.ts'
import { locksOf } from './strong/locks/locks-facade.ts'
import type { ElectOptions, Locks, Term } from './strong/locks/lock-types.ts'
import type { CompareAndSet, UpdateOptions, Versioned } from './strong/strong-calls.ts'
import type {
  TransactionFunction,
  TransactionOptions,
  TransactionOutcome,
} from './strong/transactions/transaction-types.ts'
import type { Capabilities, CloseOptions, Expected, Resolution, Warp, WarpEvent, WarpOptions } from './api/public.ts'
import type { Stats } from './api/stats.ts'
import { takeStats } from './api/take-stats.ts'
import type { Compaction, Drift } from './store/event.ts'
import {
  KEYS_OPTIONS,
  READ_OPTIONS,
  WAIT_OPTIONS,
  type Ack,
  type KeysOptions,
  type ReadOptions,
  type Receipt,
  type SettleOptions,
  type WaitOptions,
  type Settlement,
  type WriteOptions,
} from './store/write-road/receipt.ts'
import type { EvictOptions } from './membership/eviction.ts'
import type { KnownReplica } from './membership/name-book.ts'
import type { PeerReport } from './replication/replication-stats.ts'
import type { Imported } from './transfer/imported.ts'
import type { KeyMap } from './keys/typed-keys.ts'
import { readAtOnce, readInSteps } from './store/read-steadily.ts'
import { Registration } from './store/registration.ts'
import { SET_MANY_MAX } from './limits.ts'
import type { Turns } from './operation/turns.ts'
import { Renewals } from './store/write-road/renewals.ts'
import { NO_OPTIONS, Writer, type Setting } from './store/write-road/writer.ts'

/** So long a write behind waits for a second replica that holds it. */
const SHARED_MS = 1000
const STALE = { consistency: 'stale' } as const
const CONSISTENCIES: readonly unknown[] = ['linearizable', 'session', 'stale']
const CLOSE_OPTIONS = optionNames<CloseOptions>({ leave: true })

/**
 * Opens an engine with the parts that it is handed. Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`,
 * `WARP_E_LINEARIZABLE_UNSUPPORTED` and what opening the log throws.
 */
export async function openWarpOn<K extends KeyMap>(
  platform: ComposedPlatform,
  options: WarpOptions<K>,
): Promise<Warp<K>> {
  const { cache, copies, clockDriftMsMax, strong } = checkOpenOptions(options)
  const declared = declaredChannels(platform.parts?.channels, options.channels)
  const hidden = options.channels === undefined ? undefined : declared?.keys()
  const keyspaces = new Keyspaces(options.keys, options.order !== undefined, hidden)
  const env = options.env ?? platform.env
  const heard = heardOnce(options.observe, platform.warn)
  const recorder = recorderOf(options.instruments, env, heard)
  const observe = counted(heard, recorder)
  const opening = (): Promise<OpenWarp> =>
    openOn(
      { ...platform, env },
      { ...options, observe },
      { keyspaces, cache, copies, clockDriftMsMax, strong, recorder, declared },
    )
  const warp = await (recorder === undefined ? opening() : recorder.span(INSTRUMENTS.open, opening))
  recorder?.opened((tell) => warp.observed(tell))
  return warp as unknown as Warp<K>
}

/** `undefined`: the engine has no channels. */
function declaredChannels(
  part: ChannelsPart | undefined,
  channels: ChannelMap | undefined,
): DeclaredChannels | undefined {
  if (part !== undefined) return new part.declared(channels)
  if (channels !== undefined) throw missingPart('channels', 'channels')
  return undefined
}

interface OpenSettings extends CheckedOptions {
  readonly keyspaces: Keyspaces
  readonly declared: DeclaredChannels | undefined
  readonly recorder: Recorder | undefined
}

async function openOn(
  platform: ComposedPlatform,
  options: WarpOptions<KeyMap> & { readonly observe: (event: WarpEvent) => void },
  { keyspaces, cache, copies, clockDriftMsMax, strong, recorder, declared }: OpenSettings,
): Promise<OpenWarp> {
  const { env, parts = {} } = platform
  const { observe } = options
  const transports = options.transports ?? []
  const files = options.log === undefined ? memoryFiles() : await options.log.open()
  const isReplicated = transports.length > 0
  const { segmentBytes, memory } = platform
  const sizes = {
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
    ...(platform.format === undefined ? {} : { format: platform.format }),
  }
  let engine: Engine
  try {
    engine = await Engine.open({
      ...{ files, env, keyspaces, cache, clockDriftMsMax, isReplicated, observe, recorder, memory },
      ...sizes,
    })
  } catch (error) {
    await files.close()
    throw error
  }
  try {
    const warp = new OpenWarp(engine, options, { env, parts, recorder, copies, strong, declared })
    await warp.start(platform.openDoor)
    return warp
  } catch (error) {
    await engine.close()
    throw error
  }
}

function recorderOf(
  instruments: Instruments | undefined,
  env: Env,
  observe: (event: WarpEvent) => void,
): Recorder | undefined {
  if (instruments === undefined) return undefined
  return new Recorder(instruments, env, (error) => observe({ kind: 'instruments:failed', error }))
}

/** Who measures counts the events, and they are told all the same. */
function counted(observe: (event: WarpEvent) => void, recorder: Recorder | undefined): (event: WarpEvent) => void {
  if (recorder === undefined) return observe
  return (event) => {
    recorder.add(INSTRUMENTS.events, 1, { kind: event.kind })
    observe(event)
  }
}

interface Surroundings {
  readonly env: Env
  readonly parts: WarpParts
  /** `undefined`: nobody measures. */
  readonly recorder: Recorder | undefined
  readonly copies: CopyLimits
  readonly strong: StrongLimits
  readonly declared: DeclaredChannels | undefined
}

/** Without the types that follow from the key patterns. */
class OpenWarp {
  readonly #engine: Engine
  readonly #options: WarpOptions<KeyMap>
  readonly #env: Env
  readonly #parts: WarpParts
  readonly #recorder: Recorder | undefined
  readonly #residency: Residency
  readonly #turns: Turns
  readonly #context: HandleParts
  /** By the index of the keyspace. */
  readonly #handleMakers: ((key: string) => Handle)[] = []
  readonly #registration: Registration
  readonly #listing: EntryListing
  readonly #projections = new Map<string, ProjectionRunner<unknown>>()
  readonly #surroundings: Surroundings
  /** `undefined` as long as no keyspace loads. */
  #layer: DataLayer | undefined
  readonly #cluster: ClusterLink
  readonly #strong: StrongLink
  readonly #sessionGround: SessionGround
  /** `undefined`: the part was left out. */
  readonly #channels: Channels | undefined
  #locks: Locks | undefined
  #door: Door | undefined
  #closing: Promise<void> | undefined

  constructor(engine: Engine, options: WarpOptions<KeyMap>, surroundings: Surroundings) {
    const { store } = engine
    const { env, parts, recorder } = surroundings
    this.#surroundings = surroundings
    this.#engine = engine
    this.#options = options
    this.#env = env
    this.#parts = parts
    this.#recorder = recorder
    this.#residency = store.values.residency
    this.#turns = store.turns
    const watches = new WatchHub({
      store,
      holds: engine.holds,
      logName: () => store.writers.local.replica,
      onReset: (listener) => engine.onReset(listener),
    })
    const history = parts.history === undefined ? new NoHistory() : new parts.history(store)
    const copies = (): DataLayer | undefined => this.#layer
    const writer = new Writer(store, options.ack, recorder)
    const { order, observe = ignore } = options
    const limits = surroundings.strong
    this.#strong = new StrongLink({
      ...{ engine, writer, env, part: parts.strong, order, limits, observe, name: options.name },
      isReplicated: (options.transports ?? []).length > 0,
    })
    this.#sessionGround = new SessionGround({ env, store, strong: this.#strong })
    this.#context = { store, writer, history, watches, copies, strong: this.#strong }
    new Renewals(store, { observe: options.observe ?? ignore, written: () => writer.writtenCount++ })
    this.#listing = new EntryListing(store, env)
    this.#registration = new Registration(store, (slot) => {
      engine.compactor.look(slot)
      if (store.expirations.isFollowed) store.expirations.note(slot)
    })
    this.#cluster = new ClusterLink({ engine, env, parts, recorder, options })
    const { acknowledgements } = this.#cluster
    if (acknowledgements !== undefined) this.#context.writer.acknowledger.connect(acknowledgements)
    this.#channels = this.#openChannels(watches, writer)
    this.#openLayer()
  }

  get replica(): ReplicaId {
    return this.#engine.replica
  }

  get name(): string | undefined {
    return this.#options.name
  }

  async start(openDoor: Platform['openDoor']): Promise<void> {
    // Also without peers: an import may replace the state.
    this.#engine.onReset(() => this.#rebuildProjections())
    await this.#layer?.open()
    await this.#strong.open()
    await this.#cluster.start()
    try {
      this.#door = await openDoor?.(this)
    } catch (error) {
      await this.#cluster.close()
      throw error
    }
  }

  peek(key: string): unknown {
    const slot = this.#engine.store.keys.find(key)
    if (slot !== undefined) {
      const residency = this.#residency
      const state = residency.states[slot]
      if (state === HOT_VISITED) return residency.values[slot]
      if (state === HOT_MORTAL_VISITED && residency.clock.showsBefore(this.#engine.store.keys.expiresAt(slot)))
        return residency.values[slot]
    }
    return this.#peekSlowly(key, slot)
  }

  get(key: string, options?: ReadOptions): Promise<unknown> {
    try {
      checkRead(options)
      if (options?.consistency === 'session') return this.#turns.after(this.#inSession(options).get(key, here(options)))
      const slot = this.#engine.store.keys.find(key)
      if (this.#strong.isThere || options?.consistency !== undefined) {
        const readable = this.#strong.readable(key, this.#engine.store.keyspaceOfFound(key, slot), options)
        if (readable !== undefined)
          return this.#turns.after(readable.then(() => this.get(key, { ...options, ...STALE })))
      }
      return this.#getHere(key, slot, options)
    } catch (error) {
      return this.#notRead(error, options)
    }
  }

  /** What this replica has. */
  #getHere(key: string, slot: Slot | undefined, options: ReadOptions | undefined): Promise<unknown> {
    try {
      if (slot !== undefined && this.#residency.states[slot] === HOT_VISITED)
        return this.#turns.settled(this.#residency.values[slot])
      const hit = this.#layer === undefined ? MISS : this.#layer.hit(key)
      if (hit !== MISS) return this.#turns.settled(hit)
      this.#assertOpen()
      const keyspace = this.#engine.store.keyspaceOfFound(key, slot)
      if (keyspace.source !== undefined) return (this.#layer as DataLayer).load(key, keyspace, options?.signal)
      const value = slot === undefined ? undefined : readAtOnce(this.#engine.store, slot)
      if (value !== TOO_LONG) return this.#turns.settled(value)
      return readInSteps(this.#engine.store, slot as Slot, () => this.#check(options))
    } catch (error) {
      return this.#notRead(error, options)
    }
  }

  #notRead(error: unknown, options: ReadOptions | undefined): Promise<never> {
    const refused = this.#turns.rejected(asAborted(error, options?.signal))
    // A merge function that reads its own key is told so, and cannot wait for it.
    if (usersCodeDepth() > 0) ignoreOutcome(refused)
    return refused
  }

  async getMany(keys: Iterable<string>, options?: ReadOptions): Promise<Map<string, unknown>> {
    checkReadOptions('getMany', options)
    if (options?.consistency === 'session') return this.#inSession(options).getMany(keys, here(options))
    checkIterable('getMany', keys, Symbol.iterator, 'a list of keys')
    const { store } = this.#engine
    const parts = { store, env: this.#env, check: () => this.#check(options) }
    const wanted = this.#strong.isThere || options?.consistency !== undefined ? [...keys] : keys
    if (wanted !== keys) await this.#allReadable(wanted, options)
    const layer = this.#layer
    if (layer === undefined) return this.#turns.settled(await readMany(wanted, parts))
    const { check } = parts
    return layer.readMixed(wanted, { signal: options?.signal, check, others: (own) => readMany(own, parts) })
  }

  getOrSet(key: string, load: unknown, options?: GetOrSetOptions): Promise<unknown> {
    const layer = this.#layer
    if (layer === undefined) return this.#turns.rejected(this.#loadsNothing('getOrSet'))
    return layer.getOrSet(key, load, options)
  }

  async getOrSetMany(keys: Iterable<string>, load: unknown, options?: GetOrSetOptions): Promise<Map<string, unknown>> {
    const layer = this.#layer
    checkIterable('getOrSetMany', keys, Symbol.iterator, 'a list of keys')
    if (layer === undefined) throw this.#loadsNothing('getOrSetMany')
    return layer.getOrSetMany(keys, load, options)
  }

  invalidate(target: string, options?: InvalidateOptions): Promise<Invalidated> {
    const layer = this.#layer
    if (layer === undefined) return this.#turns.rejected(this.#loadsNothing('invalidate'))
    return layer.invalidator.invalidate('invalidate', target, options)
  }

  invalidateTag(tag: string, options?: InvalidateOptions): Promise<Invalidated> {
    const layer = this.#layer
    if (layer === undefined) return this.#turns.rejected(this.#loadsNothing('invalidateTag'))
    return layer.invalidator.invalidateTag(tag, options)
  }

  clear(target: string, options?: Omit<InvalidateOptions, 'hard'>): Promise<Invalidated> {
    const layer = this.#layer
    if (layer === undefined) return this.#turns.rejected(this.#loadsNothing('clear'))
    return layer.invalidator.clear(target, options)
  }

  invalidateLocal(target: string): void {
    if (this.#layer === undefined) throw this.#loadsNothing('invalidateLocal')
    this.#layer.invalidator.invalidateLocal(target)
  }

  warm(pattern: string, options?: WarmOptions): Promise<Warmed> {
    const layer = this.#layer
    if (layer === undefined) return this.#turns.rejected(this.#loadsNothing('warm'))
    return layer.warmUp.warm(pattern, options)
  }

  validate(pattern: string, options?: ValidateOptions): AsyncGenerator<Drift, Validated, undefined> {
    if (this.#layer === undefined) throw this.#loadsNothing('validate')
    return this.#layer.validator.validate(pattern, options)
  }

  /** The same object each time. */
  readonly leases: Leases = leasesOf((call) => {
    if (this.#layer === undefined) throw this.#loadsNothing(`leases.${call}`)
    return this.#layer.leases
  })

  /** The same object each time. */
  get locks(): Locks {
    this.#locks ??= locksOf(this.#turns, (call) => {
      this.#assertOpen()
      return this.#strong.locks(call)
    })
    return this.#locks
  }

  elect(name: string, options: ElectOptions): AsyncGenerator<Term, void, undefined> {
    this.#assertOpen()
    return this.#strong.locks('elect').elect(name, options)
  }

  entries(pattern: string, options: EntriesOptions = {}): AsyncGenerator<Entry, void, undefined> {
    checkOptions('entries', options, ENTRIES_OPTIONS)
    const check = (): void => this.#check(options)
    return this.#listing.entries(pattern, { check, ...options })
  }

  set(key: string, value: unknown, options: WriteOptions = NO_OPTIONS): Promise<Receipt> {
    try {
      const { store, writer } = this.#context
      const slot = store.keys.find(key)
      return writer.set(key, store.keyspaceOfFound(key, slot), slot, value, options)
    } catch (error) {
      return this.#turns.rejected(asError(error))
    }
  }

  write(key: string, value: unknown): Dot | undefined {
    const { store, writer } = this.#context
    const slot = store.keys.find(key)
    return writer.write(key, store.keyspaceOfFound(key, slot), slot, value)
  }

  settled(dot: Dot, wish: Ack | SettleOptions = NO_OPTIONS): Promise<Settlement> {
    return this.#context.writer.settled(dot, typeof wish === 'string' ? { ack: wish } : wish)
  }

  setMany(entries: Iterable<readonly [string, unknown]>, options: WriteOptions = NO_OPTIONS): Promise<Receipt[]> {
    try {
      checkIterable('setMany', entries, Symbol.iterator, 'a list of [key, value]')
      const settings: Setting[] = []
      for (const entry of entries) {
        if (settings.length === SET_MANY_MAX) throw tooManyAtOnce()
        const [key, value] = checkedEntry(entry)
        settings.push({ target: this.#target(key), value })
      }
      return this.#context.writer.setAll(settings, options)
    } catch (error) {
      return this.#turns.rejected(asError(error))
    }
  }

  delete(key: string, options: WriteOptions = NO_OPTIONS): Promise<Receipt> {
    try {
      return this.#context.writer.delete(this.#target(key), options)
    } catch (error) {
      return this.#turns.rejected(asError(error))
    }
  }

  touch(key: string, options: WriteOptions = NO_OPTIONS): Promise<Receipt> {
    try {
      return this.#context.writer.touch(this.#target(key), options)
    } catch (error) {
      return this.#turns.rejected(asError(error))
    }
  }

  async compareAndSet(key: string, expected: Expected, next: unknown, options?: WriteOptions): Promise<Receipt> {
    return this.#strong.calls.compareAndSet(key, expected, next, options)
  }

  async tryCompareAndSet(
    key: string,
    expected: Expected,
    next: unknown,
    options?: WriteOptions,
  ): Promise<CompareAndSet> {
    return this.#strong.calls.tryCompareAndSet(key, expected, next, options)
  }

  async update(
    key: string,
    change: (current: unknown) => unknown,
    options?: UpdateOptions,
  ): Promise<Receipt | undefined> {
    return this.#strong.calls.update(key, change, options)
  }

  transaction(run: TransactionFunction, options?: TransactionOptions): Promise<unknown> {
    try {
      return this.#turns.after(this.#strong.transactions.run(run, options))
    } catch (error) {
      return this.#turns.rejected(asError(error))
    }
  }

  tryTransaction(run: TransactionFunction, options?: TransactionOptions): Promise<TransactionOutcome<unknown>> {
    try {
      return this.#turns.after(this.#strong.transactions.tryRun(run, options))
    } catch (error) {
      return this.#turns.rejected(asError(error))
    }
  }

  async getVersioned(key: string, options?: ReadOptions): Promise<Versioned<unknown>> {
    checkReadOptions('getVersioned', options)
    const { consistency, signal } = options ?? {}
    if (consistency === 'session') return this.#inSession(options!).getVersioned(key, here(options!))
    this.#check(options)
    return this.#strong.calls.versioned(key, { ...(consistency === undefined ? {} : { consistency }), signal })
  }

  async resolve(write: Dot | WarpError, options?: WaitOptions): Promise<Resolution> {
    checkOptions('resolve', options, WAIT_OPTIONS)
    this.#check(options)
    return this.#strong.resolve(write, options?.signal)
  }

  key(key: string): Handle {
    const keyspace = this.#engine.store.keyspaceOf(key)
    const make = (this.#handleMakers[keyspace.index] ??= handleMaker(this.#context, keyspace))
    return make(key)
  }

  session(token?: string, options?: SessionOptions): OpenSession {
    this.#assertOpen()
    return new OpenSession(this.#sessionGround, this, token, options)
  }

  #inSession({ token }: ReadOptions): OpenSession {
    return new OpenSession(this.#sessionGround, this, token)
  }

  async register(pattern: string, definition: unknown): Promise<this> {
    this.#assertOpen()
    await this.#registration.register(pattern, definition)
    this.#openLayer()
    await this.#layer?.open()
    this.#strong.retry()
    return this
  }

  async unregister(pattern: string): Promise<void> {
    this.#assertOpen()
    await this.#registration.unregister(pattern)
  }

  async *log(key: string, options?: LogOptions): AsyncGenerator<OperationRecord, void, undefined> {
    this.#assertReadable(key)
    yield* this.#context.history.log(key, options)
  }

  async getAt(key: string, at: At, options?: WaitOptions): Promise<unknown> {
    checkOptions('getAt', options, WAIT_OPTIONS)
    this.#check(options)
    this.#assertReadable(key)
    return this.#context.history.getAt(key, at, options?.signal)
  }

  async explain(key: string, options?: ExplainOptions): Promise<Explanation> {
    this.#check(options)
    this.#assertReadable(key)
    return this.#context.history.explain(key, options)
  }

  channel(name: string): Channel {
    this.#assertOpen()
    if (this.#channels === undefined) throw missingPart('channels', 'channel')
    return this.#channels.channel(name)
  }

  watch(pattern: string, options?: WatchOptions): Watch {
    this.#assertOpen()
    return this.#context.watches.watch(pattern, options)
  }

  async project<State>(projection: Projection<State>, options?: RebuildOptions): Promise<ProjectionHandle<State>> {
    this.#assertOpen()
    checkProjection(projection)
    const { name } = projection
    if (this.#projections.has(name)) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `a projection named '${name}' is running; close it first, or give this one another name`,
      )
    }
    const runner = new ProjectionRunner(this.#projectionSource(), projection, () => this.#projections.delete(name))
    this.#projections.set(name, runner)
    try {
      await runner.start(options)
    } catch (error) {
      await runner.close()
      throw error
    }
    return runner
  }

  async compact(options?: WaitOptions): Promise<Compaction> {
    checkOptions('compact', options, WAIT_OPTIONS)
    this.#assertOpen()
    return this.#engine.compact(options?.signal)
  }

  export(options?: WaitOptions): AsyncGenerator<string, void, undefined> {
    checkOptions('export', options, WAIT_OPTIONS)
    const { exportLines } = this.#parts.transfer ?? NO_TRANSFER
    return exportLines(this.#engine, { env: this.#env, check: () => this.#check(options) })
  }

  async import(pieces: AsyncIterable<string | Uint8Array>, options?: WaitOptions): Promise<Imported> {
    checkOptions('import', options, WAIT_OPTIONS)
    checkIterable(
      'import',
      pieces,
      Symbol.asyncIterator,
      'warp.export(), or pieces of text that come one after the other',
    )
    const { signal } = options ?? {}
    const check = (): void => this.#check(options)
    const { importLines } = this.#parts.transfer ?? NO_TRANSFER
    return importLines(this.#engine, pieces, { env: this.#env, check, ...(signal === undefined ? {} : { signal }) })
  }

  stats(): Stats {
    const { writer, watches } = this.#context
    const projections = this.#projections.values()
    return takeStats({
      ...{ engine: this.#engine, name: this.name, replicator: this.#cluster.replicator },
      ...{ writer, watches, projections, copies: this.#layer?.counts(), leases: this.#layer?.leases.counts() },
      ...{ stores: this.#layer?.stores.counts(), channels: this.#channels?.counts() },
      order: this.#strong.keys?.counts(),
    })
  }

  health(): Health {
    const { replicator } = this.#cluster
    return assessHealth({
      ...{ isClosing: this.#closing !== undefined, log: this.#engine.log, replication: replicator?.progress() },
      projections: [...this.#projections.values()].map(({ lag }) => lag),
      standstill: replicator?.compactionBlock().standstill,
      stores: this.#layer?.stores.counts() ?? [],
      order: this.#strong.trouble,
      regionsDown: (replicator?.regions() ?? [])
        .filter(({ region, upCount }) => upCount === 0 && region !== this.#options.region)
        .map(({ region }) => region),
    })
  }

  /** For fronts that speak another protocol. */
  [DIRECT](): DirectKeys {
    return new DirectKeys(this.#engine.store, this.#context.writer, () => this.#engine.settledMs)
  }

  /** For gateways of guests. */
  [GUESTS](): GuestDesk {
    const { store, log, outlet, departures, ended } = this.#engine
    return new GuestDesk({
      ...{ store, log, outlet, isReplicated: this.#cluster.replicator !== undefined },
      isStable: (dot) => this.#engine.isStable(DOMAINS.shared, dot),
      isOver: (replica) => ended.has(replica) || departures.of(replica) !== undefined,
      onReset: (listener) => this.#engine.onReset(listener),
    })
  }

  /** Tells whoever measures how the engine is now; nothing once it is being closed. */
  observed(tell: Tell): void {
    if (this.#closing !== undefined) return
    tellObserved({ stats: this.stats(), health: this.health(), nowMs: this.#env.now() }, tell)
  }

  peers(): PeerReport[] {
    return this.#cluster.peers()
  }

  replicas(): KnownReplica[] {
    return this.#cluster.replicas()
  }

  async evict(nameOrId: string, options?: EvictOptions): Promise<Dot> {
    this.#assertOpen()
    return this.#cluster.evict(nameOrId, options)
  }

  keys(pattern: string, options: KeysOptions = {}): AsyncGenerator<string, void, undefined> {
    checkOptions('keys', options, KEYS_OPTIONS)
    const check = (): void => this.#check(options)
    return listKeys(pattern, { store: this.#engine.store, env: this.#env, check, ...options })
  }

  capabilities(): Capabilities {
    const { persistent } = this.#engine.log
    const { transports: own = [], relays = [] } = this.#options
    const transports = [...own, ...relays.flatMap(({ to }) => to.transports)]
    return {
      acks: persistent ? ['memory', 'logged', 'durable'] : ['memory'],
      persistent,
      transports: transports.map(({ name, kind }) => ({ name, kind })),
      ...this.#strong.capabilities(transports.length > 0),
    }
  }

  close(options: CloseOptions = {}): Promise<void> {
    try {
      checkOptions('close', options, CLOSE_OPTIONS)
    } catch (error) {
      return this.#turns.rejected(asError(error))
    }
    this.#engine.store.refuseCalls()
    this.#layer?.close(this.#closed())
    this.#strong.endLocks(this.#closed())
    this.#closing ??= this.#close(options)
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(options: CloseOptions): Promise<void> {
    await this.#door?.close()
    this.#context.watches.close()
    this.#channels?.close()
    for (const projection of [...this.#projections.values()]) await projection.close()
    await this.#engine.store.waiting.all()
    if (this.#engine.log.persistent) await this.#engine.log.settled('logged').catch(ignore)
    await this.#layer?.stores.close()
    await this.#strong.close()
    await this.#cluster.depart(options)
    await this.#cluster.close()
    try {
      await this.#engine.close()
    } finally {
      this.#recorder?.closed()
    }
  }

  #projectionSource(): ProjectionSource {
    const { store, holds, feeds } = this.#engine
    return { store, holds, feeds, observe: this.#options.observe ?? ignore }
  }

  #rebuildProjections(): void {
    for (const projection of this.#projections.values()) projection.reset()
  }

  #target(key: string): { key: string; keyspace: Keyspace; slot: Slot | undefined } {
    const { store } = this.#engine
    const slot = store.keys.find(key)
    return { key, keyspace: store.keyspaceOfFound(key, slot), slot }
  }

  #peekSlowly(key: string, slot: Slot | undefined): unknown {
    this.#assertOpen()
    const keyspace = this.#engine.store.keyspaceOfFound(key, slot)
    if (keyspace.source !== undefined) return this.#layer?.peek(key)
    return slot === undefined ? undefined : this.#engine.store.values.peek(slot)
  }

  /** Settles when the keys may be read as asked. */
  async #allReadable(keys: Iterable<string>, options: ReadOptions | undefined): Promise<void> {
    const { store } = this.#engine
    await Promise.all(
      Array.from(keys, (key) => this.#strong.readable(key, store.keyspaceOf(key), options) ?? Promise.resolve()),
    )
  }

  #check(options: Pick<ReadOptions, 'signal'> | undefined): void {
    if (options?.signal?.aborted === true) throw asAborted(undefined, options.signal)
    this.#assertOpen()
  }

  #assertReadable(key: string): void {
    this.#assertOpen()
    this.#engine.store.keyspaceOf(key)
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw this.#closed()
  }

  #closed(): WarpError {
    return new WarpError('WARP_E_CLOSED', 'this Warp has been closed; open it again')
  }

  #openChannels(watches: WatchHub, writer: Writer): Channels | undefined {
    const { parts, declared, env } = this.#surroundings
    if (parts.channels === undefined || declared === undefined) return undefined
    const engine = this.#engine
    return new parts.channels.channels({
      ...{ declared, env, store: engine.store, writer, watches, talk: this.#cluster.replicator?.messages },
      self: () => engine.replica,
      observe: this.#options.observe ?? ignore,
    })
  }

  /** Once a keyspace loads. */
  #openLayer(): void {
    const sourced = this.#engine.store.keyspaces.list.find(({ source }) => source !== undefined)
    if (sourced === undefined || this.#layer !== undefined) return
    const { env, parts, recorder, copies: limits } = this.#surroundings
    if (parts.dataLayer === undefined) throw missingPart('dataLayer', `load of the key pattern '${sourced.pattern}'`)
    const engine = this.#engine
    const layer = new parts.dataLayer({
      ...{ store: engine.store, env, limits, recorder, observe: this.#options.observe ?? ignore },
      ...{ applied: engine.applied, writer: this.#context.writer },
      write: (invalidation) => engine.invalidate(invalidation),
      written: () => this.#cluster.written(),
      leases: {
        book: engine.leases,
        self: () => engine.replica,
        hasEnded: (owner) => engine.ended.has(owner),
        write: (note) => engine.writeLease(note),
        talk: this.#cluster.replicator?.leases,
      },
      shared: (operations) => this.#shared(operations),
      isStable: (domain, dot) => engine.isStable(domain, dot),
      stored: (key) => {
        const slot = engine.store.keys.find(key)
        if (slot !== undefined) engine.noteStored(slot)
      },
      talk: this.#cluster.replicator?.loads,
      copyTalk: this.#cluster.replicator?.copies,
    })
    engine.onLease((note) => layer.enteredLease(note))
    engine.onInvalidated((invalidation) => layer.entered(invalidation))
    engine.onReset(() => layer.reset())
    this.#layer = layer
  }

  /**
   * Settles when what was written here outlives this process: when it is in the log, or, where that is in
   * memory, when a second replica holds it, or a second is over. A process that ends would take with it
   * that the store has changed, and copies would stay.
   */
  async #shared(operations: readonly (Stamp & { readonly position: Position })[]): Promise<void> {
    const { replica, log, outlet } = this.#engine
    if (log.persistent) {
      // A dot that the row of a store holds must not be used again, as little as one that others know.
      const last = operations.reduce((most, { position }) => Math.max(most, position), -1)
      while (outlet.through <= last) await outlet.settled()
      return
    }
    if (!this.#cluster.peers().some(({ state }) => state === 'up')) return
    const last = operations.reduce((most, one) => (one.replica === replica ? Math.max(most, one.sequence) : most), 0)
    if (last === 0) return
    const acks = { replicas: 1, countSelf: false, level: 'memory', timeoutMs: SHARED_MS } as const
    await this.#context.writer.acknowledger.settled({ replica, sequence: last }, { ack: 'memory', acks }).catch(ignore)
  }

  #loadsNothing(call: string): Error {
    if (this.#closing !== undefined) return this.#closed()
    return new WarpError(
      'WARP_E_CONFIG',
      `${call}: no key pattern loads; give one a load, such as { strategy: register(), load: 'caller' }`,
    )
  }
}

function checkRead(options: ReadOptions | undefined): void {
  if (options === undefined) return
  checkReadOptions('get', options)
  options.signal?.throwIfAborted()
}

function checkReadOptions(call: string, options: ReadOptions | undefined): void {
  checkOptions(call, options, READ_OPTIONS)
  const consistency: unknown = options?.consistency
  const token: unknown = options?.token
  if ((token === undefined) === (consistency === 'session')) throw tokenNeeded(call, token)
  if (consistency === undefined || CONSISTENCIES.includes(consistency)) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `consistency is ${shownKind(consistency)}; use 'linearizable', 'session' or 'stale'`,
  )
}

function tokenNeeded(call: string, token: unknown): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    token === undefined
      ? `${call}: consistency is 'session', and there is no token; give the session's: { consistency: 'session', token }`
      : `${call}: a token is used with consistency 'session' alone; add it, or leave the token out`,
  )
}

/** What this replica has, once it has what the session has seen. */
function here({ signal }: ReadOptions): ReadOptions {
  return signal === undefined ? {} : { signal }
}

function asAborted(error: unknown, signal: AbortSignal | undefined): Error {
  if (signal?.aborted !== true) return error as Error
  return new WarpError('WARP_E_ABORTED', 'the read was given up', { cause: signal.reason })
}

function tooManyAtOnce(): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `setMany sets at most ${SET_MANY_MAX} keys at once; nothing was written; set them in several calls`,
    { details: { limit: SET_MANY_MAX } },
  )
}

function checkedEntry(entry: readonly [string, unknown]): readonly [string, unknown] {
  if (Array.isArray(entry)) return entry
  throw new WarpError('WARP_E_CONFIG', `setMany takes a list of [key, value], and got ${shownKind(entry)} in it`)
}

function checkIterable(call: string, given: unknown, by: symbol, remedy: string): void {
  if (typeof given === 'object' && given !== null && by in given) return
  throw new WarpError('WARP_E_CONFIG', `${call} takes ${remedy}, and got ${shownKind(given)}`)
}

function ignore(): void {
  // Without an observer nobody is told.
}
