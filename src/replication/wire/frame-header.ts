/** What every frame begins with: the format, the kind and the sender. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import { FORMAT_VERSION } from '../../operation/format.ts'
import type { Sender } from './frames.ts'

export function writeFrameHeader(writer: ByteWriter, kind: number, sender: Sender, table: ReplicaTable): void {
  writer.u8(FORMAT_VERSION)
  writer.u8(kind)
  writer.raw(table.bytes(sender.replica))
  writer.u32(sender.session)
}
