/**
 * A key of Redis: a string, a hash, a set, a sorted set, a list, a stream or a HyperLogLog, whichever was
 * written, with the life that EXPIRE gives it; and what concurrent writes of replicas come to.
 *
 * One rule: an operation takes away what its writer had seen and what its kind replaces; what he had
 * not seen survives; of what survives in one place the greatest stamp is shown; and additions add up.
 *
 * - What takes away and what is taken away meet by dots: state and operation both name operations,
 *   and the engine knows which ones a writer had seen. So there are no tombstones [1, 2].
 * - Additions have no dots to keep; see `runs.ts`. Patches of a string (APPEND, SETBIT) are kept until
 *   somebody writes a whole string (`patches.ts`). Lists: `positions.ts`.
 * - A write takes away what its writer had seen of other types, which he could not see but as
 *   leftovers. So two types are there only after concurrent writes; the type of the greatest stamp is
 *   shown.
 * - Of lives that are concurrent the longest counts: nobody's data goes earlier than it was promised.
 *   SET says "for ever" unless it says otherwise. Deadlines are in the payloads, and the fold has no
 *   clock: who finds a key dead writes what takes away all that he sees (`situation.ts`), and a life
 *   that was made longer by somebody whom he had not heard of brings nothing back for him.
 *
 * State: see `state.ts`; deleting the key is the engine's, with `'observed'`.
 * Cost: O(log n) for each element named; a write over a hash or a sorted set looks for counters in it,
 * O(n). To be asked by `view`, which builds no value; a read does, O(n log n).
 *
 * When not to use it: in programs of your own, where `counter`, `set` and `map` say what they hold. It
 * is for the clients of a server that speaks Redis's protocol.
 *
 * 1. M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski: Conflict-free Replicated Data Types. SSS 2011.
 * 2. P. Almeida, A. Shoker, C. Baquero: Delta State Replicated Data Types. 2018, section 7.
 */
import { takesNothing } from '../checked-options.ts'
import type { Encodable } from '../encoding/encodable.ts'
import type { Applied, Strategy } from '../strategy.ts'
import type { Seen } from './seen.ts'
import { applyWrite } from './apply.ts'
import { insertBeside, push, setElement, take } from './list-verbs.ts'
import { raise } from './registers/register-verbs.ts'
import { decodeRedis, decodeRedisSteps } from './read-snapshot.ts'
import { decodeWrite } from './read-write.ts'
import { rebased } from './rebase.ts'
import { encodeRedis, encodeRedisSteps } from './snapshot.ts'
import { KINDS, RedisState, sizeOf } from './state.ts'
import { changeStream, note } from './streams/stream-verbs.ts'
import { readRedis, type RedisValue } from './value.ts'
import * as verbs from './verbs.ts'
import { RedisView } from './view.ts'

export interface RedisVerbs {
  readonly put: typeof verbs.put
  readonly add: typeof verbs.add
  readonly patch: typeof verbs.patch
  readonly live: typeof verbs.live
  readonly repeatLife: typeof verbs.repeatLife
  readonly setFields: typeof verbs.setFields
  readonly addToField: typeof verbs.addToField
  readonly removeFields: typeof verbs.removeFields
  readonly join: typeof verbs.join
  readonly leave: typeof verbs.leave
  readonly setScores: typeof verbs.setScores
  readonly addToScore: typeof verbs.addToScore
  readonly removeScores: typeof verbs.removeScores
  readonly push: typeof push
  readonly insertBeside: typeof insertBeside
  readonly setElement: typeof setElement
  readonly take: typeof take
  readonly raise: typeof raise
  readonly changeStream: typeof changeStream
  readonly note: typeof note
}

export interface RedisQueries {
  /** The key as it is at that time, in milliseconds since 1970. */
  readonly view: (state: RedisState, nowMs: number) => RedisView
}

// A type, not an interface: verbs of strategies have an index signature.
export type Redis = Strategy<
  RedisValue,
  RedisState,
  Encodable,
  { readonly [Name in keyof RedisVerbs]: RedisVerbs[Name] },
  { readonly [Name in keyof RedisQueries]: RedisQueries[Name] }
>

/** A key of Redis, of any of its types. */
export function redis(): Redis {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('redis', arguments)
  return {
    kind: 'redis',
    code: 15,
    foldsAs: 'redis',
    fold: 'any',
    deletes: 'observed',
    appliesAsWritten: true,
    hasLargePayloads: true,
    initial: () => new RedisState(),
    apply(state, operation) {
      applyWrite(state, decodeWrite(operation.payload), seenBy(operation))
      return state
    },
    read: readRedis,
    // What says how long it lives, of a key that somebody else has deleted, is something.
    isEmpty: (state) => state.isInitial,
    piecesOf: (state) => KINDS.reduce((sum, kind) => sum + (sizeOf(state, kind) ?? 0), 1),
    encodeState: encodeRedis,
    encodeStateSteps: encodeRedisSteps,
    decodeState: decodeRedis,
    decodeStateSteps: decodeRedisSteps,
    rebase: rebased,
    verbs: { ...verbs, push, insertBeside, setElement, take, raise, changeStream, note },
    queries: { view: (state, nowMs) => new RedisView(state, nowMs) },
  }
}

function seenBy(operation: Applied<Encodable>): Seen {
  const { hlc, replica, sequence } = operation
  return { stamp: { hlc, replica, sequence }, observed: (other, n) => operation.observed(other, n) }
}
