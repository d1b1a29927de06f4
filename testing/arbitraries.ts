/**
 * What fast-check draws for Warp: keys, patterns, payloads, operations of a strategy, causal
 * histories, orders of delivery. All shrink: towards short keys, few operations and canonical
 * order.
 *
 * Keys and patterns are made from few pieces, so that they meet: random text never does.
 */
import fc from 'fast-check'
import type { Encodable } from '../crdt/encoding/encodable.ts'
import type { AnyStrategy, VerbsOf } from '../crdt/strategy.ts'
import { LawHistory, type LawStep } from './laws/law-history.ts'
import { hasObserved, type VerbCall, type LawOperation } from './laws/law-operation.ts'
import { FAULT_KINDS, type FaultKind } from './simulation/faults/fault-plan.ts'

/** Keys of a few characters, among them those that patterns give a meaning to. */
export function keys(): fc.Arbitrary<string> {
  return joined(fc.constantFrom('a', 'b', 'ab', ':', '*', '?', '\\', '😀', '\n'), 14)
}

/** Patterns that often match {@link keys}. */
export function keyPatterns(): fc.Arbitrary<string> {
  return joined(fc.constantFrom('a', 'b', 'a', 'b', ':', '*', '?', '\\*', '\\?', '\\\\', '😀', '**', 'ab'), 12)
}

function joined(pieces: fc.Arbitrary<string>, countMax: number): fc.Arbitrary<string> {
  return fc.array(pieces, { minLength: 1, maxLength: countMax }).map((parts) => parts.join(''))
}

export interface EncodablesOptions {
  /** What is no array and no object. Default: of every kind, with the awkward ones. */
  readonly leaves?: fc.Arbitrary<Encodable>
  /** Names of properties. Default: common, dangerous and random ones. */
  readonly names?: fc.Arbitrary<string>
}

/** All that a payload may hold, with objects that have dangerous names as own properties. */
export function encodables(options: EncodablesOptions = {}): fc.Arbitrary<Encodable> {
  const { leaves = scalars(), names = propertyNames() } = options
  return fc.letrec<{ value: Encodable }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaves,
      fc.array(tie('value'), { maxLength: 4 }),
      // `Object.fromEntries` defines, so that `__proto__` becomes an own property.
      fc
        .uniqueArray(fc.tuple(names, tie('value')), { selector: ([name]) => name, maxLength: 5 })
        .map((entries): Encodable => Object.fromEntries(entries)),
    ),
  })).value
}

/** What is no array and no object: every kind, and the values at which kinds end. */
export function scalars(): fc.Arbitrary<Encodable> {
  return fc.oneof(
    fc.constantFrom(null, true, false, NaN, -0, 0, 2 ** 31, 2 ** 32, -(2 ** 31), Number.MAX_SAFE_INTEGER),
    fc.integer(),
    fc.double(),
    texts(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.uint8Array({ maxLength: 12 }),
    fc.date({ noInvalidDate: true }),
  )
}

/** Names as objects of programs have them, and those that have hurt programs. */
export function propertyNames(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'name', 'id', 'z') },
    {
      weight: 2,
      arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', '', '0', '10', '9', '\ue000', '😀'),
    },
    { weight: 2, arbitrary: shortTexts() },
  )
}

function shortTexts(): fc.Arbitrary<string> {
  return fc.array(codePoints(), { maxLength: 8 }).map((characters) => characters.join(''))
}

const SURROGATES_FROM = 0xd800
const SURROGATES_COUNT = 0x800

/**
 * Any, as `fc.string({ unit: 'binary' })` would draw them if that did not take a second to make.
 * Shrinks towards `a`.
 */
function codePoints(): fc.Arbitrary<string> {
  const wellFormed = fc.nat({ max: 0x10ffff - SURROGATES_COUNT })
  const any = wellFormed.map((n) => String.fromCodePoint(n < SURROGATES_FROM ? n : n + SURROGATES_COUNT))
  return fc.oneof(fc.constantFrom('a', 'b', 'z', '\u0000', 'é', '\uffff', '😀'), any)
}

function texts(): fc.Arbitrary<string> {
  const long = fc.tuple(shortTexts(), fc.nat(60)).map(([text, count]) => text.repeat(count))
  return fc.oneof({ weight: 4, arbitrary: shortTexts() }, { weight: 1, arbitrary: long })
}

/** Per verb, what its parameters are drawn from; a verb that is not named is not called. */
export type VerbArbitraries<S> = {
  readonly [Verb in keyof VerbsOf<S>]?: VerbsOf<S>[Verb] extends (...all: infer All) => unknown
    ? ArbitrariesOf<WithoutFirst<All>>
    : never
}

type WithoutFirst<All extends readonly unknown[]> = All extends readonly [unknown, ...infer Rest] ? Rest : never

type ArbitrariesOf<P extends readonly unknown[]> = number extends P['length']
  ? readonly fc.Arbitrary<P[number]>[]
  : { readonly [I in keyof P]: fc.Arbitrary<P[I]> }

/**
 * Calls of a strategy's verbs, each verb as often as the others:
 * `operationsOf(strategy, { add: [fc.nat(3)], remove: [fc.nat(3)] })`.
 */
export function operationsOf<S extends AnyStrategy>(_strategy: S, verbs: VerbArbitraries<S>): fc.Arbitrary<VerbCall> {
  const calls = Object.entries(verbs as Readonly<Record<string, readonly fc.Arbitrary<unknown>[]>>)
  return fc.oneof(
    ...calls.map(([verb, parameters]) =>
      fc.tuple(...parameters).map((drawn): VerbCall => ({ verb, parameters: drawn })),
    ),
  )
}

export interface HistoryOptions {
  /** How many replicas write. Default 3. */
  readonly replicas?: number
  /** Default 14. */
  readonly stepsMax?: number
  /** Whether the whole key is deleted now and then. Default: where the strategy allows it. */
  readonly deletes?: boolean
}

/**
 * What replicas did to one key: played with the strategy, so every operation has its causes, stamps
 * that may tie, and a payload that a verb made.
 */
export function causalHistories(
  strategy: AnyStrategy,
  operations: fc.Arbitrary<VerbCall>,
  options: HistoryOptions = {},
): fc.Arbitrary<LawHistory> {
  const { replicas = 3, stepsMax = 14, deletes = strategy.deletes !== 'refused' } = options
  return lawSteps(operations, { replicas, stepsMax, deletes }).map((steps) =>
    new LawHistory(strategy, replicas).play(steps),
  )
}

/** Few moments, so that stamps tie. */
const WALL_MAX = 9

/** Steps to play, as plain values. */
export function lawSteps(
  operations: fc.Arbitrary<VerbCall>,
  { replicas, stepsMax, deletes }: Required<HistoryOptions>,
): fc.Arbitrary<LawStep[]> {
  const at = fc.nat({ max: replicas - 1 })
  const wall = fc.nat({ max: WALL_MAX })
  const write = fc.record({
    kind: fc.constant('write' as const),
    at,
    intent: operations,
    wall,
    gap: fc.nat({ max: 1 }),
  })
  const deliver = fc.record({ kind: fc.constant('deliver' as const), at, pick: fc.nat({ max: 40 }) })
  const exchange = fc.record({ kind: fc.constant('exchange' as const), at, from: at })
  const remove = fc.record({ kind: fc.constant('delete' as const), at, wall })
  const step = fc.oneof(
    { arbitrary: write, weight: 8 },
    { arbitrary: deliver, weight: 6 },
    { arbitrary: exchange, weight: 3 },
    { arbitrary: remove, weight: deletes ? 1 : 0 },
  )
  return fc.array(step, { minLength: 1, maxLength: stepsMax })
}

/** What one run of the simulator is drawn from: `simulate({ ...plan, keys, workload })`. */
export interface FaultPlan {
  readonly seed: number
  readonly faults: readonly FaultKind[]
}

/** Shrinks towards fewer faults; the seed stays, because another one is another run. */
export function faultPlans(kinds: readonly FaultKind[] = FAULT_KINDS): fc.Arbitrary<FaultPlan> {
  return fc.record({ seed: fc.noShrink(fc.nat()), faults: fc.subarray([...kinds]) })
}

/**
 * Causally valid orders of these operations in which some come again. Shrinks towards the order
 * given, which must be one, and no repetition.
 */
export function deliveryOrders(operations: readonly LawOperation[]): fc.Arbitrary<readonly LawOperation[]> {
  const size = { minLength: operations.length, maxLength: operations.length }
  const picks = fc.array(fc.nat({ max: 1000 }), size)
  const repetitions = fc.array(fc.tuple(fc.nat({ max: 1000 }), fc.nat({ max: 1000 })), { maxLength: operations.length })
  return fc.tuple(picks, repetitions).map(([chosen, again]) => {
    const order = linearExtension(operations, chosen)
    for (const [what, where] of again) {
      const at = what % Math.max(1, order.length)
      const operation = order[at]
      // Anywhere behind itself, or it would be the first to come.
      if (operation !== undefined) order.splice(at + 1 + (where % (order.length - at)), 0, operation)
    }
    return order
  })
}

function linearExtension(operations: readonly LawOperation[], picks: readonly number[]): LawOperation[] {
  const waiting = [...operations]
  return picks.map((pick) => {
    const ready = waiting.filter((one) => !waiting.some((other) => other !== one && hasObserved(one, other)))
    const next = ready[pick % ready.length] as LawOperation // a causal order has a first
    waiting.splice(waiting.indexOf(next), 1)
    return next
  })
}
