/**
 * Messages inside an authenticated datagram: `message = kind:u8 bytes:varint body`, packed one
 * behind the other. Kinds that are not known are skipped, so that later versions may add some.
 */

export const MESSAGE = {
  /** A frame of the engine. */
  frame: 1,
  /** Membership: see `swim-messages.ts`. */
  ping: 2,
  ack: 3,
  pingRequest: 4,
  records: 5,
  leave: 6,
  /** Padding or a proof of life without content. */
  nothing: 7,
} as const

export type MessageKind = (typeof MESSAGE)[keyof typeof MESSAGE]

/**
 * The longest head of a message: bodies are shorter than a datagram, so three bytes of length will
 * do.
 */
export const MESSAGE_HEAD_BYTES_MAX = 4

/** Where the next message goes after one has been written at `at`. There must be room. */
export function writeMessage(into: Uint8Array, at: number, kind: MessageKind, body: Uint8Array): number {
  let next = at
  into[next++] = kind
  let rest = body.length
  while (rest > 0x7f) {
    into[next++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  into[next++] = rest
  into.set(body, next)
  return next + body.length
}

/**
 * Shows the messages of a payload, as views. Returns `false` at the first one that is cut short;
 * those before it have been shown.
 */
export function readMessages(payload: Uint8Array, show: (kind: number, body: Uint8Array) => void): boolean {
  const { length } = payload
  for (let at = 0; at < length;) {
    const kind = payload[at++]!
    let bytes = 0
    for (let shift = 0; ; shift += 7) {
      if (at === length || shift > 14) return false
      const group = payload[at++]!
      bytes |= (group & 0x7f) << shift
      if (group < 0x80) break
    }
    if (bytes > length - at) return false
    show(kind, payload.subarray(at, at + bytes))
    at += bytes
  }
  return true
}
