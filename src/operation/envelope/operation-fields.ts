/**
 * What an operation says of itself beside its payload, all of it optional: see `FIELD` for the
 * tags.
 */
import { shownValue } from '../../../crdt/shown-kind.ts'
import { isNumberFrom } from '../../../crdt/checked-options.ts'
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { Hlc } from '../../../crdt/time/hlc.ts'
import { isSameDot, type Dot } from '../../../crdt/time/dot.ts'
import { REPLICA_ID_BYTES, type ReplicaId } from '../../../crdt/time/replica-id.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { FIELDS_BYTES_MAX, LIFE_MS_MAX } from '../../limits.ts'
import type { ByteReader } from '../byte-reader.ts'
import { FIELD } from './format.ts'
import type { ReplicaTable } from '../replica-table.ts'
import { writeEntries, type VectorEntries } from './vector-entries.ts'

/**
 * What has to be true, where the operation's place in an ordered log is reached, for it to count.
 */
export interface Condition {
  /** The key's version; 0: the key does not exist. */
  readonly version?: number
  /** The token of the lock that its writer holds. */
  readonly fence?: number
  /** All operations of a transaction count, or none of them. */
  readonly transaction?: TransactionPart
}

/**
 * What an operation is of a transaction. Its operations have consecutive numbers, and become visible
 * together.
 */
export interface TransactionPart {
  /** Names the transaction: its first operation, as it was issued first. */
  readonly id: Dot
  /** From 0. */
  readonly index: number
  readonly count: number
}

/** Whether the operation behind the one with `part` is the next one of its transaction. */
export function goesOn(part: TransactionPart, next: TransactionPart | undefined): boolean {
  return next !== undefined && next.index === part.index + 1 && next.count === part.count && isSameDot(next.id, part.id)
}

/** For whom a member has written. */
export interface Provenance {
  /** Eight bytes in hexadecimal, like the id of a replica. */
  readonly guest: ReplicaId
  /** Counts the guest's own operations, from 1. */
  readonly sequence: number
  readonly principal: string
}

/** What is not given costs nothing. */
export interface OperationFields {
  /** Dots under which the operation was issued before, oldest first. */
  readonly former?: VectorEntries | undefined
  /** The dot under which it was issued first. */
  readonly origin?: Dot | undefined
  /**
   * How long what it writes lives, whole ms from 1 to `LIFE_MS_MAX`; without, as long as its key
   * pattern says.
   */
  readonly lifeMs?: number | undefined
  readonly graceMs?: number | undefined
  /** The name under which rows of the primary store held it before it was an operation. */
  readonly rowName?: Dot | undefined
  readonly provenance?: Provenance | undefined
  readonly condition?: Condition | undefined
  readonly writtenAt?: Hlc | undefined
  /** Other fields as bytes, as `OperationReader.fieldsBeside` gives them. */
  readonly others?: Uint8Array | undefined
}

/**
 * Fields are put together here, since their length comes first: a write with a life of its own would
 * allocate twice otherwise. Nothing that writes a field writes another operation.
 */
const ALL = new ByteWriter()
const BODY = new ByteWriter()

export const CONDITION_PART = { version: 1, fence: 2, transaction: 4 } as const
const CONDITION_PARTS_KNOWN = 7

/**
 * Writes the length of the fields and the fields, by ascending tag. Throws `WARP_E_LIMIT`,
 * `WARP_E_CONFIG` for what no reader would take.
 */
export function writeFields(writer: ByteWriter, fields: OperationFields, table: ReplicaTable): void {
  const all = ALL
  all.reset()
  const { former, origin, lifeMs, graceMs, provenance, rowName, condition, writtenAt, others } = fields
  if (former !== undefined && former.length > 0)
    writeField(all, FIELD.former, (body) => writeEntries(body, former, table))
  if (origin !== undefined) writeField(all, FIELD.origin, (body) => writeDot(body, origin, table))
  if (lifeMs !== undefined) writeField(all, FIELD.life, (body) => body.varint(checkedLife(lifeMs)))
  if (graceMs !== undefined) writeField(all, FIELD.grace, (body) => body.varint(checkedLife(graceMs)))
  if (provenance !== undefined)
    writeField(all, FIELD.provenance, (body) => {
      body.raw(table.bytes(provenance.guest))
      body.varint(provenance.sequence)
      body.text(provenance.principal)
    })
  if (rowName !== undefined) writeField(all, FIELD.rowName, (body) => writeDot(body, rowName, table))
  if (condition !== undefined) writeField(all, FIELD.condition, (body) => writeCondition(body, condition, table))
  if (writtenAt !== undefined) writeField(all, FIELD.writtenAt, (body) => body.u64(writtenAt))
  if (others !== undefined) all.raw(others)
  if (all.at > FIELDS_BYTES_MAX) throw tooLong(all.at)
  writer.varint(all.at)
  writer.raw(all.bytes, 0, all.at)
}

function writeField(writer: ByteWriter, tag: number, write: (body: ByteWriter) => void): void {
  BODY.reset()
  write(BODY)
  writer.u8(tag)
  writer.varint(BODY.at)
  writer.raw(BODY.bytes, 0, BODY.at)
}

function writeDot(writer: ByteWriter, { replica, sequence }: Dot, table: ReplicaTable): void {
  writer.raw(table.bytes(replica))
  writer.varint(sequence)
}

function writeCondition(writer: ByteWriter, { version, fence, transaction }: Condition, table: ReplicaTable): void {
  writer.u8(
    (version === undefined ? 0 : CONDITION_PART.version) |
      (fence === undefined ? 0 : CONDITION_PART.fence) |
      (transaction === undefined ? 0 : CONDITION_PART.transaction),
  )
  if (version !== undefined) writer.varint(version)
  if (fence !== undefined) writer.varint(fence)
  if (transaction === undefined) return
  writeDot(writer, transaction.id, table)
  writer.varint(transaction.index)
  writer.varint(transaction.count)
}

/** A life as it is written: whole milliseconds. Throws `WARP_E_LIMIT`. */
export function checkedLife(lifeMs: number): number {
  if (isNumberFrom(lifeMs, 1, LIFE_MS_MAX)) return Math.ceil(lifeMs)
  throw new WarpError(
    'WARP_E_LIMIT',
    `ttlMs is ${shownValue(lifeMs)}; a life lasts from 1 ms to ${LIFE_MS_MAX} ms (100 years); leave ttlMs out for a value that stays`,
    { details: { ttlMs: lifeMs, limit: LIFE_MS_MAX } },
  )
}

function tooLong(bytes: number): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `the fields of an operation would take ${bytes} bytes; the limit is ${FIELDS_BYTES_MAX}; give a shorter principal`,
    { details: { bytes, limit: FIELDS_BYTES_MAX } },
  )
}

/**
 * The body of one field. Everything throws `WARP_E_PROTOCOL` if the bytes are not what the field is
 * made of.
 */
export class FieldBody {
  readonly #reader: ByteReader
  readonly #table: ReplicaTable

  constructor(reader: ByteReader, table: ReplicaTable) {
    this.#reader = reader
    this.#table = table
  }

  former(): VectorEntries {
    const entries: (readonly [ReplicaId, number])[] = []
    while (!this.#reader.isAtEnd) {
      const { replica, sequence } = this.#dot()
      entries.push([replica, sequence])
    }
    return entries
  }

  /** The first name, or the one in rows of the primary store. */
  dot(): Dot {
    return this.#whole(this.#dot())
  }

  life(): number {
    const lifeMs = this.#reader.varint()
    if (lifeMs < 1 || lifeMs > LIFE_MS_MAX) throw this.#reader.malformed(`a life of ${lifeMs} ms`)
    return this.#whole(lifeMs)
  }

  provenance(): Provenance {
    const { replica: guest, sequence } = this.#dot()
    return this.#whole({ guest, sequence, principal: this.#reader.text() })
  }

  condition(): Condition {
    const parts = this.#reader.u8()
    if ((parts & ~CONDITION_PARTS_KNOWN) !== 0)
      throw this.#reader.malformed('a part of a condition that this format does not have')
    return this.#whole({
      ...((parts & CONDITION_PART.version) === 0 ? {} : { version: this.#reader.varint() }),
      ...((parts & CONDITION_PART.fence) === 0 ? {} : { fence: this.#reader.varint() }),
      ...((parts & CONDITION_PART.transaction) === 0 ? {} : { transaction: this.#transaction() }),
    })
  }

  writtenAt(): Hlc {
    const high = this.#reader.u32()
    if (high > 0x1fffff) throw this.#reader.malformed('a stamp beyond 2^53')
    return this.#whole(high * 4_294_967_296 + this.#reader.u32())
  }

  #transaction(): NonNullable<Condition['transaction']> {
    const transaction = { id: this.#dot(), index: this.#reader.varint(), count: this.#reader.varint() }
    if (transaction.index < transaction.count) return transaction
    throw this.#reader.malformed(`operation ${transaction.index} of a transaction of ${transaction.count}`)
  }

  #dot(): Dot {
    const replica = this.#table.read(this.#reader.bytes, this.#reader.skip(REPLICA_ID_BYTES))
    const sequence = this.#reader.varint()
    if (sequence === 0) throw this.#reader.malformed('sequence 0')
    return { replica, sequence }
  }

  #whole<T>(value: T): T {
    this.#reader.mustBeAtEnd()
    return value
  }
}

/** Throws `WARP_E_PROTOCOL` if a field of a known tag is malformed. */
export function checkField(tag: number, body: FieldBody): void {
  switch (tag) {
    case FIELD.former:
      body.former()
      return
    case FIELD.origin:
    case FIELD.rowName:
      body.dot()
      return
    case FIELD.life:
    case FIELD.grace:
      body.life()
      return
    case FIELD.provenance:
      body.provenance()
      return
    case FIELD.condition:
      body.condition()
      return
    case FIELD.writtenAt:
      body.writtenAt()
      return
    default:
      return
  }
}
