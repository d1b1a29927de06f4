/**
 * Operations that belong to no key: this replica's own are written here, and all of them are kept
 * here, for those who know what to do with them. What they say of who takes part is known to the
 * identity (`src/operation/departures.ts`), and they are let go of when that is pruned.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { RECORD_KIND, segmentOf } from '../../log/log.ts'
import { departureIn } from '../../operation/departures.ts'
import type { DotIndex } from '../../operation/dot-index.ts'
import { FORMAT_LOWEST } from '../../operation/envelope/formats.ts'
import { writeEnvelopeHeader } from '../../operation/envelope/envelope-writer.ts'
import { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { Position } from '../../operation/position.ts'
import { invalidationIn, type EnteredInvalidation } from '../../operation/invalidation.ts'
import {
  leaseNoteIn,
  leaseOperation,
  type EnteredLeaseNote,
  type LeaseNote,
} from '../../operation/leases/lease-note.ts'
import type { AsideRecords } from './aside-records.ts'
import type { KeyStore } from '../key-store.ts'
import type { ReplicaIdentity } from '../replica-identity.ts'

export interface AsideOptions {
  readonly store: KeyStore
  readonly dots: DotIndex
  readonly identity: ReplicaIdentity
  /** Those that the log held when it was opened, as far as they were read. */
  readonly records: AsideRecords
  /** Told of each invalidation that has entered. */
  readonly onInvalidated: (invalidation: EnteredInvalidation) => void
  /** Told of what has entered that says something new of a lease. */
  readonly onLease: (note: EnteredLeaseNote) => void
  /** Whether a checkpoint may be opened from that ends before this position, or there. */
  readonly isBehindCheckpoints: (position: Position) => boolean
}

export class Aside {
  readonly #store: KeyStore
  readonly #dots: DotIndex
  readonly #identity: ReplicaIdentity
  readonly #records: AsideRecords
  readonly #options: AsideOptions

  constructor(options: AsideOptions) {
    const { store, dots, identity, records } = options
    this.#options = options
    this.#records = records
    this.#store = store
    this.#dots = dots
    this.#identity = identity
  }

  /** Says something of a lease. Throws what appending throws. */
  writeLease(note: LeaseNote): Dot {
    const { kind, payload } = leaseOperation(note)
    return this.write(kind, payload, note.lease)
  }

  /** Writes one of this replica's own. Throws what appending throws. */
  write(kind: number, payload: Uint8Array, target = ''): Dot {
    const { log, table, writers } = this.#store
    const position = this.inHeldFormat(() => this.#append(kind, payload, target))
    const { replica, sequence } = writers.shared
    const { bytes, start, end } = log.record(position)
    this.keep(new OperationReader(table).load(bytes, start, end), position)
    return { replica, sequence }
  }

  /**
   * Writes in the format that the log has. Whoever reads any format reads who takes part: to close
   * in order does not bind a folder, here or at others, to a later build.
   */
  inHeldFormat<T>(write: () => T): T {
    const { log, table } = this.#store
    log.writeFormat(table.formats.held)
    try {
      return write()
    } finally {
      log.writeFormat(table.formats.stored)
    }
  }

  /** One that is in the log is applied. */
  keep(operation: OperationReader, position: Position): void {
    const { replica, sequence } = operation
    this.#store.applied.raise(replica, sequence)
    this.#dots.note(replica, sequence, position)
    const invalidation = invalidationIn(operation)
    if (invalidation !== undefined) {
      this.#records.note(operation, undefined, position)
      this.#options.onInvalidated(invalidation)
      return
    }
    const lease = leaseNoteIn(operation)
    if (lease !== undefined) {
      const note = { ...lease, dot: { replica, sequence } }
      if (this.#records.noteLease({ ...note, position })) this.#options.onLease(note)
      return
    }
    const note = departureIn(operation, this.#store.table)
    if (note === undefined) return
    this.#records.note(operation, note, position)
    this.#identity.noteDeparture(note, operation)
  }

  /** Up to where invalidations and what is said of leases can be let go of: everybody has them. */
  stable(isStable: (dot: Dot) => boolean): VersionVector {
    return this.#records.stable(isStable, this.#store)
  }

  /** Ids have been pruned: what nobody needs any more of those records is garbage. */
  letGo(): void {
    const { log } = this.#store
    const isRewritten = (since: Position, through: Position): boolean =>
      // What is in memory is not opened again.
      !log.persistent || (!this.#options.isBehindCheckpoints(since) && log.rewrittenSince(since, segmentOf(through)))
    for (const position of this.#records.takeDone(this.#store, isRewritten)) this.#discard(position)
  }

  /** An absence that is over may be gone already: rewriting a segment does not wait for this. */
  #discard(position: Position): void {
    try {
      this.#store.log.discard(position)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOG_CORRUPT')) throw error
    }
  }

  #append(kind: number, payload: Uint8Array, target: string): Position {
    const { log, table, clock, applied, writers } = this.#store
    const { shared } = writers
    const writer = log.begin()
    const header = {
      ...{
        kind,
        strategy: 0,
        replicaBytes: shared.bytes,
        sequence: shared.sequence + 1,
        hlc: clock.tick(),
        key: target,
      },
      ...{ context: undefined, dependencies: shared.dependencies(applied), format: FORMAT_LOWEST },
    }
    writeEnvelopeHeader(writer, header, table)
    writer.raw(payload)
    const position = log.commit(RECORD_KIND.operation, 0, writer)
    shared.advance()
    return position
  }
}
