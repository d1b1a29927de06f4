/**
 * A folder of log files on a real disk: `LogFiles` over `node:fs`. Errors of the file system pass
 * through as they are, with their `code`, since only the log knows what they mean for an operation.
 */
import { closeSync, constants, fsync, openSync, readdirSync, renameSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { WarpError } from '../../crdt/warp-error.ts'
import type { LogFile, LogFiles } from '../../src/ports/files.ts'
import { DiskFile } from './disk-file.ts'
import { type FolderLock, isLockName } from './folder-lock.ts'
import { bootId } from './lock-holder.ts'

/** Windows keeps names durable by itself and cannot open a folder. */
const NAMES_NEED_SYNC = process.platform !== 'win32'

export interface FolderAccess {
  readonly fileMode: number
  readonly readOnly: boolean
}

export class Folder implements LogFiles {
  readonly persistent = true
  readonly bootId: string | undefined = bootId()
  readonly home: string
  readonly #path: string
  readonly #fileMode: number
  readonly #readOnly: boolean
  readonly #lock: FolderLock
  readonly #open = new Set<DiskFile>()
  #lastClosed: (() => void) | undefined
  #closing: Promise<void> | undefined

  constructor(path: string, { fileMode, readOnly }: FolderAccess, lock: FolderLock) {
    this.#path = path
    this.#fileMode = fileMode
    this.#readOnly = readOnly
    this.#lock = lock
    this.home = homeOf(path)
  }

  /** Regular files other than the lock's. What is not of the log is the log's to judge. */
  list(): string[] {
    this.#assertOpen()
    return readdirSync(this.#path, { withFileTypes: true })
      .filter((entry) => entry.isFile() && !isLockName(entry.name))
      .map((entry) => entry.name)
      .sort()
  }

  open(name: string): LogFile {
    return this.#file(name, this.#readOnly ? constants.O_RDONLY : constants.O_RDWR)
  }

  create(name: string): LogFile {
    this.assertHeld()
    this.#lock.keepSpare()
    return this.#file(name, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL)
  }

  rename(from: string, to: string): void {
    this.assertHeld()
    renameSync(this.#pathOf(from), this.#pathOf(to))
  }

  remove(name: string): void {
    this.assertHeld()
    unlinkSync(this.#pathOf(name))
  }

  async syncNames(): Promise<void> {
    this.#assertOpen()
    if (NAMES_NEED_SYNC) await syncFolder(this.#path)
  }

  /** Also throws `WARP_E_STORAGE` for a folder that was opened with `readOnly`. */
  assertHeld(): void {
    this.#assertOpen()
    if (this.#readOnly) {
      throw new WarpError(
        'WARP_E_STORAGE',
        `the log folder ${this.#path} was opened with readOnly; lay overlayLog over it, or open it without`,
      )
    }
    if (this.#lock.isHeld()) return
    throw new WarpError(
      'WARP_E_LOG_LOCKED',
      `the log folder ${this.#path} is not held any more: it was moved, removed or replaced, its warp.lock was removed, ` +
        'or another process has taken it; put it back and open it again',
      { details: { path: this.#path } },
    )
  }

  /**
   * Idempotent. Closes what is still open and waits for flushes under way, so that nothing is
   * written after the lock is gone.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const file of this.#open) file.close()
    if (this.#open.size > 0) await new Promise<void>((resolve) => (this.#lastClosed = resolve))
    this.#lock.release()
  }

  #file(name: string, flags: number): LogFile {
    const fd = openSync(this.#pathOf(name), flags, this.#fileMode)
    const file = new DiskFile(fd, () => {
      this.#open.delete(file)
      if (this.#open.size === 0) this.#lastClosed?.()
    })
    this.#open.add(file)
    return file
  }

  #pathOf(name: string): string {
    this.#assertOpen()
    if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name) || isLockName(name)) {
      throw new WarpError(
        'WARP_E_STORAGE',
        `"${name}" cannot name a file of a log: one plain name inside the folder is needed`,
      )
    }
    return join(this.#path, name)
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) {
      throw new WarpError('WARP_E_CLOSED', `the log folder ${this.#path} has been closed; open it again`)
    }
  }
}

/**
 * The folder's inode and time of birth: a copy gets others, and so does a backup restored into a
 * new folder, while a rename, a reboot and another mount point change neither. A copy of the whole
 * block device keeps both; that is left to the clone tripwire.
 */
function homeOf(path: string): string {
  const { ino, birthtimeNs } = statSync(path, { bigint: true })
  return `${ino.toString(36)}-${birthtimeNs.toString(36)}`
}

/** Makes the names in a folder survive a power failure. */
export function syncFolder(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fd = openSync(path, constants.O_RDONLY)
    fsync(fd, (error) => {
      closeSync(fd)
      if (error === null) resolve()
      else reject(error)
    })
  })
}
