/**
 * Tells other replicas what copies are in memory here, page by page. A page is the answer of one turn, so
 * what had been seen by then holds for all of it; and it is bounded, in keys, in bytes and in what is
 * looked at for it. Nothing is remembered of who asks: a page begins at a place in the table of copies,
 * and a copy that comes in front of it meanwhile is not listed.
 */
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import { FILL_BYTES_MAX } from '../../limits.ts'
import { compilePattern, type KeyPattern } from '../../keys/pattern.ts'
import type { Env } from '../../ports/env.ts'
import type {
  CopiesWanted,
  CopyTalkPort,
  CopyTellerPort,
  HoldingsTold,
  HoldingsWanted,
  KeysWanted,
  ToldCopy,
} from '../../ports/talk/copy-talk.ts'
import { MISS, type Keeper } from '../keeper.ts'
import type { Loads } from '../loads.ts'
import { bytesOf, type Fills } from './fills.ts'

export interface CopyTellerOptions {
  readonly env: Env
  readonly talk: CopyTalkPort
  /** What has been applied here. Live. */
  readonly applied: VersionVector
  readonly keeper: Keeper
  readonly loads: Loads
  readonly fills: Fills
}

/** Of one page. */
const KEYS_MAX = 1000
const KEY_BYTES = 64 * 1024
const SLOTS_LOOKED_AT = 10_000
/** No further copy of a page is looked at after so long: each may have to be compared with what has come since. */
const TURN_MS = 5

export class CopyTeller implements CopyTellerPort {
  readonly #options: CopyTellerOptions

  constructor(options: CopyTellerOptions) {
    this.#options = options
    options.talk.connect(this)
  }

  told(wanted: HoldingsWanted): HoldingsTold {
    if (this.#options.loads.isClosed) return { kind: 'cannot' }
    return wanted.kind === 'keys' ? this.#keys(wanted) : this.#copies(wanted)
  }

  #keys({ pattern: text, from }: KeysWanted): HoldingsTold {
    const pattern = compiled(text)
    if (pattern === undefined) return { kind: 'cannot' }
    const { keeper } = this.#options
    const end = Math.min(keeper.copies.slotsUsed, from + SLOTS_LOOKED_AT)
    const keys: string[] = []
    let bytes = 0
    let slot = from
    for (; slot < end && keys.length < KEYS_MAX && bytes < KEY_BYTES; slot++) {
      const key = keeper.copies.keyAt(slot)
      if (key === '' || !pattern.matches(key) || keeper.isOver(slot)) continue
      keys.push(key)
      bytes += 3 * key.length
    }
    return { kind: 'keys', keys, next: slot < keeper.copies.slotsUsed ? slot : 0 }
  }

  #copies({ keys }: CopiesWanted): HoldingsTold {
    const { env, applied } = this.#options
    const sinceMs = env.monotonic()
    const copies: [number, ToldCopy][] = []
    let bytes = 0
    let lookedCount = 0
    for (const [index, key] of keys.entries()) {
      if (lookedCount > 0 && env.monotonic() - sinceMs >= TURN_MS) break
      const copy = this.#copyOf(key)
      if (copy !== undefined) {
        bytes += bytesOf(copy)
        if (copies.length > 0 && bytes > FILL_BYTES_MAX) break
        copies.push([index, copy])
      }
      lookedCount++
    }
    return { kind: 'copies', begin: applied.copy(), lookedCount, copies }
  }

  #copyOf(key: string): ToldCopy | undefined {
    const { keeper, fills } = this.#options
    const slot = keeper.copies.find(key)
    const value = slot === undefined ? MISS : keeper.shown(slot)
    if (value === MISS) return undefined
    try {
      return fills.of(key, value)
    } catch {
      // A value that was given to be kept in memory, and cannot be sent.
      return undefined
    }
  }
}

function compiled(text: string): KeyPattern | undefined {
  try {
    return compilePattern(text)
  } catch {
    // Of a later build, or of somebody who is broken.
    return undefined
  }
}
