/**
 * Reads everything that is stored once more, from the disk and not from RAM, and reports damage.
 * Run it now and then: bits rot in files that nobody reads, and damage should be found while a good
 * copy still exists elsewhere. It takes one segment at a time and lets other work run after each
 * segment.
 */
import type { Env } from '../ports/env.ts'
import type { SegmentSet } from './segments/segment-set.ts'
import type { Segment } from './segments/segment.ts'
import { checkpointNumber, decodeCheckpoint } from './opening/checkpoint.ts'
import {
  checkRecord,
  decodeSegmentHeader,
  isZero,
  KIND_JUMP,
  SEGMENT_HEADER_BYTES,
  TWO_POW_32,
  viewOf,
} from './segments/segment-format.ts'
import { segmentName } from './segments/segment.ts'

export interface LogDamage {
  readonly file: string
  readonly offset: number
  readonly reason: string
}

export interface VerifyOptions {
  readonly segments: SegmentSet
  readonly env: Env
  /** Throws when the work is to be given up. */
  readonly check: () => void
}

export async function* verifyLog({ segments, env, check }: VerifyOptions): AsyncGenerator<LogDamage, void, undefined> {
  if (!segments.persistent) return
  for (let { first: number } = segments; ; number++) {
    check()
    const segment = segments.byNumber(Math.max(number, segments.first))
    if (segment === undefined) break
    const damage = verifySegment(segments, segment)
    if (damage !== undefined) yield damage
    await env.yield()
  }
  for (const name of segments.files.list().filter((one) => checkpointNumber(one) !== undefined)) {
    check()
    const checkpoint = decodeCheckpoint(readAll(segments, name), name, segments.formatRead)
    if (typeof checkpoint === 'string') yield { file: name, offset: 0, reason: checkpoint }
    await env.yield()
  }
}

function verifySegment(segments: SegmentSet, segment: Segment): LogDamage | undefined {
  const file = segmentName(segment.number)
  if (!segment.registered) return undefined
  const bytes = readAll(segments, file)
  const header = decodeSegmentHeader(bytes)
  if (header.kind !== 'header') return { file, offset: 0, reason: 'the header is damaged' }
  const view = viewOf(bytes)
  const end = Math.min(bytes.length, segment.flushed)
  const place = { base: segment.base, salt: segment.salt, offset: SEGMENT_HEADER_BYTES }
  for (let at = SEGMENT_HEADER_BYTES; at < segment.flushed;) {
    const length = checkRecord(view, at, end, place)
    if (length === 0) return { file, offset: at, reason: 'the record there is damaged' }
    if (view.getUint8(at + 4) !== KIND_JUMP) place.offset += length
    else if (view.getUint32(at + 8) !== segment.number) return trailing(bytes, at + length, file)
    else place.offset = view.getUint32(at + 12)
    at += length
  }
  return segment.sealed && segment.flushed === segment.end
    ? { file, offset: end, reason: `nothing leads to segment ${segment.base / TWO_POW_32 + 1}` }
    : undefined
}

/** Behind the last record there is nothing but space that was taken ahead. */
function trailing(bytes: Uint8Array, from: number, file: string): LogDamage | undefined {
  return isZero(bytes, from, bytes.length) ? undefined : { file, offset: from, reason: 'bytes behind the last record' }
}

function readAll(segments: SegmentSet, name: string): Uint8Array {
  const file = segments.files.open(name)
  try {
    return file.read(0, file.size)
  } finally {
    file.close()
  }
}
