/**
 * Finds valid records in bytes of which nothing is known, at every offset. A candidate must have a
 * kind, a length and a link that are possible before its checksum is computed; text and zeros fail
 * at the first byte, so the search costs about a nanosecond a byte. The checksum depends on the
 * offset, so a false find has a chance of 2^-32.
 */
import type { Position } from '../../operation/position.ts'
import { checkRecord, RECORD_HEADER_BYTES, RecordView, viewOf } from '../segments/segment-format.ts'

export interface SearchedBytes {
  readonly bytes: Uint8Array
  readonly from: number
  /** Of a segment that was never rewritten: offsets in the file are those in positions. */
  readonly base: Position
  readonly salt: number
}

export function searchRecords(searched: SearchedBytes, visit: (record: RecordView) => void): void {
  const { bytes, base, salt } = searched
  const view = viewOf(bytes)
  const record = new RecordView()
  const place = { base, salt, offset: 0 }
  const last = bytes.length - RECORD_HEADER_BYTES
  for (let at = searched.from; at <= last;) {
    const kind = bytes[at + 4]!
    // Almost every offset fails here: by its kind, or by the highest byte of its length.
    if (kind === 0 || kind > 31 || bytes[at + 5]! > (last - at) >>> 16) {
      at++
      continue
    }
    place.offset = at
    const length = checkRecord(view, at, bytes.length, place)
    if (length === 0) {
      at++
      continue
    }
    record.load(bytes, view, at, base + at)
    visit(record)
    at += length
  }
}
