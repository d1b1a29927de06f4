/**
 * Which operations are part of the state as somebody has issued them again, by their first names: a
 * part of the state itself, so that nobody who holds one of them under another name issues it once
 * more. Of so many the oldest are forgotten; from then on an operation that is as old and is not
 * here may be one of those, and is reported instead (`membership/leftovers.ts`).
 *
 *     reissued = forgotten:f64 names count:varint (replica:8 hlc:f64)*
 *
 * `forgotten` is the stamp up to which some may have been forgotten. Of each replica that `names`
 * names, `hlc` is the stamp of the last operation that was issued again, oldest first.
 */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { Hlc } from '../../../crdt/time/hlc.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { FIRST_NAMES_MAX } from '../../limits.ts'
import type { ByteReader } from '../byte-reader.ts'
import type { IdBytes } from '../ended-ids.ts'
import { FirstNames } from './first-names.ts'

export class Reissued {
  readonly #names = new FirstNames()
  /** When something was issued again, by the replica of the first names. The oldest first. */
  readonly #hlcs = new Map<ReplicaId, Hlc>()
  #forgottenHlc: Hlc = 0

  get isEmpty(): boolean {
    return this.#hlcs.size === 0 && this.#forgottenHlc === 0
  }

  has({ replica, sequence }: Dot): boolean {
    return this.#names.has(replica, sequence)
  }

  /** Whether an operation stamped so may have been issued again, and be forgotten. */
  mayBeForgotten(hlc: Hlc): boolean {
    return hlc <= this.#forgottenHlc
  }

  /** `first` has been issued again by an operation stamped `hlc`. */
  add(first: Dot, hlc: Hlc): void {
    const { replica, sequence } = first
    this.#names.add(replica, sequence)
    const known = this.#hlcs.get(replica) ?? 0
    this.#hlcs.delete(replica)
    this.#hlcs.set(replica, Math.max(known, hlc))
    while (this.#names.size > FIRST_NAMES_MAX && this.#hlcs.size > 1) this.#forgetOldest()
  }

  /** Becomes equal to the other. */
  assign(other: Reissued): void {
    const hlcs = [...other.#hlcs]
    this.#names.assign(other.#names)
    this.#hlcs.clear()
    for (const [replica, hlc] of hlcs) this.#hlcs.set(replica, hlc)
    this.#forgottenHlc = other.#forgottenHlc
  }

  write(writer: ByteWriter, table: IdBytes): void {
    writer.f64(this.#forgottenHlc)
    this.#names.write(writer, table)
    writer.varint(this.#hlcs.size)
    for (const [replica, hlc] of this.#hlcs) {
      writer.raw(table.bytes(replica))
      writer.f64(hlc)
    }
  }

  /** Throws `WARP_E_PROTOCOL`. */
  static read(reader: ByteReader, table: IdBytes): Reissued {
    const reissued = new Reissued()
    reissued.#forgottenHlc = reader.f64()
    reissued.#names.assign(FirstNames.read(reader, table))
    for (let left = reader.count(Infinity, REPLICA_ID_BYTES); left > 0; left--)
      reissued.#hlcs.set(table.read(reader.bytes, reader.skip(REPLICA_ID_BYTES)), reader.f64())
    return reissued
  }

  #forgetOldest(): void {
    const [oldest] = this.#hlcs
    if (oldest === undefined) return
    const [replica, hlc] = oldest
    this.#hlcs.delete(replica)
    this.#names.forget(replica)
    this.#forgottenHlc = Math.max(this.#forgottenHlc, hlc)
  }
}
