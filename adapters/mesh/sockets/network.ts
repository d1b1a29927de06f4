/**
 * What the mesh asks of the operating system: datagrams, streams, multicast, names.
 * `node-network.ts` is the real thing; tests bring a seeded one that loses, repeats and reorders.
 */

/** `host` is an IP literal, never a name: nothing that arrives is ever looked up. */
export interface Endpoint {
  readonly host: string
  readonly port: number
}

/**
 * `from` is where the datagram came from by its own account: a sender may forge it. The receiver
 * may keep `bytes`.
 */
export type OnDatagram = (from: Endpoint, bytes: Uint8Array) => void

export interface DatagramPort {
  readonly local: Endpoint
  /** Bytes handed to the system and not sent yet. */
  readonly queuedBytes: number
  /**
   * Fire and forget. Owns `bytes` until it is sent. Errors of the path (unreachable, refused) count
   * as loss.
   */
  send(to: Endpoint, bytes: Uint8Array): void
  /**
   * Sends to a multicast group from this port, so that receivers see where it is. Throws what the
   * system throws.
   */
  sendMulticast(group: Endpoint, bytes: Uint8Array): void
  close(): Promise<void>
}

export interface StreamHandlers {
  /** The receiver may keep `bytes`. */
  onBytes(bytes: Uint8Array): void
  /** Connected: only for streams that were asked for by `connect`. */
  onOpen?(): void
  /** What was waiting has been handed to the system. */
  onDrain?(): void
  /**
   * The other end sends nothing more, and still reads: whoever has something left writes it and
   * calls `end`. Without this handler the stream ends by itself.
   */
  onEnd?(): void
  /** Once, whoever ended it and why. */
  onClose(error?: Error): void
}

/** A connection of TCP. */
export interface ByteStream {
  readonly remote: Endpoint
  /** Bytes that wait in this process. */
  readonly queuedBytes: number
  /** Owns `chunks` until they are sent. */
  write(chunks: readonly Uint8Array[]): void
  /** Stops and resumes reading: what arrives then waits at the sender. */
  pause(): void
  resume(): void
  /** Sends what waits, then ends. */
  end(): void
  /** Ends at once. Idempotent. */
  destroy(): void
}

export interface StreamListener {
  readonly local: Endpoint
  close(): Promise<void>
}

export interface MulticastPort {
  close(): Promise<void>
}

export interface MeshNetwork {
  /**
   * Port 0 takes any free one. Rejects with `WARP_E_TRANSPORT` if the port is taken or the address
   * is not ours.
   */
  bind(local: Endpoint, onDatagram: OnDatagram): Promise<DatagramPort>
  /**
   * Hears a group on the interface that has the address `on`, beside other processes of this
   * machine. Rejects with `WARP_E_TRANSPORT`.
   */
  joinMulticast(group: Endpoint, on: string, onDatagram: OnDatagram): Promise<MulticastPort>
  /**
   * `accept` returns the handlers of a new stream, or `undefined` to refuse it. Rejects as `bind`
   * does.
   */
  listen(local: Endpoint, accept: (stream: ByteStream) => StreamHandlers | undefined): Promise<StreamListener>
  connect(to: Endpoint, from: string, handlers: StreamHandlers): ByteStream
  /** The addresses of a name, or of an IP literal itself. Rejects with `WARP_E_TRANSPORT`. */
  resolve(host: string): Promise<readonly string[]>
}
