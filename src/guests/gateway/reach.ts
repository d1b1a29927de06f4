/** What one guest is sent and may write, and who is interested in a key. */
import { WarpError } from '../../../crdt/warp-error.ts'
import { compilePattern, type KeyPattern } from '../../keys/pattern.ts'
import { GUEST_PATTERNS_MAX } from '../../limits.ts'
import type { GuestPermission } from './options.ts'

const PRINCIPAL_BYTES_MAX = 256
const ENCODER = new TextEncoder()

export class Reach {
  readonly principal: string
  readonly untilMs: number
  readonly #asked: readonly KeyPattern[]
  readonly #read: readonly KeyPattern[]
  readonly #write: readonly KeyPattern[]

  /** Throws `WARP_E_PATTERN`, `WARP_E_LIMIT` for what is asked for, and `WARP_E_CONFIG` for a permission that is none. */
  constructor(asked: readonly string[], permission: GuestPermission) {
    const { principal, read, write, untilMs = Infinity } = permission
    if (typeof principal !== 'string' || ENCODER.encode(principal).length > PRINCIPAL_BYTES_MAX)
      throw noPermission(`principal is no text of at most ${PRINCIPAL_BYTES_MAX} bytes`)
    if (!Array.isArray(read) || !Array.isArray(write)) throw noPermission('read and write are no lists of key patterns')
    if (typeof untilMs !== 'number' || Number.isNaN(untilMs)) throw noPermission('untilMs is no number')
    if (asked.length > GUEST_PATTERNS_MAX)
      throw new WarpError(
        'WARP_E_LIMIT',
        `a guest asks for ${asked.length} patterns; the limit is ${GUEST_PATTERNS_MAX}; ask for wider ones`,
        { details: { limit: GUEST_PATTERNS_MAX } },
      )
    this.principal = principal
    this.untilMs = untilMs
    this.#asked = compiled(asked)
    this.#read = compiled(read)
    this.#write = compiled(write)
  }

  /** What the guest has asked for: where its keys lie. */
  get asked(): readonly KeyPattern[] {
    return this.#asked
  }

  isSent(key: string): boolean {
    return matches(this.#asked, key) && matches(this.#read, key)
  }

  mayWrite(key: string): boolean {
    return matches(this.#write, key)
  }
}

/** Finds those who have asked for a pattern that a key matches, without asking all of them. */
export class Interests<Who> {
  /** By the characters before the first wildcard. */
  readonly #byPrefix = new Map<string, Set<Who>>()
  /** How many prefixes have this length. */
  readonly #lengths = new Map<number, number>()

  add(who: Who, patterns: readonly KeyPattern[]): void {
    for (const { literalPrefix } of patterns) {
      const known = this.#byPrefix.get(literalPrefix)
      if (known !== undefined) {
        known.add(who)
        continue
      }
      this.#byPrefix.set(literalPrefix, new Set([who]))
      this.#lengths.set(literalPrefix.length, (this.#lengths.get(literalPrefix.length) ?? 0) + 1)
    }
  }

  remove(who: Who, patterns: readonly KeyPattern[]): void {
    for (const { literalPrefix } of patterns) {
      const known = this.#byPrefix.get(literalPrefix)
      if (known?.delete(who) !== true || known.size > 0) continue
      this.#byPrefix.delete(literalPrefix)
      const left = (this.#lengths.get(literalPrefix.length) ?? 1) - 1
      if (left === 0) this.#lengths.delete(literalPrefix.length)
      else this.#lengths.set(literalPrefix.length, left)
    }
  }

  /** Perhaps some more, whose patterns only begin like the key, and some twice. */
  *of(key: string): Iterable<Who> {
    for (const length of this.#lengths.keys()) {
      if (length > key.length) continue
      const found = this.#byPrefix.get(key.slice(0, length))
      if (found !== undefined) yield* found
    }
  }
}

function compiled(patterns: readonly string[]): KeyPattern[] {
  return patterns.map((pattern) => compilePattern(pattern))
}

function matches(patterns: readonly KeyPattern[], key: string): boolean {
  return patterns.some((pattern) => pattern.matches(key))
}

function noPermission(problem: string): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `authorize gives what is no permission: ${problem}; give { principal, read: [patterns], write: [patterns] }, or false`,
  )
}
