/**
 * Which commands of whom have been judged, so that each counts once however often its record comes.
 * Numbers below an author's floor have been decided; of those from there on, the ones that came are
 * listed. An author that has written nothing for an hour is forgotten: what it sent before comes too
 * late by then (`LATE_MS`). So is, sooner, one that has said good-bye: not at once, for a log may keep
 * a record twice, and the second one may lie behind the good-bye.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { expectArray, expectCount, expectReplica } from '../../crdt/encoding/stored-state.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { decodeVerdict, encodeVerdict, type Verdict } from './verdict.ts'

/** A record that comes so much later than its author thought counts for nothing. */
export const LATE_MS = 600_000
const FORGOTTEN_MS = 3_600_000
/** Of an author that has said good-bye: a record that counted can come once more for so long. */
const LEFT_MS = 2 * LATE_MS
/** What was sent since then cannot have been decided and forgotten. */
const FRESH_MS = FORGOTTEN_MS - LATE_MS
/** So many numbers that somebody has closed are remembered of an author. */
const CLOSED_MAX = 64

class Author {
  floor = 1
  /** All numbers up to here have been judged. Those of which nothing else is known are done. */
  through = 0
  /** When something of it was judged last, by the time of the log. */
  lastMs = 0
  /** It has said good-bye. */
  hasLeft = false
  /** From the floor on: what was not done, or came before one with a smaller number. */
  readonly others = new Map<number, Verdict>()
  /** Below the floor: those that somebody has asked for. */
  readonly closed = new Map<number, Verdict>()

  verdictOf(sequence: number): Verdict | 'before' | undefined {
    const known = this.others.get(sequence) ?? this.closed.get(sequence)
    if (known !== undefined) return known
    if (sequence < this.floor) return 'before'
    return sequence <= this.through ? DONE : undefined
  }

  note(sequence: number, verdict: Verdict): void {
    const isNext = sequence === this.through + 1
    if (!isNext || !isPlain(verdict)) this.others.set(sequence, verdict)
    if (!isNext) return
    this.through = sequence
    this.#join()
  }

  raise(floor: number): void {
    if (floor <= this.floor) return
    for (const sequence of this.others.keys()) if (sequence < floor) this.others.delete(sequence)
    this.floor = floor
    this.through = Math.max(this.through, floor - 1)
    this.#join()
  }

  close(sequence: number, verdict: Verdict): void {
    this.closed.set(sequence, verdict)
    for (const oldest of this.closed.keys()) {
      if (this.closed.size <= CLOSED_MAX) break
      this.closed.delete(oldest)
    }
  }

  /** Numbers that came early are next by now. */
  #join(): void {
    for (;;) {
      const next = this.others.get(this.through + 1)
      if (next === undefined) return
      this.through++
      if (isPlain(next)) this.others.delete(this.through)
    }
  }
}

/** Whether nothing has to be remembered but that it was done. */
function isPlain(verdict: Verdict): boolean {
  return verdict.kind === 'done' && verdict.given === undefined
}

const DONE: Verdict = Object.freeze({ kind: 'done', version: 0 })

export class Authors {
  readonly #authors = new Map<ReplicaId, Author>()

  get size(): number {
    return this.#authors.size
  }

  verdictOf(author: ReplicaId, sequence: number): Verdict | 'before' | undefined {
    return this.#authors.get(author)?.verdictOf(sequence)
  }

  /** A command has been judged. */
  note(author: ReplicaId, sequence: number, verdict: Verdict, timeMs: number): void {
    this.#at(author, timeMs).note(sequence, verdict)
  }

  /** Everything of the author below it is decided. */
  raise(author: ReplicaId, floor: number): void {
    this.#authors.get(author)?.raise(floor)
  }

  /** Somebody has asked for it: it is remembered beyond the floor. */
  close(author: ReplicaId, sequence: number, verdict: Verdict, timeMs: number): void {
    const known = this.#at(author, timeMs)
    if (known.verdictOf(sequence) === undefined) known.note(sequence, verdict)
    known.close(sequence, verdict)
  }

  /** The author writes no more. Records of it may come once more for a while. */
  leave(author: ReplicaId): void {
    const known = this.#authors.get(author)
    if (known !== undefined) known.hasLeft = true
  }

  /** Whether a command that was sent at that time may have been decided, and nobody remembers anything of its author. */
  isForgotten(author: ReplicaId, sinceMs: number, timeMs: number): boolean {
    return !this.#authors.has(author) && timeMs - sinceMs > FRESH_MS
  }

  /** Forgets who has been silent for an hour. Judged by the log's time, on every replica alike. */
  forgetSilent(timeMs: number): void {
    for (const [author, { lastMs, hasLeft }] of this.#authors)
      if (timeMs - lastMs > (hasLeft ? LEFT_MS : FORGOTTEN_MS)) this.#authors.delete(author)
  }

  encode(): Encodable {
    return [...this.#authors].map(([author, { floor, through, lastMs, hasLeft, others, closed }]) => [
      ...[author, floor, through, lastMs, hasLeft],
      ...[pairs(others), pairs(closed)],
    ])
  }

  /** Throws `WARP_E_PROTOCOL`. */
  static decode(encoded: Encodable | undefined): Authors {
    const authors = new Authors()
    for (const item of expectArray(encoded)) {
      const [replica, floor, through, lastMs, hasLeft, others, closed] = expectArray(item)
      const author = new Author()
      author.floor = expectCount(floor)
      author.through = expectCount(through)
      author.lastMs = expectCount(lastMs)
      author.hasLeft = hasLeft === true
      fill(author.others, others)
      fill(author.closed, closed)
      authors.#authors.set(expectReplica(replica), author)
    }
    return authors
  }

  #at(replica: ReplicaId, timeMs: number): Author {
    let author = this.#authors.get(replica)
    if (author === undefined) {
      author = new Author()
      this.#authors.set(replica, author)
    }
    author.lastMs = Math.max(author.lastMs, timeMs)
    return author
  }
}

function pairs(verdicts: ReadonlyMap<number, Verdict>): Encodable {
  return [...verdicts].map(([sequence, verdict]) => [sequence, encodeVerdict(verdict)])
}

function fill(verdicts: Map<number, Verdict>, encoded: Encodable | undefined): void {
  for (const item of expectArray(encoded)) {
    const [sequence, verdict] = expectArray(item)
    verdicts.set(expectCount(sequence), decodeVerdict(verdict))
  }
}
