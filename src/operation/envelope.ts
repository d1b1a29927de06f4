/**
 * The envelope: one operation as bytes, the same in the log, on the wire and in exports. Written once by its writer, then
 * only copied. Layout (big endian; see docs/wire-format.md for vectors):
 *
 *     envelope   = version:u8 kind:u8 strategy:u8 flags:u8 replica:8 sequence:varint hlc:u64
 *                  keyBytes:varint key:utf8
 *                  [ context ]       flag 1: what the writer had seen of this key, itself left out
 *                  [ dependencies ]  flag 2: entries of the writer's version vector changed since its previous operation
 *                  [ extension ]     flag 4: bytes:varint field*; kept and forwarded by those who do not know a field
 *                  payload           the rest
 *     vector     = count:varint (replica:8 sequence:varint)*
 *     field      = tag:u8 bytes:varint body    tag 1: the dots under which the operation was issued before, (replica:8 sequence:varint)*
 *
 * A kind that is not known is kept, forwarded and blocks only its own key. Another version is refused, and so is another flag,
 * because what it stands for would be taken for payload: additions that old readers may ignore go into the extension.
 */
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import type { Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { REPLICA_ID_BYTES, replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { VECTOR_ENTRIES_MAX } from '../limits.ts'

export const ENVELOPE_VERSION = 1

export const OPERATION_KIND = { update: 1, delete: 2 } as const

const FLAG_CONTEXT = 1
const FLAG_DEPENDENCIES = 2
const FLAG_EXTENSION = 4
const FLAGS_KNOWN = FLAG_CONTEXT | FLAG_DEPENDENCIES | FLAG_EXTENSION
const FIELD_FORMER = 1
const ENVELOPE_BYTES_MIN = 21

/** Ids in one generation of a {@link ReplicaTable}: as many as one vector may name. */
export const REPLICAS_INTERNED_MAX: number = VECTOR_ENTRIES_MAX

const TWO_POW_32 = 4294967296

interface Interned {
  readonly bytes: Uint8Array
  readonly replica: ReplicaId
}

/** Interned ids, found by the two halves of their bytes, or by text. */
class Generation {
  readonly #byHalves = new Map<number, Map<number, Interned>>()
  readonly #byText = new Map<ReplicaId, Interned>()

  get size(): number {
    return this.#byText.size
  }

  get(high: number, low: number): Interned | undefined {
    return this.#byHalves.get(low)?.get(high)
  }

  getByText(replica: ReplicaId): Interned | undefined {
    return this.#byText.get(replica)
  }

  set(high: number, low: number, interned: Interned): void {
    const sameLow = this.#byHalves.get(low)
    if (sameLow === undefined) this.#byHalves.set(low, new Map([[high, interned]]))
    else sameLow.set(high, interned)
    this.#byText.set(interned.replica, interned)
  }
}

/**
 * Interns replica ids: the same id is nearly always the same string object, found from its bytes without making a new one. Only
 * speed rests on that, so the table may forget, and must, because anybody can make up ids: it holds two generations of
 * {@link REPLICAS_INTERNED_MAX}. When the young one is full, it becomes the old one, and the old one goes. An id that is
 * met again moves to the young one, so what a flood of fake ids displaces is mostly the flood.
 */
export class ReplicaTable {
  #young = new Generation()
  #old = new Generation()
  #last: Interned | undefined

  get size(): number {
    return this.#young.size + this.#old.size
  }

  read(bytes: Uint8Array, at: number): ReplicaId {
    const last = this.#last
    if (last !== undefined && sameReplica(last.bytes, bytes, at)) return last.replica
    return this.#intern(bytes, at).replica
  }

  /** The interned string equal to `replica`. */
  intern(replica: ReplicaId): ReplicaId {
    return this.read(this.bytes(replica), 0)
  }

  /** Not to be changed. */
  bytes(replica: ReplicaId): Uint8Array {
    const known = this.#young.getByText(replica)
    if (known !== undefined) return known.bytes
    const bytes = new Uint8Array(REPLICA_ID_BYTES)
    for (let i = 0; i < REPLICA_ID_BYTES; i++) bytes[i] = Number.parseInt(replica.slice(i * 2, i * 2 + 2), 16)
    return this.#intern(bytes, 0).bytes
  }

  #intern(bytes: Uint8Array, at: number): Interned {
    const high = word(bytes, at)
    const low = word(bytes, at + 4)
    const young = this.#young.get(high, low)
    if (young !== undefined) return (this.#last = young)
    const interned = this.#old.get(high, low) ?? internedFrom(bytes, at)
    if (this.#young.size === REPLICAS_INTERNED_MAX) {
      this.#old = this.#young
      this.#young = new Generation()
    }
    this.#young.set(high, low, interned)
    return (this.#last = interned)
  }
}

function internedFrom(bytes: Uint8Array, at: number): Interned {
  const copy = new Uint8Array(REPLICA_ID_BYTES)
  for (let i = 0; i < REPLICA_ID_BYTES; i++) copy[i] = bytes[at + i]!
  return { bytes: copy, replica: replicaIdFromBytes(copy) }
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

function sameReplica(a: Uint8Array, b: Uint8Array, at: number): boolean {
  for (let i = 0; i < REPLICA_ID_BYTES; i++) if (a[i] !== b[at + i]) return false
  return true
}

export interface EnvelopeHeader {
  readonly kind: number
  readonly strategy: number
  readonly replicaBytes: Uint8Array
  readonly sequence: number
  readonly hlc: Hlc
  /** Well formed, within the limit. */
  readonly key: string
  /** Without the writer itself; `undefined` or empty when nobody else wrote this key. */
  readonly context: VectorEntries | undefined
  readonly dependencies: VectorEntries | undefined
  /** Dots under which the same operation was issued before, oldest first. */
  readonly former?: VectorEntries | undefined
}

export type VectorEntries = readonly (readonly [ReplicaId, number])[]

/** Writes everything but the payload, which the caller appends. */
export function writeEnvelopeHeader(writer: ByteWriter, header: EnvelopeHeader, table: ReplicaTable): void {
  const { context, dependencies, former, replicaBytes, hlc } = header
  const hasContext = isSome(context)
  const hasDependencies = isSome(dependencies)
  const hasFormer = isSome(former)
  if (hasContext) checkVector(context, 'the causal context')
  if (hasDependencies) checkVector(dependencies, 'the dependencies')
  writer.ensure(ENVELOPE_BYTES_MIN)
  const { bytes, at } = writer
  bytes[at] = ENVELOPE_VERSION
  bytes[at + 1] = header.kind
  bytes[at + 2] = header.strategy
  bytes[at + 3] =
    (hasContext ? FLAG_CONTEXT : 0) | (hasDependencies ? FLAG_DEPENDENCIES : 0) | (hasFormer ? FLAG_EXTENSION : 0)
  for (let i = 0; i < REPLICA_ID_BYTES; i++) bytes[at + 4 + i] = replicaBytes[i]!
  writer.at = at + 4 + REPLICA_ID_BYTES
  writer.varint(header.sequence)
  writer.u64(hlc)
  writer.text(header.key)
  if (hasContext) writeVector(writer, context, table)
  if (hasDependencies) writeVector(writer, dependencies, table)
  if (hasFormer) writeFormer(writer, former, table)
}

function isSome(entries: VectorEntries | undefined): entries is VectorEntries {
  return entries !== undefined && entries.length > 0
}

function writeFormer(writer: ByteWriter, former: VectorEntries, table: ReplicaTable): void {
  const body = new ByteWriter()
  writeEntries(body, former, table)
  const field = new ByteWriter()
  field.u8(FIELD_FORMER)
  field.varint(body.at)
  field.raw(body.take())
  writer.varint(field.at)
  writer.raw(field.take())
}

/** What the reader would refuse must not be written. */
function checkVector(entries: VectorEntries, name: string): void {
  if (entries.length <= VECTOR_ENTRIES_MAX) return
  throw new WarpError(
    'WARP_E_LIMIT',
    `${name} of an operation would name ${entries.length} replicas; the limit is ${VECTOR_ENTRIES_MAX}; let fewer replicas write`,
    { details: { entries: entries.length, limit: VECTOR_ENTRIES_MAX } },
  )
}

export function writeVector(writer: ByteWriter, entries: VectorEntries, table: ReplicaTable): void {
  writer.varint(entries.length)
  writeEntries(writer, entries, table)
}

function writeEntries(writer: ByteWriter, entries: VectorEntries, table: ReplicaTable): void {
  for (const [replica, sequence] of entries) {
    writer.raw(table.bytes(replica))
    writer.varint(sequence)
  }
}

/**
 * Reads an envelope in place, field by field, when asked. A flyweight: `load` points it at other bytes. Every read is bounded
 * by `end`; anything malformed throws `WARP_E_PROTOCOL` with the offset and never the content.
 */
export class OperationReader {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  kind = 0
  strategy = 0
  replica: ReplicaId = '' as ReplicaId
  sequence = 0
  hlc: Hlc = 0
  keyStart = 0
  keyEnd = 0
  payloadStart = 0
  #contextStart = 0
  #dependenciesStart = 0
  #extensionStart = 0
  #at = 0
  readonly #table: ReplicaTable

  constructor(table: ReplicaTable) {
    this.#table = table
  }

  /** Points the reader at `bytes[start, end)` and reads the fixed part. */
  load(bytes: Uint8Array, start: number, end: number): this {
    if (end - start < ENVELOPE_BYTES_MIN || end > bytes.length) throw malformed('envelope too short', 0)
    this.bytes = bytes
    this.start = start
    this.end = end
    if (bytes[start] !== ENVELOPE_VERSION) {
      throw new WarpError(
        'WARP_E_PROTOCOL',
        `an operation of envelope version ${bytes[start]}; this build reads version ${ENVELOPE_VERSION}; upgrade this replica`,
        { details: { version: bytes[start] } },
      )
    }
    this.kind = bytes[start + 1]!
    this.strategy = bytes[start + 2]!
    const flags = bytes[start + 3]!
    if ((flags & ~FLAGS_KNOWN) !== 0) throw malformed('flags that this version does not have', 3)
    this.replica = this.#table.read(bytes, start + 4)
    this.#at = start + 12
    this.sequence = this.#varint()
    if (this.sequence === 0) throw malformed('sequence 0', this.#at - start)
    this.hlc = this.#stamp()
    const keyBytes = this.#varint()
    this.keyStart = this.#at
    this.keyEnd = this.keyStart + keyBytes
    if (this.keyEnd > end) throw malformed('key beyond the end', this.keyStart - start)
    this.#at = this.keyEnd
    this.#contextStart = (flags & FLAG_CONTEXT) === 0 ? 0 : this.#skipVector()
    this.#dependenciesStart = (flags & FLAG_DEPENDENCIES) === 0 ? 0 : this.#skipVector()
    this.#extensionStart = (flags & FLAG_EXTENSION) === 0 ? 0 : this.#skipExtension()
    this.payloadStart = this.#at
    return this
  }

  /** Whether the writer had seen that operation of this key. */
  observed(replica: ReplicaId, sequence: number): boolean {
    if (replica === this.replica) return sequence < this.sequence
    if (this.#contextStart === 0) return false
    const wanted = this.#table.bytes(replica)
    this.#at = this.#contextStart
    const count = this.#varint()
    for (let i = 0; i < count; i++) {
      const at = this.#at
      this.#at += REPLICA_ID_BYTES
      const seen = this.#varint()
      if (sameReplica(wanted, this.bytes, at)) return sequence <= seen
    }
    return false
  }

  /** The causal context without the writer's own entry. */
  context(): (readonly [ReplicaId, number])[] {
    return this.#contextStart === 0 ? [] : this.#readVector(this.#contextStart)
  }

  get hasDependencies(): boolean {
    return this.#dependenciesStart !== 0
  }

  dependencies(): (readonly [ReplicaId, number])[] {
    return this.#dependenciesStart === 0 ? [] : this.#readVector(this.#dependenciesStart)
  }

  /** Dots under which the same operation was issued before, oldest first. None if they are malformed: fields are admitted unread. */
  former(): (readonly [ReplicaId, number])[] {
    if (this.#extensionStart === 0) return []
    try {
      return this.#readFormer()
    } catch {
      return []
    }
  }

  #readFormer(): (readonly [ReplicaId, number])[] {
    this.#at = this.#extensionStart
    const bytes = this.#varint()
    for (const end = this.#at + bytes; this.#at < end;) {
      const tag = this.bytes[this.#at++]
      const fieldBytes = this.#varint()
      if (fieldBytes > end - this.#at) break
      if (tag === FIELD_FORMER) return this.#readEntries(this.#at + fieldBytes)
      this.#at += fieldBytes
    }
    return []
  }

  #readEntries(end: number): (readonly [ReplicaId, number])[] {
    const entries: (readonly [ReplicaId, number])[] = []
    while (end - this.#at > REPLICA_ID_BYTES) {
      const replica = this.#table.read(this.bytes, this.#at)
      this.#at += REPLICA_ID_BYTES
      entries.push([replica, this.#varint()])
    }
    return this.#at === end ? entries : []
  }

  #readVector(start: number): (readonly [ReplicaId, number])[] {
    this.#at = start
    const count = this.#varint()
    const entries: (readonly [ReplicaId, number])[] = []
    for (let i = 0; i < count; i++) {
      const replica = this.#table.read(this.bytes, this.#at)
      this.#at += REPLICA_ID_BYTES
      entries.push([replica, this.#varint()])
    }
    return entries
  }

  #skipVector(): number {
    const start = this.#at
    const count = this.#varint()
    if (count > VECTOR_ENTRIES_MAX) throw malformed(`a vector of ${count} entries`, start - this.start)
    for (let i = 0; i < count; i++) {
      this.#at += REPLICA_ID_BYTES
      this.#varint()
    }
    return start
  }

  #skipExtension(): number {
    const start = this.#at
    const extensionBytes = this.#varint()
    if (extensionBytes > this.end - this.#at) throw malformed('extension beyond the end', this.#at - this.start)
    this.#at += extensionBytes
    return start
  }

  #stamp(): Hlc {
    const at = this.#at
    if (at + 8 > this.end) throw malformed('envelope too short', at - this.start)
    const high = word(this.bytes, at) >>> 0
    if (high > 0x1fffff) throw malformed('stamp beyond 2^53', at - this.start)
    this.#at = at + 8
    return high * TWO_POW_32 + (word(this.bytes, at + 4) >>> 0)
  }

  #varint(): number {
    const { bytes, end } = this
    let value = 0
    let scale = 1
    for (let i = 0; i < 8; i++) {
      if (this.#at >= end) throw malformed('a number beyond the end', this.#at - this.start)
      const byte = bytes[this.#at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
      scale *= 128
    }
    throw malformed('a number beyond 2^53', this.#at - this.start)
  }
}

function malformed(what: string, offset: number): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed operation: ${what}, at byte ${offset}`, { details: { offset } })
}
