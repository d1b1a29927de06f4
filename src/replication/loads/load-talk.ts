/**
 * Asks peers to load, and hands on what peers ask; tells them what rows hold. Nothing that is lost is
 * said again: who asks has a bound, and loads by itself then, and who is not told looks at the row.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { LOADS_MAX } from '../../limits.ts'
import type { LoadAnswer, LoadAnswererPort, LoadAsked, LoadTalkPort, StoredRow } from '../../ports/talk/load-talk.ts'
import type { Peer, Peers } from '../peers.ts'
import type { Post } from '../reception/post.ts'
import { ROWS_PER_FRAME_MAX, type LoadFillFrame, type LoadRequestFrame } from '../wire/frames.ts'

export interface LoadTalkParts {
  readonly post: Post
  readonly peers: Peers
}

type Heard = (answer: LoadAnswer | { readonly kind: 'gone' }) => void

interface Question {
  readonly peer: Peer
  readonly heard: Heard
}

export class LoadTalk implements LoadTalkPort {
  readonly #parts: LoadTalkParts
  #answerer: LoadAnswererPort | undefined
  readonly #questions = new Map<number, Question>()
  #lastNumber = 0
  /** Questions of others that are not answered yet. */
  #openCount = 0

  constructor(parts: LoadTalkParts) {
    this.#parts = parts
  }

  connect(answerer: LoadAnswererPort): void {
    this.#answerer = answerer
  }

  *answerers(): IterableIterator<ReplicaId> {
    for (const peer of this.#parts.peers.all()) if (peer.replica !== undefined && answersLoads(peer)) yield peer.replica
  }

  ask(replica: ReplicaId, { key, need, isSecond }: LoadAsked, heard: Heard): () => void {
    const peer = this.#find(replica)
    const number = ++this.#lastNumber
    const { post } = this.#parts
    const question = { number, isSecond, key, need: peer === undefined ? need : beyond(need, peer.has) }
    if (peer === undefined || !post.send(peer, post.encoder.loadRequest(question))) {
      heard({ kind: 'gone' })
      return () => undefined
    }
    this.#questions.set(number, { peer, heard })
    return () => void this.#questions.delete(number)
  }

  tellStored(rows: readonly StoredRow[]): void {
    const { peers, post } = this.#parts
    for (let from = 0; from < rows.length; from += ROWS_PER_FRAME_MAX) {
      const some = rows.slice(from, from + ROWS_PER_FRAME_MAX)
      for (const peer of peers.all()) if (answersLoads(peer)) post.send(peer, post.encoder.rowsStored(some))
    }
  }

  /** A peer has written rows. */
  stored(rows: readonly StoredRow[]): void {
    this.#answerer?.stored(rows)
  }

  /** A peer asks. */
  request(peer: Peer, { number, key, need, isSecond }: LoadRequestFrame): void {
    const { post } = this.#parts
    const answer = (said: LoadAnswer): void => void post.send(peer, post.encoder.loadFill({ number, answer: said }))
    if (this.#answerer === undefined || this.#openCount >= LOADS_MAX) {
      answer({ kind: 'cannot' })
      return
    }
    this.#openCount++
    let isOpen = true
    this.#answerer.asked({ key, need, isSecond }, (said) => {
      if (!isOpen) return
      if (said.kind !== 'working') {
        isOpen = false
        this.#openCount--
      }
      answer(said)
    })
  }

  /** A peer answers. */
  fill(peer: Peer, { number, answer }: LoadFillFrame): void {
    const question = this.#questions.get(number)
    if (question?.peer !== peer) return
    if (answer.kind !== 'working') this.#questions.delete(number)
    question.heard(answer)
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
    for (const peer of this.#parts.peers.all()) if (peer.replica === replica && answersLoads(peer)) return peer
    return undefined
  }
}

function answersLoads({ isUp, isRefused, hello }: Peer): boolean {
  return isUp && !isRefused && hello?.answersLoads === true
}

/** What the other one is not known to have. */
function beyond(need: VersionVector, has: VersionVector): VersionVector {
  return VersionVector.from([...need.entries()].filter(([replica, sequence]) => !has.includes(replica, sequence)))
}
