/**
 * A set: concurrent adds and removes of the same element leave it in.
 *
 * An add puts the element in with the operation's own dot, in place of the dots that its writer had
 * seen; a remove takes away the dots that its writer had seen. What is left with no dot is out. So
 * a remove undoes exactly the adds it knew of, and a concurrent add survives: the observed-remove
 * set [1] without tombstones [2], and with the causal context of the operation in the place of the
 * set's own [3]. Nothing is left of a removed element: no tombstone, and no context either, because
 * the engine delivers each operation once and after its causes.
 *
 * State: per element, by its canonical bytes, the dots that keep it in: usually one, at most one
 * per replica (`set-elements.ts`).
 * Value: a `ReadonlySet`, sorted by those bytes so that all replicas iterate alike, made anew for
 * the first read after a change. Objects are elements by content, but `Set.has` compares objects by
 * identity: ask the query `has`, which makes no value. Elements are shared and frozen.
 * Cost: O(log n) per element named, most of the time; for a read after changes O(n), some 5 ms at
 * 50,000 elements.
 *
 * When not to use it: for a few flags or a record (`map`), for order (`list`); for sets of many
 * thousands of elements that change all the time, give each element a key of its own.
 *
 * 1. M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski: A comprehensive study of Convergent and
 *    Commutative Replicated Data Types. INRIA RR-7506, 2011, section 3.3.5.
 * 2. A. Bieniusa, M. Zawirski, N. Preguiça, M. Shapiro, C. Baquero, V. Balegas, S. Duarte: An
 *    Optimized Conflict-free Replicated Set. INRIA RR-8083, 2012.
 * 3. P. Almeida, A. Shoker, C. Baquero: Delta State Replicated Data Types. 2018, section 7.
 */
import { takesNothing } from './checked-options.ts'
import type { Applied, Prepare, Strategy } from './strategy.ts'
import type { Dot } from './time/dot.ts'
import { Elements, type Element } from './set-elements.ts'
import type { Encodable } from './encoding/encodable.ts'
import {
  chunksOf,
  expectArray,
  expectCount,
  expectReplica,
  finished,
  inOneGo,
  isLarge,
  malformedState,
  seal,
  unseal,
} from './encoding/stored-state.ts'
import { identityOf } from './encoding/encoding.ts'
import { malformedPayload, toPayload } from './encoding/payload.ts'

const ADD = 1
const REMOVE = 0

export type SetVerbs<T> = {
  /** Puts elements in; again, if they are in already, so that they survive a concurrent remove. */
  readonly add: (prepare: Prepare<Elements<T>>, ...elements: readonly T[]) => Encodable | undefined
  /** Takes elements out, as far as this replica sees them in. */
  readonly remove: (prepare: Prepare<Elements<T>>, ...elements: readonly T[]) => Encodable | undefined
}

export type SetQueries<T> = {
  /** Whether an element with this content is in. */
  readonly has: (elements: Elements<T>, element: T) => boolean
}

export type ObservedRemoveSet<T> = Strategy<ReadonlySet<T>, Elements<T>, Encodable, SetVerbs<T>, SetQueries<T>>

/** Observed-remove set of `T`s, which are told apart by content. */
export function set<T>(): ObservedRemoveSet<T> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('set', arguments)
  return {
    kind: 'set',
    code: 5,
    foldsAs: 'set',
    piecesOf: (elements) => elements.size,
    fold: 'any',
    deletes: 'observed',
    initial: () => new Elements<T>(),
    apply: applyTo,
    read: (elements) => elements.value,
    readSteps: (elements) => elements.valueSteps(),
    isEmpty: (elements) => elements.size === 0,
    encodeState: (elements) => inOneGo(encodeElements(elements)),
    encodeStateSteps: (elements) => encodeElements(elements),
    decodeState: (encoded) => finished(decodeElements<T>(expectArray(encoded))),
    decodeStateSteps: (chunks) => decodeElements<T>(chunks),
    verbs: {
      add(_prepare, ...elements) {
        return elements.length === 0 ? undefined : [ADD, ...elements.map((element) => toPayload(element, 'add'))]
      },
      remove(prepare, ...elements) {
        const present = prepare.state()
        const found = elements.filter((element) => present.has(identityOf(toPayload(element, 'remove'))))
        return found.length === 0 ? undefined : [REMOVE, ...(found as Encodable[])]
      },
    },
    queries: { has: (elements, element) => elements.has(identityOf(toPayload(element, 'has'))) },
  }
}

function applyTo<T>(elements: Elements<T>, operation: Applied<Encodable>): Elements<T> {
  const { payload } = operation
  if (!Array.isArray(payload)) throw malformedPayload('set')
  const [action, ...values] = payload as readonly Encodable[]
  if (action !== ADD && action !== REMOVE) throw malformedPayload('set')
  for (const value of values) {
    const identity = identityOf(value)
    const dots = unobserved(elements.get(identity), operation)
    if (action === ADD) dots.push({ replica: operation.replica, sequence: operation.sequence })
    elements.set(identity, value as T, dots)
  }
  return elements
}

function unobserved<T>(element: Element<T> | undefined, operation: Applied<Encodable>): Dot[] {
  if (element === undefined) return []
  return element.dots.filter((dot) => !isDotOf(dot, operation) && !operation.observed(dot.replica, dot.sequence))
}

/** An element named twice in one operation gets its dot once. */
function isDotOf(dot: Dot, operation: Applied<Encodable>): boolean {
  return dot.replica === operation.replica && dot.sequence === operation.sequence
}

function encodeElements<T>(elements: Elements<T>): Iterable<Encodable | undefined> {
  return chunksOf(elements.inOrder(), (element) => encodeElement(element))
}

/** `[value, replica, sequence, replica, sequence ...]`, dots in order. */
function encodeElement<T>({ value, dots }: Element<T>): Encodable {
  const [only] = dots
  if (dots.length === 1 && only !== undefined) return [seal(value), only.replica, only.sequence]
  const ordered = [...dots].sort((a, b) => (a.replica < b.replica ? -1 : 1))
  return [seal(value), ...ordered.flatMap(({ replica, sequence }) => [replica, sequence])]
}

function* decodeElements<T>(chunks: Iterable<Encodable>): Generator<undefined, Elements<T>> {
  const elements = new Elements<T>()
  for (const chunk of chunks) {
    for (const element of expectArray(chunk)) {
      decodeElement(elements, expectArray(element))
      if (isLarge(element)) yield undefined
    }
    yield undefined
  }
  return elements
}

function decodeElement<T>(elements: Elements<T>, [sealed, ...rest]: readonly Encodable[]): void {
  const dots: Dot[] = []
  for (let i = 0; i < rest.length; i += 2) {
    dots.push({ replica: expectReplica(rest[i]), sequence: expectCount(rest[i + 1]) })
  }
  if (dots.length === 0) throw malformedState('an element that nothing keeps in')
  const value = unseal(sealed)
  elements.set(identityOf(value), value as T, dots)
}
