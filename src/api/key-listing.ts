/**
 * Which keys there are. Walks the key table in steps between which other work proceeds; a key that exists through the whole listing
 * is listed once. Each key is read to see whether it has a value: O(keys held), and a fold for those that are not in memory.
 */
import type { Env } from '../ports/env.ts'
import type { Slot } from '../keys/key-table.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { compilePattern } from '../keys/pattern.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { KeysOptions } from '../store/receipt.ts'
import { COLD } from '../cache/residency.ts'

/** Keys looked at between two breaks: about a millisecond where values have to be folded. */
const KEYS_PER_STEP = 256

interface Listing extends KeysOptions {
  readonly store: KeyStore
  readonly env: Env
  /** Throws when the listing is to end. */
  readonly check: () => void
}

/** Throws `WARP_E_PATTERN`. Keys that no pattern of the engine matches are left out. */
export async function* listKeys(pattern: string, listing: Listing): AsyncGenerator<string, void, undefined> {
  const { store, env, check, dead = false } = listing
  const { matches } = compilePattern(pattern)
  let visited = 0
  for (const slot of store.keys.occupied()) {
    if (visited++ % KEYS_PER_STEP === 0) {
      await env.yield()
      check()
    }
    const key = store.keys.keys[slot]
    if (key === undefined || !matches(key) || store.keyspaceFor(key, slot) === store.keyspaces.unregistered) continue
    if (dead || isAlive(store, key, { slot, nowMs: env.now() })) yield key
  }
}

/** Nothing lives longer for having been listed. A key with an operation from a later version cannot be read, but is there. */
function isAlive(store: KeyStore, key: string, { slot, nowMs }: { slot: Slot; nowMs: number }): boolean {
  if (store.values.residency.states[slot] !== COLD) return store.values.residency.values[slot] !== undefined
  const keyspace = store.keyspaceFor(key, slot)
  if (keyspace.ttlMs > 0 && store.values.expiresAt(slot, keyspace) <= nowMs) return false
  try {
    const { state, present } = store.values.resident(slot)
    // A set or a map whose entries were all removed was not deleted, and has no value.
    return present && store.strategyAt(slot).read(state) !== undefined
  } catch (error) {
    if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) return true
    throw error
  }
}
