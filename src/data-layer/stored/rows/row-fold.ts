/**
 * What a key is: what a row of the store holds, with the operations that the row lacks on top, in
 * canonical order. A delete, or the removal of what was there, takes of the row all that it holds,
 * and of the operations those that its writer had seen.
 */
import { decode } from '../../../../crdt/encoding/encoding.ts'
import { formatDot } from '../../../../crdt/time/dot.ts'
import { compareStamps, type Stamp } from '../../../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../../../crdt/time/replica-id.ts'
import type { AnyStrategy, Applied } from '../../../../crdt/strategy.ts'
import type { VersionVector } from '../../../../crdt/time/version-vector.ts'
import { isWarpError } from '../../../../crdt/warp-error.ts'
import { writtenByOther } from '../../../merge/cannot-fold.ts'
import { AppliedView } from '../../../merge/folding/applied-view.ts'
import type { ChainReader } from '../../../merge/folding/chain-reader.ts'
import { enterUsersCode, leaveUsersCode } from '../../../merge/users-code.ts'
import { CausalContext } from '../../../operation/envelope/causal-context.ts'
import { OPERATION_KIND } from '../../../operation/envelope/kinds.ts'
import type { Base } from './base.ts'
import { isIn, putIn, type OpenOperation } from './open-operation.ts'

export interface Folding {
  readonly strategy: AnyStrategy
  readonly base: Base
  /** In the order of their arrival; those that the base holds do not count. */
  readonly operations: readonly OpenOperation[]
  readonly chains: ChainReader
}

/** What the row would hold. */
export function foldOver({ strategy, base, operations, chains }: Folding): Base {
  const lacking = operations.filter((operation) => !isIn(base.vector, operation)).sort(compareStamps)
  if (lacking.length === 0) return base
  const vector = base.vector.copy()
  for (const operation of lacking) putIn(vector, operation)
  const on = withoutRepeats(lacking)
  const { value, tip } =
    strategy.fold === 'last' ? greatest(strategy, base, on, chains) : merged(strategy, base, on, chains)
  return { value, vector, tip, name: base.name }
}

/** What was issued again may be here under several names: the first one in canonical order counts. */
function withoutRepeats(ordered: readonly OpenOperation[]): readonly OpenOperation[] {
  if (!ordered.some(({ isReissued }) => isReissued)) return ordered
  const names = new Set<string>()
  return ordered.filter((operation) => {
    const own = [operation, ...operation.others].map(formatDot)
    const isRepeat = own.some((name) => names.has(name))
    for (const name of own) names.add(name)
    return !isRepeat
  })
}

type Top = Pick<Base, 'value' | 'tip'>

function greatest(strategy: AnyStrategy, base: Base, on: readonly OpenOperation[], chains: ChainReader): Top {
  for (let i = on.length - 1; i >= 0; i--) {
    const operation = on[i] as OpenOperation
    if (base.tip !== undefined && compareStamps(base.tip, operation) > 0) break
    const { hlc, replica, sequence } = operation
    const tip: Stamp = { hlc, replica, sequence }
    if (operation.kind === OPERATION_KIND.delete) return { value: undefined, tip }
    const state = applied(strategy, strategy.initial(), operation, chains)
    if (state !== REFUSED) return { value: strategy.read(state), tip }
  }
  return base
}

function merged(strategy: AnyStrategy, base: Base, on: readonly OpenOperation[], chains: ChainReader): Top {
  if (strategy.deletes === 'ordered') return inOrder(strategy, base, on, chains)
  const deletes = on.filter(({ kind }) => kind === OPERATION_KIND.delete)
  if (deletes.length === 0) return inOrder(strategy, base, on, chains)
  const isTaken = takenBy(deletes, chains)
  const left = on.filter((operation) => operation.kind !== OPERATION_KIND.delete && !isTaken(operation))
  return inOrder(strategy, { ...base, value: undefined }, left, chains)
}

/** Whether one of the deletes takes an operation away: its writer had seen it. */
function takenBy(deletes: readonly OpenOperation[], chains: ChainReader): (operation: OpenOperation) => boolean {
  const seen = new CausalContext()
  for (const { position, draft } of deletes) if (draft === undefined) seen.join(chains.read(position))
  return ({ replica, sequence }) =>
    seen.includes(replica, sequence) || deletes.some(({ draft }) => draft?.observed(replica, sequence) === true)
}

function inOrder(strategy: AnyStrategy, base: Base, on: readonly OpenOperation[], chains: ChainReader): Top {
  let state: unknown = strategy.fromValue?.(base.value)
  let isPresent = base.value !== undefined
  for (const operation of on) {
    const isDelete = operation.kind === OPERATION_KIND.delete
    const next: unknown = isDelete ? strategy.initial() : applied(strategy, state, operation, chains)
    if (next === REFUSED) continue
    state = next
    isPresent = !isDelete
  }
  return { value: isPresent ? strategy.read(state) : undefined, tip: undefined }
}

const REFUSED: unique symbol = Symbol('refused')

/** The state with an operation applied; `REFUSED` where its strategy refuses it, on every replica alike. */
function applied(strategy: AnyStrategy, state: unknown, operation: OpenOperation, chains: ChainReader): unknown {
  if (operation.strategy !== strategy.code) throw writtenByOther(strategy, operation.strategy)
  const view = viewOf(operation, chains)
  enterUsersCode()
  try {
    return strategy.apply(state, view)
  } catch (error) {
    if (isWarpError(error) && error.code !== 'WARP_E_UNKNOWN_OP') return REFUSED
    throw error
  } finally {
    leaveUsersCode()
  }
}

function viewOf(operation: OpenOperation, chains: ChainReader): Applied<never> {
  const { draft, hlc, replica, sequence } = operation
  if (draft !== undefined) return { hlc, replica, sequence, payload: draft.payload as never, observed: draft.observed }
  const reader = chains.read(operation.position)
  return new AppliedView(reader).load(decode(reader.bytes, reader.payloadStart, reader.end))
}

/** Whether it may matter that an operation is put on top of something that its writer had not seen. */
export function orderMatters(strategy: AnyStrategy, { kind }: OpenOperation): boolean {
  if (strategy.fold === 'last') return false
  return strategy.fold === 'canonical' || kind === OPERATION_KIND.delete
}

/** Whether an operation would be put on top of something in the base that its writer had not seen, and that matters. */
export function isBlind({ strategy, base, operations, chains }: Folding): boolean {
  return operations.some(
    (operation) =>
      orderMatters(strategy, operation) && !isIn(base.vector, operation) && !hasSeenAll(operation, base.vector, chains),
  )
}

function hasSeenAll({ position, draft, others }: OpenOperation, vector: VersionVector, chains: ChainReader): boolean {
  const reader = draft === undefined ? chains.read(position) : undefined
  const hasSeen = (replica: ReplicaId, sequence: number): boolean =>
    reader?.observedThrough(replica, sequence) ?? draft?.observed(replica, sequence) ?? false
  for (const [replica, sequence] of vector.entries())
    if (!hasSeen(replica, sequence) && !isOwn(others, replica, sequence)) return false
  return true
}

function isOwn(others: OpenOperation['others'], replica: ReplicaId, sequence: number): boolean {
  return others.some((other) => other.replica === replica && other.sequence >= sequence)
}

/** More operations are not compared with each other: the store settles them. */
const COMPARED_MAX = 64

/** Whether concurrent operations in which order matters have not been settled by the store yet. */
export function isUnsettled({ strategy, base, operations, chains }: Folding, inRow: VersionVector): boolean {
  if (strategy.fold === 'last') return false
  if (operations.length > COMPARED_MAX) return true
  return operations.some((operation) => {
    if (!orderMatters(strategy, operation) || isIn(inRow, operation)) return false
    if (!isIn(base.vector, operation) && !hasSeenAll(operation, base.vector, chains)) return true
    const seen = chains.read(operation.position).seen()
    return operations.some(
      (other) =>
        other.replica !== operation.replica &&
        !seen.includes(other.replica, other.sequence) &&
        !chains.read(other.position).observed(operation.replica, operation.sequence),
    )
  })
}
