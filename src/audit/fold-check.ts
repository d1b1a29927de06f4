/**
 * Holds the engine's fold of a key against the naive one over the same operations: as reads fold
 * them, in order of arrival, and as compaction and the history do, at once. A key that differs is
 * searched for the first operation at which it does.
 *
 * The operations that a snapshot stands for are folded too, if they are still in the log, and must
 * give the snapshot.
 */
import { equalBytes } from '../ports/stores/rows.ts'
import { compareStamps } from '../../crdt/time/hlc.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { formatDot } from '../../crdt/time/dot.ts'
import { encode } from '../../crdt/encoding/encoding.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { isWarpError, type WarpError } from '../../crdt/warp-error.ts'
import type { KeptPlace, KeyTable, Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { Log } from '../log/log.ts'
import type { Chain } from '../merge/chain.ts'
import { Folder } from '../merge/folding/folder.ts'
import { foldNameOf, type KeptState } from '../merge/kept-record.ts'
import type { Resident } from '../merge/resident.ts'
import { STEP, type Meter } from '../operation/budget.ts'
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

/** A key, and its operations behind what compaction has folded. */
interface Subject {
  readonly keyspace: Keyspace
  readonly chain: Chain
  readonly operations: readonly StoredOperation[]
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

  /** Returns whether the key could be folded. In steps. */
  *check(slot: Slot, keyspace: Keyspace, meter: Meter): Generator<void, boolean> {
    const key = this.#keys.keys[slot] as string
    try {
      yield* this.#check(slot, keyspace, meter)
      return true
    } catch (error) {
      if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) {
        this.#report('unreadable', `'${key}' cannot be read as ${keyspace.strategy.kind}: ${error.message}`, { key })
      } else if (isUndecodable(error)) {
        this.#report('snapshot', `the snapshot of '${key}' does not decode: ${error.message}`, { key })
      } else throw error
      return false
    }
  }

  /**
   * The state, as bytes that are equal for equal states; `undefined` if the key cannot be folded.
   * In steps.
   */
  *stateOf(slot: Slot, { strategy, lifeMs }: Keyspace, meter: Meter): Generator<void, Uint8Array | undefined> {
    try {
      return encodingOf(strategy, yield* this.#forward(strategy, this.chain(slot, lifeMs), meter))
    } catch (error) {
      if (isWarpError(error, 'WARP_E_UNKNOWN_OP') || isUndecodable(error)) return undefined
      throw error
    }
  }

  chain(slot: Slot, lifeMs: number): Chain {
    const { head, snapshot, cut } = this.#keys
    return { head: head[slot] as number, snapshot: snapshot[slot] as number, cut: cut[slot] as number, lifeMs }
  }

  *#check(slot: Slot, keyspace: Keyspace, meter: Meter): Generator<void, void> {
    const { strategy, lifeMs } = keyspace
    const chain = this.chain(slot, lifeMs)
    const operations = yield* this.operations.ofChain(chain, meter)
    const engine = yield* this.#forward(strategy, chain, meter)
    const isWrong = !isSame(strategy, engine, yield* this.#naive(keyspace, chain, operations, meter))
    if (isWrong || !(yield* this.#isSameAtOnce({ keyspace, chain, operations }, meter)))
      yield* this.#reportValue(slot, { keyspace, chain, operations }, meter)
    else if (keyspace.isLast) yield* this.#checkTip(slot, { keyspace, chain, operations }, meter)
    // Where the truth is in a store, what a snapshot stands for is there, and it holds nothing itself.
    if (chain.snapshot > 0 && keyspace.source?.store === undefined)
      yield* this.#checkSnapshot(slot, keyspace, chain, meter)
    yield* this.#checkKept(slot, { keyspace, chain, operations }, meter)
  }

  /** As reads fold: what is short at once, what is long in steps. */
  *#forward(strategy: AnyStrategy, chain: Chain, meter: Meter): Generator<void, Resident> {
    const short = this.#folder.foldWithin(STEP, { strategy, chain, resident: undefined })
    return short ?? (yield* this.#folder.foldSteps({ strategy, chain, resident: undefined }, meter))
  }

  #naive(
    { strategy, lifeMs }: Keyspace,
    chain: Chain,
    operations: readonly StoredOperation[],
    meter: Meter,
  ): Generator<void, Folded> {
    return naiveFold({ strategy, base: this.operations.base(strategy, chain), operations, lifeMs }, meter)
  }

  /**
   * Whether folding all of `operations` at once, as compaction and the history do, gives what the
   * naive fold gives.
   */
  *#isSameAtOnce({ keyspace, chain, operations }: Subject, meter: Meter): Generator<void, boolean> {
    const engine = yield* this.#folder.whole.foldSteps({ strategy: keyspace.strategy, chain, operations }, meter)
    return isSame(keyspace.strategy, engine, yield* this.#naive(keyspace, chain, operations, meter))
  }

  /** What reads of a fold `'last'` look at: the greatest operation alone. */
  *#checkTip(slot: Slot, subject: Subject, meter: Meter): Generator<void, void> {
    const { keyspace, chain, operations } = subject
    const { strategy } = keyspace
    // Of one that several strategies have written, reads look at all operations.
    if (this.#keys.mixed.has(slot)) return
    const byTip = this.#folder.foldTip(strategy, chain, this.#keys.tip[slot] as number)
    // A touch: then reads look at what has been checked already.
    if (byTip === undefined) return
    const { value } = byTip
    const naive = yield* this.#naive(keyspace, chain, operations, meter)
    if (!isEqualValue(value, naive.present ? strategy.read(naive.state) : undefined))
      yield* this.#reportValue(slot, subject, meter)
  }

  *#checkSnapshot(slot: Slot, { strategy, lifeMs }: Keyspace, chain: Chain, meter: Meter): Generator<void, void> {
    const key = this.#keys.keys[slot] as string
    const { state, present, baseVersion, strategy: written } = this.operations.snapshot(chain.snapshot)
    // What has been deleted since does not tell.
    if (written !== strategy.code) return
    const decoded: unknown = strategy.decodeState(state)
    if (!equalBytes(encode(strategy.encodeState(decoded)), encode(state)))
      this.#report('snapshot', `the state in the snapshot of '${key}' is not in its normal form`, { key })
    const operations = yield* this.operations.beforeCut(chain, baseVersion, meter)
    if (operations === undefined) return
    const naive = yield* naiveFold({ strategy, base: emptyBase(strategy), operations, lifeMs }, meter)
    const isSameState = equalBytes(encode(strategy.encodeState(naive.state)), encode(state))
    if (isSameState && isVisible(strategy, naive) === isVisible(strategy, { state: decoded, present })) return
    this.#report('snapshot', `the snapshot of '${key}' is not the fold of the operations that it stands for`, { key })
  }

  /** A state that is kept beside the chain must be that of the operations which had come by then. */
  *#checkKept(slot: Slot, { keyspace, chain, operations }: Subject, meter: Meter): Generator<void, void> {
    const place = this.#keys.kept.get(slot)
    if (place === undefined || place.through <= chain.cut) return
    const { strategy } = keyspace
    const key = this.#keys.keys[slot] as string
    const kept = this.#readKept(key, place)
    // What another fold has made does not count.
    if (kept === undefined || kept.fold !== foldNameOf(strategy)) return
    const upTo = operations.filter(({ position }) => position <= place.through)
    const resident = yield* this.#folder.whole.foldSteps({ strategy, chain, operations: upTo }, meter)
    const { state, present, vector } = kept.snapshot
    const isSameState =
      upTo.at(-1)?.position === place.through &&
      vector.compare(resident.vector) === 'equal' &&
      compareStamps(kept.snapshot, resident) === 0 &&
      equalBytes(encodingOf(strategy, resident), encode(state))
    if (isSameState && resident.present === present) return
    this.#report('kept', `the state kept of '${key}' is not the fold of its operations; the log is whole without it`, {
      key,
    })
  }

  #readKept(key: string, { position }: KeptPlace): KeptState | undefined {
    try {
      return this.operations.kept(position)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
      this.#report('kept', `the state kept of '${key}' does not decode; the log is whole without it`, { key })
      return undefined
    }
  }

  *#reportValue(slot: Slot, subject: Subject, meter: Meter): Generator<void, void> {
    const key = this.#keys.keys[slot] as string
    const dot = yield* this.#firstDivergence(subject, meter)
    const where = dot === undefined ? '' : `, first at ${formatDot(dot)}`
    this.#report(
      'value',
      `'${key}' is folded to something else than its operations in canonical order amount to${where}: ` +
        `its strategy ${subject.keyspace.strategy.kind} is not deterministic, or breaks a law of strategies`,
      dot === undefined ? { key } : { key, dot },
    )
  }

  /**
   * The last operation of the shortest prefix found on which the folds differ, given that on the
   * whole they do.
   */
  *#firstDivergence({ keyspace, chain, operations }: Subject, meter: Meter): Generator<void, Dot | undefined> {
    let [agree, differ] = [0, operations.length]
    while (differ - agree > 1) {
      const middle = (agree + differ) >>> 1
      if (yield* this.#isSameAtOnce({ keyspace, chain, operations: operations.slice(0, middle) }, meter)) agree = middle
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

/** It does not decode, or a part of it is missing. */
function isUndecodable(error: unknown): error is WarpError {
  return isWarpError(error, 'WARP_E_PROTOCOL') || isWarpError(error, 'WARP_E_LOG_CORRUPT')
}

function ignore(): void {
  // Rejected operations have no effect in either fold.
}
