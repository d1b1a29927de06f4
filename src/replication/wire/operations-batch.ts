/**
 * Frames of operations: filled one by one where they are sent, taken apart without copying where
 * they arrive.
 */
import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import { BATCH_OPERATIONS_MAX } from '../../limits.ts'
import type { ByteReader } from '../../operation/byte-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import { RECORD_HEADER_BYTES, RECORD_KIND } from '../../log/segments/segment-format.ts'
import { writeFrameHeader } from './frame-header.ts'
import { FRAME_HEADER_BYTES, FRAME_KIND, type OperationsFrame, type Sender } from './frames.ts'

const OPERATIONS_END = 1
/** Where a record's kind stands in its header; three bytes of length follow. */
const KIND_AT = 4
/** See the log's segment format. */
const KIND_GROUP_GOES_ON = 16

/** One frame of operations that is being filled. */
export class OperationsBatch {
  readonly #writer = new ByteWriter(1024)
  readonly #table: ReplicaTable
  #count = 0

  constructor(table: ReplicaTable) {
    this.#table = table
  }

  get count(): number {
    return this.#count
  }

  get bytesCount(): number {
    return this.#writer.at
  }

  begin(sender: Sender, number: number): void {
    this.#writer.reset()
    this.#count = 0
    writeFrameHeader(this.#writer, FRAME_KIND.operations, sender, this.#table)
    this.#writer.u8(0)
    this.#writer.varint(number)
  }

  /** Whether one more envelope of that size fits into a frame of `frameBytesMax`. */
  fits(envelopeBytes: number, frameBytesMax: number): boolean {
    return this.#count < BATCH_OPERATIONS_MAX && this.#writer.at + RECORD_HEADER_BYTES + envelopeBytes <= frameBytesMax
  }

  add(bytes: Uint8Array, start: number, end: number): void {
    const writer = this.#writer
    writer.ensure(RECORD_HEADER_BYTES)
    const { view, at } = writer
    view.setUint32(at, 0)
    view.setUint32(at + 4, ((RECORD_KIND.operation << 24) | (end - start)) >>> 0)
    view.setUint32(at + 8, 0)
    view.setUint32(at + 12, 0)
    writer.at = at + RECORD_HEADER_BYTES
    writer.raw(bytes, start, end)
    this.#count++
  }

  /** The frame: a view that is valid until the next `begin`. */
  finish(end: boolean): Uint8Array {
    this.#writer.bytes[FRAME_HEADER_BYTES] = end ? OPERATIONS_END : 0
    return this.#writer.bytes.subarray(0, this.#writer.at)
  }
}

export function decodeOperations(sender: Sender, reader: ByteReader): OperationsFrame {
  const flags = reader.u8()
  const number = reader.varint()
  const bounds: number[] = []
  while (!reader.isAtEnd) {
    if (bounds.length === BATCH_OPERATIONS_MAX * 2) {
      throw reader.malformed(`more than ${BATCH_OPERATIONS_MAX} operations in one batch`)
    }
    const header = reader.skip(RECORD_HEADER_BYTES) + KIND_AT
    // A record of a group that goes on is an operation like any other here.
    if ((reader.bytes[header]! & ~KIND_GROUP_GOES_ON) !== RECORD_KIND.operation) {
      throw reader.malformed(`a record of kind ${reader.bytes[header]} among operations`)
    }
    const { bytes } = reader
    const length = (bytes[header + 1]! << 16) | (bytes[header + 2]! << 8) | bytes[header + 3]!
    const start = reader.skip(length)
    bounds.push(start, start + length)
  }
  return { kind: 'operations', sender, number, end: (flags & OPERATIONS_END) !== 0, bytes: reader.bytes, bounds }
}
