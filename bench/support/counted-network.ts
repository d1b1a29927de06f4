/**
 * Counts what the mesh hands to the system: bytes and datagrams as the network sees them, without
 * the headers of IP, UDP and TCP.
 */
import type { ByteStream, DatagramPort, MeshNetwork } from '../../adapters/mesh/sockets/network.ts'

export interface WireCounts {
  datagrams: number
  datagramBytes: number
  streamBytes: number
}

export interface CountedNetwork {
  readonly network: MeshNetwork
  readonly counts: Readonly<WireCounts>
}

export function countedNetwork(inner: MeshNetwork): CountedNetwork {
  const counts: WireCounts = { datagrams: 0, datagramBytes: 0, streamBytes: 0 }
  const network: MeshNetwork = {
    bind: async (local, onDatagram) => countedPort(await inner.bind(local, onDatagram), counts),
    joinMulticast: (group, on, onDatagram) => inner.joinMulticast(group, on, onDatagram),
    listen: (local, accept) => inner.listen(local, (stream) => accept(countedStream(stream, counts))),
    connect: (to, from, handlers) => countedStream(inner.connect(to, from, handlers), counts),
    resolve: (host) => inner.resolve(host),
  }
  return { network, counts }
}

function countedPort(inner: DatagramPort, counts: WireCounts): DatagramPort {
  const count = (bytes: Uint8Array): void => {
    counts.datagrams++
    counts.datagramBytes += bytes.length
  }
  return {
    local: inner.local,
    get queuedBytes() {
      return inner.queuedBytes
    },
    send(to, bytes) {
      count(bytes)
      inner.send(to, bytes)
    },
    sendMulticast(group, bytes) {
      count(bytes)
      inner.sendMulticast(group, bytes)
    },
    close: () => inner.close(),
  }
}

function countedStream(inner: ByteStream, counts: WireCounts): ByteStream {
  return {
    remote: inner.remote,
    get queuedBytes() {
      return inner.queuedBytes
    },
    write(chunks) {
      for (const chunk of chunks) counts.streamBytes += chunk.length
      inner.write(chunks)
    },
    pause: () => inner.pause(),
    resume: () => inner.resume(),
    end: () => inner.end(),
    destroy: () => inner.destroy(),
  }
}
