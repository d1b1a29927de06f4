/**
 * Which operations a damaged log has lost. The log itself cannot be opened then, so the records
 * that are still valid are searched, at every byte of every segment, and what they leave out is
 * reported by dot.
 */
import { isOrderedId } from '../operation/names/ordered-id.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import type { Env } from '../ports/env.ts'
import type { Keyspaces } from '../keys/keyspace.ts'
import type { LogFiles } from '../ports/files.ts'
import { searchRecords } from '../log/opening/record-search.ts'
import {
  checkRecord,
  KIND_JUMP,
  RECORD_KIND,
  RecordView,
  SEGMENT_HEADER_BYTES,
  segmentOf,
  TWO_POW_32,
  viewOf,
} from '../log/segments/segment-format.ts'
import { listStored, type StoredSegment } from '../log/opening/stored-files.ts'
import { readEnded, readMeta, saysWhoEnded } from '../store/meta-record.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import { Recovered } from '../store/recovered.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { DotTable } from './dot-table.ts'
import { reportGap, type Report } from './structure.ts'

export interface SalvageOptions {
  readonly files: LogFiles
  readonly env: Env
  readonly table: ReplicaTable
  readonly keyspaces: Keyspaces
  /** The body of the newest good checkpoint, which knows how far the log went. */
  readonly checkpoint: Uint8Array | undefined
  readonly report: Report
}

/** Reports what is missing. Does nothing if not even the headers of the segments can be read. */
export async function salvage(options: SalvageOptions): Promise<void> {
  const segments = storedSegments(options.files, options.table.formats.highest)
  const survey = new Survey(options)
  for (const segment of segments) {
    const file = options.files.open(segment.name)
    const bytes = file.read(0, file.size)
    file.close()
    eachValidRecord(segment, bytes, (record) => survey.visit(record))
    await options.env.yield()
  }
  survey.finish()
}

function storedSegments(files: LogFiles, format: number): StoredSegment[] {
  try {
    return listStored(files, format).segments.filter(({ header }) => header !== undefined)
  } catch (error) {
    if (isWarpError(error, 'WARP_E_LOG_CORRUPT')) return []
    throw error
  }
}

class Survey {
  readonly #dots = new DotTable()
  readonly #reader: OperationReader
  readonly #options: SalvageOptions
  readonly #applied = new VersionVector()
  readonly #floor = new VersionVector()
  #local = ''

  constructor(options: SalvageOptions) {
    this.#options = options
    this.#reader = new OperationReader(options.table)
    if (options.checkpoint === undefined) return
    const known = new Recovered(options.keyspaces, options.table)
    known.restoreNow(options.checkpoint)
    this.#applied.join(known.applied)
    this.#floor.join(known.floor)
    this.#local = known.meta?.local ?? ''
  }

  visit(record: RecordView): void {
    const { bytes, start, end, kind, position } = record
    try {
      if (kind === RECORD_KIND.operation) {
        const { replica, sequence, hlc } = this.#reader.load(bytes, start, end)
        this.#dots.note(replica, sequence, { position, hlc })
        this.#applied.raise(replica, sequence)
      }
      if (kind !== RECORD_KIND.meta) return
      const { ended } = this.#options.table
      if (saysWhoEnded(bytes, start)) {
        ended.join(readEnded(new ByteReader(bytes, start, end), this.#options.table))
        return
      }
      const meta = readMeta(new ByteReader(bytes, start, end), this.#options.table)
      this.#applied.join(meta.applied)
      this.#floor.join(meta.floor)
      this.#local = meta.local
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
    }
  }

  finish(): void {
    // Of what is pruned, nothing says any more what compaction has taken.
    for (const [replica, through] of this.#options.table.ended.stripped(this.#applied).entries()) {
      // Nothing says of what an ordered log has given whether compaction has taken it.
      if (isOrderedId(replica)) continue
      const after = replica === this.#local ? 0 : this.#floor.get(replica)
      for (const gap of this.#dots.gaps(replica, after, through)) reportGap(this.#options.report, replica, gap)
    }
  }
}

function eachValidRecord({ header }: StoredSegment, bytes: Uint8Array, visit: (record: RecordView) => void): void {
  if (header === undefined) return
  const place = { base: header.number * TWO_POW_32, salt: header.salt }
  if (header.rewrittenAt === 0) searchRecords({ bytes, from: SEGMENT_HEADER_BYTES, ...place }, visit)
  else walkRecords(bytes, { ...place, offset: SEGMENT_HEADER_BYTES }, visit)
}

/**
 * Of a rewritten segment: offsets follow from what came before, so what is behind damage cannot be
 * found.
 */
function walkRecords(
  bytes: Uint8Array,
  place: { readonly base: number; readonly salt: number; offset: number },
  visit: (record: RecordView) => void,
): void {
  const view = viewOf(bytes)
  const record = new RecordView()
  for (let at = SEGMENT_HEADER_BYTES; ;) {
    const length = checkRecord(view, at, bytes.length, place)
    if (length === 0) return
    record.load(bytes, view, at, place.base + place.offset)
    at += length
    if (record.kind !== KIND_JUMP) {
      visit(record)
      place.offset += length
    } else if (segmentOf(record.previous) * TWO_POW_32 === place.base) place.offset = record.previous >>> 0
    else return
  }
}
