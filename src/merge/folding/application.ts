/**
 * Applies single operations to a key's state: the step that the forward fold and the whole fold
 * share. An operation that its strategy refuses has no effect and is reported once; one that cannot
 * be understood throws.
 *
 * A strategy refuses by throwing a `WarpError`. Anything else that is thrown may be the fault of the
 * state, which somebody has changed, or of the moment: the fold is given up (`UndeclaredFailure`)
 * and done once more from the base. Only if that fails as well is the operation to blame.
 */
import { decode } from '../../../crdt/encoding/encoding.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { AnyStrategy } from '../../../crdt/strategy.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import { textOf } from '../../operation/text.ts'
import type { Position } from '../../operation/position.ts'
import { AppliedView } from './applied-view.ts'
import { isByOther } from './owner.ts'
import { cannotFold, writtenByOther } from '../cannot-fold.ts'
import { enterUsersCode, leaveUsersCode } from '../users-code.ts'
import type { ChainReader } from './chain-reader.ts'
import type { Placed } from '../placed.ts'
import type { Resident } from '../resident.ts'

/** An operation that its strategy refused to apply. */
export interface Rejection {
  readonly key: string
  readonly dot: Dot
  readonly error: Error
}

/** A strategy threw what says nothing about the operation. */
export class UndeclaredFailure extends Error {
  constructor(cause: unknown) {
    super('a strategy threw while it applied an operation', { cause })
  }
}

/** Rejections remembered, so that folding again does not report them again. */
const REPORTED_MAX = 4096

export class Application {
  readonly #chains: ChainReader
  readonly #view: AppliedView
  readonly #onRejected: (rejection: Rejection) => void
  readonly #reported: Set<Position>

  constructor(chains: ChainReader, onRejected: (rejection: Rejection) => void, reported: Set<Position>) {
    this.#chains = chains
    this.#view = new AppliedView(chains.operation)
    this.#onRejected = onRejected
    this.#reported = reported
  }

  applyAt(strategy: AnyStrategy, resident: Resident, position: Position): void {
    this.#chains.read(position)
    this.applyRead(strategy, resident, position)
  }

  /** Applies the operation that has just been read. */
  applyRead(strategy: AnyStrategy, resident: Resident, position: Position): void {
    const reader = this.#chains.operation
    if (reader.kind === OPERATION_KIND.delete) {
      this.clear(strategy, resident)
      resident.take(reader)
      return
    }
    // It has a place in the key's lives (`lives.ts`), and changes nothing.
    if (reader.kind === OPERATION_KIND.touch) {
      resident.take(reader)
      return
    }
    this.assertFoldable(strategy, reader)
    const { payloadStart, end } = reader
    enterUsersCode()
    try {
      const before: unknown = strategy.fold === 'last' ? strategy.initial() : resident.state
      resident.state = strategy.apply(before, this.#viewed(strategy, resident))
      resident.present = true
    } catch (error) {
      if (isWarpError(error, 'WARP_E_UNKNOWN_OP')) throw error
      if (!isWarpError(error) && !resident.isSecondTry) throw new UndeclaredFailure(error)
      // The strategy refuses it, here as on every replica: the operation stays in the log and has
      // no effect.
      resident.rejectedCount++
      this.reject(position, error)
    } finally {
      leaveUsersCode()
    }
    resident.bytes += end - payloadStart
    resident.take(reader)
  }

  /**
   * The value that the operation which has just been read makes by itself. Throws what the strategy
   * throws.
   */
  valueAlone(strategy: AnyStrategy): unknown {
    const { bytes, payloadStart, end } = this.#chains.operation
    enterUsersCode()
    try {
      const state: unknown = strategy.apply(strategy.initial(), this.#view.load(decode(bytes, payloadStart, end)))
      return strategy.read(state)
    } finally {
      leaveUsersCode()
    }
  }

  /** Cancels what a canceller observed of the state below the operations. */
  cancelInBase(strategy: AnyStrategy, resident: Resident, operation: Placed): void {
    this.#chains.read(operation.position)
    // One that has not (it was issued again, see leftovers.ts) cancels nothing there: replicas that
    // have not compacted would not follow.
    if (!this.observesAll(resident)) return
    if (operation.kind === OPERATION_KIND.delete) this.clear(strategy, resident)
    else {
      enterUsersCode()
      try {
        resident.state = strategy.apply(resident.state, this.#viewed(strategy, resident))
      } finally {
        leaveUsersCode()
      }
    }
  }

  /** What a strategy sees of the operation that has just been read. */
  #viewed(strategy: AnyStrategy, { repeats }: Resident): AppliedView {
    const { bytes, payloadStart, end } = this.#chains.operation
    const payload = decode(bytes, payloadStart, end)
    if (repeats === undefined) return this.#view.load(payload)
    return this.#view.load(strategy.rebase?.(payload, repeats.rename) ?? payload, repeats)
  }

  clear(strategy: AnyStrategy, resident: Resident): void {
    resident.state = strategy.initial()
    resident.present = false
  }

  /**
   * Whether the operation being read has seen everything that `resident` has taken in, as far as
   * can be told without looking at it all.
   */
  observesAll(resident: Resident): boolean {
    for (const [replica, sequence] of resident.vector.entries()) {
      if (!this.#chains.operation.observedThrough(replica, sequence)) return false
    }
    return true
  }

  assertFoldable(strategy: AnyStrategy, reader: Pick<Placed, 'kind' | 'strategy'>): void {
    this.assertKnown(strategy, reader)
    if (isByOther(strategy, reader)) throw writtenByOther(strategy, reader.strategy)
  }

  /** Throws for an operation of a kind that this version does not apply: it blocks its key. */
  assertKnown(strategy: AnyStrategy, { kind }: Pick<Placed, 'kind'>): void {
    const isKnown = kind === OPERATION_KIND.update || kind === OPERATION_KIND.touch || kind === OPERATION_KIND.delete
    if (!isKnown) throw cannotFold(strategy, kind)
  }

  reject(position: Position, cause: unknown): void {
    if (this.#reported.has(position)) return
    if (this.#reported.size >= REPORTED_MAX) this.#reported.clear()
    this.#reported.add(position)
    const { bytes, keyStart, keyEnd, replica, sequence } = this.#chains.read(position)
    const error = cause instanceof Error ? cause : new Error(String(cause))
    this.#onRejected({ key: textOf(bytes, keyStart, keyEnd), dot: { replica, sequence }, error })
  }
}
