/** Asks peers what copies they hold, and hands on what peers ask. Nothing that is lost is said again. */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type {
  CopyPeer,
  CopyTalkPort,
  CopyTellerPort,
  HoldingsTold,
  HoldingsWanted,
} from '../../ports/talk/copy-talk.ts'
import type { Peer, Peers } from '../peers.ts'
import type { ReplicationProgress } from '../reception/catching-up.ts'
import type { Post } from '../reception/post.ts'
import type { HoldingsToldFrame, HoldingsWantedFrame } from '../wire/frames.ts'

export interface CopyTalkParts {
  readonly post: Post
  readonly peers: Peers
  /** Whether this replica has what the others have told of. */
  readonly progress: () => Pick<ReplicationProgress, 'phase'>
}

interface Question {
  readonly peer: Peer
  readonly heard: (told: HoldingsTold | { readonly kind: 'gone' }) => void
}

export class CopyTalk implements CopyTalkPort {
  readonly #parts: CopyTalkParts
  #teller: CopyTellerPort | undefined
  readonly #questions = new Map<number, Question>()
  #lastNumber = 0

  constructor(parts: CopyTalkParts) {
    this.#parts = parts
  }

  connect(teller: CopyTellerPort): void {
    this.#teller = teller
  }

  peers(): readonly CopyPeer[] {
    const known = new Map<ReplicaId, CopyPeer>()
    for (const { isUp, isRefused, replica, hello } of this.#parts.peers.all()) {
      if (!isUp || isRefused || replica === undefined) continue
      // Over one transport it may have said what it can, and not yet over another one.
      const tells = hello?.tellsCopies === true || known.get(replica)?.tells === true
      known.set(replica, { replica, name: hello?.name ?? known.get(replica)?.name ?? '', tells })
    }
    return [...known.values()]
  }

  get hasMetThem(): boolean {
    for (const { isUp, isRefused, hello } of this.#parts.peers.all())
      if (isUp && !isRefused && hello === undefined) return false
    return this.#parts.progress().phase === 'caught-up'
  }

  ask(replica: ReplicaId, wanted: HoldingsWanted, heard: Question['heard']): () => void {
    const { post } = this.#parts
    const peer = this.#find(replica)
    const number = ++this.#lastNumber
    if (peer === undefined) {
      heard({ kind: 'gone' })
      return () => undefined
    }
    this.#questions.set(number, { peer, heard })
    post.send(peer, post.encoder.holdingsWanted({ number, wanted }))
    return () => void this.#questions.delete(number)
  }

  /** A peer asks. */
  wanted(peer: Peer, { number, wanted }: HoldingsWantedFrame): void {
    const { post } = this.#parts
    const told = this.#teller?.told(wanted) ?? { kind: 'cannot' }
    post.send(peer, post.encoder.holdingsTold({ number, told }))
  }

  /** A peer answers. */
  told(peer: Peer, { number, told }: HoldingsToldFrame): void {
    const question = this.#questions.get(number)
    if (question?.peer !== peer) return
    this.#questions.delete(number)
    question.heard(told)
  }

  /** Nothing comes of that peer any more. */
  forget(peer: Peer): void {
    for (const [number, question] of this.#questions) {
      if (question.peer !== peer) continue
      this.#questions.delete(number)
      question.heard({ kind: 'gone' })
    }
  }

  #find(replica: ReplicaId): Peer | undefined {
    for (const peer of this.#parts.peers.all())
      if (peer.replica === replica && peer.isUp && !peer.isRefused && peer.hello?.tellsCopies === true) return peer
    return undefined
  }
}
