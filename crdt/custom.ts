/**
 * A register with a merge function of your own:
 * `custom<string[]>((old, next) => [...old, ...next])`.
 *
 * The function need not commute. Writes are folded through it in canonical order, the same on every
 * replica: one that arrives late sends the key back to an earlier state and the later writes are
 * merged again on top, as in Bayou [1] and in replicated state machines with optimistic ordering
 * [2]. So any *deterministic* function converges: same arguments, same result, no clock, no
 * randomness, no outside state. Elsewhere a custom merge runs on the writing replica only, and the
 * replicas drift apart.
 *
 * Without `initial`, the first write is the value as it is and the function is not called for it,
 * so `old` is never `undefined`. With `initial` the function is called from the first write on, and
 * what is written may be of another type than the value:
 * `custom<Stats, Sample>((stats, sample) => ..., { initial: EMPTY })`.
 *
 * `old` and `next` are frozen, bytes and dates in them are copies: a function that changes them
 * throws, or changes nothing that anybody else sees. If it throws, or returns what
 * cannot be encoded, `set` refuses with `WARP_E_MERGE` and nothing is written. If that happens only
 * later, because a write arrived that belongs before, the operation is skipped, by the same rule on
 * every replica.
 *
 * State: the value. Deleting starts over: it cancels everything before it in canonical order, not
 * what comes after.
 * Cost: one call per operation, two on the writing replica; checking the result costs O(its
 * containers that are new), see `normal-form.ts`; a late operation costs the calls after it.
 *
 * When not to use it: when a strategy that commutes says the same (`counter`, `set`, `map`, `max`):
 * it never replays. A result that grows with every write makes each write cost its size.
 *
 * 1. D. Terry, M. Theimer, K. Petersen, A. Demers, M. Spreitzer, C. Hauser: Managing Update
 *    Conflicts in Bayou, a Weakly Connected Replicated Storage System. SOSP 1995.
 * 2. A. Demers et al.: The Bayou Architecture: Support for Data Sharing among Mobile Users. 1994.
 */
import { checkOptions, optionNames } from './checked-options.ts'
import type { Encodable } from './encoding/encodable.ts'
import type { Prepare, Strategy } from './strategy.ts'
import { assertSynchronous } from './synchronous.ts'
import { shownKind } from './shown-kind.ts'
import { WarpError } from './warp-error.ts'
import { expectArray, seal, unseal } from './encoding/stored-state.ts'
import { decode, encode } from './encoding/encoding.ts'
import { normalForm } from './encoding/normal-form.ts'
import { copyLoose } from './encoding/shared-value.ts'
import { toPayload } from './encoding/payload.ts'

/** Deterministic; must not change its arguments. */
export type Merge<T, Input> = (old: T, next: Input) => T

export interface CustomOptions<T> {
  /**
   * What the first write is merged with. Never read by itself: a key that was not written has no
   * value.
   */
  readonly initial: T
}

export type CustomVerbs<T, Input> = {
  /** Merges `next` into the value. */
  readonly set: (prepare: Prepare<T | undefined>, next: Input) => Encodable
}

export type Custom<T, Input = T> = Strategy<T, T | undefined, Encodable, CustomVerbs<T, Input>>

const OPTIONS = optionNames<CustomOptions<unknown>>({ initial: true })

/** Folds writes through `merge` in canonical order; the first write is the value as it is. */
export function custom<T>(merge: Merge<T, T>): Custom<T>
/** Folds writes through `merge` in canonical order, starting from `initial`. */
export function custom<T, Input = T>(merge: Merge<T, Input>, options: CustomOptions<T>): Custom<T, Input>
export function custom<T, Input>(merge: Merge<T, Input>, options?: CustomOptions<T>): Custom<T, Input> {
  checkMerge(merge)
  checkOptions('custom', options, OPTIONS)
  const first = options === undefined ? undefined : copyOf(options.initial)
  const merged = (state: T | undefined, next: Input, consequence: string): T => {
    const old = state ?? first
    // Without a first value, inputs are values.
    if (old === undefined) return next as unknown as T
    return declared(consequence, () => {
      const result: unknown = merge(copyLoose(old as T), copyLoose(next))
      assertSynchronous(result, 'custom()')
      return normalForm(result) as T
    })
  }
  return {
    kind: 'custom',
    code: 9,
    fold: 'canonical',
    deletes: 'ordered',
    initial: () => undefined,
    apply: (state, { payload }) => merged(state, payload as Input, 'the write has no effect'),
    read: (state) => state,
    isEmpty: (state) => state === undefined,
    encodeState: (state) => (state === undefined ? [] : [seal(state)]),
    decodeState: (encoded) => {
      const [value] = expectArray(encoded)
      return value === undefined ? undefined : (unseal(value) as T)
    },
    fromValue: (value) => value as T | undefined,
    verbs: {
      set(prepare, next) {
        const payload = copyOf(toPayload(next, 'set'))
        merged(prepare.state(), payload as Input, 'nothing was written')
        return payload
      },
    },
  }
}

/** As `apply` will see it on every replica; and the caller's own object is not frozen. */
function copyOf(value: unknown): Encodable {
  return decode(encode(value))
}

/**
 * A merge function is deterministic, so what it throws is the operation's own: said by the error.
 * But for a call stack that is too deep, which is the caller's.
 */
function declared<T>(consequence: string, merge: () => T): T {
  try {
    return merge()
  } catch (cause) {
    if (cause instanceof RangeError && /call stack/i.test(cause.message)) throw cause
    throw new WarpError('WARP_E_MERGE', `the merge function threw or returned what cannot be encoded; ${consequence}`, {
      cause,
    })
  }
}

function checkMerge(merge: unknown): void {
  if (typeof merge !== 'function') {
    throw new WarpError('WARP_E_CONFIG', `custom takes a function (old, next) => merged, not ${shownKind(merge)}`)
  }
  if (merge.constructor.name === 'AsyncFunction') {
    throw new WarpError(
      'WARP_E_CONFIG',
      'custom takes a function that is done when it returns; this one is async: await before the write instead',
    )
  }
}
