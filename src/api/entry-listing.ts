/**
 * Keys with their values, page by page. A listing walks the slots of the key table, and its cursor
 * is the slot after the entry: a key keeps its slot for as long as it is known, so a key that is
 * there all the time is listed once, however many pages there are and whatever is written between
 * them.
 */
import { shownValue } from '../../crdt/shown-kind.ts'
import { isWholeFrom, optionNames } from '../../crdt/checked-options.ts'
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { compilePattern } from '../keys/pattern.ts'
import type { Env } from '../ports/env.ts'
import { TOO_LONG } from '../cache/values.ts'
import type { KeyStore } from '../store/key-store.ts'
import { readInSteps } from '../store/read-steadily.ts'

/** Values read between two breaks. */
const VALUES_PER_STEP = 64
/** Keys passed over between two breaks. */
const KEYS_PER_STEP = 2_048

export interface EntriesOptions {
  /** Ends after so many entries. At least 1. Default: all. */
  readonly limit?: number
  /** Goes on behind the entry with this cursor, of this opening of the log. */
  readonly after?: string
  /** Ends the listing with `WARP_E_ABORTED`. */
  readonly signal?: AbortSignal
}

export const ENTRIES_OPTIONS: readonly string[] = optionNames<EntriesOptions>({
  limit: true,
  after: true,
  signal: true,
})

export interface Entry<Value = unknown> {
  readonly key: string
  readonly value: Value
  /** Give it as `after` to go on behind this entry. Good until the engine is closed. */
  readonly cursor: string
}

interface Listing extends EntriesOptions {
  /** Throws when the listing is to end. */
  readonly check: () => void
}

export class EntryListing {
  readonly #store: KeyStore
  readonly #env: Env
  /** Names this opening in cursors: slots mean something else in the next one. */
  readonly #opening: string

  constructor(store: KeyStore, env: Env) {
    this.#store = store
    this.#env = env
    this.#opening = `${store.log.end.toString(36)}-${Math.floor(env.now()).toString(36)}`
  }

  /** Throws `WARP_E_PATTERN`, `WARP_E_CONFIG`. */
  entries(pattern: string, listing: Listing): AsyncGenerator<Entry, void, undefined> {
    const { limit = Infinity, after } = listing
    if (limit !== Infinity && !isWholeFrom(limit, 1))
      throw new WarpError('WARP_E_CONFIG', `entries: limit is ${shownValue(limit)}; give a whole number of at least 1`)
    const { matches } = compilePattern(pattern)
    const from = after === undefined ? 0 : this.#slotOf(after)
    return this.#walk(matches, { from, limit, check: listing.check })
  }

  async *#walk(
    matches: (key: string) => boolean,
    { from, limit, check }: { readonly from: number; readonly limit: number; readonly check: () => void },
  ): AsyncGenerator<Entry, void, undefined> {
    const { keys, turns } = this.#store
    const turn = turns.next()
    if (turn !== undefined) await turn
    check()
    let given = 0
    let credit = KEYS_PER_STEP
    for (let slot = from; slot < keys.slotsUsed; slot++) {
      if (credit <= 0) {
        await this.#env.yield()
        check()
        credit = KEYS_PER_STEP
      }
      credit--
      const key = keys.keys[slot]
      if (key === undefined || !matches(key)) continue
      credit -= KEYS_PER_STEP / VALUES_PER_STEP
      let value = this.#valueAt(slot)
      if (value === TOO_LONG) value = await readInSteps(this.#store, slot, check)
      if (value === undefined) continue
      yield { key, value, cursor: `${this.#opening}.${slot + 1}` }
      if (++given >= limit) return
      check()
    }
  }

  /**
   * `undefined` for keys of no pattern, and for those with operations that this version cannot
   * read; `TOO_LONG` for those that have to be read in steps.
   */
  #valueAt(slot: number): unknown {
    const store = this.#store
    const keyspace = store.keyspaceFor('', slot)
    // What was written to keys that load is a copy, and may be out of date.
    if (keyspace === store.keyspaces.unregistered || keyspace.source !== undefined) return undefined
    try {
      return store.values.readShort(slot)
    } catch (error) {
      if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) return undefined
      throw error
    }
  }

  #slotOf(cursor: string): number {
    const [opening, digits = ''] = cursor.split('.')
    if (opening === this.#opening && /^\d{1,10}$/.test(digits)) return Number(digits)
    throw new WarpError('WARP_E_CONFIG', `entries: '${cursor}' is no cursor of this opening; begin without one`, {
      details: { option: 'after' },
    })
  }
}
