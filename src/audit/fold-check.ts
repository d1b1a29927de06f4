/**
 * Holds the engine's fold of a key against the naive one over the same operations: as reads fold
 * them, in order of arrival, and as compaction and the history do, at once. A key that differs is
 * searched for the first operation at which it does.
 *
 * The operations that a snapshot stands for are folded too, if they are still in the log, and must
 * give the snapshot.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import { formatDot } from '../../crdt/time/dot.ts'
import { encode } from '../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { Log } from '../log/log.ts'
import type { Chain } from '../merge/chain.ts'
import { Folder } from '../merge/folding/folder.ts'
import type { Placed } from '../merge/placed.ts'
import type { Resident } from '../merge/resident.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { KeyOperations, type StoredOperation } from './key-operations.ts'
import { emptyBase, naiveFold, type Folded } from './naive-fold.ts'
import type { Report } from './structure.ts'

export interface FoldCheckOptions {
  readonly log: Log
  readonly table: ReplicaTable
  readonly keys: KeyTable
  readonly report: Report
}

export class FoldCheck {
  readonly operations: KeyOperations
  readonly #keys: KeyTable
  readonly #report: Report
  readonly #folder: Folder

  constructor({ log, table, keys, report }: FoldCheckOptions) {
    this.operations = new KeyOperations(log, table)
    this.#keys = keys
    this.#report = report
    this.#folder = new Folder(log, table, ignore)
  }

  /** Returns whether the key could be folded. Throws `WARP_E_LOG_CORRUPT`. */
  check(slot: Slot, keyspace: Keyspace): boolean {
    const key = this.#keys.keys[slot] as string
    try {
      this.#check(slot, keyspace)
      return true
    } catch (error) {
      if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) {
        this.#report('unreadable', `'${key}' cannot be read as ${keyspace.strategy.kind}: ${error.message}`, { key })
      } else if (isWarpError(error, 'WARP_E_PROTOCOL')) {
        this.#report('snapshot', `the snapshot of '${key}' does not decode: ${error.message}`, { key })
      } else throw error
      return false
    }
  }

  /**
   * The state, as bytes that are equal for equal states; `undefined` if the key cannot be folded.
   */
  stateOf(slot: Slot, { strategy, lifeMs }: Keyspace): Uint8Array | undefined {
    try {
      return encodingOf(strategy, this.#folder.fold(strategy, this.chain(slot, lifeMs), undefined))
    } catch (error) {
      if (isWarpError(error, 'WARP_E_UNKNOWN_OP') || isWarpError(error, 'WARP_E_PROTOCOL')) return undefined
      throw error
    }
  }

  chain(slot: Slot, lifeMs: number): Chain {
    const { head, snapshot, cut } = this.#keys
    return { head: head[slot] as number, snapshot: snapshot[slot] as number, cut: cut[slot] as number, lifeMs }
  }

  #check(slot: Slot, keyspace: Keyspace): void {
    const { strategy, lifeMs } = keyspace
    const chain = this.chain(slot, lifeMs)
    const operations = this.operations.ofChain(chain)
    const engine = this.#folder.fold(strategy, chain, undefined)
    const isWrong = !isSame(strategy, engine, this.#naive(keyspace, chain, operations))
    if (isWrong || !this.#isSameAtOnce(keyspace, chain, operations)) this.#reportValue(slot, keyspace, operations)
    else if (keyspace.isLast) this.#checkTip(slot, keyspace, operations)
    if (chain.snapshot > 0) this.#checkSnapshot(slot, keyspace, chain)
  }

  #naive(keyspace: Keyspace, chain: Chain, operations: readonly StoredOperation[]): Folded {
    const { strategy, lifeMs } = keyspace
    return naiveFold(strategy, this.operations.base(strategy, chain), operations, lifeMs)
  }

  /**
   * Whether folding all of `operations` at once, as compaction and the history do, gives what the
   * naive fold gives.
   */
  #isSameAtOnce(keyspace: Keyspace, chain: Chain, operations: readonly StoredOperation[]): boolean {
    const placed: readonly Placed[] = operations
    const engine = this.#folder.whole.foldOf(keyspace.strategy, chain, placed)
    return isSame(keyspace.strategy, engine, this.#naive(keyspace, chain, operations))
  }

  /** What reads of a fold `'last'` look at: the greatest operation alone. */
  #checkTip(slot: Slot, keyspace: Keyspace, operations: readonly StoredOperation[]): void {
    const { strategy, lifeMs } = keyspace
    const chain = this.chain(slot, lifeMs)
    const { value } = this.#folder.foldTip(strategy, chain, this.#keys.tip[slot] as number)
    const naive = this.#naive(keyspace, chain, operations)
    if (!isEqualValue(value, naive.present ? strategy.read(naive.state) : undefined))
      this.#reportValue(slot, keyspace, operations)
  }

  #checkSnapshot(slot: Slot, { strategy, lifeMs }: Keyspace, chain: Chain): void {
    const key = this.#keys.keys[slot] as string
    const { state, present, baseVersion } = this.operations.snapshot(chain.snapshot)
    const decoded: unknown = strategy.decodeState(state)
    if (!equalBytes(encode(strategy.encodeState(decoded)), encode(state)))
      this.#report('snapshot', `the state in the snapshot of '${key}' is not in its normal form`, { key })
    const folded = this.operations.beforeCut(chain, baseVersion)
    if (folded === undefined) return
    const naive = naiveFold(strategy, emptyBase(strategy), folded, lifeMs)
    const isSameState = equalBytes(encode(strategy.encodeState(naive.state)), encode(state))
    if (isSameState && isVisible(strategy, naive) === isVisible(strategy, { state: decoded, present })) return
    this.#report('snapshot', `the snapshot of '${key}' is not the fold of the operations that it stands for`, { key })
  }

  #reportValue(slot: Slot, keyspace: Keyspace, operations: readonly StoredOperation[]): void {
    const key = this.#keys.keys[slot] as string
    const dot = this.#firstDivergence(slot, keyspace, operations)
    const where = dot === undefined ? '' : `, first at ${formatDot(dot)}`
    this.#report(
      'value',
      `'${key}' is folded to something else than its operations in canonical order amount to${where}: ` +
        `its strategy ${keyspace.strategy.kind} is not deterministic, or breaks a law of strategies`,
      dot === undefined ? { key } : { key, dot },
    )
  }

  /**
   * The last operation of the shortest prefix found on which the folds differ, given that on the
   * whole they do.
   */
  #firstDivergence(slot: Slot, keyspace: Keyspace, operations: readonly StoredOperation[]): Dot | undefined {
    const chain = this.chain(slot, keyspace.lifeMs)
    let [agree, differ] = [0, operations.length]
    while (differ - agree > 1) {
      const middle = (agree + differ) >>> 1
      if (this.#isSameAtOnce(keyspace, chain, operations.slice(0, middle))) agree = middle
      else differ = middle
    }
    const operation = operations[differ - 1]
    return operation && { replica: operation.replica, sequence: operation.sequence }
  }
}

function isSame(strategy: AnyStrategy, engine: Resident, naive: Folded): boolean {
  const [one, other] = [encodingOf(strategy, engine), encode(strategy.encodeState(naive.state))]
  return isVisible(strategy, engine) === isVisible(strategy, naive) && equalBytes(one, other)
}

/**
 * Whether readers find a value. A state may hold nothing without having been deleted: a map whose
 * entries were all removed.
 */
function isVisible(
  strategy: AnyStrategy,
  { state, present }: { readonly state: unknown; readonly present: boolean },
): boolean {
  return present && strategy.read(state) !== undefined
}

function encodingOf(strategy: AnyStrategy, { state }: { readonly state: unknown }): Uint8Array {
  return encode(strategy.encodeState(state))
}

function isEqualValue(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalBytes(encode(a), encode(b))
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function ignore(): void {
  // Rejected operations have no effect in either fold.
}
