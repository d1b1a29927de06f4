/**
 * The state of a partition as bytes, for a replica that comes too late for the records: the place, and
 * each key that has a value. It is of one moment: the partition stands still while it is encoded, and
 * goes on before anything is sent.
 *
 *     state = (bytes:u32 item)*        cut anywhere
 *     item  = [1, place:bytes, tables] first, then [key, strategy, count, hlc, sequence, lifeMs, state]
 */
import { decode, encode } from '../../../crdt/encoding/encoding.ts'
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import { expectArray } from '../../../crdt/encoding/stored-state.ts'
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Slot } from '../../keys/key-table.ts'
import { encodeStateSteps } from '../../merge/state-encoding.ts'
import { Budget, type Meter } from '../../operation/budget.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { foldUntilShort } from '../../store/read-steadily.ts'
import { Place } from '../place.ts'
import type { DomainWriter } from '../../keys/domain-writer.ts'

const VERSION = 1
const PIECE_BYTES_MAX = 262_144
/** Of an item: how long it is. */
const HEADER_BYTES = 4

export interface PartitionKeys {
  readonly store: KeyStore
  readonly writer: DomainWriter
}

/** What there is beside the keys. */
export interface BesideKeys {
  readonly place: Place
  readonly tables: { encode(): Encodable }
}

/** The keys of the partition, encoded in steps. Nothing of it may change meanwhile. */
export async function encodePartition(
  { store, writer }: PartitionKeys,
  { place, tables }: BesideKeys,
  pieceBytes: number,
): Promise<readonly Uint8Array[]> {
  const pieces = new Pieces(Math.min(pieceBytes, PIECE_BYTES_MAX))
  const budget = new Budget(store.env)
  pieces.add(encode([VERSION, place.encode(), tables.encode()]))
  for (const slot of slotsOf(store, writer)) {
    if (!store.values.isShort(slot)) await foldUntilShort(store, slot, nothing)
    const bytes = await budget.finish(encodeKey(store, slot, budget))
    if (bytes !== undefined) pieces.add(bytes)
    budget.spend(1, bytes?.length ?? 0)
    if (budget.isSpent) await budget.rest()
  }
  return pieces.end()
}

/** All of them: the list is made at once, since the table may grow meanwhile. */
export function slotsOf(store: KeyStore, writer: DomainWriter): readonly Slot[] {
  return [...store.keys.occupied()].filter((slot) => store.keys.tipReplica[slot] === writer.replica)
}

function* encodeKey(store: KeyStore, slot: Slot, meter: Meter): Generator<void, Uint8Array | undefined> {
  const { keys, values } = store
  const resident = values.resident(slot)
  if (!resident.present) return undefined
  const state = yield* encodeStateSteps(store.strategyAt(slot), resident.state, { meter })
  const writer = new ByteWriter()
  state?.writeTo(writer)
  const bytes = writer.bytes.slice(0, writer.at)
  const { hlc, sequence, lifeMs } = resident
  return encode([keys.keys[slot], store.keyspaceFor('', slot).code, keys.version[slot], hlc, sequence, lifeMs, bytes])
}

/** Cuts items into pieces of one length. */
class Pieces {
  readonly #pieces: Uint8Array[] = []
  readonly #bytes: number
  #piece: Uint8Array
  #at = 0

  constructor(bytes: number) {
    this.#bytes = bytes
    this.#piece = new Uint8Array(bytes)
  }

  add(item: Uint8Array): void {
    const header = new Uint8Array(HEADER_BYTES)
    new DataView(header.buffer).setUint32(0, item.length)
    for (const bytes of [header, item]) this.#copy(bytes)
  }

  end(): readonly Uint8Array[] {
    if (this.#at > 0) this.#pieces.push(this.#piece.slice(0, this.#at))
    return this.#pieces
  }

  #copy(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      const count = Math.min(bytes.length - from, this.#bytes - this.#at)
      this.#piece.set(bytes.subarray(from, from + count), this.#at)
      this.#at += count
      from += count
      if (this.#at < this.#bytes) continue
      this.#pieces.push(this.#piece)
      this.#piece = new Uint8Array(this.#bytes)
      this.#at = 0
    }
  }
}

/** A state that has been read whole, and not been looked into. */
export interface ReadState {
  readonly place: Place
  readonly tables: Encodable | undefined
  readonly items: readonly Uint8Array[]
}

/** Throws `WARP_E_PROTOCOL`, and what the pieces reject with. */
export async function readPartition(pieces: AsyncIterable<Uint8Array>): Promise<ReadState> {
  const items = new Items()
  for await (const piece of pieces) items.add(piece)
  const [first, ...rest] = items.end()
  const [version, place, tables] = expectArray(decode(first ?? new Uint8Array(0)))
  if (version !== VERSION || !(place instanceof Uint8Array)) throw malformedState('is of another version')
  return { place: Place.decode(place), tables, items: rest }
}

/** Puts items together again from pieces. Copies each byte a bounded number of times. */
class Items {
  readonly #items: Uint8Array[] = []
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  /** With less nothing can be taken out. */
  #needed = HEADER_BYTES

  add(piece: Uint8Array): void {
    this.#waiting.push(piece)
    this.#waitingBytes += piece.length
    if (this.#waitingBytes < this.#needed) return
    const bytes = joined(this.#waiting, this.#waitingBytes)
    let at = 0
    for (;;) {
      const left = bytes.length - at
      this.#needed = HEADER_BYTES + (left < HEADER_BYTES ? 0 : new DataView(bytes.buffer).getUint32(at))
      if (left < this.#needed) break
      this.#items.push(bytes.slice(at + HEADER_BYTES, at + this.#needed))
      at += this.#needed
    }
    this.#waiting = [bytes.subarray(at)]
    this.#waitingBytes = bytes.length - at
  }

  end(): readonly Uint8Array[] {
    if (this.#waitingBytes > 0) throw malformedState('ends in the middle')
    return this.#items
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export function malformedState(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `the snapshot of a partition of the ordered log ${what}`)
}

function nothing(): void {
  // A state is encoded to its end.
}
