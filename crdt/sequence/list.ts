/**
 * A list: elements that are inserted and removed at indexes by several replicas at once. Everything
 * that is inserted is kept, in an order on which all replicas agree; what one replica inserts in
 * one go stays together; an element that two replicas remove is removed once. The algorithm, its
 * costs and its source are in sequence.ts.
 *
 * A concurrent insertion survives the removal of its neighbours. A delete of the key removes what
 * its writer had seen. There is no move: removing and inserting elsewhere is two changes of one
 * `splice` only if both places are the same, and when two replicas do it concurrently the element
 * is there twice. Elements are replaced, not edited: for elements with a life of their own keep
 * their keys in the list. `isEmpty` only before the first insertion, since tombstones stay until
 * the key is deleted.
 *
 * Not for: sets (order costs a tombstone per element), text (`text()` holds a string per run
 * instead of an array), logs that only grow to millions of elements (one key each).
 */
import { takesNothing } from '../checked-options.ts'
import type { Encodable } from '../encoding/encodable.ts'
import { isLoose, noteLoose } from '../encoding/shared-value.ts'
import type { Prepare, Strategy } from '../strategy.ts'
import type { SequenceContent, SequenceState } from './sequence-strategy.ts'
import type { SequencePayload } from './sequence-operation.ts'
import { sequenceFold, spliceSequence } from './sequence-strategy.ts'

export type ListState<T extends Encodable> = SequenceState<readonly T[], readonly T[]>
export type ListPayload<T extends Encodable> = SequencePayload<readonly T[]>

/**
 * Each verb makes one operation, or none if there is nothing to do. Indexes out of range throw
 * `WARP_E_LIMIT`.
 */
export type ListVerbs<T extends Encodable> = {
  readonly insert: (
    prepare: Prepare<ListState<T>>,
    index: number,
    ...elements: readonly T[]
  ) => ListPayload<T> | undefined
  readonly push: (prepare: Prepare<ListState<T>>, ...elements: readonly T[]) => ListPayload<T> | undefined
  readonly remove: (prepare: Prepare<ListState<T>>, index: number, count?: number) => ListPayload<T> | undefined
  readonly splice: (
    prepare: Prepare<ListState<T>>,
    index: number,
    deleteCount: number,
    ...elements: readonly T[]
  ) => ListPayload<T> | undefined
}

/** A list of any encodable elements. */
export function list<T extends Encodable = Encodable>(): Strategy<
  readonly T[],
  ListState<T>,
  ListPayload<T>,
  ListVerbs<T>
> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('list', arguments)
  return {
    kind: 'list',
    code: 10,
    foldsAs: 'list',
    ...sequenceFold(arrays<T>()),
    verbs: {
      insert: (prepare, index, ...elements) => spliceSequence(prepare, { index, deleteCount: 0 }, some(elements)),
      push: (prepare, ...elements) =>
        spliceSequence(prepare, { index: prepare.state().sequence.order.visibleCount, deleteCount: 0 }, some(elements)),
      remove: (prepare, index, count = 1) => spliceSequence(prepare, { index, deleteCount: count }, undefined),
      splice: (prepare, index, deleteCount, ...elements) =>
        spliceSequence(prepare, { index, deleteCount }, some(elements)),
    },
  }
}

function some<T>(elements: readonly T[]): readonly T[] | undefined {
  return elements.length === 0 ? undefined : elements
}

function arrays<T extends Encodable>(): SequenceContent<readonly T[], readonly T[]> {
  return {
    none: Object.freeze([]),
    count: (content) => content.length,
    slice: (content, _count, from, to) => content.slice(from, to),
    join: (left, right) => {
      if (Object.isFrozen(left)) return [...left, ...right] // it belongs to an operation or is `none`
      const grown = left as T[] // made by the line above or by slice
      for (const element of right) grown.push(element)
      return grown
    },
    is: (content) => Array.isArray(content) && content.length > 0,
    read: joined,
    whole: (parts, hasLoose) => {
      const value = joined(parts)
      if (hasLoose) noteLoose(value)
      return Object.freeze(value)
    },
    isLoose: (content) => content.some(isLoose),
  }
}

/** Arrays that `concat` takes as arguments of one call. */
const JOINED_AT_ONCE = 1024

/** A new array. `flat` and pushing take ten times as long. */
function joined<T>(parts: readonly (readonly T[])[]): T[] {
  let all: T[] = []
  for (let at = 0; at < parts.length; at += JOINED_AT_ONCE) all = all.concat(...parts.slice(at, at + JOINED_AT_ONCE))
  return all
}
