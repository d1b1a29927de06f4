/**
 * Reads what the log holds of a key in steps between which other work proceeds, while nothing of it
 * goes away: compaction is held, and where the key's chain is replaced all the same (a state is
 * taken over, the key is forgotten), the reading begins again.
 */
import { TOO_LONG } from '../cache/values.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Chain } from '../merge/chain.ts'
import { assertOutsideFold } from '../merge/users-code.ts'
import { Budget, type Meter } from '../operation/budget.ts'
import { INSTRUMENTS } from '../ports/instrument-catalogue.ts'
import type { KeyStore } from './key-store.ts'

export interface Reading {
  /** For the hold: what is done, in words. */
  readonly name: string
  readonly slot: Slot
  /** Called after each pause; throws when the reading is to be given up. */
  readonly check: () => void
}

/** The key as it was when the reading began. Operations that come meanwhile are not part of it. */
export interface Steady {
  readonly chain: Chain
  readonly version: number
}

/** The chain is not what it was: what has been read of it is worth nothing. */
class ChainReplaced extends Error {}

/** `undefined` if the key has been forgotten meanwhile. */
export async function readSteadily<Result>(
  store: KeyStore,
  reading: Reading,
  work: (steady: Steady, meter: Meter) => Generator<void, Result>,
): Promise<Result | undefined> {
  assertOutsideFold(reading.name)
  const { keys, holds } = store
  const key = keys.keys[reading.slot]
  const hold = holds.take(reading.name)
  try {
    while (key !== undefined && keys.keys[reading.slot] === key) {
      const result = await readOnce(store, reading, work)
      if (result !== REPLACED) return result
    }
    return undefined
  } finally {
    hold.release()
  }
}

const REPLACED: unique symbol = Symbol('replaced')

async function readOnce<Result>(
  store: KeyStore,
  { slot, check }: Reading,
  work: (steady: Steady, meter: Meter) => Generator<void, Result>,
): Promise<Result | typeof REPLACED> {
  const { keys } = store
  const [key, chain] = [keys.keys[slot], { ...store.chain(slot) }]
  const budget = new Budget(store.env, () => {
    check()
    const isAsItWas = keys.keys[slot] === key && keys.cut[slot] === chain.cut && keys.snapshot[slot] === chain.snapshot
    if (!isAsItWas) throw new ChainReplaced()
  })
  try {
    const result = await budget.finish(work({ chain, version: keys.version[slot]! }, budget))
    store.turns.spend(budget.operationsSpent, 0)
    return result
  } catch (error) {
    if (error instanceof ChainReplaced) return REPLACED
    throw error
  }
}

/**
 * The value of a key, if it is there or takes no more than one step, and no write of it waits;
 * otherwise `TOO_LONG`.
 */
export function readAtOnce(store: KeyStore, slot: Slot): unknown {
  return isAwaited(store, slot) ? TOO_LONG : store.values.readShort(slot)
}

/** Whether a write of the key waits until it has been folded. */
function isAwaited({ waiting, keys }: KeyStore, slot: Slot): boolean {
  return !waiting.isEmpty && waiting.has(keys.keys[slot] as string)
}

/** Folds a key in steps until its state takes no more than one, with the writes that wait now. */
export async function foldUntilShort(store: KeyStore, slot: Slot, check: () => void): Promise<void> {
  if (isAwaited(store, slot)) await store.waiting.rest(store.keys.keys[slot] as string)
  while (!store.values.isShort(slot)) await foldInSteps(store, slot, check)
}

/**
 * The value of a key, at once if it is short; otherwise folded in steps. `undefined` also if the
 * key has been forgotten meanwhile. Throws what `check` throws, and `WARP_E_UNKNOWN_OP`.
 */
export function readInSteps(store: KeyStore, slot: Slot, check: () => void): Promise<unknown> {
  const { recorder } = store
  const read = (): Promise<unknown> => readLong(store, slot, check)
  if (recorder === undefined || store.values.isShort(slot)) return read()
  return recorder.span(INSTRUMENTS.longRead, read)
}

async function readLong(store: KeyStore, slot: Slot, check: () => void): Promise<unknown> {
  const key = store.keys.keys[slot]
  if (key !== undefined && isAwaited(store, slot)) await store.waiting.rest(key)
  while (key !== undefined && store.keys.keys[slot] === key) {
    const value = store.values.readShort(slot)
    if (value !== TOO_LONG) return value
    await foldInSteps(store, slot, check)
  }
  return undefined
}

/** Folds what a key has now, in steps. */
export async function foldInSteps(store: KeyStore, slot: Slot, check: () => void): Promise<void> {
  // To see that it is long was a step.
  await store.env.yield()
  check()
  await readSteadily(store, { name: 'a read of a long key', slot, check }, ({ chain }, meter) =>
    store.values.foldSteps(slot, chain, meter),
  )
}
