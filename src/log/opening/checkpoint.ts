/**
 * Checkpoints: the engine's index as it was at one position of the log, so that opening reads what
 * came after it and not everything. Written under a temporary name, synced, renamed, and the name
 * synced; the newest two are kept. A checkpoint is a shortcut and never the only place of anything:
 * a damaged one is passed over for the older one or for the whole log.
 *
 *     checkpoint = 'WARP-CKP' format:u32 number:u32 from:position through:position salt:u32
 *                  segments:u32 bodyBytes:u32 bodyCrc:u32 tableCrc:u32 0:4 crc:u32      64 bytes, crc of bytes 8 to 59
 *                  (number:u32 discardedBytes:u32)*                                     the table
 *                  body
 *
 * The log is to be read from `from`, where a mark stands, and it was durable up to `through`: a log
 * that ends earlier has been damaged. `salt` is that of the segment of `from`, so that a checkpoint
 * of another log is not taken for one of this.
 */
import type { Env } from '../../ports/env.ts'
import type { LogFile, LogFiles } from '../../ports/files.ts'
import type { Position } from '../../operation/position.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { FORMAT_VERSION } from '../../operation/envelope/format.ts'
import { crc32c, crc32cUpdate } from '../segments/crc32c.ts'
import { formatTooNew } from './format-refusals.ts'
import { FORMAT_OLDEST, readPosition, viewOf, writePosition } from '../segments/segment-format.ts'
import { storageError } from '../storage-error.ts'

const MAGIC: Uint8Array = new TextEncoder().encode('WARP-CKP')
const HEADER_BYTES = 64
const TABLE_ENTRY_BYTES = 8
const BODY_BYTES_MAX = 0xffffffff
/** So much is checksummed and written between two breaks. */
const STEP_BYTES = 524_288
const KEPT = 2

export interface CheckpointHead {
  readonly number: number
  readonly from: Position
  readonly through: Position
  readonly salt: number
  readonly discarded: ReadonlyMap<number, number>
  readonly format: number
}

export interface Checkpoint extends CheckpointHead {
  readonly body: Uint8Array
}

export function checkpointName(number: number): string {
  return `checkpoint-${String(number).padStart(10, '0')}`
}

export function checkpointNumber(name: string): number | undefined {
  const match = /^checkpoint-(\d{10})$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

/**
 * A checkpoint, or in words why it is none. `newest` is the newest format that is read. Throws
 * `WARP_E_LOG_VERSION` for one of a later format: the log behind it may be, too.
 */
export function decodeCheckpoint(
  bytes: Uint8Array,
  name: string,
  newest: number = FORMAT_VERSION,
): Checkpoint | string {
  if (bytes.length < HEADER_BYTES) return 'it is cut short'
  const view = viewOf(bytes)
  if (MAGIC.some((letter, i) => bytes[i] !== letter)) return 'it is not a checkpoint'
  if (view.getUint32(60) !== crc32c(bytes, 8, 60)) return 'its header is damaged'
  const format = view.getUint32(8)
  if (format > newest) throw formatTooNew(name, format, newest)
  if (format < FORMAT_OLDEST) return `it is of format ${format}, and ${FORMAT_OLDEST} is the oldest that is read`
  const count = view.getUint32(36)
  const bodyAt = HEADER_BYTES + count * TABLE_ENTRY_BYTES
  const end = bodyAt + view.getUint32(40)
  if (bytes.length < end) return 'it is cut short'
  if (crc32c(bytes, HEADER_BYTES, bodyAt) !== view.getUint32(48)) return 'its table is damaged'
  if (crc32c(bytes, bodyAt, end) !== view.getUint32(44)) return 'its body is damaged'
  const discarded = new Map<number, number>()
  for (let at = HEADER_BYTES; at < bodyAt; at += TABLE_ENTRY_BYTES)
    discarded.set(view.getUint32(at), view.getUint32(at + 4))
  return {
    number: view.getUint32(12),
    from: readPosition(view, 16),
    through: readPosition(view, 24),
    salt: view.getUint32(32),
    discarded,
    format,
    body: bytes.subarray(bodyAt, end),
  }
}

function encodeHead(head: CheckpointHead, bodyBytes: number, bodyCrc: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + head.discarded.size * TABLE_ENTRY_BYTES)
  const view = viewOf(bytes)
  bytes.set(MAGIC)
  view.setUint32(8, head.format)
  view.setUint32(12, head.number)
  writePosition(view, 16, head.from)
  writePosition(view, 24, head.through)
  view.setUint32(32, head.salt)
  view.setUint32(36, head.discarded.size)
  view.setUint32(40, bodyBytes)
  view.setUint32(44, bodyCrc)
  let at = HEADER_BYTES
  for (const [number, discardedBytes] of head.discarded) {
    view.setUint32(at, number)
    view.setUint32(at + 4, discardedBytes)
    at += TABLE_ENTRY_BYTES
  }
  view.setUint32(48, crc32c(bytes, HEADER_BYTES))
  view.setUint32(60, crc32c(bytes, 8, 60))
  return bytes
}

export interface CheckpointWriting {
  readonly files: LogFiles
  readonly env: Env
  readonly head: CheckpointHead
  readonly body: Uint8Array
  /** Throws when the work is to be given up. */
  readonly check: () => void
}

/**
 * Writes a checkpoint in steps; until the end there is none. Throws `WARP_E_STORAGE_FULL`,
 * `WARP_E_STORAGE`.
 */
export async function writeCheckpointFile(writing: CheckpointWriting): Promise<void> {
  const { files, head, body } = writing
  if (body.length > BODY_BYTES_MAX) {
    throw new WarpError('WARP_E_LIMIT', `a checkpoint of ${body.length} bytes exceeds ${BODY_BYTES_MAX}`)
  }
  const name = checkpointName(head.number)
  const temporary = `${name}.new`
  let file: LogFile | undefined
  try {
    file = files.create(temporary)
    await writeContent(file, writing)
    await file.sync()
    file.close()
    writing.check()
    files.rename(temporary, name)
    await files.syncNames()
  } catch (error) {
    if (file !== undefined) giveUp(files, file, temporary)
    throw storageError(error, `writing ${name}`)
  }
  await removeOld(files)
}

async function writeContent(file: LogFile, { env, head, body, check }: CheckpointWriting): Promise<void> {
  const bodyAt = HEADER_BYTES + head.discarded.size * TABLE_ENTRY_BYTES
  const view = viewOf(body)
  let crc = -1
  for (let at = 0; at < body.length; at += STEP_BYTES) {
    const end = Math.min(body.length, at + STEP_BYTES)
    crc = crc32cUpdate(crc, view, at, end)
    await file.write(bodyAt + at, body.subarray(at, end))
    await env.yield()
    check()
  }
  await file.write(0, encodeHead(head, body.length, (crc ^ -1) >>> 0))
}

/** What cannot be removed now is at the next opening. */
function giveUp(files: LogFiles, file: LogFile, name: string): void {
  try {
    file.close()
    if (files.list().includes(name)) files.remove(name)
  } catch {
    return
  }
}

async function removeOld(files: LogFiles): Promise<void> {
  const numbers = files
    .list()
    .map(checkpointNumber)
    .filter((number) => number !== undefined)
  numbers.sort((a, b) => b - a)
  for (const number of numbers.slice(KEPT)) files.remove(checkpointName(number))
  if (numbers.length > KEPT) await files.syncNames()
}
