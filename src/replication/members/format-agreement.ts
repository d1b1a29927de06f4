/**
 * Which format the members of a cluster write: the highest that all of them read. A member that has
 * not said what it reads counts as one that reads the oldest format only, and so does everybody
 * while nobody has been heard. A member that is gone does not count.
 *
 * A newcomer with an older format lowers the agreement, unless something has been written that it
 * cannot read: then it is refused, on both sides, and counts for nothing. So whoever holds something
 * of a later format writes that format from its opening on, and a restart lowers nothing.
 */
import { WarpError } from '../../../crdt/warp-error.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { RetiredIds } from '../../operation/retired-ids.ts'
import { FORMAT_LOWEST, type Formats } from '../../operation/envelope/formats.ts'
import type { ReplicationObserver } from '../events.ts'
import type { Peer } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'
import type { Hello } from '../wire/frames.ts'
import { roundsToTell } from '../anti-entropy/telling.ts'
import type { KnownReplica, KnownReplicas } from './known-replicas.ts'

/** A member that cannot read what this build could write. */
export interface FormatHolder {
  readonly replica: ReplicaId
  readonly name: string
  /** The highest that it reads, as far as it has said. */
  readonly highest: number
}

/**
 * So many rounds in a row all members have read it, before a format is written: peers' digests name
 * members that are not known yet.
 */
const ROUNDS_TO_RAISE = 3
/** Holders that are named in an event and in a message. */
const NAMED_MAX = 8

export class FormatAgreement {
  readonly #formats: Formats
  readonly #retired: RetiredIds
  readonly #known: KnownReplicas
  readonly #observe: ReplicationObserver
  #reported = ''
  /** Rounds in a row in which all members read more than is written. */
  #agreedRounds = 0

  constructor(store: ReplicationStore, known: KnownReplicas, observe: ReplicationObserver) {
    this.#formats = store.table.formats
    this.#retired = store.retired
    this.#known = known
    this.#observe = observe
    this.#formats.heldBackBy = (format) => this.#heldBackBy(format)
    // Nobody who cannot read what lies here takes part with this replica.
    this.#formats.write(this.#formats.held)
  }

  /**
   * `peer` says what it reads, and what it knows to have been written. Returns whether it takes
   * part.
   */
  hello(peer: Peer, hello: Hello): boolean {
    const side = hello.written > this.#formats.highest ? 'us' : this.#formats.seen > hello.highest ? 'peer' : undefined
    if (side !== undefined) {
      this.#refuse(peer, hello, side)
      return false
    }
    // What it has seen is somewhere, though nothing of it may have arrived here yet.
    this.#formats.note(hello.written)
    peer.isRefused = false
    return true
  }

  /**
   * With each round, and with each hello: who takes part may have changed. It is lowered at once,
   * and raised by rounds.
   */
  settle(peers: readonly Peer[], isRound: boolean): void {
    for (const peer of peers) this.#check(peer)
    const members = [...this.members(), ...this.#endedInSight(peers)]
    const agreed = members.length === 0 ? FORMAT_LOWEST : lowest(this.#formats.highest, members)
    const format = Math.max(agreed, this.#formats.held)
    if (format < this.#formats.written) this.#formats.write(format)
    if (format === this.#formats.written || !peers.every(hasTold)) this.#agreedRounds = 0
    else if (isRound && ++this.#agreedRounds >= roundsToRaise(peers.length)) this.#raise(format)
    this.#report(this.#formats.written, holding(this.#formats.highest, members))
  }

  #raise(format: number): void {
    this.#formats.write(format)
    this.#observe({ kind: 'format:raised', format })
  }

  /** Something may have been written since that the peer cannot read. */
  #check(peer: Peer): void {
    const { hello } = peer
    if (hello !== undefined && hello.highest < this.#formats.seen) this.#refuse(peer, hello, 'peer')
  }

  /** Members that count. Ids that have come to an end read nothing any more. */
  members(): KnownReplica[] {
    return [...this.#known.present()].filter(({ replica }) => this.#retired.endOf(replica) === Infinity)
  }

  /**
   * Peers in sight whose id has come to an end: each takes over a state, and is back under another
   * id with the same build.
   */
  #endedInSight(peers: readonly Peer[]): KnownReplica[] {
    return [...this.#known.present()].filter(
      ({ replica }) =>
        this.#retired.endOf(replica) !== Infinity &&
        peers.some((peer) => peer.isUp && !peer.isRefused && peer.replica === replica),
    )
  }

  /** Who reads less than `format`, in words. */
  #heldBackBy(format: number): string {
    const holders = holding(format, this.members())
    if (holders.length === 0) return 'no other member has been heard yet'
    const names = holders.slice(0, NAMED_MAX).map(shown).join(', ')
    return `held back by ${names}; upgrade ${holders.length === 1 ? 'it' : 'them'}`
  }

  #refuse(peer: Peer, { highest, written }: Hello, side: 'us' | 'peer'): void {
    if (peer.replica !== undefined) this.#known.forget(peer.replica)
    if (peer.isRefused) return
    peer.isRefused = true
    const error =
      side === 'us'
        ? `the cluster has written format ${written}, and this replica reads up to ${this.#formats.highest}: upgrade this replica`
        : `the peer reads up to format ${highest}, and format ${this.#formats.seen} has been written here: upgrade the peer`
    this.#observe({ kind: 'format:refused', side, peer: peer.name, error: new WarpError('WARP_E_PROTOCOL', error) })
  }

  #report(format: number, holders: readonly FormatHolder[]): void {
    const state = holders.map(({ replica, highest }) => `${replica}/${highest}`).join(' ')
    if (state === this.#reported) return
    this.#reported = state
    if (holders.length > 0) this.#observe({ kind: 'format:held', format, by: holders.slice(0, NAMED_MAX) })
  }
}

/** By then each peer has told of what is new to it, so many times. */
function roundsToRaise(peers: number): number {
  return ROUNDS_TO_RAISE * Math.max(1, roundsToTell(peers))
}

/** Its digest names members that this replica may not know yet. */
function hasTold(peer: Peer): boolean {
  return !peer.isUp || peer.isRefused || peer.floor !== undefined
}

function lowest(highest: number, members: readonly KnownReplica[]): number {
  let format = highest
  for (const member of members) format = Math.min(format, member.format)
  return format
}

function holding(format: number, members: readonly KnownReplica[]): FormatHolder[] {
  return members
    .filter((member) => member.format < format)
    .map(({ replica, name, format: highest }) => ({ replica, name, highest }))
}

function shown({ replica, name, highest }: FormatHolder): string {
  return `${name === '' ? replica.slice(0, 8) : name} (format ${highest})`
}
