/**
 * Finds valid records in bytes of which nothing is known, at every offset. A candidate must have a kind, a length and a link that
 * are possible before its checksum is computed; text and zeros fail at the first byte, so the search costs about a
 * nanosecond a byte. The checksum depends on the offset, so a false find has a chance of 2^-32.
 */
import type { Position } from './segment-format.ts'
import { checkRecord, RECORD_HEADER_BYTES, RecordView, viewOf } from './segment-format.ts'

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
  for (let at = searched.from; at <= last; ) {
    const kind = bytes[at + 4]!
    place.offset = at
    const length = kind === 0 || kind > 31 ? 0 : checkRecord(bytes, view, at, bytes.length, place)
    if (length === 0) {
      at++
      continue
    }
    record.load(bytes, view, at, base + at)
    visit(record)
    at += length
  }
}
