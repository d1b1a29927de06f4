/**
 * A folder has one holder: a process, or one of its threads. Node has no `flock`, so the lock is a
 * file that says who holds it, and the care goes into telling a live holder from a dead one
 * (`lock-holder.ts`) and into taking over from a dead one exactly once.
 *
 * *Taking.* The identity is written to a file of one's own, flushed (so that a power failure cannot
 * leave an empty lock), and linked to `warp.lock`. Linking fails if the name exists, and whoever
 * reads the lock reads all of it. Before that the holder listens on the socket that proves that it
 * lives.
 *
 * *Taking over.* Removing a dead holder's file is where such locks break: two contenders judge the
 * same lock dead, the first replaces it, the second removes the replacement. Here the right to
 * replace the lock with token T is a file of its own, `warp.lock.T`, which only one contender can
 * link. The winner makes sure that the lock still is T (it can have changed only before the claim),
 * and renames its own file over it. A claimant that dies on the way is a dead holder like any
 * other: its claim T2 is taken over through `warp.lock.T2`, and so on down the chain. Tokens are
 * random and never come again, so a claim on a lock that has moved on is seen to be void.
 *
 * *Holding.* Folders are renamed, removed and replaced under those who hold them, and people remove
 * lock files. `isHeld` compares the lock that the path leads to with ours, by its inode. Our lock
 * file stays open, so its inode is nobody else's.
 *
 * *Releasing.* The file is removed if it still is ours. While we live nobody else replaces it.
 *
 * *A full disk.* A lock needs a block. `warp.lock.spare` holds one, which is given up when there is
 * no other, and taken again by the next holder that finds room.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { WarpError } from '../../crdt/warp-error.ts'
import { type HolderSocket, listenIn, probeSocket } from './holder-socket.ts'
import { type Holder, holderFate, parseHolder, thisProcess } from './lock-holder.ts'
import { removeFile } from './remove-file.ts'

export const LOCK_NAME = 'warp.lock'

const SPARE_NAME = `${LOCK_NAME}.spare`
const SPARE_BYTES = 4096
const SOCKET_END = '.s'

/**
 * Rounds in which the lock was neither taken nor seen held: each needs another process to take and
 * release it in between.
 */
const ROUNDS_MAX = 100

export interface FolderLock {
  /** Whether the path of the folder still leads to this lock. */
  isHeld(): boolean
  /** Makes sure of the block that the next holder needs on a full disk, as far as there is one. */
  keepSpare(): void
  /** Idempotent. */
  release(): void
}

/** Tells the names of the lock and its claims from those of the log. */
export function isLockName(name: string): boolean {
  return name === LOCK_NAME || name.startsWith(`${LOCK_NAME}.`)
}

/** Holds `folder`, or rejects with `WARP_E_LOG_LOCKED`. Errors of the file system pass through. */
export async function lockFolder(folder: string, fileMode: number): Promise<FolderLock> {
  const token = randomUUID()
  const socket = listenIn(folder, { bound: `${LOCK_NAME}.${word(token)}.new`, name: socketName(token) }, fileMode)
  const own = join(folder, `${LOCK_NAME}.new-${token}`)
  let fd: number | undefined
  try {
    const identity = JSON.stringify(thisProcess(token, socket?.name)) + '\n'
    const isSpareDue = giveUpSpareIfFull(folder, () => (fd = writeFlushed(own, identity, fileMode)))
    await take(folder, own)
    removeFile(own)
    await removeLeftovers(folder, token)
    return new Held(folder, { token, fd: fd as unknown as number, socket, fileMode, isSpareDue }) // written above
  } catch (cause) {
    removeFile(own)
    if (fd !== undefined) closeSync(fd)
    socket?.close()
    throw cause
  }
}

interface HeldBy {
  readonly token: string
  /** The lock, open. */
  readonly fd: number
  readonly socket: HolderSocket | undefined
  readonly fileMode: number
  /** The spare block went into the lock. */
  readonly isSpareDue: boolean
}

class Held implements FolderLock {
  readonly #path: string
  readonly #sparePath: string
  readonly #fileMode: number
  #isSpareDue: boolean
  readonly #token: string
  readonly #socket: HolderSocket | undefined
  readonly #inode: number
  readonly #device: number
  #fd: number | undefined

  constructor(folder: string, { token, fd, socket, fileMode, isSpareDue }: HeldBy) {
    this.#path = join(folder, LOCK_NAME)
    this.#sparePath = join(folder, SPARE_NAME)
    this.#fileMode = fileMode
    this.#isSpareDue = isSpareDue
    this.#token = token
    this.#fd = fd
    this.#socket = socket
    const { ino, dev } = statSync(this.#path)
    this.#inode = ino
    this.#device = dev
  }

  isHeld(): boolean {
    const found = statSync(this.#path, { throwIfNoEntry: false })
    return found !== undefined && found.ino === this.#inode && found.dev === this.#device
  }

  keepSpare(): void {
    this.#isSpareDue = true
    if (statSync(this.#sparePath, { throwIfNoEntry: false })?.size === SPARE_BYTES) return
    removeFile(this.#sparePath)
    try {
      closeSync(writeFlushed(this.#sparePath, ' '.repeat(SPARE_BYTES), this.#fileMode))
    } catch (cause) {
      if (!isFull(cause)) throw cause
    }
  }

  release(): void {
    if (this.#fd === undefined) return
    const holder = readHolder(this.#path)
    if (isHolder(holder) && holder.token === this.#token) this.#letGo()
    closeSync(this.#fd)
    this.#fd = undefined
    this.#socket?.close()
  }

  /** A spare that was given up is replaced by the lock. */
  #letGo(): void {
    if (this.#isSpareDue && !existsSync(this.#sparePath)) renameSync(this.#path, this.#sparePath)
    else removeFile(this.#path)
  }
}

/** Rejects with `WARP_E_LOG_LOCKED` if a process that lives holds `folder`. Leaves no lock. */
export async function refuseIfHeld(folder: string): Promise<void> {
  const path = join(folder, LOCK_NAME)
  const holder = readHolder(path)
  if (holder !== 'absent') await refuseUnlessDead(folder, path, holder)
}

async function take(folder: string, own: string): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    if (linked(own, join(folder, LOCK_NAME))) return
    const chain = await claimDead(folder, own)
    if (chain !== undefined && replaceDead(folder, own, chain)) return
  }
  throw new WarpError(
    'WARP_E_LOG_LOCKED',
    `${folder}: other processes keep taking and releasing its lock; open it from one of them`,
    {
      details: { path: folder },
    },
  )
}

/**
 * One dead holder after the other, from the lock to the claim that nobody had made: ours from now
 * on.
 */
type Chain = readonly { readonly path: string; readonly token: string }[]

/** `undefined` when a file went away meanwhile, so that the picture is out of date. */
async function claimDead(folder: string, own: string): Promise<Chain | undefined> {
  const chain: { path: string; token: string }[] = []
  let path = join(folder, LOCK_NAME)
  for (;;) {
    const holder = readHolder(path)
    if (holder === 'absent') return undefined
    const { token } = await refuseUnlessDead(folder, path, holder)
    chain.push({ path, token })
    path = claimPath(folder, token)
    if (linked(own, path)) return chain
  }
}

function replaceDead(folder: string, own: string, chain: Chain): boolean {
  const claim = claimPath(folder, (chain.at(-1) as { token: string }).token) // a chain has at least the lock itself
  const same = chain.every(({ path, token }) => {
    const holder = readHolder(path)
    return isHolder(holder) && holder.token === token
  })
  if (same) renameSync(own, join(folder, LOCK_NAME))
  // From the oldest: as long as a claim stands, nobody goes down the chain past it.
  for (const { path } of same ? chain.slice(1) : []) removeFile(path)
  removeFile(claim)
  return same
}

function claimPath(folder: string, token: string): string {
  return join(folder, `${LOCK_NAME}.${token}`)
}

async function refuseUnlessDead(folder: string, path: string, holder: Holder | 'unreadable'): Promise<Holder> {
  if (holder === 'unreadable') {
    throw new WarpError(
      'WARP_E_LOG_LOCKED',
      `${folder} is locked, and ${path} does not say by whom; if no process has the folder open, remove that file`,
      { details: { path: folder } },
    )
  }
  const fate = await holderFate(holder, folder)
  if (fate === 'dead') return holder
  const { pid, hostname } = holder
  const remedy =
    fate === 'alive'
      ? `close it there${pid === process.pid ? ' (it is this process)' : ''}, or open another folder`
      : `whether it still runs cannot be seen from here; if it does not, remove ${path}`
  throw new WarpError('WARP_E_LOG_LOCKED', `${folder} is held by process ${pid} on ${hostname}: ${remedy}`, {
    details: { path: folder, pid, hostname },
  })
}

/**
 * Files and sockets of contenders that died; a claim on a lock that is no more is void in any case.
 * What cannot be read stays, since a contender may be about to write it.
 */
async function removeLeftovers(folder: string, token: string): Promise<void> {
  for (const name of readdirSync(folder)) {
    if (!isLockName(name) || name === LOCK_NAME || name === SPARE_NAME || name === socketName(token)) continue
    if (await isLeftover(folder, name)) removeFile(join(folder, name))
  }
}

async function isLeftover(folder: string, name: string): Promise<boolean> {
  if (name.endsWith(SOCKET_END)) return (await probeSocket(folder, name)) === 'dead'
  const holder = readHolder(join(folder, name))
  return isHolder(holder) && (await holderFate(holder, folder)) === 'dead'
}

function isHolder(holder: Holder | 'absent' | 'unreadable'): holder is Holder {
  return holder !== 'absent' && holder !== 'unreadable'
}

function readHolder(path: string): Holder | 'absent' | 'unreadable' {
  try {
    return parseHolder(readFileSync(path, 'utf8')) ?? 'unreadable'
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') return 'absent'
    if (code === 'ENXIO') return 'unreadable' // a socket that is being bound
    throw cause
  }
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw cause
  }
}

/** Returns the open file. */
function writeFlushed(path: string, text: string, mode: number): number {
  const fd = openSync(path, 'wx', mode)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
    return fd
  } catch (cause) {
    closeSync(fd)
    removeFile(path)
    throw cause
  }
}

/** Gives up the spare block if there is no other. Returns whether. */
function giveUpSpareIfFull(folder: string, work: () => void): boolean {
  try {
    work()
    return false
  } catch (cause) {
    if (!isFull(cause)) throw cause
    removeFile(join(folder, SPARE_NAME))
    work()
    return true
  }
}

function isFull(cause: unknown): boolean {
  const { code } = cause as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}

function socketName(token: string): string {
  return `${LOCK_NAME}.${word(token)}${SOCKET_END}`
}

/** Enough of a token for a name that has to be short. */
function word(token: string): string {
  return token.slice(0, 8)
}
