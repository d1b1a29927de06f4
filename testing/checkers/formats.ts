/**
 * W67: nobody is the first to write a format that a peer in sight does not read, and an older build
 * is refused, by its folder or by a peer, only after somebody has begun to write a later one.
 *
 * A peer does not read a format if it has said so, or if no build that it has ever run does. A
 * replica that was taken back may be taken for an upgraded one until it is heard again. Whoever
 * follows the first may see peers that are refused already.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { PeerReport } from '../../src/replication/replication-stats.ts'
import type { LifeEvent } from '../simulation/report/run-history.ts'
import type { Checker, ReportEvent, Violation } from './checker.ts'

const NAME = 'W67'

export function formatChecker(): Checker {
  /** The highest format that any build has read which the replica has run. */
  const highest = new Map<ReplicaId, number>()
  let isRaised = false

  const lived = ({ kind, replica, format, detail, machine }: LifeEvent): Violation[] => {
    if (kind === 'opened' && replica !== undefined)
      highest.set(replica, Math.max(format, highest.get(replica) ?? format))
    if (kind !== 'refused' || detail !== 'WARP_E_LOG_VERSION' || isRaised) return []
    return [
      found(machine, `the folder of ${machine} refuses a build of format ${format}, and nobody has begun another`),
    ]
  }

  const reported = ({ report: { machine, event }, peers }: ReportEvent): Violation[] => {
    if (event.kind === 'format:refused' && !isRaised)
      return [found(machine, `${machine} refuses a peer for its format, and nobody has begun a later one`)]
    if (event.kind !== 'format:raised' || isRaised) return []
    isRaised = true
    return peers()
      .filter((peer) => peer.state === 'up' && readBy(peer) < event.format)
      .map(({ name, address }) =>
        found(
          machine,
          `${machine} begins to write format ${event.format}, and sees ${name ?? address}, which does not read it`,
        ),
      )
  }
  const readBy = ({ replica, format = Infinity }: PeerReport): number =>
    Math.min(format, (replica === undefined ? undefined : highest.get(replica)) ?? Infinity)

  return {
    name: NAME,
    observe: (event) =>
      event.kind === 'life' ? lived(event.life) : event.kind === 'report' ? reported(event) : undefined,
    verify: () => [],
  }
}

function found(machine: string, message: string): Violation {
  return { invariant: NAME, message, machine }
}
