/**
 * Which relay works: of those that sit in a region and hear each other there, one carries into it what
 * comes from another region. All of them choose alike, by what they hear, without a word: the one for
 * which a hash is greatest (`members/rendezvous.ts`), among those that sit in both regions if there
 * are any. One that says that it carries nothing yet is not counted. When it goes, the next one follows; for a while two may work, or none. Neither does harm:
 * what comes twice is known by its dot, and what does not come is asked for.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { rendezvous } from '../members/rendezvous.ts'
import type { Peer, Peers } from '../peers.ts'
import type { Group } from './group.ts'

export interface Candidate {
  readonly replica: ReplicaId
  /** Where it sits. */
  readonly relayed: readonly string[]
}

export class Election {
  readonly #peers: Peers
  readonly #self: () => Candidate

  constructor(peers: Peers, self: () => Candidate) {
    this.#peers = peers
    this.#self = self
  }

  /** Who carries what is written in `from` into the group's region. */
  winner(from: string, group: Group): ReplicaId {
    const self = this.#self()
    const all = [self, ...candidates(group.peers(this.#peers), group.region)]
    const near = all.filter(({ relayed }) => relayed.includes(from))
    const replicas = (near.length === 0 ? all : near).map(({ replica }) => replica)
    return rendezvous(`${from}>${group.region}`, replicas) ?? self.replica
  }
}

function* candidates(peers: Iterable<Peer>, region: string): IterableIterator<Candidate> {
  for (const { replica, hello } of peers) {
    const relayed = hello?.relayed ?? []
    if (replica === undefined || hello?.carriesNothing !== false) continue
    if (relayed.length > 1 && relayed.includes(region)) yield { replica, relayed }
  }
}
