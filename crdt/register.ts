/**
 * A register: one value, the last write wins.
 *
 * Every write is an operation whose payload is the value. The state is the payload of the operation
 * that is greatest in canonical order (hybrid logical clock, replica, sequence), so of two writes
 * one of which had seen the other, the later one wins whatever the wall clocks say; concurrent
 * writes are decided by the stamps. It is the register of [1, 2] and Thomas's write rule [3] with a
 * hybrid clock [4]: a replica whose wall clock is slow still beats what it has seen.
 *
 * State: the value, or nothing. Deleting is a write like any other (`'ordered'`): of a concurrent
 * set and delete the greater wins.
 * Cost: the engine keeps no state, reads the newest operation, O(1).
 *
 * When not to use it: where concurrent writes must not be lost (`multiValue`, `map`, `custom`), or
 * for numbers that are added to (`counter`): a read-modify-write of a register loses updates.
 *
 * 1. M. Shapiro, N. Preguiça, C. Baquero, M. Zawirski: A comprehensive study of Convergent and
 *    Commutative Replicated Data Types. INRIA RR-7506, 2011, section 3.2.1.
 * 2. N. Preguiça: Conflict-free Replicated Data Types: An Overview. 2018, section 2.2.
 * 3. P. Johnson, R. Thomas: The maintenance of duplicate databases. RFC 677, 1975.
 * 4. S. Kulkarni, M. Demirbas, D. Madappa, B. Avva, M. Leone: Logical Physical Clocks and
 *    Consistent Snapshots. 2014.
 */
import { takesNothing } from './checked-options.ts'
import type { Encodable } from './encoding/encodable.ts'
import type { AnyStrategy, Applied, Prepare, Strategy } from './strategy.ts'
import { expectArray, seal, unseal } from './encoding/stored-state.ts'
import { toPayload } from './encoding/payload.ts'

export type RegisterVerbs<T> = {
  /** Replaces the value. */
  readonly set: (prepare: Prepare<T | undefined>, value: T) => Encodable
}

export type Register<T> = Strategy<T, T | undefined, Encodable, RegisterVerbs<T>>

/**
 * One for all of them: the engine knows it when it sees it, and writes it without asking
 * (`isRegister`).
 */
const REGISTER: Register<unknown> = Object.freeze({
  kind: 'register',
  code: 1,
  foldsAs: 'register',
  fold: 'last',
  deletes: 'ordered',
  initial: () => undefined,
  apply: (_state: unknown, operation: Applied<Encodable>) => operation.payload,
  read: (state: unknown) => state,
  isEmpty: (state: unknown) => state === undefined,
  encodeState: (state: unknown) => (state === undefined ? [] : [seal(state)]),
  decodeState: (encoded: Encodable) => {
    const [value] = expectArray(encoded)
    return value === undefined ? undefined : unseal(value)
  },
  fromValue: (value: unknown) => value,
  verbs: Object.freeze({ set: (_prepare: Prepare<unknown>, value: unknown) => toPayload(value, 'set') }),
})

/** Last-writer-wins register of a `T`. */
export function register<T>(): Register<T> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('register', arguments)
  return REGISTER as Register<T> // it never looks into the value
}

/**
 * Whether it is this very strategy: what is written is the value that is read, and its verb asks
 * nothing.
 */
export function isRegister(strategy: AnyStrategy): boolean {
  return strategy === REGISTER
}
