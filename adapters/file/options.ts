/** What `fileLog` takes, with defaults and bounds. */
import { shownValue } from '../../crdt/shown-kind.ts'
import { checkTypeOf, isWholeFrom, optionNames, requireOptions } from '../../crdt/checked-options.ts'
import { resolve } from 'node:path'
import { WarpError } from '../../crdt/warp-error.ts'

export interface FileLogOptions {
  /**
   * The folder of the log. Created with its parents where it does not exist. One folder, one
   * process.
   */
  readonly path: string
  /**
   * Permissions of new files; folders get the same with search permission added. Default `0o600`:
   * the owner alone.
   */
  readonly fileMode?: number
  /**
   * Opens a folder that is there, and writes nothing into it but the lock: for audits. Also from a
   * medium that cannot be written, or is another user's. The engine wants to write: lay
   * `overlayLog` over it. Default `false`.
   */
  readonly readOnly?: boolean
}

export interface FileLogSettings {
  readonly path: string
  readonly fileMode: number
  readonly folderMode: number
  readonly readOnly: boolean
}

const FILE_MODE_DEFAULT = 0o600
const OPTIONS = optionNames<FileLogOptions>({ path: true, fileMode: true, readOnly: true })

export function fileLogSettings(options: FileLogOptions): FileLogSettings {
  requireOptions('fileLog', options, OPTIONS, "{ path: './data' }")
  checkTypeOf('fileLog', options, 'readOnly', 'boolean')
  const { path, fileMode = FILE_MODE_DEFAULT, readOnly = false } = options
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new WarpError('WARP_E_CONFIG', 'fileLog: path must name a folder, such as "./data"', {
      details: { option: 'path' },
    })
  }
  if (!isWholeFrom(fileMode, 0, 0o777) || (fileMode & 0o600) !== 0o600) {
    throw new WarpError(
      'WARP_E_CONFIG',
      `fileLog: fileMode is ${shownValue(fileMode)}; it must be an integer of 0o600 .. 0o777 that lets the owner read and write`,
      { details: { option: 'fileMode' } },
    )
  }
  // Whoever may read a file may search its folder.
  return { path: resolve(path), fileMode, folderMode: fileMode | ((fileMode & 0o444) >> 2), readOnly }
}
