/**
 * Which keys there are. Walks the key table in steps between which other work proceeds; a key that
 * exists through the whole listing is listed once. Each key is read to see whether it has a value:
 * O(keys held), and a fold for those that are not in memory.
 */
import type { Env } from '../ports/env.ts'
import { Budget, STEP } from '../operation/budget.ts'
import type { Slot } from '../keys/key-table.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { compilePattern } from '../keys/pattern.ts'
import type { KeyStore } from '../store/key-store.ts'
import { foldInSteps, readAtOnce, readInSteps } from '../store/read-steadily.ts'
import type { KeysOptions } from '../store/write-road/receipt.ts'
import { TOO_LONG } from '../cache/values.ts'
import { COLD } from '../cache/residency.ts'

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
  const budget = new Budget(env, check)
  await budget.pause()
  for (const slot of store.keys.occupied()) {
    if (budget.isSpent) await budget.pause()
    budget.spend(1, 0)
    const key = store.keys.keys[slot]
    if (key === undefined || !matches(key) || !isListed(store, key, slot)) continue
    if (dead || (await isAlive(store, { key, slot, check }, budget))) yield key
  }
}

/** Which keys there are is known of those whose truth is here. */
function isListed(store: KeyStore, key: string, slot: Slot): boolean {
  const keyspace = store.keyspaceFor(key, slot)
  return keyspace !== store.keyspaces.unregistered && keyspace.source === undefined
}

/**
 * The values of keys by key, in the order in which they are given; keys without a value are left
 * out. Throws what reading one of them throws.
 */
export async function readMany(
  keys: Iterable<string>,
  { store, env, check }: Pick<Listing, 'store' | 'env' | 'check'>,
): Promise<Map<string, unknown>> {
  check()
  const budget = new Budget(env, check)
  const values = new Map<string, unknown>()
  for (const key of keys) {
    if (budget.isSpent) await budget.pause()
    budget.spend(1, 0)
    store.keyspaceOf(key)
    const slot = store.keys.find(key)
    const short = slot === undefined ? undefined : readAtOnce(store, slot)
    const value = short === TOO_LONG ? await readInSteps(store, slot as Slot, check) : short
    if (value !== undefined) values.set(key, value)
  }
  store.turns.spend(values.size, 0)
  return values
}

interface Listed {
  readonly key: string
  readonly slot: Slot
  readonly check: () => void
}

/**
 * Nothing lives longer for having been listed. A key with an operation from a later version cannot
 * be read, but is there.
 */
async function isAlive(store: KeyStore, listed: Listed, budget: Budget): Promise<boolean> {
  const { key, slot, check } = listed
  if (store.values.residency.states[slot] === COLD)
    budget.spend(Math.min(store.keys.version[slot]!, STEP.operations), 0)
  try {
    // A set or a map whose entries were all removed was not deleted, and has no value.
    let value = store.values.examine(slot)
    while (value === TOO_LONG) {
      await foldInSteps(store, slot, check)
      if (store.keys.keys[slot] !== key) return false
      value = store.values.examine(slot)
    }
    return value !== undefined
  } catch (error) {
    if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) return true
    throw error
  }
}
