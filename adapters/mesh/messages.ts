/**
 * Messages inside an authenticated datagram: `message = kind:u8 bytes:varint body`, packed one behind the other.
 * Kinds that are not known are skipped, so that later versions may add some.
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
