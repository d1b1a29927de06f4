/**
 * Lives that follow use: what is read often lives longer, what nobody reads shorter. A life is
 * worked out whenever a value is loaded, from how often the key was read within a window before.
 */
import { isNumberFrom, optionNames, refusedOption, requireOptions } from '../../../crdt/checked-options.ts'
import { shownValue } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { LIFE_MS_MAX } from '../../limits.ts'

/** What is known of a key when its value has been loaded. */
export interface LifeFacts {
  readonly key: string
  /** How long the value before this one was to live, ms; `undefined` for the first one. */
  readonly beforeMs: number | undefined
  /** Reads within the last `windowMs`, about: the share of the window before counts in part. */
  readonly readsCount: number
}

/** How `ttl` says it. Made by {@link adaptive}. */
export interface AdaptiveLife {
  readonly kind: 'adaptive'
  readonly windowMs: number
  /** How long a value lives that has just been loaded, ms. */
  readonly lifeMs: (facts: LifeFacts) => number
}

export interface AdaptiveOptions {
  /** The shortest life, ms; also that of a key that is loaded for the first time. */
  readonly minMs: number
  /** The longest life, ms. */
  readonly maxMs: number
  /** Reads are counted over so many ms. Default 60,000. */
  readonly windowMs?: number
  /** From so many reads in a window on, the next life is twice as long. Default 10. */
  readonly growAt?: number
  /** At so many reads in a window or fewer, the next life is half as long. Default 1. */
  readonly shrinkAt?: number
}

/** A rule of one's own. */
export interface OwnAdaptiveOptions {
  /** The next life, ms; what is not from 1 to 100 years is brought there. Must not throw. */
  readonly lifeMs: (facts: LifeFacts) => number
  readonly windowMs?: number
}

const WINDOW_MS = 60_000
const GROW_AT = 10
const SHRINK_AT = 1
const FACTOR = 2

const ADAPTIVE_OPTIONS = optionNames<AdaptiveOptions>({
  ...{ minMs: true, maxMs: true, windowMs: true, growAt: true, shrinkAt: true },
})
const OWN_OPTIONS = optionNames<OwnAdaptiveOptions>({ lifeMs: true, windowMs: true })

/**
 * A life that grows on use and shrinks when nobody reads. For keyspaces that load.
 *
 *     'user:*': { strategy: register<User>(), load, ttl: adaptive({ minMs: 5_000, maxMs: 600_000 }) }
 *
 * Throws `WARP_E_CONFIG`.
 */
export function adaptive(options: AdaptiveOptions | OwnAdaptiveOptions): AdaptiveLife {
  requireOptions('adaptive', options, 'lifeMs' in (options ?? {}) ? OWN_OPTIONS : ADAPTIVE_OPTIONS, EXAMPLE)
  const { windowMs = WINDOW_MS } = options
  check('windowMs', windowMs, 1)
  if ('lifeMs' in options) return ofOnesOwn(options.lifeMs, windowMs)
  const { minMs, maxMs, growAt = GROW_AT, shrinkAt = SHRINK_AT } = options
  check('minMs', minMs, 1)
  check('maxMs', maxMs, minMs)
  check('shrinkAt', shrinkAt, 0)
  check('growAt', growAt, shrinkAt + 1)
  const lifeMs = ({ beforeMs, readsCount }: LifeFacts): number => {
    if (beforeMs === undefined) return minMs
    const factor = readsCount >= growAt ? FACTOR : readsCount <= shrinkAt ? 1 / FACTOR : 1
    return Math.min(maxMs, Math.max(minMs, beforeMs * factor))
  }
  return { kind: 'adaptive', windowMs, lifeMs }
}

const EXAMPLE = '{ minMs: 5_000, maxMs: 600_000 }'

function ofOnesOwn(lifeMs: (facts: LifeFacts) => number, windowMs: number): AdaptiveLife {
  if (typeof lifeMs !== 'function')
    throw refusedOption('adaptive', 'lifeMs', lifeMs, 'give a function from facts to milliseconds')
  return { kind: 'adaptive', windowMs, lifeMs }
}

function check(option: string, value: unknown, from: number): void {
  if (isNumberFrom(value, from, LIFE_MS_MAX)) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `adaptive: ${option} is ${shownValue(value)}; give a number from ${from} to ${LIFE_MS_MAX}`,
    { details: { option } },
  )
}

/** Whether it is one that `adaptive` made, or has its shape. */
export function isAdaptive(ttl: unknown): ttl is AdaptiveLife {
  if (typeof ttl !== 'object' || ttl === null) return false
  const { kind, windowMs, lifeMs } = ttl as Partial<AdaptiveLife>
  return kind === 'adaptive' && typeof windowMs === 'number' && typeof lifeMs === 'function'
}
