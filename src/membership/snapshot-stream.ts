/**
 * The stream in which a whole state travels, for a replica that is behind what its peers have
 * compacted. It is the sender's floor, the ids that have come to an end for it, the snapshots of its keys,
 * and all operations behind them, in the order of the sender's log; chunks are pieces of the
 * stream, cut anywhere:
 *
 *     stream = item*        item = type:u8 bytes:varint body        type 1: snapshot record, 2: envelope, 3: the floor, a vector, 4: retired ids, alike,
 *                                                5: ended ids (`operation/ended-ids.ts`),
 *                                                6: what has been issued again (`operation/names/reissued.ts`),
 *                                                7: a part of a state, in front of its snapshot (`merge/snapshot-parts.ts`)
 */
import type { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import type { Slot } from '../keys/key-table.ts'
import type { KeyStore } from '../store/key-store.ts'

export const ITEM = { snapshot: 1, operation: 2, floor: 3, retired: 4, ended: 5, reissued: 6, part: 7 } as const
/** No item: what the receiver makes of a stream that cannot be finished. */
export const BROKEN = 0xff
/** As large as a record of the log. */
const ITEM_BYTES_MAX = 0xffffff

export interface SnapshotItem {
  readonly type: number
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
}

export function writeItem(writer: ByteWriter, { type, bytes, start, end }: SnapshotItem): void {
  writer.u8(type)
  writer.varint(end - start)
  writer.raw(bytes, start, end)
}

/** A part of a chunk that is an item: its body lies from `start` to `end`. */
export interface Item {
  readonly type: number
  readonly start: number
  readonly end: number
}

/** The items that are there as a whole, and where they end. Throws `WARP_E_PROTOCOL`. */
export function itemsIn(bytes: Uint8Array): { readonly items: Item[]; readonly whole: number } {
  const items: Item[] = []
  let whole = 0
  while (bytes.length - whole >= ITEM_HEADER_BYTES_MAX || hasHeader(bytes, whole)) {
    const reader = new ByteReader(bytes, whole)
    const type = reader.u8()
    const count = reader.varint()
    if (type < ITEM.snapshot || type > ITEM.part) throw reader.malformed(`an item of type ${type}`)
    if (count > ITEM_BYTES_MAX) throw reader.malformed(`an item of ${count} bytes`)
    if (count > reader.remaining) break
    whole = reader.at + count
    items.push({ type, start: reader.at, end: whole })
  }
  return { items, whole }
}

/** A type and the longest number. */
const ITEM_HEADER_BYTES_MAX = 9

/** Whether the number behind the type ends before the bytes do. */
function hasHeader(bytes: Uint8Array, at: number): boolean {
  return bytes.subarray(at + 1).some((byte) => byte < 0x80)
}

/** Whether a key travels at all. */
export function isShared(store: KeyStore, slot: Slot): boolean {
  const keyspace = store.keyspaceFor('', slot)
  if (keyspace !== store.keyspaces.unregistered) return keyspace.domain.isSent
  // Nothing says any more what it is: what was written under the local id was never to leave.
  const writer = store.keys.tipReplica[slot]
  return writer === undefined || store.writers.isSent(writer)
}
