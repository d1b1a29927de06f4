/** Reads operations where they lie. Layout: `envelope-writer.ts`. */
import type { Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { REPLICA_ID_BYTES } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { VECTOR_ENTRIES_MAX } from '../limits.ts'
import {
  ENVELOPE_BYTES_MIN,
  ENVELOPE_VERSION,
  FIELD_FORMER,
  FLAG_CONTEXT,
  FLAG_DEPENDENCIES,
  FLAG_EXTENSION,
} from './format.ts'
import { sameReplica, word, type ReplicaTable } from './replica-table.ts'

const FLAGS_KNOWN = FLAG_CONTEXT | FLAG_DEPENDENCIES | FLAG_EXTENSION
const TWO_POW_32 = 4294967296

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
