/**
 * The proof that the holder of a folder lives: a Unix socket in the folder on which the holder
 * listens. The kernel closes it with its holder, however that ends: a killed process, a terminated
 * worker thread, a container that is gone. Any process under the same kernel can ask by connecting,
 * whatever namespaces of process ids, host names or networks lie between them. The kernel answers,
 * so a holder that is busy or stopped counts as alive.
 *
 * libuv removes the name under which a socket was bound when its owner lets go of it. The socket is
 * renamed once somebody listens, so that a name that is there was listened on, and one that is gone
 * was removed by somebody else.
 *
 * The kernel of another machine knows nothing of the listener, and refuses. Who asks has to know
 * that the kernel is the same one (`lock-holder.ts`).
 */
import { chmodSync, closeSync, constants, openSync, renameSync } from 'node:fs'
import { type Server, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { removeFile } from './remove-file.ts'

/** macOS takes 103 bytes, Linux 107; longer ones are cut off without a word. */
const ADDRESS_BYTES_MAX = 100
/** A slash and the name of a socket. */
const NAME_BYTES_MAX = 25
/** The system's answers when nobody listens on a socket that is there. */
const NOBODY_LISTENS: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ECONNRESET'])

export interface HolderSocket {
  readonly name: string
  /** Idempotent. Removes the socket. */
  close(): void
}

export interface SocketNames {
  /** Under which it is bound. */
  readonly bound: string
  /** Under which it is there once somebody listens. */
  readonly name: string
}

/**
 * Listens in `folder`. `undefined` where that cannot be done: no Unix sockets (Windows), a file
 * system that has none (some network and desktop file systems), a path that is too long.
 */
export function listenIn(folder: string, { bound, name }: SocketNames, mode: number): HolderSocket | undefined {
  const place = placeOf(folder)
  if (place === undefined) return undefined
  const server = listening(join(place.path, bound))
  const close = (): void => {
    server?.close()
    removeFile(join(folder, name))
    place.leave()
  }
  try {
    if (server === undefined) throw new Error('nobody listens')
    chmodSync(join(folder, bound), mode)
    renameSync(join(folder, bound), join(folder, name))
    return { name, close }
  } catch {
    close() // not possible here: the caller does without
    return undefined
  }
}

/** Whether somebody listens on the socket `name`; `unknown` if it is not there or cannot be asked. */
export function probeSocket(folder: string, name: string): Promise<'alive' | 'dead' | 'unknown'> {
  const place = placeOf(folder)
  if (place === undefined) return Promise.resolve('unknown')
  return new Promise<'alive' | 'dead' | 'unknown'>((resolve) => {
    const socket = connect(join(place.path, name))
    socket.once('connect', () => {
      socket.destroy()
      resolve('alive')
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (NOBODY_LISTENS.has(code)) resolve('dead')
      // So many wait to be let in that there is no room for another one.
      else resolve(code === 'EAGAIN' ? 'alive' : 'unknown')
    })
    socket.once('close', () => place.leave())
  })
}

/** Binds and listens before it returns: the events come later. */
function listening(path: string): Server | undefined {
  const server = createServer((socket) => socket.destroy())
  server.on('error', () => undefined)
  try {
    // In a cluster's worker the primary would listen, and outlive the worker.
    server.listen({ path, exclusive: true })
  } catch {
    return undefined
  }
  server.unref()
  return server
}

interface Place {
  readonly path: string
  leave(): void
}

/** A path of the folder that is short enough for the address of a socket. */
function placeOf(folder: string): Place | undefined {
  if (process.platform === 'win32') return undefined
  if (Buffer.byteLength(folder) <= ADDRESS_BYTES_MAX - NAME_BYTES_MAX) return { path: folder, leave: () => undefined }
  if (process.platform !== 'linux') return undefined
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  let isOpen = true
  const leave = (): void => {
    if (isOpen) closeSync(fd)
    isOpen = false
  }
  return { path: `/proc/self/fd/${fd}`, leave }
}
