/**
 * A transport that says who is there, as the mesh does, so that replicas need not say it themselves:
 * who came up is up until it is told to be down. It can lose what is sent to it by kind.
 */
import type { PeerAddress, Transport, TransportPeer, TransportReceiver } from '../../src/ports/transport.ts'

export interface WatchedTransport extends Transport {
  /** Frames that arrived, by their kinds (`FRAME_KIND`). */
  readonly arrived: { readonly from: PeerAddress; readonly kind: number; readonly bytes: number }[]
  /** Which frames are lost on their way here. Default: none. */
  loses: (from: PeerAddress, kind: number, bytes: Uint8Array) => boolean
  /** Whether it says that a peer has come up, beside listing it. Default: yes. */
  tells: boolean
  /** That peer has gone, as far as this transport knows. */
  giveUp(peer: PeerAddress): void
}

export function watchedTransport(inner: Transport): WatchedTransport {
  const peers = new Map<PeerAddress, TransportPeer['state']>()
  let told: TransportReceiver | undefined
  const watched: WatchedTransport = {
    kind: 'broadcast',
    name: inner.name,
    arrived: [],
    loses: () => false,
    tells: true,
    giveUp(peer) {
      peers.set(peer, 'down')
      told?.peerDown?.(peer)
    },
    async open(receiver) {
      told = receiver
      const link = await inner.open({
        receive: (from, bytes) => {
          const kind = bytes[1] ?? 0
          if (watched.loses(from, kind, bytes)) return
          watched.arrived.push({ from, kind, bytes: bytes.length })
          receiver.receive(from, bytes)
        },
        peerUp: (peer) => {
          peers.set(peer, 'up')
          if (watched.tells) receiver.peerUp?.(peer)
        },
        peerDown: (peer) => {
          peers.delete(peer)
          receiver.peerDown?.(peer)
        },
      })
      return {
        frameBytesMax: link.frameBytesMax,
        broadcast: (bytes) => link.broadcast(bytes),
        send: (to, bytes) => link.send(to, bytes),
        peers: () => [...peers].map(([address, state]) => ({ address, state })),
        close: () => link.close(),
      }
    },
  }
  return watched
}
