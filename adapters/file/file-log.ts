/**
 * The log on disk: makes the folder, takes its lock, and says in words what is wrong where that
 * fails.
 */
import { mkdirSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { WarpError, isWarpError } from '../../crdt/warp-error.ts'
import type { LogFiles, LogStore } from '../../src/ports/files.ts'
import { Folder, syncFolder } from './folder.ts'
import { lockFolder, refuseIfHeld, type FolderLock } from './folder-lock.ts'
import { type FileLogOptions, type FileLogSettings, fileLogSettings } from './options.ts'

/**
 * Keeps the log in a folder, for one process at a time. Throws `WARP_E_CONFIG`; nothing is touched
 * before it is opened.
 */
export function fileLog(options: FileLogOptions): LogStore {
  const settings = fileLogSettings(options)
  return { name: `file:${settings.path}`, folder: settings.path, open: () => openFolder(settings) }
}

async function openFolder(settings: FileLogSettings): Promise<LogFiles> {
  const { path, readOnly } = settings
  try {
    if (readOnly) return new Folder(path, settings, await lockToRead(settings))
    await createFolder(settings)
    readdirSync(path) // a folder that can be written but not listed would look empty
    return new Folder(path, settings, await lockFolder(path, settings.fileMode))
  } catch (cause) {
    throw isWarpError(cause) ? cause : openError(path, cause)
  }
}

/**
 * Where no lock can be left, nobody of this user writes either; a holder whose lock can be seen is
 * respected.
 */
async function lockToRead(settings: FileLogSettings): Promise<FolderLock> {
  const { path } = settings
  readdirSync(path)
  try {
    return await lockFolder(path, settings.fileMode)
  } catch (cause) {
    if (!UNWRITABLE.has((cause as NodeJS.ErrnoException).code ?? '')) throw cause
    await refuseIfHeld(path)
    return { isHeld: () => true, keepSpare: () => undefined, release: () => undefined }
  }
}

const UNWRITABLE: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS'])

/**
 * The names of new folders are flushed as well: a log that survives a power failure in a folder
 * that does not would be lost.
 */
async function createFolder({ path, folderMode }: FileLogSettings): Promise<void> {
  const existing = statSync(path, { throwIfNoEntry: false })
  if (existing !== undefined && !existing.isDirectory()) {
    throw new WarpError('WARP_E_STORAGE', `${path} is a file, not a folder; give the log a folder of its own`, {
      details: { path },
    })
  }
  const first = makeFolders(path, folderMode)
  if (first === undefined) return
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    await syncFolder(parent)
    if (parent === dirname(first) || parent === dirname(parent)) return
  }
}

/**
 * Makes the folder and those above it that are missing. Returns the topmost one that it made. Node
 * could do it alone, and goes round for ever where a file system lets nobody make a folder and says
 * that there is none (/proc).
 */
function makeFolders(path: string, mode: number): string | undefined {
  const missing: string[] = []
  for (let at = path; !exists(at); at = dirname(at)) missing.unshift(at)
  for (const folder of missing) makeFolder(folder, mode)
  return missing[0]
}

function makeFolder(folder: string, mode: number): void {
  try {
    mkdirSync(folder, { mode })
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    // Somebody else has made it meanwhile; or it is the name of a link that leads nowhere.
    if (code === 'EEXIST' && exists(folder)) return
    if (code === 'EEXIST') throw refusedFolder(folder, leadsNowhere(folder), cause)
    if (code === 'ENOENT') throw refusedFolder(folder, 'its file system lets nobody make folders there', cause)
    throw cause
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function leadsNowhere(link: string): string {
  return `it is a link to ${readlinkSync(link)}, and there is nothing: make that folder, or remove the link`
}

function refusedFolder(folder: string, reason: string, cause: unknown): WarpError {
  return new WarpError(
    'WARP_E_STORAGE',
    `cannot make the folder ${folder} of a log: ${reason}; or choose another path`,
    {
      details: { path: folder },
      cause,
    },
  )
}

const REASONS: Readonly<Partial<Record<string, string>>> = {
  EACCES: 'this user may not read and write it; change its permissions or choose another path',
  EPERM:
    'the file system refuses an operation that the log needs (such as hard links for its lock); choose another path',
  EROFS: 'it is on a file system mounted read-only; choose another path',
  ENOENT: 'there is no such folder; name the one that a log was written to',
  ENOTDIR: 'a part of its path is a file; choose another path',
  ENOSPC: 'no space is left on its disk; make room',
  EDQUOT: 'the disk quota is used up; make room',
}

function openError(path: string, cause: unknown): WarpError {
  const code = (cause as NodeJS.ErrnoException).code ?? 'UNKNOWN'
  const full = code === 'ENOSPC' || code === 'EDQUOT'
  const reason = REASONS[code] ?? 'see the cause'
  return new WarpError(
    full ? 'WARP_E_STORAGE_FULL' : 'WARP_E_STORAGE',
    `cannot open the log folder ${path} (${code}): ${reason}`,
    {
      details: { path, errno: code },
      cause,
    },
  )
}
