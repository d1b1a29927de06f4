/**
 * The port between a guest and its gateway: point to point, ordered, nothing lost but the end. A frame
 * that arrives has all frames before it in front of it; when the link closes, what was under way is gone,
 * and neither end knows which frames those were. Other implementations: a WebSocket. The one in memory
 * beside this file is the executable specification, `warp-engine/conformance` has the suite.
 */

/** Why a link is over. `reason` is for people. */
export interface LinkEnd {
  /** As of WebSockets: 1000 in order, 1001 going away, 1006 cut, 4000 to 4999 the protocol's own. */
  readonly code: number
  readonly reason: string
}

/** Given to a link by whoever uses it. Calls must not throw. */
export interface GuestLinkReceiver {
  /** The receiver may keep `frame`; the link does not change it. */
  receive(frame: Uint8Array): void
  /** `send` has said `false`, and there is room again. */
  drained(): void
  /** Once. Nothing is received behind it. */
  closed(end: LinkEnd): void
}

export interface GuestLink {
  /** Before anything is received. Called once. */
  open(receiver: GuestLinkReceiver): void
  /**
   * Sends one frame. It is taken in any case, and dropped once the link is closed. Returns `false` if more
   * waits than should: the caller sends the next one after `drained`. The frame must not be changed
   * afterwards.
   */
  send(frame: Uint8Array): boolean
  /** Bytes that wait here. */
  readonly bufferedBytes: number
  /** What has been sent before still arrives, as far as the other end takes it. Idempotent. */
  close(end: LinkEnd): void
}

/** In order. */
export const LINK_DONE = 1000
/** The process, or the page, goes. */
export const LINK_GOING_AWAY = 1001
/** Nobody said why. */
export const LINK_CUT = 1006
/** The guest's frames are no frames of this protocol. */
export const LINK_MALFORMED = 4400
/** The gateway does not let the guest in; what `authorize` said has changed, perhaps. */
export const LINK_REFUSED = 4401
/** The other end has been silent for too long. */
export const LINK_SILENT = 4408
/** There is no room for one more guest, or this guest asks for too much. */
export const LINK_LIMIT = 4429
