/** The mesh's network with a plug: once it is pulled, nothing comes in and nothing goes out, and nobody is told. */
import type { ByteStream, DatagramPort, MeshNetwork, OnDatagram } from '../../adapters/mesh/sockets/network.ts'

export interface CutNetwork {
  readonly network: MeshNetwork
  /** Streams end, as connections do whose other end has long been given up. */
  cut(): void
  heal(): void
}

export function cutNetwork(inner: MeshNetwork): CutNetwork {
  let isCut = false
  const streams = new Set<ByteStream>()
  const heard =
    (onDatagram: OnDatagram): OnDatagram =>
    (from, bytes) => {
      if (!isCut) onDatagram(from, bytes)
    }
  const port = (bound: DatagramPort): DatagramPort => ({
    local: bound.local,
    get queuedBytes() {
      return bound.queuedBytes
    },
    send: (to, bytes) => {
      if (!isCut) bound.send(to, bytes)
    },
    sendMulticast: (group, bytes) => {
      if (!isCut) bound.sendMulticast(group, bytes)
    },
    close: () => bound.close(),
  })
  const kept = (stream: ByteStream): ByteStream => {
    streams.add(stream)
    if (isCut) stream.destroy()
    return stream
  }
  const network: MeshNetwork = {
    bind: async (local, onDatagram) => port(await inner.bind(local, heard(onDatagram))),
    joinMulticast: (group, on, onDatagram) => inner.joinMulticast(group, on, heard(onDatagram)),
    listen: (local, accept) => inner.listen(local, (stream) => (isCut ? undefined : accept(kept(stream)))),
    connect: (to, from, handlers) => {
      const stream = inner.connect(to, from, {
        ...handlers,
        onClose: (error) => {
          streams.delete(stream)
          handlers.onClose(error)
        },
      })
      return kept(stream)
    },
    resolve: (host) => inner.resolve(host),
  }
  return {
    network,
    cut: () => {
      isCut = true
      for (const stream of streams) stream.destroy()
    },
    heal: () => {
      isCut = false
    },
  }
}
