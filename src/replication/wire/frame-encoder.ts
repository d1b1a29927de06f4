import { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import { writeVector } from '../../operation/envelope/vector-entries.ts'
import { writeHeld, writeWanted } from './acknowledgement.ts'
import { writeDigest, writeDigestChange } from './digest.ts'
import { writeFrameHeader } from './frame-header.ts'
import { writeHello } from './hello.ts'
import { writeLeaseLeft, writeLeaseWanted } from './lease-times.ts'
import {
  writeHoldingsTold,
  writeHoldingsWanted,
  writeLoadFill,
  writeLoadRequest,
  writeRowsStored,
} from './load-frames.ts'
import { writeMessage, writeMessageHeads } from '../messages/message-frames.ts'
import { writeMembers } from '../regions/member-rows.ts'
import type { StoredRow } from '../../ports/talk/load-talk.ts'
import type { SentMessage, ToldHead } from '../../ports/talk/message-talk.ts'
import { writeConfirmation, writeRollCall } from './confirmation.ts'
import {
  CHUNK_FLAG,
  FRAME_KIND,
  type HoldingsToldFrame,
  type HoldingsWantedFrame,
  type LeaseLeftFrame,
  type LeaseWantedFrame,
  type LoadFillFrame,
  type LoadRequestFrame,
  type MemberRow,
  type Digest,
  type DigestChange,
  type HeldOperations,
  type Hello,
  type OperationRange,
  type Confirmation,
  type Sender,
  type SnapshotChunk,
  type SnapshotRequest,
  type RollCall,
  type WantedAcknowledgement,
} from './frames.ts'

/** Encodes frames of one sender. Each call returns a view that is valid until the next one. */
export class FrameEncoder {
  readonly #writer = new ByteWriter(1024)
  readonly #table: ReplicaTable
  readonly #sender: () => Sender

  constructor(table: ReplicaTable, sender: () => Sender) {
    this.#table = table
    this.#sender = sender
  }

  /** `number`: by which changes refer to it; 0 if none will. */
  digest(digest: Digest, number = 0): Uint8Array {
    writeDigest(this.#begin(FRAME_KIND.digest), digest, number, this.#table)
    return this.#finish()
  }

  digestChange(change: DigestChange): Uint8Array {
    writeDigestChange(this.#begin(FRAME_KIND.digestChange), change, this.#table)
    return this.#finish()
  }

  request(number: number, ranges: readonly OperationRange[]): Uint8Array {
    const writer = this.#begin(FRAME_KIND.request)
    writer.varint(number)
    writer.varint(ranges.length)
    for (const range of ranges) {
      writer.raw(this.#table.bytes(range.replica))
      writer.varint(range.from)
      writer.varint(range.to)
    }
    return this.#finish()
  }

  snapshotRequest(request: SnapshotRequest): Uint8Array {
    const writer = this.#begin(FRAME_KIND.snapshotRequest)
    writer.u32(request.transfer)
    writer.varint(request.acknowledged)
    writer.varint(request.from)
    writer.varint(request.count)
    return this.#finish()
  }

  snapshotChunk(chunk: SnapshotChunk): Uint8Array {
    const writer = this.#begin(FRAME_KIND.snapshotChunk)
    const withVector = chunk.vector === undefined ? 0 : CHUNK_FLAG.vector
    writer.u8((chunk.last ? CHUNK_FLAG.last : 0) | withVector | (chunk.refused ? CHUNK_FLAG.refused : 0))
    writer.u32(chunk.transfer)
    writer.u32(chunk.offer)
    writer.varint(chunk.index)
    if (chunk.vector !== undefined) writeVector(writer, chunk.vector.sorted(), this.#table)
    // A frame that was cut short would otherwise be a shorter chunk, and the snapshot lack
    // something.
    writer.varint(chunk.bytes.length)
    writer.raw(chunk.bytes)
    return this.#finish()
  }

  hello(hello: Hello): Uint8Array {
    writeHello(this.#begin(FRAME_KIND.hello), hello)
    return this.#finish()
  }

  /** At most {@link ACKNOWLEDGEMENTS_MAX} entries. */
  wanted(wanted: readonly WantedAcknowledgement[]): Uint8Array {
    writeWanted(this.#begin(FRAME_KIND.wanted), wanted, this.#table)
    return this.#finish()
  }

  /** At most {@link ACKNOWLEDGEMENTS_MAX} entries. */
  held(held: readonly HeldOperations[]): Uint8Array {
    writeHeld(this.#begin(FRAME_KIND.held), held, this.#table)
    return this.#finish()
  }

  confirmation(confirmation: Confirmation): Uint8Array {
    writeConfirmation(this.#begin(FRAME_KIND.confirmation), confirmation, this.#table)
    return this.#finish()
  }

  rollCall(rollCall: RollCall): Uint8Array {
    writeRollCall(this.#begin(FRAME_KIND.rollCall), rollCall)
    return this.#finish()
  }

  /** At most {@link LEASES_PER_FRAME_MAX} of them. */
  leaseWanted(wanted: LeaseWantedFrame): Uint8Array {
    writeLeaseWanted(this.#begin(FRAME_KIND.leaseWanted), wanted)
    return this.#finish()
  }

  /** At most {@link LEASES_PER_FRAME_MAX} of them. */
  leaseLeft(left: LeaseLeftFrame): Uint8Array {
    writeLeaseLeft(this.#begin(FRAME_KIND.leaseLeft), left, this.#table)
    return this.#finish()
  }

  loadRequest(request: LoadRequestFrame): Uint8Array {
    writeLoadRequest(this.#begin(FRAME_KIND.loadRequest), request, this.#table)
    return this.#finish()
  }

  loadFill(fill: LoadFillFrame): Uint8Array {
    writeLoadFill(this.#begin(FRAME_KIND.loadFill), fill, this.#table)
    return this.#finish()
  }

  /** At most {@link ROWS_PER_FRAME_MAX} of them. */
  rowsStored(rows: readonly StoredRow[]): Uint8Array {
    writeRowsStored(this.#begin(FRAME_KIND.rowsStored), rows, this.#table)
    return this.#finish()
  }

  holdingsWanted(wanted: HoldingsWantedFrame): Uint8Array {
    writeHoldingsWanted(this.#begin(FRAME_KIND.holdingsWanted), wanted)
    return this.#finish()
  }

  holdingsTold(told: HoldingsToldFrame): Uint8Array {
    writeHoldingsTold(this.#begin(FRAME_KIND.holdingsTold), told, this.#table)
    return this.#finish()
  }

  message(message: SentMessage): Uint8Array {
    writeMessage(this.#begin(FRAME_KIND.message), message)
    return this.#finish()
  }

  /** At most {@link HEADS_PER_FRAME_MAX} of them. */
  messageHeads(heads: readonly ToldHead[]): Uint8Array {
    writeMessageHeads(this.#begin(FRAME_KIND.messageHeads), heads)
    return this.#finish()
  }

  members(members: readonly MemberRow[]): Uint8Array {
    writeMembers(this.#begin(FRAME_KIND.members), members, this.#table)
    return this.#finish()
  }

  #begin(kind: number): ByteWriter {
    this.#writer.reset()
    writeFrameHeader(this.#writer, kind, this.#sender(), this.#table)
    return this.#writer
  }

  #finish(): Uint8Array {
    return this.#writer.bytes.subarray(0, this.#writer.at)
  }
}
