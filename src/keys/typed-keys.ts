/**
 * From the map of key patterns to the types of the calls. Types only; nothing here exists at run
 * time.
 *
 * A pattern becomes a template literal type, `*` and `?` both as `${string}`; a key belongs to the
 * patterns whose template it extends. Of several, those drop out whose template another one's
 * properly extends: the narrower pattern wins, as it does at run time (`key-pattern.ts` proves that
 * its order never contradicts inclusion). What remains open is a union:
 *
 * - patterns of which neither contains the other (`user:*` and `*:1`, key `user:1`);
 * - patterns with `?`, which the compiler cannot tell from `*`: they neither win nor drop out,
 *   except against a pattern that is the very key;
 * - keys that are themselves wide: of type `user:${string}` beside a pattern `user:admin:*`, or
 *   just `string`. Every pattern that such a key may turn out to match takes part.
 *
 * Reading through a union gives a union of values; writing takes what all of them take. A key that
 * is known only at run time (`string`) may therefore match nothing, which is
 * `WARP_E_UNREGISTERED_KEY` then. With a map that is itself known only at run time (`KeyMap`),
 * values are `unknown`, `set` takes any {@link Encodable} and handles have any verb.
 *
 * Cost: the map becomes an object type with index signatures, so that the compiler's own look-up
 * finds the patterns of a key: about seven instantiations per pattern and distinct key type (1,400
 * for 200 patterns, of the five million that TypeScript allows), and pairs of patterns are compared
 * only among those that match.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { AnyStrategy, ValueOf, VerbsOf } from '../../crdt/strategy.ts'
import type { LoadingOptions, StoringOptions } from './source/source.ts'

/**
 * How long operations are kept once they are stable: all of them, none but the last state, or
 * something between.
 */
export type Retention = 'all' | 'latest' | { readonly versions: number } | { readonly forMs: number }

export type Mode = 'local' | 'eventual' | 'strong'

interface KeyOptionsBase<S extends AnyStrategy> {
  readonly strategy: S
  /**
   * `'local'`: never leaves this replica. `'eventual'` (the default): written here, replicated in
   * the background. `'strong'`: decided by an ordered log; without one, refused with
   * `WARP_E_LINEARIZABLE_UNSUPPORTED`.
   */
  readonly mode?: Mode
  /**
   * What the log keeps for `log`, `getAt` and `explain`. Default `'all'`, and `'latest'` where
   * `ttlMs` is given: what has expired would stay in the log for ever otherwise.
   */
  readonly retain?: Retention
}

interface Expiring {
  /**
   * Milliseconds after which the key reads as absent on this replica, to the millisecond. At least
   * 1. Default: never. All replicas must be given the same. Compaction takes expired keys out of
   * the log, unless `retain` keeps them; of strategies that add up what was written (a counter, a
   * set) it keeps one snapshot where other replicas may write, too.
   */
  readonly ttlMs: number
  /**
   * `'absolute'` (the default): counted from the last write; what is written afterwards begins from
   * nothing, on every replica. `'sliding'`: from the last write or read on this replica; as others
   * do not know of the reads, a write afterwards finds what was there before.
   */
  readonly ttl?: 'absolute' | 'sliding'
  /**
   * With `ttl: 'sliding'`: `'local'` (the default), as above. `'replicas'`: reads prolong the life on
   * every replica, by an operation (a *touch*) that a read writes when a quarter of the life has
   * passed since the last write or touch; so a value lives for three quarters of its life at least
   * after a read, and reads write four operations per life at most. What is written after the end
   * begins from nothing, on every replica.
   */
  readonly sliding?: 'local' | 'replicas'
}

interface NotExpiring {
  readonly ttlMs?: never
  readonly ttl?: never
  readonly sliding?: never
}

/** A pattern's strategy with what may be chosen beside it. */
export type KeyOptions<S extends AnyStrategy = AnyStrategy> = KeyOptionsBase<S> &
  (Expiring | NotExpiring | ((LoadingOptions | StoringOptions) & { readonly sliding?: never }))

/** What `keys` takes: pattern → strategy, bare or with options. */
export type KeyMap = Readonly<Record<string, AnyStrategy | KeyOptions>>

/**
 * The same map with a sentence for the compiler to show at each option that does not exist. What is
 * inferred from a literal is not checked for properties that are too many.
 */
export type CheckedKeys<K extends KeyMap> = { readonly [Pattern in keyof K]: CheckedDefinition<K[Pattern]> }

/** One definition of {@link CheckedKeys}. */
export type CheckedDefinition<Definition> = Definition extends { readonly strategy: AnyStrategy }
  ? {
      readonly [Name in keyof Definition]: Name extends KeyOptionName ? Definition[Name] : NoSuchOption<Name>
    }
  : Definition

/**
 * What the compiler shows at an option that does not exist. Not a text: what is given is most often
 * one as well, nothing is two texts, and the compiler would speak of `never`, and at the strategy.
 */
export interface NoSuchOption<Name> {
  readonly 'no such option of a key pattern': Name
}

type KeyOptionName = keyof KeyOptionsBase<AnyStrategy> | keyof Expiring | keyof LoadingOptions | keyof StoringOptions

/** The keys that a pattern may match, as a type. */
export type KeysOf<Pattern extends string> = Pattern extends `${infer Head}\\${infer Tail}`
  ? Tail extends `${infer Escaped}${infer Rest}`
    ? `${Widened<Head, '*'>}${Escaped}${KeysOf<Rest>}`
    : never
  : Widened<Pattern, '*'>

type Widened<Text extends string, Wildcard extends '*' | '?'> = Text extends `${infer Head}${Wildcard}${infer Tail}`
  ? `${Wildcard extends '*' ? Widened<Head, '?'> : Head}${string}${Widened<Tail, Wildcard>}`
  : Wildcard extends '*'
    ? Widened<Text, '?'>
    : Text

/** The patterns of `K` that a key of this type may match; `never` if there is none. */
export type PatternsAt<K extends KeyMap, Key extends string> = Key extends string
  ? Narrowest<Containing<K, Key>> | (IsWide<Key> extends true ? Contained<K, Key> : never)
  : never

/** An object type with the keys that `K` allows, and at each the patterns' names. */
type ByKey<K extends KeyMap> = {
  readonly [Pattern in keyof K & string as KeysOf<Pattern>]: { readonly [Name in Pattern]: true }
}

type Containing<K extends KeyMap, Key extends string> = Key extends keyof ByKey<K> ? NamesIn<ByKey<K>[Key]> : never

/**
 * Of an intersection all names (several templates match), of a union too (several patterns have one
 * template).
 */
type NamesIn<T> = T extends unknown ? keyof T & string : never

type Contained<K extends KeyMap, Key extends string> = {
  [Pattern in keyof K & string]: KeysOf<Pattern> extends Key ? Pattern : never
}[keyof K & string]

/** Whether it stands for many keys: `string` or a template. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- no property at all: enough for an index signature only
type IsWide<Key extends string> = {} extends Record<Key, true> ? true : false

type Narrowest<Patterns extends string> = Single<Patterns> extends true ? Patterns : Unbeaten<Patterns, Patterns>

type Unbeaten<Pattern extends string, Patterns extends string> = Pattern extends string
  ? [Narrower<Patterns, Pattern>] extends [never]
    ? Pattern
    : never
  : never

type Narrower<Other extends string, Pattern extends string> = Other extends string
  ? Other | Pattern extends `${string}?${string}`
    ? never
    : [KeysOf<Other>] extends [KeysOf<Pattern>]
      ? [KeysOf<Pattern>] extends [KeysOf<Other>]
        ? never
        : Other
      : never
  : never

type Single<T, All = T> = [T] extends [never] ? true : T extends unknown ? ([All] extends [T] ? true : false) : never

/** The strategies that a key of this type may have. */
export type StrategyAt<K extends KeyMap, Key extends string> = StrategyOf<K[PatternsAt<K, Key>]>

type StrategyOf<Definition> = Definition extends { readonly strategy: infer S } ? S : Definition

/** What `get` and `peek` find at a key of this type, `undefined` aside. */
export type ValueAt<K extends KeyMap, Key extends string> = ValueIn<StrategyAt<K, Key>>

type ValueIn<S> = S extends unknown ? (IsAny<ValueOf<S>> extends true ? unknown : ValueOf<S>) : never

/**
 * What a watch of this pattern may see. `unknown` where the pattern crosses others instead of
 * containing or refining them.
 */
export type WatchedValue<K extends KeyMap, Pattern extends string> = [PatternsAt<K, KeysOf<Pattern>>] extends [never]
  ? unknown
  : ValueAt<K, KeysOf<Pattern>>

/** The key itself if a pattern matches it, otherwise a sentence for the compiler to show. */
export type KnownKey<K extends KeyMap, Key extends string> = [PatternsAt<K, Key>] extends [never]
  ? 'no key pattern matches this key'
  : Key

/** The key itself if `set` may be called on it, otherwise a sentence for the compiler to show. */
export type SettableKey<K extends KeyMap, Key extends string> = [PatternsAt<K, Key>] extends [never]
  ? 'no key pattern matches this key'
  : [Unsettable<StrategyAt<K, Key>>] extends [never]
    ? Key
    : 'the strategy of this key has no set'

/** What `set` takes at a key of this type. */
export type SettableValue<K extends KeyMap, Key extends string> = (
  StrategyAt<K, Key> extends infer S ? (S extends unknown ? (value: SetParameter<S>) => void : never) : never
) extends (value: infer Value) => void
  ? Value
  : never

type Unsettable<S> = S extends unknown ? (Settable<S> extends true ? never : S) : never

/** Whether a strategy has a verb `set` of one argument. */
export type Settable<S> = IsAny<VerbsOf<S>> extends true ? true : [SetParameter<S>] extends [never] ? false : true

/** The one argument of the verb `set`; `never` if there is no such verb, or if it wants more. */
export type SetParameter<S> =
  IsAny<VerbsOf<S>> extends true ? Encodable : OnlyOne<ParametersAfterFirst<SetOf<VerbsOf<S>>>>

type SetOf<Verbs> = Verbs extends { readonly set: infer Set } ? Set : never

type OnlyOne<Parameters> = Parameters extends readonly [infer Value, ...infer Rest]
  ? [] extends Rest
    ? Value
    : never
  : never

/**
 * What a caller of a verb passes. The constraint is needed: without it, `...elements: readonly T[]`
 * is not inferred.
 */
export type ParametersAfterFirst<F> = F extends (
  first: never,
  ...rest: infer Rest extends readonly unknown[]
) => unknown
  ? Rest
  : never

/** Whether a type is `any`: a strategy that is known only at run time. */
export type IsAny<T> = 0 extends 1 & T ? true : false
