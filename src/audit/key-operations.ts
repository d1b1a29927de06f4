/**
 * Reads one key's operations and snapshot out of the log, as the naive fold wants them. One key at
 * a time is in memory.
 */
import { decode } from '../../crdt/encoding/encoding.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { RECORD_KIND, type Log } from '../log/log.ts'
import type { Chain } from '../merge/chain.ts'
import { ChainReader } from '../merge/folding/chain-reader.ts'
import { readKept, type KeptState } from '../merge/kept-record.ts'
import type { KeySnapshot } from '../merge/snapshot-record.ts'
import type { Meter } from '../operation/budget.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import type { Position } from '../operation/position.ts'
import { emptyBase, type Base, type KeyOperation } from './naive-fold.ts'

export interface StoredOperation extends KeyOperation {
  readonly position: Position
  readonly kind: number
  readonly lifeMs: number
  /** The code of the strategy that wrote it; 0 for deletes. */
  readonly strategy: number
}

export class KeyOperations {
  readonly #log: Log
  readonly #table: ReplicaTable
  readonly #reader: OperationReader
  readonly #chains: ChainReader

  constructor(log: Log, table: ReplicaTable) {
    this.#chains = new ChainReader(log, table)
    this.#log = log
    this.#table = table
    this.#reader = new OperationReader(table)
  }

  /**
   * The operations behind the chain's cut, in the order in which they arrived. Throws
   * `WARP_E_LOG_CORRUPT`, `WARP_E_PROTOCOL`.
   */
  *ofChain({ head, cut }: Chain, meter: Meter): Generator<void, StoredOperation[]> {
    const operations: StoredOperation[] = []
    for (let position = head; position > cut; position = this.#log.record(position).previous) {
      operations.push(this.read(position))
      meter.spend(1, this.#reader.end - this.#reader.start)
      if (meter.isSpent) yield
    }
    return operations.reverse()
  }

  /**
   * The operations that the key's snapshot stands for, in the order in which they arrived, if all
   * are still in the log; otherwise `undefined`.
   */
  *beforeCut({ cut }: Chain, count: number, meter: Meter): Generator<void, StoredOperation[] | undefined> {
    const operations: StoredOperation[] = []
    try {
      for (let position = cut; position > 0 && operations.length <= count;) {
        const { kind, previous } = this.#log.record(position)
        if (kind !== RECORD_KIND.operation) return undefined
        operations.push(this.read(position))
        position = previous
        meter.spend(1, this.#reader.end - this.#reader.start)
        if (meter.isSpent) yield
      }
    } catch (error) {
      if (isWarpError(error, 'WARP_E_LOG_CORRUPT')) return undefined // compaction has dropped it
      throw error
    }
    return operations.length === count ? operations.reverse() : undefined
  }

  read(position: Position): StoredOperation {
    const { bytes, start, end } = this.#log.record(position)
    const operation = this.#reader.load(bytes, start, end)
    const { hlc, replica, sequence, kind, strategy, payloadStart } = operation
    const isDelete = kind === OPERATION_KIND.delete
    const isTouch = kind === OPERATION_KIND.touch
    const payload = kind === OPERATION_KIND.update ? payloadOf(bytes, payloadStart, end) : undefined
    const context = new Map(operation.context())
    const stored = { position, hlc, replica, sequence, kind, strategy, isDelete, isTouch, payload, context }
    return {
      ...stored,
      lifeMs: operation.lifeMs,
      isExact: operation.isExact,
      dots: operation.dots(),
      ended: operation.ended,
      origin: operation.origin(),
    }
  }

  /** The state that is kept of a key. Throws `WARP_E_PROTOCOL`. */
  kept(position: Position): KeptState {
    const record = this.#log.record(position)
    return readKept(record.bytes, record.start, record.end, this.#table)
  }

  /** A snapshot with its state. Throws `WARP_E_LOG_CORRUPT`, `WARP_E_PROTOCOL`. */
  snapshot(position: Position): KeySnapshot {
    return this.#chains.snapshot(this.#chains.record(position))
  }

  /**
   * What the chain's operations are applied to. Throws `WARP_E_PROTOCOL` if the snapshot does not
   * decode.
   */
  base(strategy: AnyStrategy, { snapshot: position }: Chain): Base {
    if (position === 0) return emptyBase(strategy)
    const { state, present, hlc, lifeMs, vector, firstNames, strategy: written } = this.snapshot(position)
    const facts = { present, hlc, lifeMs, vector, firstNames }
    if (written !== strategy.code) return { ...emptyBase(strategy), ...facts, strategy: written }
    return { state: strategy.decodeState(state) as unknown, ...facts }
  }
}

function payloadOf(bytes: Uint8Array, start: number, end: number): Encodable | undefined {
  try {
    return decode(bytes, start, end)
  } catch {
    return undefined // a strategy never sees it
  }
}
