/**
 * What a replica holds beyond a snapshot that it takes over. What the new state may take as it is is
 * admitted there. The rest is issued again under another identity, whoever wrote it: the own
 * operations of before, for others may have compacted past the places that they had, and those of
 * others whose ids have come to an end before them, or whose causes are gone (`reissue.ts`).
 *
 * An operation that is issued again keeps its first name (`origin`), and all operations of one first
 * name are one operation (`merge/folding/repeats.ts`). So it does not matter how many replicas issue
 * it again, nor whether the original comes after all. Nobody who has it under any name does so.
 *
 * What had been folded here, and the new state does not contain, is reported (`rejoin:lost`).
 *
 * All this is done in log order, in steps, and what is issued again becomes part of the new state
 * before that takes the place of the present one. Earlier builds issued again behind a record that
 * said so (`Meta.reissuing`); what was left of that when their process died follows at the next
 * opening (`Resync.resume`), and what they had issued is found by its first name.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { LostAtRejoin } from '../store/event.ts'
import { RECORD_KIND, type Log, type RecordView } from '../log/log.ts'
import { readSnapshotHead } from '../merge/snapshot-record.ts'
import type { Meter } from '../operation/budget.ts'
import type { EndedIds } from '../operation/ended-ids.ts'
import { isOfKey } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import { PresentNames } from '../operation/names/present-names.ts'
import type { Position } from '../operation/position.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { textOf } from '../operation/text.ts'
import { isShared } from './snapshot-stream.ts'

/** An operation that the snapshot does not hold, as its envelope. */
export interface Leftover {
  readonly replica: ReplicaId
  readonly envelope: Uint8Array
  readonly isOwn: boolean
  /** The snapshot holds it under its first name. */
  readonly isThere: boolean
}

export interface LeftoversOptions {
  readonly store: KeyStore
  /** What the snapshot holds. */
  readonly vector: VersionVector
  /** And what it need not name. */
  readonly ended: EndedIds
  /** What this replica holds. Live. */
  readonly held: VersionVector
  /** As whom this replica has written, and how far. */
  readonly own: () => VersionVector
  /** The present state is that which holds them: what has been folded in it is told apart. */
  readonly isWhole: boolean
}

/** Reads the operations of `held`, in log order, that are not in `vector`. */
export class Leftovers {
  readonly #options: LeftoversOptions
  readonly #reader: OperationReader
  #position: Position = 0
  /** Those of this replica's ids of which there were any. */
  readonly ownReplicas: Set<ReplicaId> = new Set<ReplicaId>()

  constructor(options: LeftoversOptions) {
    this.#options = options
    this.#reader = new OperationReader(options.store.table)
  }

  /** Whether the log goes on behind what has been read. */
  get isBehind(): boolean {
    return this.#position < this.#options.store.log.end
  }

  /** Reads on to where the log ends now. */
  *steps(take: (leftover: Leftover) => void, meter: Meter): Generator<void, void> {
    const { log } = this.#options.store
    const { end } = log
    while (this.#position < end) {
      const own = this.#options.own()
      this.#position = log.scan(this.#position, (record) => {
        meter.spend(1, record.end - record.start)
        const leftover = record.kind === RECORD_KIND.operation ? this.#leftoverIn(record, own) : undefined
        if (leftover !== undefined) take(leftover)
        return !meter.isSpent
      })
      if (meter.isSpent) yield
    }
  }

  #leftoverIn({ bytes, start, end, position }: RecordView, own: VersionVector): Leftover | undefined {
    const { store, isWhole } = this.#options
    const operation = this.#reader.load(bytes, start, end)
    if (this.#isThere(operation) || !this.#isHeld(operation)) return undefined
    const { replica } = operation
    const isOwn = own.get(replica) > 0
    if (!isOwn && isWhole && isFolded(store, operation, position)) return undefined
    if (isOwn) this.ownReplicas.add(replica)
    const origin = operation.origin()
    const envelope = bytes.slice(start, end)
    return { replica, envelope, isOwn, isThere: origin !== undefined && this.#isThere(origin) }
  }

  #isThere({ replica, sequence }: Dot): boolean {
    const { vector, ended } = this.#options
    return vector.includes(replica, sequence) || ended.includes(replica, sequence)
  }

  #isHeld({ replica, sequence }: Dot): boolean {
    const { held, store } = this.#options
    return held.includes(replica, sequence) || store.table.ended.includes(replica, sequence)
  }
}

/** What took it away may have been rewritten away, and would be missing if it were issued again. */
function isFolded(store: KeyStore, operation: OperationReader, position: Position): boolean {
  if (!isOfKey(operation.kind)) return false
  const { keys } = store
  const key = textOf(operation.bytes, operation.keyStart, operation.keyEnd)
  const slot = keys.find(key)
  if (!store.keyspaceFor(key, slot).domain.isSent) return false
  return slot === undefined || position <= keys.cut[slot]!
}

/**
 * Keys of which something has been folded here that the snapshot does not hold. Only two groups that
 * were cut off from each other can have come to that.
 */
export function* foldedBeyond(
  { store, vector, ended }: Pick<LeftoversOptions, 'store' | 'vector' | 'ended'>,
  take: (lost: LostAtRejoin) => void,
  meter: Meter,
): Generator<void, void> {
  const { keys, folder } = store
  // Nothing is folded meanwhile, so keys that come meanwhile do not matter.
  for (let slot = 0; slot < keys.slotsUsed; slot++) {
    const position = keys.snapshot[slot]!
    if (position > 0 && isShared(store, slot)) {
      const { bytes, start, end } = folder.chains.record(position)
      const snapshot = readSnapshotHead(bytes, start, end, store.table)
      const names = [...snapshot.vector.entries()]
        .map(([replica, sequence]) => ({ replica, sequence }))
        .filter(({ replica, sequence }) => !vector.includes(replica, sequence) && !ended.includes(replica, sequence))
      if (names.length > 0) take({ key: snapshot.key, reason: 'folded', names })
    }
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
}

/** Gathers what is here of operations that were issued again: the present names by the first ones. */
export class IssuedBefore {
  readonly #names = new PresentNames()

  /** The name of the operation that was issued again. */
  nameOf(first: Dot): Dot | undefined {
    return this.#names.of(first)
  }

  note(operation: OperationReader): void {
    const origin = operation.origin()
    if (origin !== undefined) this.#names.note(origin, operation)
  }

  /** Those that are applied, up to where the log ends now. */
  *steps(
    log: Log,
    { table, applied }: { readonly table: ReplicaTable; readonly applied: VersionVector },
    meter: Meter,
  ): Generator<void, void> {
    const reader = new OperationReader(table)
    const { end } = log
    for (let position: Position = 0; position < end;) {
      position = log.scan(position, (record) => {
        meter.spend(1, record.end - record.start)
        if (record.kind === RECORD_KIND.operation) {
          const { replica, sequence } = reader.load(record.bytes, record.start, record.end)
          if (applied.includes(replica, sequence)) this.note(reader)
        }
        return !meter.isSpent
      })
      if (meter.isSpent) yield
    }
  }
}
