/** Reads operations where they lie. Layout: `envelope-writer.ts`. */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { Hlc } from '../../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { REPLICA_ID_BYTES } from '../../../crdt/time/replica-id.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { FIELDS_BYTES_MAX, VECTOR_ENTRIES_MAX } from '../../limits.ts'
import { ByteReader } from '../byte-reader.ts'
import type { EndedIds } from '../ended-ids.ts'
import { CausalContext } from './causal-context.ts'
import { ENVELOPE_BYTES_MIN, FIELD, FIELD_BINDING_MIN, FLAG, FLAGS_KNOWN } from './format.ts'
import type { Formats } from './formats.ts'
import { UNDERSTOOD_NOT } from './kinds.ts'
import {
  checkField,
  CONDITION_PART,
  FieldBody,
  type Condition,
  type Provenance,
  type TransactionPart,
} from './operation-fields.ts'
import { sameReplica, word, type ReplicaTable } from '../replica-table.ts'

const TWO_POW_32 = 4294967296

/**
 * Reads an envelope in place, field by field, when asked. A flyweight: `load` points it at other
 * bytes. Every read is bounded by `end`; anything malformed throws `WARP_E_PROTOCOL` with the
 * offset and never the content.
 */
export class OperationReader {
  bytes: Uint8Array = new Uint8Array(0)
  start = 0
  end = 0
  /**
   * The code of its kind; with `UNDERSTOOD_NOT` added if the operation has a field without which it
   * cannot be applied.
   */
  kind = 0
  strategy = 0
  replica: ReplicaId = '' as ReplicaId
  sequence = 0
  hlc: Hlc = 0
  keyStart = 0
  keyEnd = 0
  payloadStart = 0
  /** Whether it is part of a transaction, by what it says. */
  isPart = false
  #contextStart = 0
  #dotsStart = 0
  #dependenciesStart = 0
  #fieldsStart = 0
  /** Where the fields begin behind their length. */
  #firstField = 0
  #isExact = false
  #at = 0
  readonly #table: ReplicaTable
  readonly #formats: Formats
  readonly #ended: EndedIds

  constructor(table: ReplicaTable) {
    this.#table = table
    this.#ended = table.ended
    this.#formats = table.formats
  }

  /** Points the reader at `bytes[start, end)` and reads the fixed part. */
  load(bytes: Uint8Array, start: number, end: number): this {
    if (end - start < ENVELOPE_BYTES_MIN || end > bytes.length) throw malformed('envelope too short', 0)
    this.bytes = bytes
    this.start = start
    this.end = end
    const version = bytes[start]!
    if (version !== this.#formats.held) this.#formats.take(version, 'an operation')
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
    this.isPart = false
    this.#isExact = (flags & FLAG.exact) !== 0
    this.#contextStart = (flags & FLAG.context) === 0 ? 0 : this.#skipVector()
    this.#dotsStart = (flags & FLAG.dots) === 0 ? 0 : this.#skipVector()
    this.#dependenciesStart = (flags & FLAG.dependencies) === 0 ? 0 : this.#skipVector()
    this.#fieldsStart = (flags & FLAG.fields) === 0 ? 0 : this.#skipFields()
    this.payloadStart = this.#at
    return this
  }

  /** Whether the writer had seen that operation of this key. */
  observed(replica: ReplicaId, sequence: number): boolean {
    if (replica === this.replica && !this.#isExact) return sequence < this.sequence
    if (this.#through(replica, sequence)) return true
    if (this.#dotsStart !== 0 && this.#hasDot(this.#table.bytes(replica), sequence)) return true
    return this.#ended.size > 0 && this.#ended.isSeen(replica, this.#through)
  }

  /**
   * Whether the writer had seen all operations of this key by `replica` up to there. Says no where
   * single dots might fill the gap.
   */
  observedThrough(replica: ReplicaId, sequence: number): boolean {
    if (replica === this.replica && !this.#isExact) return sequence < this.sequence
    if (this.#through(replica, sequence)) return true
    return this.#ended.size > 0 && this.#ended.isSeen(replica, this.#through)
  }

  /** What its vectors may leave out. */
  get ended(): EndedIds {
    return this.#ended
  }

  /** The causal context as it was written: without the writer's own entry, unless it is exact. */
  context(): (readonly [ReplicaId, number])[] {
    return this.#contextStart === 0 ? [] : this.#readVector(this.#contextStart)
  }

  /** Whether the writer had seen of its own earlier operations only what the context names. */
  get isExact(): boolean {
    return this.#isExact
  }

  /** Operations beyond the context that the writer had seen as well. */
  dots(): (readonly [ReplicaId, number])[] {
    return this.#dotsStart === 0 ? [] : this.#readVector(this.#dotsStart)
  }

  /** All that the writer had seen of this key, to be kept beyond the next `load`. */
  seen(): CausalContext {
    return new CausalContext().join(this)
  }

  get hasDependencies(): boolean {
    return this.#dependenciesStart !== 0
  }

  dependencies(): (readonly [ReplicaId, number])[] {
    return this.#dependenciesStart === 0 ? [] : this.#readVector(this.#dependenciesStart)
  }

  /**
   * Whether all dependencies are so. Stops at the first that is not, and makes no list of them: there
   * may be thousands, and they are asked each time that the operation is tried.
   */
  everyDependency(isSo: (replica: ReplicaId, sequence: number) => boolean): boolean {
    if (this.#dependenciesStart === 0) return true
    this.#at = this.#dependenciesStart
    for (let left = this.#varint(); left > 0; left--) {
      const replica = this.#table.read(this.bytes, this.#at)
      this.#at += REPLICA_ID_BYTES
      if (!isSo(replica, this.#varint())) return false
    }
    return true
  }

  /** Whether it has fields at all. */
  get hasFields(): boolean {
    return this.#fieldsStart !== 0
  }

  /** Dots under which the same operation was issued before, oldest first. */
  former(): readonly (readonly [ReplicaId, number])[] {
    return this.#field(FIELD.former, (body) => body.former()) ?? []
  }

  /**
   * Its first name: the dot under which it was issued first, if that is another one. Earlier builds
   * listed former names. Fields stand in the order of their tags, so one look tells whether there is
   * any of these.
   */
  origin(): Dot | undefined {
    if (this.#fieldsStart === 0 || this.bytes[this.#firstField]! > FIELD.origin) return undefined
    const origin = this.#field(FIELD.origin, (body) => body.dot())
    if (origin !== undefined) return origin
    const [first] = this.former()
    return first === undefined ? undefined : { replica: first[0], sequence: first[1] }
  }

  /** How long what it writes lives, ms; 0 if it does not say. */
  get lifeMs(): number {
    return this.#fieldsStart === 0 ? 0 : (this.#field(FIELD.life, (body) => body.life()) ?? 0)
  }

  /** How long beyond its life it may be served, ms; 0 if it does not say. */
  get graceMs(): number {
    return this.#fieldsStart === 0 ? 0 : (this.#field(FIELD.grace, (body) => body.life()) ?? 0)
  }

  /** The name under which rows of the primary store held it before it was an operation. */
  rowName(): Dot | undefined {
    return this.#field(FIELD.rowName, (body) => body.dot())
  }

  provenance(): Provenance | undefined {
    return this.#field(FIELD.provenance, (body) => body.provenance())
  }

  condition(): Condition | undefined {
    return this.#field(FIELD.condition, (body) => body.condition())
  }

  /** What it is of a transaction that all replicas see as one. */
  part(): TransactionPart | undefined {
    return this.isPart ? this.condition()?.transaction : undefined
  }

  writtenAt(): Hlc | undefined {
    return this.#field(FIELD.writtenAt, (body) => body.writtenAt())
  }

  /**
   * The bytes of all fields but those with the given tags, of unknown ones too. `undefined` if
   * there are none.
   */
  fieldsBeside(tags: readonly number[]): Uint8Array | undefined {
    const kept: number[] = []
    this.#eachField((tag, start, end) => {
      if (tags.includes(tag)) return
      const fieldStart = start - 1 - varintBytes(end - start)
      for (let at = fieldStart; at < end; at++) kept.push(this.bytes[at]!)
    })
    return kept.length === 0 ? undefined : Uint8Array.from(kept)
  }

  /** The tags of its fields, in their order. */
  tags(): number[] {
    const tags: number[] = []
    this.#eachField((tag) => void tags.push(tag))
    return tags
  }

  /**
   * Throws `WARP_E_PROTOCOL` if a field is malformed, or comes twice. Asked at the border: what has
   * been admitted is folded by everybody for ever, and a life or a former name that one build reads
   * and another one does not would part them.
   */
  checkFields(): void {
    const seen = new Set<number>()
    this.#eachField((tag, start, end) => {
      if (seen.has(tag)) throw malformed(`field ${tag} twice`, start - this.start)
      seen.add(tag)
      checkField(tag, this.#body(start, end))
    })
  }

  /** A field that the border would have refused counts as none. */
  #field<T>(wanted: number, read: (body: FieldBody) => T): T | undefined {
    if (this.#fieldsStart === 0) return undefined
    let value: T | undefined
    this.#eachField((tag, start, end) => {
      if (tag !== wanted || value !== undefined) return
      try {
        value = read(this.#body(start, end))
      } catch {
        value = undefined
      }
    })
    return value
  }

  #body(start: number, end: number): FieldBody {
    return new FieldBody(new ByteReader(this.bytes, start, end), this.#table)
  }

  /** The fields lie within bounds: `load` has walked over them. */
  #eachField(visit: (tag: number, start: number, end: number) => void): void {
    if (this.#fieldsStart === 0) return
    this.#at = this.#fieldsStart
    const bytes = this.#varint()
    for (const end = this.#at + bytes; this.#at < end;) {
      const tag = this.bytes[this.#at++]!
      const fieldBytes = this.#varint()
      const start = this.#at
      visit(tag, start, start + fieldBytes)
      this.#at = start + fieldBytes
    }
  }

  /** The same, by what the operation itself says. */
  readonly #through = (replica: ReplicaId, sequence: number): boolean => {
    if (replica === this.replica && !this.#isExact) return sequence < this.sequence
    return this.#contextStart !== 0 && sequence <= this.#entryOf(this.#table.bytes(replica))
  }

  #entryOf(wanted: Uint8Array): number {
    if (this.#contextStart === 0) return 0
    this.#at = this.#contextStart
    const count = this.#varint()
    for (let i = 0; i < count; i++) {
      const at = this.#at
      this.#at += REPLICA_ID_BYTES
      const seen = this.#varint()
      if (sameReplica(wanted, this.bytes, at)) return seen
    }
    return 0
  }

  #hasDot(wanted: Uint8Array, sequence: number): boolean {
    this.#at = this.#dotsStart
    const count = this.#varint()
    for (let i = 0; i < count; i++) {
      const at = this.#at
      this.#at += REPLICA_ID_BYTES
      if (this.#varint() === sequence && sameReplica(wanted, this.bytes, at)) return true
    }
    return false
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

  /** Walks over the fields: their lengths must add up. */
  #skipFields(): number {
    const start = this.#at
    const fieldsBytes = this.#varint()
    this.#firstField = this.#at
    if (fieldsBytes > this.end - this.#at) throw malformed('fields beyond the end', this.#at - this.start)
    if (fieldsBytes > FIELDS_BYTES_MAX) throw malformed(`fields of ${fieldsBytes} bytes`, start - this.start)
    for (const end = this.#at + fieldsBytes; this.#at < end;) {
      const tag = this.bytes[this.#at++]!
      const bytes = this.#varint()
      if (bytes > end - this.#at) throw malformed('a field beyond the end', this.#at - this.start)
      if (tag >= FIELD_BINDING_MIN) this.#noteBinding(tag, bytes)
      this.#at += bytes
    }
    return start
  }

  #noteBinding(tag: number, bytes: number): void {
    if (tag === FIELD.condition && bytes > 0 && this.bytes[this.#at] === CONDITION_PART.transaction) this.isPart = true
    else this.kind |= UNDERSTOOD_NOT
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

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++
  return bytes
}
