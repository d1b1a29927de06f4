/** What `openGuest` takes and gives. Types only; `guest.ts` implements them. */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { WarpError } from '../../../crdt/warp-error.ts'
import type { QueriesOf, VerbsOf } from '../../../crdt/strategy.ts'
import type {
  CheckedKeys,
  IsAny,
  KeyMap,
  KnownKey,
  ParametersAfterFirst,
  SettableKey,
  SettableValue,
  StrategyAt,
  ValueAt,
} from '../../keys/typed-keys.ts'

export interface GuestOptions<K extends KeyMap> {
  /** As the gateway's: the same patterns with the same strategies, those of the cluster that are used here. */
  readonly keys: K & CheckedKeys<K>
  /** What is held here: at most 64 patterns. Default: all patterns of `keys`. */
  readonly patterns?: readonly string[]
  /** Shown to the gateway's `authorize`, in the first frame of each connection. Default: `''`. */
  readonly token?: () => string | Promise<string>
  /** How long to wait before connecting again: at first, and at most, ms. Default `[500, 30_000]`. */
  readonly backoffMs?: readonly [number, number]
  /** Writes that are not answered yet; one more is refused with `WARP_E_LIMIT`. Default 10,000. */
  readonly pendingMax?: number
  /** When it fires, the guest closes. */
  readonly signal?: AbortSignal
  /** Told of what goes wrong where nobody waits. Must not throw. Default: nobody is told. */
  readonly observe?: (event: GuestEvent) => void
}

export type GuestEvent =
  /** The gateway has refused a write; what it had shown is gone. */
  | { readonly kind: 'write:rejected'; readonly key: string; readonly error: WarpError }
  /** The connection has ended, or could not be made. It is tried again. */
  | { readonly kind: 'link:down'; readonly error: Error; readonly retryMs: number }
  /** What the gateway says is malformed, or a listener threw. */
  | { readonly kind: 'guest:failed'; readonly error: Error }

/**
 * - `'connecting'`: nobody answers yet, or not any more.
 * - `'syncing'`: let in; what has changed meanwhile is on its way.
 * - `'live'`: everything has come up to a moment ago.
 * - `'refused'`: the gateway does not let this guest in; a new token is tried, ever more rarely.
 * - `'closed'`: for good.
 */
export type GuestConnection = 'connecting' | 'syncing' | 'live' | 'refused' | 'closed'

export interface GuestStatus {
  readonly connection: GuestConnection
  /** Writes that no gateway has answered yet. They are lost if this process ends. */
  readonly unsyncedCount: number
  /** Whether all patterns have been here since opening: what is not there does not exist. */
  readonly isReady: boolean
  /** The gateway whose answer is waited for before writes may go elsewhere; `undefined`: none. */
  readonly pinnedTo?: ReplicaId
  /** How far the gateway's clock is ahead of this one, ms. */
  readonly clockSkewMs: number
}

/** A write that is shown here. */
export interface GuestWritten {
  /**
   * Settles with the operation's name when a gateway has it as it has any write of its own: in its log, where
   * that outlives the process. `undefined`: nothing had to be written, or the name is not known any more.
   * Rejects with the gateway's refusal, by its code (`WARP_E_AUTH`, `WARP_E_REJECTED`, …), after what the write
   * had shown is gone; and with `WARP_E_CLOSED` when the guest closes before the answer, `'indeterminate'` if
   * the write was under way. Nobody has to await it.
   */
  readonly accepted: Promise<Dot | undefined>
}

export interface GuestWriteOptions {
  /** How long what is written lives, ms, as for any write. */
  readonly ttlMs?: number
}

export interface GuestWaitOptions {
  /** Gives up waiting with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

/** A strategy's verbs, which write at once, and its queries, which are answered at once. */
export type GuestMethods<S> =
  IsAny<VerbsOf<S>> extends true
    ? Readonly<Record<string, (...parameters: readonly unknown[]) => unknown>>
    : {
        readonly [Name in Named<VerbsOf<S>>]: (...parameters: ParametersAfterFirst<VerbsOf<S>[Name]>) => GuestWritten
      } & {
        readonly [Name in Named<QueriesOf<S>>]: (
          ...parameters: ParametersAfterFirst<QueriesOf<S>[Name]>
        ) => ResultOf<QueriesOf<S>[Name]>
      }

type Named<Methods> = keyof { [Name in keyof Methods as string extends Name ? never : Name]: true } & keyof Methods
type ResultOf<F> = F extends (...parameters: never) => infer Result ? Result : never

export type GuestHandle<S, Value> = GuestMethods<S> & {
  readonly key: string
  peek(): Value | undefined
  delete(): GuestWritten
  onChange(listener: () => void): () => void
}

/**
 * A guest of a cluster: holds some patterns in memory, reads them at once, and writes without a network.
 * Calls with a key throw `WARP_E_UNREGISTERED_KEY`, `WARP_E_LIMIT`, `WARP_E_MODE` and, once it is closed,
 * `WARP_E_CLOSED`.
 */
export interface Guest<K extends KeyMap> {
  /** Made anew with each opening. */
  readonly guest: ReplicaId
  /** The value with this guest's own writes; frozen, and the same until it changes. */
  peek<Key extends string>(key: KnownKey<K, Key>): ValueAt<K, Key> | undefined
  /** The same, once all patterns have been here. Rejects with `WARP_E_ABORTED`, `WARP_E_CLOSED`. */
  get<Key extends string>(key: KnownKey<K, Key>, options?: GuestWaitOptions): Promise<ValueAt<K, Key> | undefined>
  /** Writes by the strategy's verb `set`. Throws what the verb throws, and `WARP_E_LIMIT`. */
  set<Key extends string>(
    key: SettableKey<K, Key>,
    value: SettableValue<K, Key>,
    options?: GuestWriteOptions,
  ): GuestWritten
  delete<Key extends string>(key: KnownKey<K, Key>): GuestWritten
  key<Key extends string>(key: KnownKey<K, Key>): GuestHandle<StrategyAt<K, Key>, ValueAt<K, Key>>
  /** Keys that have a value here, in no order. */
  keys(pattern?: string): string[]
  /** Called after the value of the key has changed, by whomever. Returns how to end it. */
  onChange<Key extends string>(key: KnownKey<K, Key>, listener: () => void): () => void
  /** The same of all keys that are held. */
  onAny(listener: (key: string) => void): () => void
  /** The same object until something of it changes. */
  status(): GuestStatus
  onStatus(listener: (status: GuestStatus) => void): () => void
  /** Settles when all patterns have been here. Rejects with `WARP_E_ABORTED`, `WARP_E_CLOSED`. */
  ready(options?: GuestWaitOptions): Promise<void>
  /** Settles when every write up to now has been answered. Rejects as `ready` does. */
  synced(options?: GuestWaitOptions): Promise<void>
  /** The network is there again, says the platform: connects at once instead of waiting. */
  reconnect(): void
  /** Ends the connection. What has not been answered is lost: await `synced()` before. Idempotent. */
  close(): void
  [Symbol.dispose](): void
}
