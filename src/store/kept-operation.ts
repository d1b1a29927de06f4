/**
 * An operation as people see it: a copy of its envelope. It is immutable and may be kept; the
 * payload is decoded when it is first asked for.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode } from '../../crdt/encoding/encoding.ts'
import { hlcToMs, type Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { KeyStore } from './key-store.ts'
import { showFields } from './shown.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'
import type { Position } from '../operation/position.ts'

/**
 * One operation of one key. `console.log` and `JSON.stringify` show all of it; a spread (`{ ...it }`)
 * copies neither `timeMs` nor `payload`: name what you want.
 */
export interface OperationRecord {
  readonly key: string
  readonly dot: Dot
  /** Milliseconds since 1970, by the clock of the replica that wrote it. */
  readonly timeMs: number
  /** The hybrid logical clock's stamp: with the dot, its place in canonical order. */
  readonly hlc: Hlc
  /** The key's version on this replica once this operation had been taken in. */
  readonly version: number
  /**
   * `'touch'`: began the life of the value anew, which stayed what it was. `'unknown'`: written by a later version of Warp; kept and forwarded, not understood.
   * `'snapshot'`: stands for all the operations that compaction folded away, in a rebuilt
   * projection; its dot and time are those of the greatest of them. `'expired'`: no operation, but the
   * end of the life of a key, told to a projection; its dot and stamp are those of the greatest
   * operation of that life, and `timeMs` says when it ended.
   */
  readonly kind: 'update' | 'delete' | 'touch' | 'unknown' | 'snapshot' | 'expired'
  /** The `kind` of the strategy that wrote it, or `code n` if this replica has no such strategy. */
  readonly strategy: string
  /** Decoded at first access. `undefined` unless `kind` is `'update'`. Throws `WARP_E_PROTOCOL`. */
  readonly payload: Encodable | undefined
  /**
   * How long what it writes lives, ms, counted from `timeMs`; absent if the key's pattern says
   * that.
   */
  readonly lifeMs?: number
  /**
   * What its writer had seen of this key: a version vector's entries, without the writer's own, and
   * without replicas that have left for good since, whose operations everybody has.
   */
  readonly context: readonly (readonly [replica: ReplicaId, sequence: number])[]
  /**
   * It was issued again after an absence (`rejoin`), and this is the dot that it had first. Absent
   * if `dot` is that.
   */
  readonly origin?: Dot
}

const NAMES: ReadonlyMap<number, OperationRecord['kind']> = new Map([
  [OPERATION_KIND.update, 'update'],
  [OPERATION_KIND.delete, 'delete'],
  [OPERATION_KIND.touch, 'touch'],
])

const FIELDS = ['key', 'dot', 'timeMs', 'hlc', 'version', 'kind', 'strategy', 'payload', 'lifeMs', 'context', 'origin']

export class KeptOperation implements OperationRecord {
  static {
    showFields(this.prototype, FIELDS)
  }

  readonly key: string
  readonly dot: Dot
  readonly hlc: Hlc
  readonly version: number
  readonly kind: OperationRecord['kind']
  readonly strategy: string
  readonly context: VectorEntries
  readonly lifeMs?: number
  readonly origin?: Dot
  /** Whether `context` names of its writer's own operations too all that it had seen. */
  readonly isExact: boolean
  /** Operations beyond the context that its writer had seen as well. */
  readonly dots: VectorEntries
  readonly #payloadBytes: Uint8Array
  readonly #ended: EndedIds

  constructor(facts: { key: string; version: number; strategy: string }, reader: OperationReader) {
    this.key = facts.key
    this.version = facts.version
    this.strategy = facts.strategy
    this.dot = { replica: reader.replica, sequence: reader.sequence }
    this.hlc = reader.hlc
    this.kind = NAMES.get(reader.kind) ?? 'unknown'
    this.context = reader.context()
    this.isExact = reader.isExact
    this.dots = reader.dots()
    if (reader.lifeMs > 0) this.lifeMs = reader.lifeMs
    const origin = reader.origin()
    if (origin !== undefined) this.origin = origin
    this.#payloadBytes = reader.bytes.slice(reader.payloadStart, reader.end)
    this.#ended = reader.ended
  }

  /**
   * Whether its writer had seen an operation of this key: as `context` says, or, of a replica that
   * has left for good and is not named there any more, as the operation says that ended its id.
   */
  hasSeen({ replica, sequence }: Dot): boolean {
    const isNamed = (of: ReplicaId, at: number): boolean =>
      of === this.dot.replica && !this.isExact
        ? at < this.dot.sequence
        : this.context.some(([named, through]) => named === of && at <= through)
    if (this.dots.some(([of, at]) => of === replica && at === sequence)) return true
    return isNamed(replica, sequence) || this.#ended.isSeen(replica, isNamed)
  }

  get timeMs(): number {
    return hlcToMs(this.hlc)
  }

  get payload(): Encodable | undefined {
    return this.kind === 'update' ? decode(this.#payloadBytes) : undefined
  }
}

/**
 * Copies the operation at `position` out of the log. Throws `WARP_E_HISTORY` if compaction has
 * dropped it.
 */
export function keepOperation(store: KeyStore, key: string, version: number, position: Position): KeptOperation {
  const slot = store.keys.find(key)
  if (slot === undefined || position <= store.keys.cut[slot]!) throw compactedAway(key)
  const reader = store.folder.chains.read(position)
  const own = store.strategyAt(slot)
  const strategy =
    reader.kind !== OPERATION_KIND.update || reader.strategy === own.code ? own.kind : `code ${reader.strategy}`
  return new KeptOperation({ key, version, strategy }, reader)
}

export function compactedAway(key: string): WarpError {
  return new WarpError(
    'WARP_E_HISTORY',
    `what was asked of '${key}' lies before what its retention keeps; register the key with a longer 'retain'`,
    { details: { key } },
  )
}
