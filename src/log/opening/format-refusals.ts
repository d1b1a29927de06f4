/** A log of a format that this build does not read is refused before a byte of it is touched. */
import { WarpError } from '../../../crdt/warp-error.ts'
import { FORMAT_OLDEST } from '../segments/segment-format.ts'

export function formatTooNew(file: string, format: number, newest: number): WarpError {
  return new WarpError(
    'WARP_E_LOG_VERSION',
    `${file} is of format ${format}, and this version of warp-engine reads up to ${newest}; nothing was changed; upgrade ` +
      'warp-engine on this replica to the version that wrote the log',
    { details: { file, format, newest } },
  )
}

export function formatTooOld(file: string, format: number): WarpError {
  return new WarpError(
    'WARP_E_LOG_VERSION',
    `${file} is of format ${format}, and this version of warp-engine reads from ${FORMAT_OLDEST} on; nothing was changed; ` +
      'write the data to a file with `warp export` of warp-engine 0.1.0, and read it with `warp import` into a new folder',
    { details: { file, format, oldest: FORMAT_OLDEST } },
  )
}
