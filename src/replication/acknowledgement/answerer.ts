/**
 * Answers peers that wait for acknowledgements: at once with what is held here, and again as more
 * is, until they have been told of all that they asked for. An answer that is lost is asked for
 * again. Costs nothing while nobody waits.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { AckLevel } from '../../store/write-road/acknowledgement.ts'
import type { Peer } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import type { ReplicationStore } from '../store.ts'
import { ACKNOWLEDGEMENTS_MAX, type HeldOperations, type WantedAcknowledgement } from '../wire/frames.ts'
import type { Holdings } from './holdings.ts'

interface Question {
  readonly replica: ReplicaId
  readonly level: AckLevel
  through: number
  /** How far the peer has been told that it is held. */
  told: number
}

export class AcknowledgementAnswerer {
  readonly #store: ReplicationStore
  readonly #post: Post
  readonly #holdings: Holdings
  /** By peer, then by replica and level. */
  readonly #questions = new Map<Peer, Map<string, Question>>()

  constructor(store: ReplicationStore, post: Post, holdings: Holdings) {
    this.#store = store
    this.#post = post
    this.#holdings = holdings
    holdings.onChange(() => this.progressed())
  }

  /** Questions that have not been answered in full. */
  get count(): number {
    let count = 0
    for (const questions of this.#questions.values()) count += questions.size
    return count
  }

  wanted(peer: Peer, wanted: readonly WantedAcknowledgement[]): void {
    const questions = this.#questions.get(peer) ?? new Map<string, Question>()
    this.#questions.set(peer, questions)
    for (const { replica, level, through } of wanted) {
      const key = `${replica}/${level}`
      const known = questions.get(key)
      if (known === undefined && questions.size >= ACKNOWLEDGEMENTS_MAX) continue
      // Asked again: the answer may have been lost.
      questions.set(key, { replica, level, through: Math.max(through, known?.through ?? 0), told: 0 })
      this.#holdings.want(replica, level, through)
    }
    this.#answer(peer, questions)
  }

  /** Operations have been applied, or are held better. */
  progressed(): void {
    if (this.#questions.size === 0) return
    for (const [peer, questions] of this.#questions) this.#answer(peer, questions)
  }

  forget(peer: Peer): void {
    this.#questions.delete(peer)
  }

  #answer(peer: Peer, questions: Map<string, Question>): void {
    // What is here is a mixture; it may be replaced.
    if (this.#store.needsSnapshot === true) return
    const moved = new Set<ReplicaId>()
    for (const question of questions.values()) if (this.#reached(question) > question.told) moved.add(question.replica)
    if (moved.size > 0 && !this.#post.send(peer, this.#post.encoder.held([...moved].map((id) => this.#heldOf(id))))) {
      // The peer's queue is full. It asks again.
      return
    }
    for (const [key, question] of questions) {
      question.told = this.#reached(question)
      if (question.told >= question.through) questions.delete(key)
    }
    if (questions.size === 0) this.#questions.delete(peer)
  }

  #heldOf(replica: ReplicaId): HeldOperations {
    const held = (level: AckLevel): number => this.#holdings.held(replica, level)
    return { replica, memory: held('memory'), logged: held('logged'), durable: held('durable') }
  }

  /** Where the log is in memory, to have been applied is the best that there is to say. */
  #reached({ replica, level }: Question): number {
    return this.#holdings.held(replica, this.#store.persistent ? level : 'memory')
  }
}
