/** The options of a guest: defaults, bounds and checks. */
import {
  checkTypeOf,
  isNumberFrom,
  isWholeFrom,
  optionNames,
  refusedOption,
  requireOptions,
} from '../../../crdt/checked-options.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { Keyspaces } from '../../keys/keyspace.ts'
import { compilePattern } from '../../keys/pattern.ts'
import type { KeyMap } from '../../keys/typed-keys.ts'
import { GUEST_PATTERNS_MAX, GUEST_PENDING_MAX } from '../../limits.ts'
import type { GuestEvent, GuestOptions } from './guest-types.ts'

export interface GuestSettings {
  readonly keyspaces: Keyspaces
  readonly patterns: readonly string[]
  readonly token: () => string | Promise<string>
  readonly backoffMs: readonly [number, number]
  readonly pendingMax: number
  readonly observe: (event: GuestEvent) => void
}

const BACKOFF_MS: readonly [number, number] = [500, 30_000]
const BACKOFF_MS_MAX = 3_600_000

const GUEST_OPTIONS = optionNames<GuestOptions<KeyMap>>({
  ...{ keys: true, patterns: true, token: true, backoffMs: true, pendingMax: true, signal: true, observe: true },
})

/** Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`, `WARP_E_LIMIT`. `known`: the options that the caller takes besides. */
export function guestSettings(options: GuestOptions<KeyMap>, known: readonly string[] = []): GuestSettings {
  requireOptions('openGuest', options, [...GUEST_OPTIONS, ...known], "{ keys: { 'todo:*': register() } }")
  const { keys, token = () => '', backoffMs = BACKOFF_MS, pendingMax = GUEST_PENDING_MAX } = options
  const { observe = () => undefined } = options
  for (const name of ['token', 'observe'] as const) checkTypeOf('openGuest', options, name, 'function')
  const keyspaces = new Keyspaces(keys)
  const patterns = checkedPatterns(options.patterns ?? Object.keys(keys))
  checkKeyspaces(keyspaces)
  if (!isWholeFrom(pendingMax, 1, GUEST_PENDING_MAX))
    throw refusedOption('openGuest', 'pendingMax', pendingMax, `give a whole number from 1 to ${GUEST_PENDING_MAX}`)
  checkBackoff(backoffMs)
  return { keyspaces, patterns, token, backoffMs, pendingMax, observe }
}

function checkedPatterns(patterns: unknown): readonly string[] {
  if (!Array.isArray(patterns) || patterns.length === 0)
    throw refusedOption('openGuest', 'patterns', patterns, "give a list of key patterns, such as ['todo:*']")
  if (patterns.length > GUEST_PATTERNS_MAX)
    throw new WarpError(
      'WARP_E_LIMIT',
      `openGuest: ${patterns.length} patterns are more than ${GUEST_PATTERNS_MAX}; ask for wider ones`,
      { details: { limit: GUEST_PATTERNS_MAX } },
    )
  return (patterns as readonly string[]).map((pattern) => compilePattern(pattern).text)
}

function checkKeyspaces({ list, unregistered }: Keyspaces): void {
  for (const keyspace of list) {
    const { domain, source, pattern, strategy } = keyspace
    if (keyspace === unregistered) continue
    if (domain.kind === 'shared' && source === undefined && strategy.kind !== 'bounded-counter') continue
    throw new WarpError(
      'WARP_E_MODE',
      `openGuest: '${pattern}' is no pattern for guests: they hold keys of mode 'eventual' whose truth is in the log, and no bounded counters; leave it out`,
      { details: { pattern } },
    )
  }
}

function checkBackoff(backoffMs: unknown): void {
  const isPair = Array.isArray(backoffMs) && backoffMs.length === 2
  const [least, most] = isPair ? (backoffMs as readonly unknown[]) : []
  if (isNumberFrom(least, 1, BACKOFF_MS_MAX) && isNumberFrom(most, least, BACKOFF_MS_MAX)) return
  throw refusedOption(
    'openGuest',
    'backoffMs',
    backoffMs,
    `give two numbers from 1 to ${BACKOFF_MS_MAX}, the smaller first`,
  )
}
