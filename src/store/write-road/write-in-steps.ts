/**
 * Writes of keys whose state takes more than one step to fold: they wait for that, in the order of
 * their calls, and are then made at once (`waiting-writes.ts`). What was given is what it was when
 * the call was made.
 */
import { decode, encode } from '../../../crdt/encoding/encoding.ts'
import { asError } from '../../../crdt/warp-error.ts'
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { KeyStore } from '../key-store.ts'
import { foldInSteps } from '../read-steadily.ts'
import { refused } from './owner-check.ts'
import { FoldFirst, type Target } from './target.ts'

export interface LaterWrite<Result> {
  /** Throws when the write is to be given up. */
  readonly check: () => void
  /** Makes the write, and waits for it as long as was asked. Throws `FoldFirst` before anything exists. */
  readonly make: (targets: readonly Target[]) => Promise<Result>
}

/** Makes one write of some keys when they have been folded, behind those that wait already. */
export async function writeInSteps<Result>(
  store: KeyStore,
  keys: readonly string[],
  write: LaterWrite<Result>,
): Promise<Result> {
  const { waiting } = store
  const [first = '', ...others] = keys
  const before = others.map((key) => waiting.rest(key))
  const made = waiting.add(first, async () => {
    await Promise.all(before)
    return makeInSteps(store, keys, write)
  })
  for (const key of others) ignoreOutcome(waiting.add(key, () => made))
  return (await made).result
}

/** The promise of the write, in a box: those behind it do not wait for its acknowledgement. */
async function makeInSteps<Result>(
  store: KeyStore,
  keys: readonly string[],
  { check, make }: LaterWrite<Result>,
): Promise<{ readonly result: Promise<Result> }> {
  for (;;) {
    check()
    const targets = keys.map((key) => targetOf(store, key))
    try {
      return { result: make(targets) }
    } catch (error) {
      if (!(error instanceof FoldFirst)) throw error
      const slot = store.keys.find(error.key)
      if (slot !== undefined) await foldToWrite(store, error.key, slot, check)
    }
  }
}

async function foldToWrite(store: KeyStore, key: string, slot: Slot, check: () => void): Promise<void> {
  try {
    await foldInSteps(store, slot, check)
  } catch (error) {
    throw refused(store, { key, keyspace: store.registeredAt(key, slot) }, error) ?? asError(error)
  }
}

/** The key may have been forgotten meanwhile, and its pattern registered anew. */
function targetOf(store: KeyStore, key: string): Target {
  const slot = store.keys.find(key)
  return { key, keyspace: store.registeredAt(key, slot), slot }
}

/** What a verb was given, as it is now. What cannot be encoded (a function) is left as it is. */
export function copiesOf(parameters: readonly unknown[]): readonly unknown[] {
  return parameters.map((parameter) => {
    try {
      return decode(encode(parameter))
    } catch {
      return parameter
    }
  })
}
