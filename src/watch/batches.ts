/**
 * Changes in batches, each of one moment: all that has changed since the batch before, with the values
 * that the keys have at that moment. What is written as one (a transaction, `setMany`) is told as one
 * (`KeyStore.appendAll`), so no batch holds a part of it.
 *
 * A batch cannot be divided: the values of what it left out would be of the same moment already. So
 * it is bounded by the watch's `pendingCountMax`; of more the consumer is told by a gap.
 */
import { COLD } from '../cache/residency.ts'
import { Budget, STEP } from '../operation/budget.ts'
import type { KeyStore } from '../store/key-store.ts'
import { foldUntilShort } from '../store/read-steadily.ts'
import type { Change, Cursor, WatchBatch, WatchGap } from './change.ts'
import { LazyChange } from './lazy-change.ts'

/** So often all values are looked at before those are worked out in one go that are not there. */
const PASSES_MAX = 4

/** What a running watch lets its batches do. */
export interface BatchSource {
  readonly store: KeyStore
  readonly isClosed: boolean
  readonly pendingCountMax: number
  /** There may be more, of which it is not known yet. */
  readonly isCatchingUp: boolean
  /** Waits for a change. */
  next(): Promise<IteratorResult<Change, undefined>>
  /** A change that is there; `undefined` if there is none, or a step has been done in vain. */
  more(): Change | undefined
  /** Goes on from the present. */
  skip(): WatchGap
  /** Everything up to now has been shown. */
  shown(): Cursor
  close(): void
}

export async function* batchesOf(source: BatchSource): AsyncGenerator<WatchBatch, void, undefined> {
  try {
    for (;;) {
      const first = await source.next()
      if (first.done === true) return
      const changes = await gathered(source, first.value)
      if (source.isClosed) return
      yield { changes, cursor: source.shown() }
    }
  } finally {
    source.close()
  }
}

/** All that there is, as of the moment at which the promise settles. */
async function gathered(source: BatchSource, first: Change): Promise<readonly Change[]> {
  const byKey = new Map<string, Change>()
  if (first.kind === 'gap') return [first]
  byKey.set(first.key, first)
  for (let pass = 1; ; pass++) {
    const gap = await takeAll(source, byKey)
    if (gap !== undefined) return [gap]
    // What a small cache drops again is worked out in one go in the end.
    if (source.isClosed || pass === PASSES_MAX || (await workedOut(source, byKey)) === 'at once') break
  }
  for (const change of byKey.values()) if (change instanceof LazyChange) change.settle()
  return [...byKey.values()]
}

/** Settles in the turn in which nothing more is there. Gives a gap if there is one, or too much. */
async function takeAll(source: BatchSource, byKey: Map<string, Change>): Promise<WatchGap | undefined> {
  while (!source.isClosed) {
    const change = source.more()
    if (change === undefined) {
      if (!source.isCatchingUp) return undefined
      await source.store.env.yield()
      continue
    }
    if (change.kind === 'gap') return change
    // In the order of the last changes.
    byKey.delete(change.key)
    byKey.set(change.key, change)
    if (byKey.size > source.pendingCountMax) return source.skip()
  }
  return undefined
}

/** Works values out in steps. `'in steps'`: more may have changed meanwhile. */
async function workedOut(source: BatchSource, byKey: Map<string, Change>): Promise<'at once' | 'in steps'> {
  const { store } = source
  const { keys, values } = store
  const budget = new Budget(store.env)
  let how: 'at once' | 'in steps' = 'at once'
  for (const key of byKey.keys()) {
    const slot = keys.find(key)
    if (slot === undefined || values.residency.states[slot] !== COLD) continue
    budget.spend(Math.min(keys.version[slot]!, STEP.operations), 0)
    if (!values.isShort(slot) || budget.isSpent) how = 'in steps'
    try {
      await foldUntilShort(store, slot, () => store.assertOpen())
      values.readShort(slot)
    } catch {
      // Whoever looks at its value is told why.
    }
    if (budget.isSpent) await budget.rest()
    if (source.isClosed) break
  }
  return how
}
