/**
 * A network of the mesh on which datagrams are lost, repeated and overtaken, by chance from one seed: a wrapper around a real one, at the
 * sender. Streams are left alone, for TCP repairs them below us. How a run goes still depends on the machine's timing.
 */
import type { DatagramPort, Endpoint, MeshNetwork } from '../../adapters/mesh/sockets/network.ts'
import { type Random, seededRandom } from '../../testing/world/random.ts'

export interface Chances {
  readonly seed: number
  /** Shares of the datagrams sent. */
  readonly lost: number
  readonly repeated: number
  /** Sent behind the one that follows. */
  readonly overtaken: number
}

export interface LossyNetwork {
  readonly network: MeshNetwork
  readonly counts: { sent: number; lost: number; repeated: number; overtaken: number }
}

export function lossyNetwork(inner: MeshNetwork, chances: Chances): LossyNetwork {
  const counts = { sent: 0, lost: 0, repeated: 0, overtaken: 0 }
  const random = seededRandom(chances.seed)
  const network: MeshNetwork = {
    bind: async (local, onDatagram) => lossyPort(await inner.bind(local, onDatagram), { chances, random, counts }),
    joinMulticast: (group, on, onDatagram) => inner.joinMulticast(group, on, onDatagram),
    listen: (local, accept) => inner.listen(local, accept),
    connect: (to, from, handlers) => inner.connect(to, from, handlers),
    resolve: (host) => inner.resolve(host),
  }
  return { network, counts }
}

interface Parts {
  readonly chances: Chances
  readonly random: Random
  readonly counts: LossyNetwork['counts']
}

function lossyPort(inner: DatagramPort, { chances, random, counts }: Parts): DatagramPort {
  let held: (() => void) | undefined
  const send = (to: Endpoint, bytes: Uint8Array): void => {
    counts.sent++
    const [isLost, isRepeated, isOvertaken] = [
      random.chance(chances.lost),
      random.chance(chances.repeated),
      random.chance(chances.overtaken),
    ]
    if (isLost) {
      counts.lost++
      return
    }
    const before = held
    held = undefined
    if (isOvertaken && before === undefined) {
      counts.overtaken++
      held = () => inner.send(to, bytes)
    } else inner.send(to, bytes)
    before?.()
    if (!isRepeated) return
    counts.repeated++
    inner.send(to, bytes.slice())
  }
  return {
    local: inner.local,
    get queuedBytes() {
      return inner.queuedBytes
    },
    send,
    sendMulticast: (group, bytes) => inner.sendMulticast(group, bytes),
    close: () => inner.close(),
  }
}
