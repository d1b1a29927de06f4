/**
 * What a folder holds, before anything in it is believed: segments with their headers, checkpoints,
 * files that were being written. A folder of something else, a file of a later version, a damaged
 * header are refused here, and nothing has been changed.
 */
import type { LogFiles } from '../../ports/files.ts'
import type { SegmentHeader } from '../segments/segment-format.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { checkpointNumber } from './checkpoint.ts'
import { FORMAT_VERSION } from '../../operation/envelope/format.ts'
import { formatTooNew, formatTooOld } from './format-refusals.ts'
import { decodeSegmentHeader, FORMAT_OLDEST, SEGMENT_HEADER_BYTES } from '../segments/segment-format.ts'
import { segmentNumber } from '../segments/segment.ts'
import { RESERVE_NAME } from '../files/reserve.ts'

export interface StoredSegment {
  readonly number: number
  readonly name: string
  readonly size: number
  /** Absent if the file was created and its header never arrived. */
  readonly header: SegmentHeader | undefined
}

export interface Stored {
  /** In order. */
  readonly segments: readonly StoredSegment[]
  /** Numbers, the newest first. */
  readonly checkpoints: readonly number[]
  /** Names of files whose writing was interrupted. */
  readonly temporary: readonly string[]
}

/**
 * `newest` is the newest format that is read. Throws `WARP_E_LOG_FOREIGN`, `WARP_E_LOG_VERSION`,
 * `WARP_E_LOG_CORRUPT`.
 */
export function listStored(files: LogFiles, newest: number = FORMAT_VERSION): Stored {
  const names = files.list()
  const segments = names.flatMap((name) => {
    const number = segmentNumber(name)
    return number === undefined ? [] : [inspect(files, name, number, newest)]
  })
  segments.sort((a, b) => a.number - b.number)
  const checkpoints = names.map(checkpointNumber).filter((number) => number !== undefined)
  checkpoints.sort((a, b) => b - a)
  const temporary = names.filter(isTemporary)
  const other = names.find(
    (name) =>
      segmentNumber(name) === undefined &&
      checkpointNumber(name) === undefined &&
      !isTemporary(name) &&
      !isBystander(name),
  )
  if (segments.length + checkpoints.length === 0 && other !== undefined) {
    throw new WarpError(
      'WARP_E_LOG_FOREIGN',
      `the folder holds other files (${other}) and no log; give the log a folder of its own`,
      { details: { file: other } },
    )
  }
  if (checkpoints.length > 0 && segments.every((one) => one.header === undefined)) {
    throw corrupt('there are checkpoints and no segments: the segment files are missing', {})
  }
  return { segments, checkpoints, temporary }
}

/**
 * What lies in a fresh folder without being anybody's data: hidden files (`.gitkeep`, `.DS_Store`),
 * those of Windows, the configuration of the command, and space that is kept for compaction.
 */
function isBystander(name: string): boolean {
  return (
    name.startsWith('.') ||
    name === RESERVE_NAME ||
    BYSTANDERS.has(name.toLowerCase()) ||
    name.startsWith('warp.config.')
  )
}

const BYSTANDERS: ReadonlySet<string> = new Set(['thumbs.db', 'desktop.ini'])

function isTemporary(name: string): boolean {
  const base = name.endsWith('.new') ? name.slice(0, -4) : ''
  return segmentNumber(base) !== undefined || checkpointNumber(base) !== undefined
}

function inspect(files: LogFiles, name: string, number: number, newest: number): StoredSegment {
  const file = files.open(name)
  try {
    const { size } = file
    let result = decodeSegmentHeader(file.read(0, SEGMENT_HEADER_BYTES))
    if (result.kind === 'blank') result = decodeSegmentHeader(file.read(0, size))
    if (result.kind === 'foreign') throw foreign(name)
    if (result.kind === 'damaged') throw corrupt(`the header of ${name} is damaged`, { file: name, offset: 0 })
    if (result.kind === 'blank') return { number, name, size, header: undefined }
    const { format } = result.header
    if (format > newest) throw formatTooNew(name, format, newest)
    if (format < FORMAT_OLDEST) throw formatTooOld(name, format)
    if (result.header.number !== number) {
      throw corrupt(`${name} is segment ${result.header.number} under another name`, { file: name, offset: 0 })
    }
    return { number, name, size, header: result.header }
  } finally {
    file.close()
  }
}

export function readWhole(files: LogFiles, name: string): Uint8Array {
  const file = files.open(name)
  try {
    return file.read(0, file.size)
  } finally {
    file.close()
  }
}

export function corrupt(what: string, details: Readonly<Record<string, string | number>>): WarpError {
  return new WarpError(
    'WARP_E_LOG_CORRUPT',
    `the log is damaged: ${what}; nothing was changed; restore it from a backup, or start empty and let the other replicas ` +
      'supply the data',
    { details },
  )
}

function foreign(name: string): WarpError {
  return new WarpError(
    'WARP_E_LOG_FOREIGN',
    `${name} is not a segment of a Warp log; give the log a folder of its own`,
    {
      details: { file: name },
    },
  )
}
