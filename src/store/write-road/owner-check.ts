/**
 * A key that another strategy has written takes no write before all of it has been deleted: the
 * operation would be set aside, here and everywhere (`merge/folding/owner.ts`).
 */
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import { remedyOf } from '../../merge/cannot-fold.ts'
import { strategyName } from '../../merge/strategy-names.ts'
import type { KeyStore } from '../key-store.ts'
import { FoldFirst, type Target } from './target.ts'

/** Whether that cannot be told without a closer look. Costs one read of a column. */
export function isPerhapsOthers({ keys }: KeyStore, { keyspace, slot }: Target): boolean {
  return slot !== undefined && keys.strategy[slot] !== keyspace.code
}

/** Throws `WARP_E_STRATEGY`, and `FoldFirst` if `canWait` and more than one step has to be folded. */
export function assertOwner(store: KeyStore, target: Target, canWait: boolean): void {
  const { slot, keyspace } = target
  const { keys, values } = store
  if (slot === undefined || keys.strategy[slot] === keyspace.code) return
  try {
    // Says no at once where the greatest operation is another strategy's, and yes where it is known
    // that all are ours.
    values.assertOwn(slot, keyspace)
    if (keys.strategy[slot] === keyspace.code) return
    if (!canWait) values.resident(slot)
    else if (values.residentShort(slot) === undefined) throw new FoldFirst(target.key)
  } catch (error) {
    const reason = refused(store, target, error)
    if (reason !== undefined) throw reason
  }
}

/**
 * What a fold said of the key, as it is said to whoever wanted to write it; `undefined` if it is no
 * reason not to.
 */
export function refused(
  { keyspaces }: KeyStore,
  { key, keyspace }: Omit<Target, 'slot'>,
  error: unknown,
): Error | undefined {
  if (!isWarpError(error, 'WARP_E_UNKNOWN_OP')) return asError(error)
  const { written } = error.details
  // An operation of a later kind hides the value, and is no reason not to write.
  if (written === undefined) return undefined
  const { strategy, pattern } = keyspace
  const name = typeof written === 'number' ? strategyName(written, keyspaces) : String(written)
  return new WarpError(
    'WARP_E_STRATEGY',
    `'${key}' was written by the strategy '${name}', and '${pattern}' is registered as '${strategy.kind}'; ` +
      `nothing was written; ${remedyOf(strategy, name)}`,
    { details: { key, pattern, strategy: strategy.kind, written: name } },
  )
}
