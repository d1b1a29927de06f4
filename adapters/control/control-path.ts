/**
 * Where the control socket of a folder is: in the folder, or, where its path would be too long for
 * the address of a Unix socket, in a folder of this user's own under the system's temporary one, by
 * a name made from the folder's path. Either way only its owner gets there: the folder is closed to
 * others, the socket has mode 0600, and what belongs to somebody else is not talked to.
 */
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { WarpError } from '../../crdt/warp-error.ts'

const SOCKET_NAME = 'control.sock'

/** macOS takes 103 bytes, Linux 107. */
export const ADDRESS_BYTES_MAX = 100
const FOLDER_MODE = 0o700

/** The folder must exist: other ways to it lead to the same socket. */
export function controlPath(data: string): string {
  const folder = realpathSync(data)
  const inside = join(folder, SOCKET_NAME)
  if (Buffer.byteLength(inside) <= ADDRESS_BYTES_MAX) return inside
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  return join(socketFolder(), `${name}.sock`)
}

/**
 * Makes the folder for sockets with long paths, unless the socket is to be in the data's. Throws
 * `WARP_E_CONFIG`.
 */
export function prepareControlPath(path: string): void {
  if (dirname(path) !== socketFolder()) return
  mkdirSync(socketFolder(), { recursive: true, mode: FOLDER_MODE })
  const { mode } = lstatSync(socketFolder())
  if (!isOurs(socketFolder()) || (mode & 0o077) !== 0) {
    throw new WarpError(
      'WARP_E_CONFIG',
      `${socketFolder()} is for control sockets and open to others; remove it, or give the data a shorter path`,
      { details: { path: socketFolder() } },
    )
  }
}

/** Somebody else's socket may be a trap. `false` if there is none at all. */
export function isOurs(path: string): boolean {
  const status = lstatSync(path, { throwIfNoEntry: false })
  return status !== undefined && (process.getuid === undefined || status.uid === process.getuid())
}

function socketFolder(): string {
  // Not from the list of users: in a container a process may run under a number that has no name.
  return join(realpathSync(tmpdir()), `warp-${process.getuid?.() ?? 'sockets'}`)
}
