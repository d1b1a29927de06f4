/** One TCP socket as the mesh's `ByteStream`. */
import type { Socket } from 'node:net'
import type { ByteStream, Endpoint, StreamHandlers } from './network.ts'

export interface NodeStream {
  readonly stream: ByteStream
  /** From here on the handlers hear of it. */
  attach(handlers: StreamHandlers): void
}

/** `remote` is what is known before there is a connection. */
export function nodeStream(socket: Socket, remote?: Endpoint): NodeStream {
  let drained: (() => void) | undefined
  const end: Endpoint = remote ?? { host: plainHost(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 }
  const onWritten = (error?: Error | null): void => {
    if (!error && socket.writableLength === 0) drained?.()
  }
  const stream: ByteStream = {
    remote: end,
    get queuedBytes() {
      return socket.writableLength
    },
    write: (chunks) => {
      if (socket.destroyed || socket.writableEnded) return
      // One system call for all of them.
      socket.cork()
      for (let i = 0; i < chunks.length - 1; i++) socket.write(chunks[i]!)
      const last = chunks.at(-1)
      if (last !== undefined) socket.write(last, onWritten)
      socket.uncork()
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
  const attach = (handlers: StreamHandlers): void => {
    let failure: Error | undefined
    drained = () => handlers.onDrain?.()
    socket.on('data', (bytes) => handlers.onBytes(bytes))
    socket.once('end', () => {
      if (handlers.onEnd === undefined) socket.end()
      else handlers.onEnd()
    })
    socket.on('error', (error) => {
      failure = error
    })
    socket.once('close', () => handlers.onClose(failure))
  }
  return { stream, attach }
}

/** IPv4 as a socket of IPv6 shows it, without the prefix. */
export function plainHost(host: string): string {
  return host.startsWith('::ffff:') && host.includes('.') ? host.slice(7) : host
}
