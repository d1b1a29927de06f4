/**
 * A frame that is larger than a message may be goes in parts, one behind the other. A part: number of
 * the frame (4 bytes), its bytes in all (4), where the part begins (4), the part.
 */
import { FRAME_BYTES_MAX } from '../../src/limits.ts'

export const PART_HEAD_BYTES = 12

export interface FramePart {
  readonly frame: number
  readonly frameBytes: number
  readonly at: number
  /** A view. */
  readonly bytes: Uint8Array
}

/** `most`: bytes of a part, without its head. Views of `frame`. */
export function* partsOf(frame: Uint8Array, number: number, most: number): Generator<FramePart> {
  for (let at = 0; at < frame.length; at += most)
    yield { frame: number, frameBytes: frame.length, at, bytes: frame.subarray(at, at + most) }
}

/** Needs `PART_HEAD_BYTES` and the part's bytes of room from `offset` on. */
export function writePart(into: Uint8Array, offset: number, { frame, frameBytes, at, bytes }: FramePart): void {
  const view = new DataView(into.buffer, into.byteOffset, into.byteLength)
  view.setUint32(offset, frame)
  view.setUint32(offset + 4, frameBytes)
  view.setUint32(offset + 8, at)
  into.set(bytes, offset + PART_HEAD_BYTES)
}

/** `undefined` if it is malformed. */
export function readPart(bytes: Uint8Array): FramePart | undefined {
  if (bytes.length <= PART_HEAD_BYTES) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [frame, frameBytes, at] = [view.getUint32(0), view.getUint32(4), view.getUint32(8)]
  const part = bytes.subarray(PART_HEAD_BYTES)
  if (frameBytes > FRAME_BYTES_MAX || at + part.length > frameBytes) return undefined
  return { frame, frameBytes, at, bytes: part }
}
