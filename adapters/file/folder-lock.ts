/**
 * A folder is held by one process. Node has no `flock`, so the lock is a file that says who holds
 * it, and the care goes into telling a live holder from a dead one and into taking over from a dead
 * one exactly once.
 *
 * *Taking.* The identity is written to a file of one's own, flushed (so that a power failure cannot
 * leave an empty lock), and linked to `warp.lock`. Linking fails if the name exists, and whoever
 * reads the lock reads all of it.
 *
 * *Taking over.* Removing a dead holder's file is where such locks break: two contenders judge the
 * same lock dead, the first replaces it, the second removes the replacement. Here the right to
 * replace the lock with token T is a file of its own, `warp.lock.T`, which only one contender can
 * link. The winner makes sure that the lock still is T (it can have changed only before the claim),
 * and renames its own file over it. A claimant that dies on the way is a dead holder like any
 * other: its claim T2 is taken over through `warp.lock.T2`, and so on down the chain. Tokens are
 * random and never come again, so a claim on a lock that has moved on is seen to be void.
 *
 * *Releasing.* The file is removed if it still is ours. While we live nobody else replaces it.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { WarpError } from '../../crdt/warp-error.ts'
import { type Holder, holderFate, parseHolder, thisProcess } from './lock-holder.ts'

export const LOCK_NAME = 'warp.lock'

/**
 * Rounds in which the lock was neither taken nor seen held: each needs another process to take and
 * release it in between.
 */
const ROUNDS_MAX = 100

export interface FolderLock {
  /** Idempotent. */
  release(): void
}

/** Tells the names of the lock and its claims from those of the log. */
export function isLockName(name: string): boolean {
  return name === LOCK_NAME || name.startsWith(`${LOCK_NAME}.`)
}

/** Holds `folder`, or throws `WARP_E_LOG_LOCKED`. Errors of the file system pass through. */
export function lockFolder(folder: string, fileMode: number): FolderLock {
  const self = thisProcess(randomUUID())
  const own = join(folder, `${LOCK_NAME}.new-${self.token}`)
  try {
    writeFlushed(own, JSON.stringify(self) + '\n', fileMode)
    take(folder, own)
  } finally {
    rmSync(own, { force: true })
  }
  removeLeftovers(folder)
  return { release: () => release(folder, self.token) }
}

/** Throws `WARP_E_LOG_LOCKED` if a process that lives holds `folder`. Leaves no lock. */
export function refuseIfHeld(folder: string): void {
  const path = join(folder, LOCK_NAME)
  const holder = readHolder(path)
  if (holder !== 'absent') refuseUnlessDead(folder, path, holder)
}

function take(folder: string, own: string): void {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    if (linked(own, join(folder, LOCK_NAME))) return
    const chain = claimDead(folder, own)
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
function claimDead(folder: string, own: string): Chain | undefined {
  const chain: { path: string; token: string }[] = []
  let path = join(folder, LOCK_NAME)
  for (;;) {
    const holder = readHolder(path)
    if (holder === 'absent') return undefined
    refuseUnlessDead(folder, path, holder)
    chain.push({ path, token: holder.token })
    path = claimPath(folder, holder.token)
    if (linked(own, path)) return chain
  }
}

function replaceDead(folder: string, own: string, chain: Chain): boolean {
  const claim = claimPath(folder, (chain.at(-1) as { token: string }).token) // a chain has at least the lock itself
  const same = chain.every(({ path, token }) => {
    const holder = readHolder(path)
    return holder !== 'absent' && holder !== 'unreadable' && holder.token === token
  })
  if (same) renameSync(own, join(folder, LOCK_NAME))
  // From the oldest: as long as a claim stands, nobody goes down the chain past it.
  for (const { path } of same ? chain.slice(1) : []) rmSync(path, { force: true })
  rmSync(claim, { force: true })
  return same
}

function claimPath(folder: string, token: string): string {
  return join(folder, `${LOCK_NAME}.${token}`)
}

function refuseUnlessDead(folder: string, path: string, holder: Holder | 'unreadable'): asserts holder is Holder {
  if (holder === 'unreadable') {
    throw new WarpError(
      'WARP_E_LOG_LOCKED',
      `${folder} is locked, and ${path} does not say by whom; if no process has the folder open, remove that file`,
      { details: { path: folder } },
    )
  }
  const fate = holderFate(holder)
  if (fate === 'dead') return
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
 * Files of contenders that died; a claim on a lock that is no more is void in any case. What cannot
 * be read stays, since a contender may be about to write it.
 */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    if (!isLockName(name) || name === LOCK_NAME) continue
    const path = join(folder, name)
    const holder = readHolder(path)
    if (holder !== 'absent' && holder !== 'unreadable' && holderFate(holder) === 'dead') rmSync(path, { force: true })
  }
}

function release(folder: string, token: string): void {
  const path = join(folder, LOCK_NAME)
  const holder = readHolder(path)
  if (holder !== 'absent' && holder !== 'unreadable' && holder.token === token) rmSync(path, { force: true })
}

function readHolder(path: string): Holder | 'absent' | 'unreadable' {
  try {
    return parseHolder(readFileSync(path, 'utf8')) ?? 'unreadable'
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return 'absent'
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

function writeFlushed(path: string, text: string, mode: number): void {
  const fd = openSync(path, 'wx', mode)
  try {
    writeSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
