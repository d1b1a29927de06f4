/** What every frame begins with: the format, the kind and the sender. */
import type { ByteWriter } from '../../../crdt/encoding/byte-writer.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import { FORMAT_LOWEST } from '../../operation/envelope/formats.ts'
import { FRAME_KIND, type Sender } from './frames.ts'

export function writeFrameHeader(writer: ByteWriter, kind: number, sender: Sender, table: ReplicaTable): void {
  // A hello says who reads what, so everybody has to be able to read it.
  writer.u8(kind === FRAME_KIND.hello ? FORMAT_LOWEST : table.formats.written)
  writer.u8(kind)
  writer.raw(table.bytes(sender.replica))
  writer.u32(sender.session)
}
