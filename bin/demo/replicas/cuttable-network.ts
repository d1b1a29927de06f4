/**
 * The network of a process, with a switch: while it is cut, datagrams vanish in both directions and
 * streams break, as when somebody pulls the plug. Neither the mesh nor the engine is told.
 */
import type {
  ByteStream,
  DatagramPort,
  Endpoint,
  MeshNetwork,
  MulticastPort,
  OnDatagram,
  StreamHandlers,
  StreamListener,
} from '../../../adapters/mesh/sockets/network.ts'

export class CuttableNetwork implements MeshNetwork {
  readonly #inner: MeshNetwork
  readonly #streams = new Set<ByteStream>()
  #isCut = false

  constructor(inner: MeshNetwork) {
    this.#inner = inner
  }

  cut(): void {
    this.#isCut = true
    for (const stream of this.#streams) stream.destroy()
  }

  heal(): void {
    this.#isCut = false
  }

  async bind(local: Endpoint, onDatagram: OnDatagram): Promise<DatagramPort> {
    const port = await this.#inner.bind(local, this.#unlessCut(onDatagram))
    return {
      get local() {
        return port.local
      },
      get queuedBytes() {
        return port.queuedBytes
      },
      send: this.#unlessCut((to, bytes) => port.send(to, bytes)),
      sendMulticast: this.#unlessCut((group, bytes) => port.sendMulticast(group, bytes)),
      close: () => port.close(),
    }
  }

  joinMulticast(group: Endpoint, on: string, onDatagram: OnDatagram): Promise<MulticastPort> {
    return this.#inner.joinMulticast(group, on, this.#unlessCut(onDatagram))
  }

  listen(local: Endpoint, accept: (stream: ByteStream) => StreamHandlers | undefined): Promise<StreamListener> {
    return this.#inner.listen(local, (stream) => {
      const handlers = this.#isCut ? undefined : accept(stream)
      if (handlers === undefined) return undefined
      this.#streams.add(stream)
      return heard(handlers, () => this.#streams.delete(stream))
    })
  }

  connect(to: Endpoint, from: string, handlers: StreamHandlers): ByteStream {
    const ended = heard(handlers, () => this.#streams.delete(stream))
    const stream = this.#inner.connect(to, from, ended)
    this.#streams.add(stream)
    if (this.#isCut) stream.destroy()
    return stream
  }

  resolve(host: string): Promise<readonly string[]> {
    return this.#inner.resolve(host)
  }

  #unlessCut(carry: (endpoint: Endpoint, bytes: Uint8Array) => void): (endpoint: Endpoint, bytes: Uint8Array) => void {
    return (endpoint, bytes) => {
      if (!this.#isCut) carry(endpoint, bytes)
    }
  }
}

/** The same handlers, with an ear for the end. */
function heard(handlers: StreamHandlers, onEnd: () => void): StreamHandlers {
  return {
    onBytes: (bytes) => handlers.onBytes(bytes),
    onOpen: () => handlers.onOpen?.(),
    onDrain: () => handlers.onDrain?.(),
    onClose: (error) => {
      onEnd()
      handlers.onClose(error)
    },
  }
}
