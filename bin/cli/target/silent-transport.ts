/**
 * A transport that reaches nobody. A folder may be a cluster member's: opened without a transport,
 * the engine would take it for one that is nobody else's and fold away what others have not seen.
 * Opened with this one it is a replica that happens to be cut off.
 */
import type { Transport, TransportLink } from '../../../adapters/node/index.ts'

const FRAME_BYTES_MAX = 4 * 1024 * 1024

const LINK: TransportLink = {
  frameBytesMax: FRAME_BYTES_MAX,
  broadcast: () => undefined,
  send: () => false,
  close: () => Promise.resolve(),
}

export function silentTransport(): Transport {
  return { kind: 'broadcast', name: 'nobody', open: () => Promise.resolve(LINK) }
}
