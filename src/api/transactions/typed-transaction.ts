/** From the map of key patterns to the types of a transaction. Types only; nothing here exists at run time. */
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import type { QueriesOf, VerbsOf } from '../../../crdt/strategy.ts'
import type {
  IsAny,
  KeyMap,
  Mode,
  ParametersAfterFirst,
  PatternsAt,
  SettableKey,
  SettableValue,
  StrategyAt,
  ValueAt,
} from '../../keys/typed-keys.ts'
import type { Expected } from '../../strong/expectation.ts'
import type { TransactionWriteOptions } from '../../strong/transactions/transaction-types.ts'

/** What the function of a transaction is handed, by the mode of its keys. */
export type TransactionOf<K extends KeyMap, M extends Mode> = [M] extends ['eventual']
  ? EventualTransaction<K>
  : Transaction<K, M>

/**
 * A transaction on eventual keys: *atomic visibility* with *causal consistency*, and no isolation. On
 * every replica all of it is seen or nothing, never before what it has seen itself. It is never
 * refused for what others write at the same time: both count, and merge by the strategy of each key.
 * So what it has read may be out of date when it is written. Nothing can be expected of a key, and
 * where that matters the key's mode has to be `'strong'`; where sums matter, its strategy a counter.
 *
 *     await warp.transaction((tx) => {
 *       tx.key('balance:ann').decrement(10)
 *       tx.key('balance:bob').increment(10)
 *     })
 *
 * Bailis et al. 2014, "Scalable Atomic Visibility with RAMP Transactions"; Lloyd et al. 2013,
 * "Stronger Semantics for Low-Latency Geo-Replicated Storage"; Akkoorath et al. 2016, "Cure".
 */
export type EventualTransaction<K extends KeyMap> = TransactionBase<K, 'eventual'>

/**
 * A transaction on strong keys of one partition (*strictly serializable*), or on local ones
 * (*serializable* in this process).
 */
export interface Transaction<K extends KeyMap, M extends Mode> extends TransactionBase<K, M> {
  /**
   * Ends the transaction with `WARP_E_TXN_ABORTED` (`tryTransaction`: `'conflict'`), without another
   * try, if the key is not what the caller expects: for what was read before the transaction.
   */
  expect<Key extends string>(key: KeyIn<K, Key, M>, expected: Expected<ValueAt<K, Key>>): Promise<void>

  /** As `expect`, and then `set`. */
  compareAndSet<Key extends string>(
    key: SettableIn<K, Key, M>,
    expected: Expected<ValueAt<K, Key>>,
    next: SettableValue<K, Key>,
    options?: TransactionWriteOptions,
  ): Promise<void>
}

/**
 * What every transaction can do: keys of one mode, and of strong keys those of one partition. Everything
 * that it reads was true at one moment, with its own writes on top.
 */
export interface TransactionBase<K extends KeyMap, M extends Mode> {
  /**
   * Fires when this try has come to nothing: a key that was read has changed, or the transaction was
   * given up. For what the function waits for beside it.
   */
  readonly signal: AbortSignal

  /**
   * The value, with what this transaction has written of it; `undefined` if there is none. Rejects with
   * `WARP_E_TXN_ABORTED` once something that it has read has changed: let that go through, and it is
   * tried again. On eventual keys nothing that changes does that. Throws `WARP_E_MODE` behind a verb of the key (`set` of a register and `delete` aside).
   */
  get<Key extends string>(key: KeyIn<K, Key, M>): Promise<ValueAt<K, Key> | undefined>

  /** The values of several keys, by key, in their order; keys without a value are not in the map. */
  getMany<Key extends string>(keys: Iterable<KeyIn<K, Key, M>>): Promise<Map<Key, ValueAt<K, Key>>>

  /**
   * Writes a value when the transaction is decided, over what it has set before. Throws `WARP_E_MODE`,
   * `WARP_E_LIMIT` (more than 256 keys), `WARP_E_UNENCODABLE`.
   */
  set<Key extends string>(
    key: SettableIn<K, Key, M>,
    value: SettableValue<K, Key>,
    options?: TransactionWriteOptions,
  ): void

  /** Deletes the key when the transaction is decided, and what was written of it before. */
  delete<Key extends string>(key: KeyIn<K, Key, M>): void

  /**
   * The verbs of the key's strategy, which run when the transaction is decided, on what the key is
   * then: without a read of it, they never stand in anybody's way. One in a transaction, or one `set`
   * or `delete`.
   *
   *     tx.key('stock:7').decrement(2)
   */
  key<Key extends string>(key: KeyIn<K, Key, M>): TransactionKey<K, Key>
}

/** One key in a transaction. */
export type TransactionKey<K extends KeyMap, Key extends string> = KeyOfStrategy<StrategyAt<K, Key>, ValueAt<K, Key>>

type KeyOfStrategy<S, Value> = S extends unknown
  ? {
      /** As `Transaction.get`. */
      get(): Promise<Value | undefined>
      /** As `Transaction.delete`. */
      delete(): void
    } & Omit<MethodsOf<S>, 'get' | 'delete'>
  : never

type MethodsOf<S> =
  IsAny<VerbsOf<S>> extends true
    ? Readonly<Record<string, (...parameters: readonly Encodable[]) => unknown>>
    : VerbMethods<VerbsOf<S>> & QueryMethods<QueriesOf<S>>

type VerbMethods<Verbs> = {
  readonly [Name in Named<Verbs>]: (...parameters: ParametersAfterFirst<Verbs[Name]>) => void
}

type QueryMethods<Queries> = {
  readonly [Name in Named<Queries>]: (
    ...parameters: ParametersAfterFirst<Queries[Name]>
  ) => Promise<Queries[Name] extends (...parameters: never) => infer Result ? Result : never>
}

/** The names that are spelled out, without an index signature. */
type Named<Methods> = keyof { [Name in keyof Methods as string extends Name ? never : Name]: true } & keyof Methods

/** The key itself if it may take part, otherwise a sentence for the compiler to show. */
export type KeyIn<K extends KeyMap, Key extends string, M extends Mode> = [PatternsAt<K, Key>] extends [never]
  ? 'no key pattern matches this key'
  : [Extract<ModeOf<K[PatternsAt<K, Key>]>, M>] extends [never]
    ? 'this key has another mode than the transaction; give { mode }'
    : Key

/** The same of a key that is to be set. */
export type SettableIn<K extends KeyMap, Key extends string, M extends Mode> = [KeyIn<K, Key, M>] extends [Key]
  ? SettableKey<K, Key>
  : KeyIn<K, Key, M>

type ModeOf<Definition> = Definition extends { readonly strategy: unknown }
  ? Definition extends { readonly mode: infer M }
    ? Extract<M, Mode>
    : Definition extends { readonly mode?: infer M }
      ? unknown extends M
        ? 'eventual'
        : [Exclude<M, undefined>] extends [never]
          ? 'eventual'
          : Extract<M, Mode>
      : 'eventual'
  : 'eventual'

type ModesIn<K extends KeyMap> = { [Pattern in keyof K & string]: ModeOf<K[Pattern]> }[keyof K & string]

/** Of which mode a transaction is to the compiler that does not say it. */
export type ModeOfTransaction<K extends KeyMap> = string extends keyof K
  ? Mode
  : 'strong' extends ModesIn<K>
    ? 'strong'
    : 'local' extends ModesIn<K>
      ? 'local'
      : 'eventual'
