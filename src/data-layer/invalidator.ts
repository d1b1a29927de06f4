/**
 * Says that copies are out of date: by an operation, so that it holds on every replica, for keys that
 * arrive later, for loads in flight, and for replicas that are away.
 */
import { checkOptions, checkTypeOf, optionNames } from '../../crdt/checked-options.ts'
import { shownValue } from '../../crdt/shown-kind.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { asError, WarpError } from '../../crdt/warp-error.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { DOMAINS } from '../keys/domain.ts'
import { compilePattern, type KeyPattern } from '../keys/pattern.ts'
import { intersects } from '../keys/pattern-overlap.ts'
import type { Invalidation } from '../operation/invalidation.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Settlement, SettleOptions } from '../store/write-road/receipt.ts'
import type { Writer } from '../store/write-road/writer.ts'
import { isTag, TAG_LENGTH_MAX } from './load-request.ts'

export interface InvalidateOptions extends SettleOptions {
  /**
   * What is void is never served again, not even as a stale value where the source fails. Default
   * `false`: it is served where its keyspace says `staleAfterInvalidation`.
   */
  readonly hard?: boolean
}

/** What an invalidation gives back. */
export interface Invalidated extends Settlement {
  /** The operation. */
  readonly dot: Dot
}

export const INVALIDATE_OPTIONS: readonly string[] = optionNames<InvalidateOptions>({
  ...{ hard: true, ack: true, acks: true, signal: true },
})

const CLEAR_OPTIONS = INVALIDATE_OPTIONS.filter((name) => name !== 'hard')

export interface InvalidatorOptions {
  readonly store: KeyStore
  readonly writer: Writer
  /** What has been applied here. Live. */
  readonly applied: VersionVector
  readonly write: (invalidation: Invalidation) => Dot
  readonly writeLocally: (invalidation: Invalidation) => void
  /** Something has been written that is to be sent. */
  readonly written: () => void
}

interface Own {
  readonly dot: Dot
  readonly invalidation: Invalidation
}

/** Of these it is remembered what they said, in case that the state is taken over without them. */
const OWN_MAX = 1024
const EVERYTHING: Invalidation = { of: 'pattern', target: '*', isHard: true }

export class Invalidator {
  readonly #options: InvalidatorOptions
  #own: Own[] = []
  #isOwnLost = false

  constructor(options: InvalidatorOptions) {
    this.#options = options
  }

  /** Of a key, or of all that a pattern matches. */
  invalidate(call: string, target: string, options: InvalidateOptions = {}): Promise<Invalidated> {
    try {
      checkInvalidate(call, options)
      return this.#write(this.named(call, target, options.hard ?? false), options)
    } catch (error) {
      return this.#options.store.turns.rejected(asError(error))
    }
  }

  /** As `invalidate`, hard. */
  clear(target: string, options: Omit<InvalidateOptions, 'hard'> = {}): Promise<Invalidated> {
    try {
      checkOptions('clear', options, CLEAR_OPTIONS)
      return this.#write(this.named('clear', target, true), options)
    } catch (error) {
      return this.#options.store.turns.rejected(asError(error))
    }
  }

  invalidateTag(tag: string, options: InvalidateOptions = {}): Promise<Invalidated> {
    try {
      checkInvalidate('invalidateTag', options)
      checkTag(tag)
      return this.#write({ of: 'tag', target: tag, isHard: options.hard ?? false }, options)
    } catch (error) {
      return this.#options.store.turns.rejected(asError(error))
    }
  }

  /** Of this replica's copies alone. Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`. */
  invalidateLocal(target: string): void {
    this.#options.store.assertOpen()
    this.#options.writeLocally(this.named('invalidateLocal', target, true))
  }

  /** A state has been taken over: what was said here and nobody has heard is said again. */
  reset(): void {
    const { applied, write, written } = this.#options
    const lost = this.#own.filter(({ dot }) => !applied.includes(dot.replica, dot.sequence))
    const isMore = this.#isOwnLost && lost.length === this.#own.length
    this.#own = []
    this.#isOwnLost = false
    if (lost.length === 0) return
    for (const { invalidation } of isMore ? [{ invalidation: EVERYTHING }] : lost)
      this.#note(write(invalidation), invalidation)
    written()
  }

  async #write(invalidation: Invalidation, { hard: _, ...wish }: InvalidateOptions): Promise<Invalidated> {
    const { store, writer, write, written } = this.#options
    store.assertOpen()
    writer.checkWish(wish, DOMAINS.shared)
    if (store.refusesWrites) throw readsOnly(invalidation.target)
    const dot = write(invalidation)
    this.#note(dot, invalidation)
    written()
    return { dot, ...(await writer.settled(dot, wish)) }
  }

  #note(dot: Dot, invalidation: Invalidation): void {
    this.#own.push({ dot, invalidation })
    if (this.#own.length <= OWN_MAX) return
    this.#own = this.#own.slice(OWN_MAX >> 1)
    this.#isOwnLost = true
  }

  /** What a call means by a key or pattern. Throws `WARP_E_CONFIG` where nothing that is meant loads. */
  named(call: string, target: string, isHard: boolean): Invalidation {
    const { store } = this.#options
    store.assertOpen()
    const pattern = compilePattern(target)
    const { anyOneCount, anyRunCount } = pattern.specificity
    if (anyOneCount + anyRunCount > 0) {
      this.#checkSource(call, pattern, target)
      return { of: 'pattern', target, isHard }
    }
    const key = pattern.literalPrefix
    if (store.keyspaceOf(key).source === undefined) throw hasNoSource(call, key)
    return { of: 'key', target: key, isHard }
  }

  #checkSource(call: string, pattern: KeyPattern, target: string): void {
    const { list, unregistered } = this.#options.store.keyspaces
    const meant = list.filter(
      (one) => one !== unregistered && intersects(compilePattern(one.pattern), pattern) !== undefined,
    )
    if (meant.length === 0) throw matchesNone(call, target)
    if (meant.every(({ source }) => source === undefined)) throw hasNoSource(call, target)
  }
}

function checkInvalidate(call: string, options: InvalidateOptions): void {
  checkOptions(call, options, INVALIDATE_OPTIONS)
  checkTypeOf(call, options, 'hard', 'boolean')
}

function checkTag(tag: unknown): void {
  if (isTag(tag)) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `invalidateTag takes a well-formed text of 1 to ${TAG_LENGTH_MAX} characters, and got ${shownValue(tag)}`,
  )
}

function matchesNone(call: string, target: string): WarpError {
  return new WarpError(
    'WARP_E_UNREGISTERED_KEY',
    `${call}: no key pattern of this engine has a key that '${target}' matches; register one in openWarp({ keys })`,
    { details: { target } },
  )
}

function hasNoSource(call: string, target: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `${call}: the truth of '${target}' is here, so there are no copies that could be out of date; ` +
      'delete the key, or give its pattern a load',
    { details: { target } },
  )
}

function readsOnly(target: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `'${target}' is invalidated inside a merge function, a getter of a value or a projection, which may only read; do it afterwards`,
  )
}
