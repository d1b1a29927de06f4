/**
 * A multi-value register: concurrent writes are kept side by side until somebody writes again.
 *
 * A write replaces the siblings that its writer had seen, and no others. "Had seen" is the
 * operation's causal context, so two replicas that write while cut off from each other leave two
 * siblings on every replica, and a reader who has seen both and writes leaves one. This is the
 * register of Dynamo [1] as specified in [2]; because an operation's context names dots and not
 * only a vector of its own, siblings that were already superseded cannot come back, the flaw that
 * [3] repairs.
 *
 * State: the siblings with their dots and stamps, in canonical order; the value is the list of
 * their values in that order, so that every replica lists them alike and the last one is what a
 * `register` would hold. Concurrent equal writes are siblings, too. Deleting removes the siblings
 * that the deleter had seen.
 * Cost: O(siblings) per write; at most one sibling per replica that writes concurrently.
 *
 * When not to use it: where nobody will ever resolve the siblings (`register`, `custom`). They grow
 * with the number of replicas that write without reading.
 *
 * 1. G. DeCandia et al.: Dynamo: Amazon's Highly Available Key-value Store. SOSP 2007.
 * 2. M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski: A comprehensive study of Convergent and
 *    Commutative Replicated Data Types. INRIA RR-7506, 2011, section 3.2.2.
 * 3. N. Preguiça, C. Baquero, P. Almeida, V. Fonte, R. Gonçalves: Dotted Version Vectors. 2010.
 */
import { takesNothing } from './checked-options.ts'
import type { Encodable } from './encoding/encodable.ts'
import type { Prepare, Strategy } from './strategy.ts'
import type { Stamp } from './time/hlc.ts'
import { compareStamps } from './time/hlc.ts'
import { expectArray, expectCount, expectReplica, fromChunks, seal, toChunks, unseal } from './encoding/stored-state.ts'
import { toPayload } from './encoding/payload.ts'

interface Sibling<T> extends Stamp {
  readonly value: T
}

export type Siblings<T> = readonly Sibling<T>[]

export type MultiValueVerbs<T> = {
  /** Replaces the siblings that this replica sees by one value. */
  readonly set: (prepare: Prepare<Siblings<T>>, value: T) => Encodable
}

export type MultiValue<T> = Strategy<readonly T[], Siblings<T>, Encodable, MultiValueVerbs<T>>

/**
 * Multi-value register of `T`s. Its value is the list of concurrent values, one where there was no
 * conflict.
 */
export function multiValue<T>(): MultiValue<T> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('multiValue', arguments)
  return {
    kind: 'multi-value',
    code: 2,
    foldsAs: 'multi-value',
    fold: 'any',
    deletes: 'observed',
    initial: () => [],
    apply(siblings, operation) {
      const { hlc, replica, sequence } = operation
      const kept = siblings.filter((sibling) => !operation.observed(sibling.replica, sibling.sequence))
      kept.push({ hlc, replica, sequence, value: operation.payload as T })
      return kept.sort(compareStamps)
    },
    read: (siblings) => (siblings.length === 0 ? undefined : siblings.map(({ value }) => value)),
    isEmpty: (siblings) => siblings.length === 0,
    encodeState: (siblings) =>
      toChunks(siblings.map(({ hlc, replica, sequence, value }) => [hlc, replica, sequence, seal(value)])),
    decodeState: (encoded) => fromChunks(encoded).map((sibling) => decodeSibling<T>(sibling)),
    verbs: { set: (_prepare, value) => toPayload(value, 'set') },
  }
}

function decodeSibling<T>(encoded: Encodable): Sibling<T> {
  const [hlc, replica, sequence, value] = expectArray(encoded)
  return {
    hlc: expectCount(hlc),
    replica: expectReplica(replica),
    sequence: expectCount(sequence),
    value: unseal(value) as T,
  }
}
