/** From a strategy to the methods of a handle. Types only; nothing here exists at run time. */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { QueriesOf, VerbsOf } from '../../crdt/strategy.ts'
import type { IsAny, ParametersAfterFirst, Settable, SetParameter } from '../keys/typed-keys.ts'
import type { Receipt } from '../store/write-road/receipt.ts'

/** A strategy's own methods: its verbs without `prepare`, its queries without the state. */
export type MethodsOf<S> =
  IsAny<VerbsOf<S>> extends true ? AnyMethods : VerbMethods<VerbsOf<S>> & QueryMethods<QueriesOf<S>>

/** Of a strategy that is known only at run time. */
type AnyMethods = Readonly<Record<string, (...parameters: readonly Encodable[]) => Promise<unknown>>>

/** Of a strategy with a verb `set` of one argument. */
export type WriteMethod<S> = Settable<S> extends true ? Writing<SetParameter<S>> : unknown

interface Writing<Value> {
  /** As `Warp.write`. */
  write(value: Value): Dot | undefined
}

type VerbMethods<Verbs> = {
  readonly [Name in Named<Verbs>]: (...parameters: ParametersAfterFirst<Verbs[Name]>) => Promise<Receipt>
}

type QueryMethods<Queries> = {
  readonly [Name in Named<Queries>]: (
    ...parameters: ParametersAfterFirst<Queries[Name]>
  ) => Promise<ResultOf<Queries[Name]>>
}

type ResultOf<F> = F extends (...parameters: never) => infer Result ? Result : never

/** The names that are spelled out, without an index signature. */
type Named<Methods> = keyof { [Name in keyof Methods as string extends Name ? never : Name]: true } & keyof Methods
