import { REPLICA_ID_BYTES } from '../../../crdt/time/replica-id.ts'
import { FRAME_BYTES_MAX } from '../../limits.ts'
import { FORMAT_LOWEST, Formats } from '../../operation/envelope/formats.ts'
import { ByteReader } from '../../operation/byte-reader.ts'
import { readHeld, readWanted } from './acknowledgement.ts'
import { readDigest, readDigestChange } from './digest.ts'
import {
  CHUNK_FLAG,
  FRAME_HEADER_BYTES,
  FRAME_KIND,
  malformedFrame,
  REQUEST_RANGES_MAX,
  SNAPSHOT_WINDOW_MAX,
  type Frame,
  type OperationRange,
  type Sender,
  type SnapshotChunk,
  type SnapshotRequest,
} from './frames.ts'
import { readHello } from './hello.ts'
import { IdReader } from './id-reader.ts'
import { readConfirmation, readRollCall } from './confirmation.ts'
import { readLeaseLeft, readLeaseWanted } from './lease-times.ts'
import { readHoldingsTold, readHoldingsWanted, readLoadFill, readLoadRequest, readRowsStored } from './load-frames.ts'
import { readMessage, readMessageHeads } from '../messages/message-frames.ts'
import { readMembers } from '../regions/member-rows.ts'
import { decodeOperations } from './operations-batch.ts'

/** Decodes frames. Throws `WARP_E_PROTOCOL`. */
export class FrameDecoder {
  readonly #ids = new IdReader()
  readonly #formats: Formats

  constructor(formats: Formats = new Formats()) {
    this.#formats = formats
  }

  decode(bytes: Uint8Array): Frame {
    if (bytes.length > FRAME_BYTES_MAX) {
      throw malformedFrame(`${bytes.length} bytes exceed the ${FRAME_BYTES_MAX} that a frame may have`, 0)
    }
    if (bytes.length < FRAME_HEADER_BYTES) throw malformedFrame('too short for a header', bytes.length)
    const format = bytes[0]!
    if (!this.#formats.reads(format)) {
      throw malformedFrame(
        `a frame of format ${format}; this build reads ${FORMAT_LOWEST} to ${this.#formats.highest}; upgrade the older replica`,
        0,
      )
    }
    const reader = new ByteReader(bytes)
    reader.skip(2)
    const sender: Sender = { replica: this.#ids.replica(reader), session: reader.u32() }
    return this.#body(bytes[1] ?? 0, sender, reader)
  }

  #body(code: number, sender: Sender, reader: ByteReader): Frame {
    switch (code) {
      case FRAME_KIND.digest:
        return { kind: 'digest', sender, ...readDigest(reader, this.#ids) }
      case FRAME_KIND.operations:
        return decodeOperations(sender, reader)
      case FRAME_KIND.request:
        return { kind: 'request', sender, ...this.#request(reader) }
      case FRAME_KIND.snapshotRequest:
        return { kind: 'snapshot-request', sender, ...decodeSnapshotRequest(reader) }
      case FRAME_KIND.snapshotChunk:
        return { kind: 'snapshot-chunk', sender, ...this.#snapshotChunk(reader) }
      case FRAME_KIND.digestChange:
        return { kind: 'digest-change', sender, ...readDigestChange(reader, this.#ids) }
      case FRAME_KIND.hello:
        return { kind: 'hello', sender, ...readHello(reader) }
      default:
        return this.#conversation(code, sender, reader)
    }
  }

  /** What replicas tell each other of what they hold, and of leases. */
  #conversation(code: number, sender: Sender, reader: ByteReader): Frame {
    switch (code) {
      case FRAME_KIND.wanted:
        return { kind: 'wanted', sender, wanted: readWanted(reader, this.#ids) }
      case FRAME_KIND.held:
        return { kind: 'held', sender, held: readHeld(reader, this.#ids) }
      case FRAME_KIND.confirmation:
        return { kind: 'confirmation', sender, ...readConfirmation(reader, this.#ids) }
      case FRAME_KIND.rollCall:
        return { kind: 'roll-call', sender, ...readRollCall(reader) }
      case FRAME_KIND.leaseWanted:
        return { kind: 'lease-wanted', sender, ...readLeaseWanted(reader) }
      case FRAME_KIND.leaseLeft:
        return { kind: 'lease-left', sender, ...readLeaseLeft(reader, this.#ids) }
      case FRAME_KIND.loadRequest:
        return { kind: 'load-request', sender, ...readLoadRequest(reader, this.#ids) }
      case FRAME_KIND.loadFill:
        return { kind: 'load-fill', sender, ...readLoadFill(reader, this.#ids) }
      case FRAME_KIND.rowsStored:
        return { kind: 'rows-stored', sender, rows: readRowsStored(reader, this.#ids) }
      default:
        return this.#holdings(code, sender, reader)
    }
  }

  /** What replicas ask and tell each other of copies, messages, and relays of members. */
  #holdings(code: number, sender: Sender, reader: ByteReader): Frame {
    switch (code) {
      case FRAME_KIND.holdingsWanted:
        return { kind: 'holdings-wanted', sender, ...readHoldingsWanted(reader) }
      case FRAME_KIND.holdingsTold:
        return { kind: 'holdings-told', sender, ...readHoldingsTold(reader, this.#ids) }
      case FRAME_KIND.message:
        return { kind: 'message', sender, message: readMessage(reader) }
      case FRAME_KIND.messageHeads:
        return { kind: 'message-heads', sender, heads: readMessageHeads(reader) }
      case FRAME_KIND.members:
        return { kind: 'members', sender, members: readMembers(reader, this.#ids) }
      default:
        return { kind: 'unknown', sender, code }
    }
  }

  #request(reader: ByteReader): { number: number; ranges: OperationRange[] } {
    const number = reader.varint()
    const count = reader.count(REQUEST_RANGES_MAX, REPLICA_ID_BYTES + 2)
    const ranges: OperationRange[] = []
    for (let i = 0; i < count; i++) {
      const range = { replica: this.#ids.replica(reader), from: reader.varint(), to: reader.varint() }
      if (range.from < 1 || range.to < range.from) throw reader.malformed('a range that is no range')
      ranges.push(range)
    }
    reader.mustBeAtEnd()
    return { number, ranges }
  }

  #snapshotChunk(reader: ByteReader): SnapshotChunk {
    const flags = reader.u8()
    const [transfer, offer, index] = [reader.u32(), reader.u32(), reader.varint()]
    const vector = (flags & CHUNK_FLAG.vector) === 0 ? undefined : this.#ids.vector(reader)
    if (index === 0 && vector === undefined && (flags & CHUNK_FLAG.refused) === 0) {
      throw reader.malformed('a first chunk without its vector')
    }
    const length = reader.varint()
    const at = reader.skip(length)
    reader.mustBeAtEnd()
    const [last, refused] = [(flags & CHUNK_FLAG.last) !== 0, (flags & CHUNK_FLAG.refused) !== 0]
    return { transfer, offer, index, last, refused, vector, bytes: reader.bytes.subarray(at, at + length) }
  }
}

function decodeSnapshotRequest(reader: ByteReader): SnapshotRequest {
  const transfer = reader.u32()
  const body = { transfer, acknowledged: reader.varint(), from: reader.varint(), count: reader.varint() }
  if (body.count < 1 || body.count > SNAPSHOT_WINDOW_MAX) throw reader.malformed(`a window of ${body.count} chunks`)
  const ahead = body.from - body.acknowledged
  if (ahead < 0 || ahead >= SNAPSHOT_WINDOW_MAX) throw reader.malformed('a chunk outside the window')
  reader.mustBeAtEnd()
  return body
}
