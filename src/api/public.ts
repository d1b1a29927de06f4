/**
 * The public face: what `openWarp` takes and what it gives. Types only; `warp.ts` implements them.
 * How the type of a key follows from the map of patterns is in `typed-keys.ts`.
 *
 * All calls with a key throw `WARP_E_UNREGISTERED_KEY` (no pattern matches), `WARP_E_LIMIT` (key
 * too long) and, once the engine is closed, `WARP_E_CLOSED`: as a rejection where a promise is
 * returned.
 */
import type { Channel, ChannelEvent, ChannelMap } from '../channels/channel-types.ts'
import type { Compaction, Drift, EngineEvent } from '../store/event.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Env } from '../ports/env.ts'
import type { LogStore } from '../ports/files.ts'
import type { Instruments } from '../ports/instruments.ts'
import type { LogEvent } from '../log/log-event.ts'
import type { At, ExplainOptions, Explanation, LogOptions } from '../history/explanation.ts'
import type { OperationRecord } from '../store/kept-operation.ts'
import type { Watch, WatchOptions } from '../watch/change.ts'
import type { Projection, ProjectionHandle, RebuildOptions } from '../projections/projection.ts'
import type {
  Ack,
  KeysOptions,
  ReadOptions,
  Receipt,
  SettleOptions,
  Settlement,
  WaitOptions,
  WriteOptions,
} from '../store/write-road/receipt.ts'
import type { ReplicationEvent } from '../replication/events.ts'
import type { ReplicationOptions } from '../replication/options.ts'
import type { EvictOptions } from '../membership/eviction.ts'
import type { KnownReplica } from '../membership/name-book.ts'
import type { PeerReport } from '../replication/replication-stats.ts'
import type { OrderedLog, OrderedLogPromises } from '../ports/ordered-log.ts'
import type { Transport } from '../ports/transport.ts'
import type { WarpError } from '../../crdt/warp-error.ts'
import type { CompareAndSet, UpdateOptions, Versioned } from '../strong/strong-calls.ts'
import type { ElectOptions, Locks, Term } from '../strong/locks/lock-types.ts'
import type { StrongEvent } from '../strong/strong-keys.ts'
import type { Expected } from '../strong/expectation.ts'
import type { TransactionOptions, TransactionOutcome } from '../strong/transactions/transaction-types.ts'
import type { SessionCall, SessionOptions, SessionPlace, Unwaited } from './sessions/session-types.ts'
import type { ModeOfTransaction, TransactionOf } from './transactions/typed-transaction.ts'
import type { EntriesOptions, Entry } from './entry-listing.ts'
import type { Health } from './health/health.ts'
import type { Imported } from '../transfer/imported.ts'
import type {
  CheckedDefinition,
  CheckedKeys,
  KeyMap,
  KnownKey,
  Mode,
  SettableKey,
  SettableValue,
  StrategyAt,
  ValueAt,
  WatchedValue,
} from '../keys/typed-keys.ts'
import type { CopyPolicy, PolicyFacts, PolicyName } from '../data-layer/policies/policy.ts'
import type { GetOrSetOptions } from '../data-layer/data-layer.ts'
import type { Invalidated, InvalidateOptions } from '../data-layer/invalidator.ts'
import type { Leases } from '../data-layer/leases/lease-types.ts'
import type { Validated, ValidateOptions } from '../data-layer/upkeep/validate-options.ts'
import type { Warmed, WarmOptions } from '../data-layer/upkeep/warm-up.ts'
import type { LoadContext, LoadManyContext, NotModified } from '../keys/source/source.ts'
import type { Relay } from './links/relay.ts'
import type { Stats } from './stats.ts'
import type { MethodsOf, WriteMethod } from './typed-handle.ts'

export interface WarpOptions<K extends KeyMap> {
  /**
   * Key pattern → strategy, bare or with options. The most specific pattern wins. Throws
   * `WARP_E_PATTERN`.
   */
  readonly keys: K & CheckedKeys<K>
  /**
   * Pattern of channels → what they do with their messages; the most specific wins. All replicas say the
   * same. Channels that no pattern matches keep nothing. Default: none is kept. See docs/channels.md.
   *
   *     channels: { 'chat:*': { replay: { count: 100 } } }
   */
  readonly channels?: ChannelMap
  /**
   * What people call this replica: shown by commands, events and tables, here and at its peers,
   * instead of its id. Default: none.
   */
  readonly name?: string
  /**
   * Where this replica runs, as its peers see it: `acks: { zones }` counts zones. Default: none.
   */
  readonly zone?: string
  /**
   * In which region this replica is at home, as its peers see it. The replicas of a region hear each
   * other over their `transports`; what other regions write comes by relays. Needed with `relays`.
   * Default: none.
   */
  readonly region?: string
  /** Where operations are kept. Default: in memory, gone with the process. */
  readonly log?: LogStore
  /**
   * The networks to replicate over. Default: none, this replica is alone. An open engine alone does
   * not keep its process alive; one with a mesh does (`meshTransport({ unref })`).
   */
  readonly transports?: readonly Transport[]
  /**
   * Makes this replica a relay: it sits in other regions as well, and what is written in one of them
   * reaches the others through it, both ways. Of several relays between two regions one works, and
   * another one takes over. Give each region two. Default: none. See docs/federation.md.
   */
  readonly relays?: readonly Relay[]
  /**
   * The ordered log that decides about keys of mode `'strong'`: `memoryOrderedLog()` for the replicas of
   * one process, `natsOrderedLog(…)` for a cluster. All replicas name the same one, and register the same
   * strong patterns. Default: none, and strong keys are refused.
   */
  readonly order?: OrderedLog
  readonly strong?: StrongOptions
  /** Time, timers and randomness. Default: the platform's. */
  readonly env?: Env
  readonly cache?: CacheOptions
  /** How much of what has been loaded stays in memory. */
  readonly copies?: CopiesOptions
  readonly replication?: ReplicationOptions
  /**
   * How safe a write is when its promise settles, unless it asks otherwise. Default `'logged'`; in
   * memory `'memory'`.
   */
  readonly ack?: Ack
  /**
   * Milliseconds that an operation may be stamped ahead of this clock; beyond, it is not admitted
   * yet. Default 500.
   */
  readonly clockDriftMsMax?: number
  /**
   * Told what operators want to know. Called synchronously. What it throws changes nothing;
   * the first such error is reported, in Node as a warning of the process. Default: nobody is
   * told.
   */
  readonly observe?: (event: WarpEvent) => void
  /** Told of what is measured: counters, histograms, spans. Default: nothing is measured. */
  readonly instruments?: Instruments
}

/** Strong keys. */
export interface StrongOptions {
  /**
   * What bounds a strong write, and a read that waits for the ordered log, ms, from 1 to 300,000.
   * Default 10,000. A write that was sent by then is `indeterminate`.
   */
  readonly timeoutMs?: number
  /**
   * After so many records of a partition of the ordered log one of the replicas saves a snapshot of it
   * there, and records before it go: from 10 to 1,000,000. Default 10,000.
   */
  readonly snapshotEvery?: number
}

/**
 * How many materialised values stay in memory. What is evicted is folded again from the log.
 * Default: all stay.
 */
export interface CacheOptions {
  readonly entriesMax?: number
  /** Bytes of keys and encoded values. */
  readonly bytesMax?: number
}

/** How many copies of loaded values stay in memory. */
export interface CopiesOptions {
  /** Default 100,000. */
  readonly entriesMax?: number
  /** Default: no bound. */
  readonly bytesMax?: number
  /** What a copy weighs, bytes, if `bytesMax` is given. Default: about what key and value take encoded. */
  readonly weigh?: (key: string, value: unknown) => number
  /**
   * Whom to let go when there is no room. `'sieve'` (the default): the cheapest hit, keeps what is read
   * again. `'adaptive'` (LIRS): keeps those whose last two reads lie close together, so it holds out against loops
   * and scans, and follows a hot set that moves. `'w-tinylfu'`, or `'lfu'`: knows how often keys are asked for, so
   * neither loops nor scans push out what is popular; a hit costs more. `'lru'`: whom nobody has read for longest.
   * Or a function that makes a policy of your own, called once.
   */
  readonly policy?: PolicyName | ((facts: PolicyFacts) => CopyPolicy)
}

/** What a handle may fix for the calls made through it. */
export type HandleOptions = WriteOptions

/**
 * One key, looked up once: reading and writing through a held handle skips the pattern and the key
 * table. The strategy's own verbs and queries are methods beside these; a strategy that names one
 * of its own like one of these is refused at open with `WARP_E_CONFIG`.
 */
export interface KeyHandle<Value = unknown> {
  readonly key: string
  /**
   * The value, folded from the log if it is not in memory; `undefined` if there is none. Plain
   * objects are frozen.
   */
  get(): Promise<Value | undefined>
  /**
   * The value if it is in memory and up to date, or can be brought up to date by folding at most
   * 1,024 operations, without waiting; otherwise `undefined`.
   */
  peek(): Value | undefined
  /** Throws `WARP_E_MODE` if the strategy refuses it. */
  delete(): Promise<Receipt>
  /** As `Warp.touch`. */
  touch(): Promise<Receipt>
  log(options?: LogOptions): AsyncIterable<OperationRecord>
  getAt(at: At): Promise<Value | undefined>
  explain(options?: ExplainOptions): Promise<Explanation<Value>>
  watch(options?: WatchOptions): Watch<Value>
}

/** A handle with the verbs and queries of the key's strategy. */
export type HandleFor<K extends KeyMap, Key extends string> = HandleOf<StrategyAt<K, Key>, ValueAt<K, Key>>

type HandleOf<S, Value> = S extends unknown
  ? KeyHandle<Value> &
      WriteMethod<S> &
      Omit<MethodsOf<S>, keyof KeyHandle | 'with' | 'write'> & {
        /**
         * The same key with these options for every call made through the handle returned. Costs
         * two small objects.
         */
        with(options: HandleOptions): HandleOf<S, Value>
      }
  : never

/** An open engine. */
export interface Warp<K extends KeyMap> extends AsyncDisposable {
  /**
   * This replica, as other replicas see it. Changes only if the engine has to take a new identity.
   */
  readonly replica: ReplicaId

  /** Its name for people, as `openWarp` was given it. */
  readonly name: string | undefined

  /**
   * The value, folded from the log if it is not in memory; `undefined` if there is none. Plain
   * objects are frozen.
   */
  get<Key extends string>(key: KnownKey<K, Key>, options?: ReadOptions): Promise<ValueAt<K, Key> | undefined>

  /**
   * The value of a key whose truth is elsewhere (`load` in its pattern): from memory, or by a load that
   * all who want it share. `undefined`: the source has none. Nothing but this replica's memory changes:
   * to tell the others that the source has changed, `invalidate`.
   *
   *     const page = await warp.getOrSet('page:1', (key, { signal }) => render(key, signal), { ttlMs: 60_000 })
   *
   * Rejects with `WARP_E_LOAD` (`cause`: what the loader threw), `WARP_E_LOAD_TIMEOUT`, `WARP_E_ABORTED`,
   * and `WARP_E_CONFIG` where the key's pattern has no `load`.
   */
  getOrSet<Key extends string>(
    key: KnownKey<K, Key>,
    load: (key: Key, context: LoadContext<ValueAt<K, Key>>) => Loadable<ValueAt<K, Key>>,
    options?: GetOrSetOptions,
  ): Promise<ValueAt<K, Key> | undefined>

  /**
   * As `getOrSet`, of many keys: the loader is called once for those that are neither in memory nor
   * being loaded, with up to 1,000 of them. Keys without a value are not in the map.
   */
  getOrSetMany<Key extends string>(
    keys: Iterable<KnownKey<K, Key>>,
    load: (keys: readonly Key[], context: LoadManyContext) => LoadedBy<Key, ValueAt<K, Key>>,
    options?: GetOrSetOptions,
  ): Promise<Map<Key, ValueAt<K, Key>>>

  /**
   * Says that what is in memory of a key, or of all keys that a pattern matches, is out of date, on
   * every replica: the next read loads again. One operation, however many keys it is about. It holds for
   * keys that arrive later, for loads that have begun, and for replicas that are away. Loses no write.
   *
   *     await database.update(…)
   *     await warp.invalidate('user:1')
   *
   * Settles as a write does (`ack`, `acks`). Rejects with `WARP_E_CONFIG` where nothing that is meant
   * loads, `WARP_E_PATTERN`, and as `set` does.
   */
  invalidate(keyOrPattern: string, options?: InvalidateOptions): Promise<Invalidated>

  /** The same of all values that have been loaded with this tag. */
  invalidateTag(tag: string, options?: InvalidateOptions): Promise<Invalidated>

  /** `invalidate` with `hard`: what is in memory is not served again, not even where the source fails. */
  clear(keyOrPattern: string, options?: Omit<InvalidateOptions, 'hard'>): Promise<Invalidated>

  /** Lets go of the copies of this replica alone. */
  invalidateLocal(keyOrPattern: string): void

  /**
   * Brings copies here before anybody asks: of the keys that the primary store lists, or, with
   * `from: 'peers'`, of those that other replicas have in memory. Keys that the pattern matches and that are
   * not in memory. It ends where there is no room for more copies.
   *
   *     const { loadedCount, end } = await warp.warm('user:*', { concurrency: 8 })
   *     const { peers } = await warp.warm('page:*', { from: 'peers' })
   *
   * Rejects with `WARP_E_CONFIG` where nothing that is meant has a store (or, from peers, a load), or there
   * are no transports, `WARP_E_PATTERN`, `WARP_E_ABORTED`, and with what fails when the store does (`WARP_E_STORE`, `WARP_E_LOAD`,
   * `WARP_E_LOAD_TIMEOUT`); what has been loaded stays.
   */
  warm(pattern: string, options?: WarmOptions): Promise<Warmed>

  /**
   * Compares what is in memory of keys with their rows in the primary store, and gives those that
   * differ though nothing is under way. Each has been found twice, a second apart.
   *
   *     for await (const { key, kind } of warp.validate('user:*', { mode: 'heal', perSecond: 100 }))
   *       console.warn(key, kind)
   *
   * Works while it is iterated. Throws `WARP_E_CONFIG` where nothing that is meant has a store, and
   * `WARP_E_PATTERN`; the iteration rejects with `WARP_E_ABORTED`, and with `WARP_E_STORE` where the
   * store fails.
   */
  validate(pattern: string, options?: ValidateOptions): AsyncGenerator<Drift, Validated, undefined>

  /**
   * Groups of keys that fall together, on every replica: "log this user out everywhere".
   *
   *     const lease = await warp.leases.grant({ ttlMs: 1_800_000 })
   *     await warp.leases.attach(lease.id, 'session:42:*')
   *     await warp.leases.revoke(lease.id)
   */
  readonly leases: Leases

  /**
   * Locks that the ordered log gives, with tokens that fence writes: see docs/locks.md. A single replica
   * without transports needs no ordered log.
   *
   *     await using lock = await warp.locks.acquire('invoices', { ttlMs: 10_000 })
   *     await warp.set('invoice:7', next, { fence: lock.token })
   */
  readonly locks: Locks

  /**
   * Elects a leader: campaigns, and gives a term each time that this replica is elected. A term is renewed
   * by itself; when it is lost, the next campaign begins once the next term is asked for. Leaving the
   * loop, or the signal, resigns. Waits out a log that does not answer. The leader holds the lock of
   * that name. Throws `WARP_E_LINEARIZABLE_UNSUPPORTED`, `WARP_E_CONFIG`, `WARP_E_LIMIT`; the iteration
   * rejects with `WARP_E_ORDER_BROKEN`.
   *
   *     for await (const { token, signal } of warp.elect('scheduler', { ttlMs: 10_000 })) await lead(token, signal)
   */
  elect(name: string, options: ElectOptions): AsyncIterable<Term>

  /**
   * The values of several keys, by key, in the order in which the keys are given; keys without a
   * value are not in the map. Reads in steps between which other work proceeds. Throws what `get`
   * throws of any of them.
   */
  getMany<Key extends string>(
    keys: Iterable<KnownKey<K, Key>>,
    options?: ReadOptions,
  ): Promise<Map<Key, ValueAt<K, Key>>>

  /**
   * The keys that match a pattern and have a value, with it, in no particular order. A key that is
   * there all the time is listed once, over all pages. Keys with an operation from a later version
   * are left out; `get` says why. Throws `WARP_E_PATTERN`, and `WARP_E_CONFIG` for a cursor of
   * another opening.
   *
   *     for await (const { key, value, cursor } of warp.entries('user:*', { limit: 100, after })) …
   */
  entries<Pattern extends string>(
    pattern: Pattern,
    options?: EntriesOptions,
  ): AsyncIterable<Entry<WatchedValue<K, Pattern>>>

  /**
   * The value if it is in memory and up to date, or can be brought up to date by folding at most
   * 1,024 operations, without waiting; otherwise `undefined`.
   */
  peek<Key extends string>(key: KnownKey<K, Key>): ValueAt<K, Key> | undefined

  /**
   * Writes a whole value, where the strategy has a verb `set` of one argument; others are written
   * through `key()`. The value is encoded before the call returns. Throws `WARP_E_UNENCODABLE`,
   * `WARP_E_LIMIT`, `WARP_E_STORAGE_FULL`, `WARP_E_STORAGE_POISONED`, `WARP_E_ABORTED`.
   */
  set<Key extends string>(
    key: SettableKey<K, Key>,
    value: SettableValue<K, Key>,
    options?: WriteOptions,
  ): Promise<Receipt>

  /**
   * As `set`, without waiting for anything: the value can be read when the call returns. Returns
   * the operation's dot, for `settled`; `undefined` if nothing had to be written (a `max` that is
   * not exceeded, say). Throws what `set` rejects with.
   *
   *     const dot = warp.write('user:1', { name: 'Ada' })
   *     if (dot) await warp.settled(dot, 'durable')
   */
  write<Key extends string>(key: SettableKey<K, Key>, value: SettableValue<K, Key>): Dot | undefined

  /**
   * Settles when an operation that this replica has written is as safe as asked: a level of this
   * replica's log, or more with `{ ack, acks, signal }`; by default as `WarpOptions.ack` says.
   * Whatever was written before the call counts. An operation that has been issued again meanwhile
   * (see `OperationRecord.origin`) keeps the name that it was given. Rejects with `WARP_E_CONFIG` for a dot of another
   * replica, with `WARP_E_ABORTED` (`indeterminate`) when the signal aborts.
   */
  settled(dot: Dot, wish?: Ack | SettleOptions): Promise<Settlement>

  /**
   * Sets several keys in one piece: all of them or, if one is refused, none, here and after a
   * crash; readers see all at once. The receipts are in the order of the entries. Throws as `set`
   * does, `WARP_E_MODE` for keys of different modes, `WARP_E_CONFIG` for a key given twice,
   * `WARP_E_LIMIT` for more than 1,000 entries or more than 4 MiB of them once encoded.
   */
  setMany<const Key extends string>(
    entries: Iterable<readonly [SettableKey<K, Key>, SettableValue<K, Key>]>,
    options?: WriteOptions,
  ): Promise<Receipt[]>

  /**
   * Sets a key if it is what the caller expects: `{ version }` as `getVersioned` gives it, `{ value }`, or
   * `'absent'`. For strong keys the ordered log decides, on every replica alike; of several that expect
   * the same version one wins at most. For keys of mode `local` the process decides.
   *
   *     const { value, version } = await warp.getVersioned('stock:7')
   *     await warp.compareAndSet('stock:7', { version }, (value ?? 0) - 1)
   *
   * Rejects with `WARP_E_CAS_CONFLICT` (`details.version`) if the key is another, with `WARP_E_MODE` on
   * eventual keys, and as `set` does. A strong write whose answer was lost rejects with
   * `WARP_E_INDETERMINATE`, never with a conflict: give the error to `resolve`.
   */
  compareAndSet<Key extends string>(
    key: SettableKey<K, Key>,
    expected: Expected<ValueAt<K, Key>>,
    next: SettableValue<K, Key>,
    options?: WriteOptions,
  ): Promise<Receipt>

  /** As `compareAndSet`; that the key is another is an outcome, not an error. */
  tryCompareAndSet<Key extends string>(
    key: SettableKey<K, Key>,
    expected: Expected<ValueAt<K, Key>>,
    next: SettableValue<K, Key>,
    options?: WriteOptions,
  ): Promise<CompareAndSet>

  /**
   * Reads a key, has `change` make the next value of it, and writes that if nobody was faster; otherwise
   * again, up to `triesMax` times. `change` may be called several times. If it gives `undefined`, nothing
   * is written. Rejects as `compareAndSet` does, and with what `change` throws.
   *
   *     await warp.update('stock:7', (count = 0) => count + 1)
   */
  update<Key extends string>(
    key: SettableKey<K, Key>,
    change: (
      current: ValueAt<K, Key> | undefined,
    ) => SettableValue<K, Key> | undefined | Promise<SettableValue<K, Key> | undefined>,
    options?: UpdateOptions,
  ): Promise<Receipt | undefined>

  /**
   * Reads and writes several keys as one: nothing of it is seen before all of it, and all of it is
   * written or nothing. Strong keys of one partition: strictly serializable over all replicas, by one
   * record of the ordered log. Keys of mode `local`: serializable in this process. `run` is called
   * again when a key that it has read has changed meanwhile, so it should do nothing else that counts.
   * Eventual keys: seen as a whole on every replica, and no more (`EventualTransaction`). Gives what
   * `run` returns.
   *
   *     await warp.transaction(async (tx) => {
   *       const [from = 0, to = 0] = [await tx.get('account:{7}:a'), await tx.get('account:{7}:b')]
   *       if (from < 10) throw new Error('not enough')
   *       tx.set('account:{7}:a', from - 10)
   *       tx.set('account:{7}:b', to + 10)
   *     })
   *
   * Rejects with what `run` throws, and then nothing is written; with `WARP_E_TXN_ABORTED`
   * (`details.key`) after `triesMax` tries, or where a key is not as `tx.expect` says; with
   * `WARP_E_MODE` for keys of several modes or partitions; and as `set` does. One whose answer was lost
   * rejects with `WARP_E_INDETERMINATE` and is not tried again: `resolve`, given the error,
   * says whether all of it was written, or nothing.
   */
  transaction<Value, M extends Mode = ModeOfTransaction<K>>(
    run: (tx: TransactionOf<K, M>) => Value | PromiseLike<Value>,
    options?: TransactionOptions<M>,
  ): Promise<Value>

  /**
   * As `transaction`; that a key has changed, or is not as expected, is an outcome and not an error.
   * `run` is called once, unless `triesMax` says otherwise.
   */
  tryTransaction<Value, M extends Mode = ModeOfTransaction<K>>(
    run: (tx: TransactionOf<K, M>) => Value | PromiseLike<Value>,
    options?: TransactionOptions<M>,
  ): Promise<TransactionOutcome<Value>>

  /** The value of a strong or local key, and the version that `compareAndSet` takes. */
  getVersioned<Key extends string>(key: KnownKey<K, Key>, options?: ReadOptions): Promise<Versioned<ValueAt<K, Key>>>

  /**
   * What became of a strong write whose answer was lost. Give the error, or the dot that stands in its
   * `details` (`{ replica, sequence }`); any replica may ask. If the write has no place in the log yet, it
   * never will count. Rejects with `WARP_E_TRANSPORT` while the log does not answer, and with
   * `WARP_E_MODE` for a write of keys that are not strong.
   *
   *     if (isWarpError(error) && error.outcome === 'indeterminate') {
   *       if ((await warp.resolve(error)).kind === 'failed') await tryAgain()
   *     }
   */
  resolve(write: Dot | WarpError, options?: WaitOptions): Promise<Resolution>

  /**
   * Deletes what this replica has seen of the key. Throws `WARP_E_MODE` if the strategy refuses it,
   * and as `set` does.
   */
  delete<Key extends string>(key: KnownKey<K, Key>, options?: WriteOptions): Promise<Receipt>

  /**
   * Begins the life of a key anew on every replica, by an operation, as reads do of keys whose
   * pattern says `ttl: 'sliding', sliding: 'replicas'`; other keys are refused with `WARP_E_MODE`.
   * Nothing is written (the receipt has no dot) if the key has no value, if its last write had a
   * `ttlMs` of its own, or within a quarter of the life after the last write or touch. Rejects as
   * `set` does, and with `WARP_E_CONFIG` for `ttlMs`.
   *
   *     await warp.touch('session:8f3')
   */
  touch<Key extends string>(key: KnownKey<K, Key>, options?: Omit<WriteOptions, 'ttlMs'>): Promise<Receipt>

  /**
   * A session: read your writes and monotonic reads, also where its calls come to several replicas. Give it
   * the token that the caller has brought, and hand its token back.
   *
   *     const session = warp.session(request.headers['x-session'])
   *     await session.set('cart:7', cart)
   *     response.setHeader('x-session', session.token)
   *
   * Throws `WARP_E_PROTOCOL` for a token that is malformed, `WARP_E_LIMIT`, `WARP_E_CONFIG`.
   */
  session(token?: string, options?: SessionOptions): Session<K>

  /** A handle to one key. Hold it where the key is used often. */
  key<Key extends string>(key: KnownKey<K, Key>): HandleFor<K, Key>

  /** The operations that this replica holds of the key, in the order in which it took them in. */
  log<Key extends string>(key: KnownKey<K, Key>, options?: LogOptions): AsyncIterable<OperationRecord>

  /**
   * The value at a moment of the past, `undefined` if there was none. Reads the key's whole log, in
   * steps. Throws `WARP_E_HISTORY` for a moment whose operations have been compacted away, and
   * `WARP_E_ABORTED`.
   */
  getAt<Key extends string>(key: KnownKey<K, Key>, at: At, options?: WaitOptions): Promise<ValueAt<K, Key> | undefined>

  /**
   * Which operations made the value, which were concurrent, and what the strategy did about it.
   * Reads the key's whole log, in steps, and lists the newest 1,000 operations; the others page by
   * page. Throws `WARP_E_HISTORY` if `before` is no operation of the log, `WARP_E_ABORTED`.
   */
  explain<Key extends string>(key: KnownKey<K, Key>, options?: ExplainOptions): Promise<Explanation<ValueAt<K, Key>>>

  /** Changes of the keys that match a pattern (a key is a pattern too). Throws `WARP_E_PATTERN`. */
  watch<Pattern extends string>(pattern: Pattern, options?: WatchOptions): Watch<WatchedValue<K, Pattern>>

  /**
   * A channel: messages by name, to all that subscribe now, here and at the replicas that can be reached.
   * A pattern of channels can be subscribed to. They are not kept, unless `openWarp({ channels })` says so.
   *
   *     const room = warp.channel<{ text: string }>('chat:room1')
   *     await room.publish({ text: 'hello' })
   *     for await (const news of room.subscribe()) if (news.kind === 'message') show(news.payload)
   *
   * Throws `WARP_E_PATTERN`, `WARP_E_LIMIT`.
   */
  channel<Payload = unknown>(name: string): Channel<Payload>

  /**
   * Adds a key pattern while the engine runs; settles when every known key that it matches is read
   * by it. Keys that came from other replicas and could not be read become readable. Gives this
   * same engine back, with the type of the pattern added. Throws what opening throws for a pattern,
   * and `WARP_E_CONFIG` if a key that has been written would change its strategy or mode.
   *
   *     const wider = await warp.register('visits:*', counter())
   *     await wider.key('visits:home').increment()
   */
  register<const Pattern extends string, const Definition extends KeyMap[string]>(
    pattern: Pattern,
    definition: Definition & CheckedDefinition<Definition>,
  ): Promise<Warp<K & Readonly<Record<Pattern, Definition>>>>

  /**
   * Takes a key pattern away; settles when no key is read by it. Its keys stay in the log and go on
   * to be sent to other replicas; reading them, through handles made before too, throws
   * `WARP_E_UNREGISTERED_KEY`, unless a wider pattern matches. Watches by pattern go on. Throws
   * `WARP_E_CONFIG` if it is not registered, or if a key that has been written would fall to a
   * pattern with another strategy or mode.
   */
  unregister(pattern: keyof K & string): Promise<void>

  /** Starts a projection; settles when it has caught up with the log. */
  project<State>(projection: Projection<State>, options?: RebuildOptions): Promise<ProjectionHandle<State>>

  /**
   * The keys that match a pattern (a key is a pattern too) and have a value, in no particular
   * order. Throws `WARP_E_PATTERN`.
   */
  keys(pattern: string, options?: KeysOptions): AsyncIterable<string>

  /** Every peer that replication or a transport knows of. Empty without transports. */
  peers(): readonly PeerReport[]

  /**
   * Every replica that this one has heard of, itself first, with its name for people where that is
   * known.
   */
  replicas(): readonly KnownReplica[]

  /**
   * Gives up a replica that does not come back, by its name or its id (its first 8 digits are enough):
   * from ten rounds of digests on in which nobody has heard it, nobody waits for what it would have
   * to say, and compaction goes on. For good: if it is there all the same, it goes on under another
   * id, takes over a state if it has to, and issues again what the others lack. Returns the operation
   * that says so, which is with the operating system by then. Throws `WARP_E_CONFIG` if nobody or
   * more than one replica is meant, if it is this one, or is up and `force` is not given.
   *
   *     await warp.evict('web-3')
   */
  evict(nameOrId: string, options?: EvictOptions): Promise<Dot>

  /**
   * How this replica is: counts, fullness of bounded queues, lags, and what holds compaction back.
   * Cheap enough to ask each second.
   */
  stats(): Stats

  /**
   * Whether this replica is alive and ready, with the reasons if it is not: for the probes of an
   * orchestrator, and for whoever spreads callers over replicas. Cheap enough to ask each second;
   * never throws, also when the engine has been closed. A replica with transports is ready when it
   * has caught up with the peers that it hears, or has heard none for `replication.peerSilentMs`.
   *
   *     const { live, ready, parts } = warp.health()
   */
  health(): Health
  capabilities(): Capabilities

  /**
   * Folds what is stable and not retained into snapshots and gives its space back, in steps that do
   * not hold up writes.
   */
  compact(options?: WaitOptions): Promise<Compaction>

  /**
   * Everything that is shared, as pieces of text in lines of JSON (form:
   * src/transfer/export-format.ts). Settled when the iteration begins; compaction waits until it
   * ends. Keys of mode `local` are left out. Throws `WARP_E_RESYNC_REQUIRED`, `WARP_E_ABORTED`.
   */
  export(options?: WaitOptions): AsyncIterable<string>

  /**
   * Takes in what another `export` wrote, in pieces cut anywhere. What is here already stays, so
   * importing twice is importing once. Throws, with `details.line`, `WARP_E_PROTOCOL`,
   * `WARP_E_LIMIT`, `WARP_E_LOG_VERSION`, `WARP_E_CLOCK_DRIFT`, `WARP_E_STORAGE_FULL`,
   * `WARP_E_ABORTED` (operations of lines before stay), and `WARP_E_RESYNC_REQUIRED` if this log
   * has compacted what the export does not know of.
   */
  import(pieces: AsyncIterable<string | Uint8Array>, options?: WaitOptions): Promise<Imported>

  /**
   * Flushes, says good-bye, leaves the networks, lets go of the log. Idempotent. Writes in progress
   * settle first. The others wait for this replica for `replication.awayMs`; not at all with
   * `{ leave: true }`, or if its log is in memory. Waits up to 2 s for one of them to have heard it.
   */
  close(options?: CloseOptions): Promise<void>
}

/** A handle whose calls go through a session. */
export type SessionHandle<K extends KeyMap, Key extends string> = Omit<HandleFor<K, Key>, Unwaited> & {
  /** The same key with these options for every call. */
  with(options: HandleOptions): SessionHandle<K, Key>
}

/**
 * Calls that see the session's own earlier writes (read your writes), and nothing older than the session
 * has seen (monotonic reads), on whatever replica they are made; what is written comes behind what the
 * session has seen, everywhere (monotonic writes, writes follow reads; Terry et al. 1994). Each call waits
 * until this replica has what the session has seen, for `timeoutMs` at most, and then rejects with
 * `WARP_E_TOKEN_BEHIND`; nothing was done. Reads of strong keys ask no log for that.
 *
 * The promises hold between calls that follow each other. Keys of mode `local` are this replica's own.
 */
export interface Session<K extends KeyMap> extends Pick<Warp<K>, SessionCall>, SessionPlace {
  /** A handle whose calls go through the session. Queries of strong keys ask the ordered log, as always. */
  key<Key extends string>(key: KnownKey<K, Key>): SessionHandle<K, Key>
}

/** What a loader may give: the value, `undefined` if there is none, or `context.notModified()`. */
export type Loadable<Value> = MaybeLater<Value | undefined | NotModified>

/** What a loader of many keys gives: pairs of keys and values, a `Map` for instance. */
export type LoadedBy<Key extends string, Value> = MaybeLater<Iterable<readonly [Key, Value | undefined]>>

type MaybeLater<T> = T | Promise<T>

/** What became of a strong write. */
export type Resolution =
  /** It counts, on every replica. */
  | { readonly kind: 'ok' }
  /** It does not count, and never will: a condition was not met, or it did not come in time. */
  | { readonly kind: 'failed'; readonly error: WarpError }
  /** It was decided long ago, and nobody remembers how. */
  | { readonly kind: 'forgotten' }

export type { Expected }

export interface CloseOptions {
  /**
   * This replica does not come back: the others forget it, and its folder begins as a new replica
   * if it is opened again. Default `false`; with a log in memory it is always so.
   */
  readonly leave?: boolean
}

/** What this engine can promise with the log and transports that it was opened with. */
export interface Capabilities {
  /** `'strong'` needs an ordered log. */
  readonly modes: readonly Mode[]
  /** The acknowledgements that writes may ask for. */
  readonly acks: readonly Ack[]
  /** Whether anything outlives the process. */
  readonly persistent: boolean
  readonly transports: readonly { readonly name: string; readonly kind: Transport['kind'] }[]
  /** Which keys may be written under a condition, by mode: compare-and-set and `update`. */
  readonly compareAndSet: readonly Mode[]
  /** Which keys are read linearizably, by mode; `'local'` ones within the process. */
  readonly linearizable: readonly Mode[]
  /** Whom locks and elections hold against; `'refused'` where others could not be told. */
  readonly locks: 'cluster' | 'process' | 'refused'
  /** The ordered log, and what it promises. */
  readonly order?: { readonly name: string } & OrderedLogPromises
}

/**
 * What operators want to know, of the engine, its log and its replication. Never carries values.
 */
export type WarpEvent = EngineEvent | LogEvent | ReplicationEvent | StrongEvent | ChannelEvent
