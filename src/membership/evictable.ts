/** Which replica an operator means who gives it up. */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { KnownReplica } from './name-book.ts'

/** Of so many replicas that may be meant a message names the ids. */
const NAMED_MAX = 8

/** A peer, as far as it matters here. */
export interface SeenPeer {
  readonly replica?: ReplicaId
  readonly state: string
}

/**
 * The one replica of that name, or whose id begins so. One that is up is not given up, nor this
 * one. Throws `WARP_E_CONFIG`.
 */
export function evictable(nameOrId: string, known: readonly KnownReplica[], peers: readonly SeenPeer[]): KnownReplica {
  const isUp = (replica: ReplicaId): boolean => peers.some((peer) => peer.replica === replica && peer.state === 'up')
  const meant = known.filter(
    ({ replica, name }) => name === nameOrId || (nameOrId !== '' && replica.startsWith(nameOrId)),
  )
  const found = meant.filter(({ replica, isSelf }) => !isSelf && !isUp(replica))
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  throw new WarpError('WARP_E_CONFIG', refusal(nameOrId, meant, found), { details: { name: nameOrId } })
}

function refusal(nameOrId: string, meant: readonly KnownReplica[], found: readonly KnownReplica[]): string {
  if (meant.length === 0)
    return `no replica is known as '${nameOrId}'; \`warp peers\` and replicas() list those that are`
  if (found.length > 1) {
    const ids = found.slice(0, NAMED_MAX).map(({ replica }) => replica)
    return `'${nameOrId}' may be any of ${found.length} replicas (${ids.join(', ')}); give more of the id`
  }
  if (meant.every(({ isSelf }) => isSelf)) return `'${nameOrId}' is this replica; close it with { leave: true } instead`
  return `'${nameOrId}' is up; only a replica that is not there can be given up; close it first`
}
