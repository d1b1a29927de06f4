/**
 * The pings on their way: whom each sequence was sent to, when, and for whom. An answer counts
 * once, and only from the one who was asked. Bounded; what is older than ANSWER_MS_MAX is
 * forgotten, oldest first, so each costs O(1).
 */
import type { MemberId, MeshClock } from '../contacts/contact.ts'
import { drawWord } from '../chance.ts'

/** An answer later than this says nothing about now. */
const ANSWER_MS_MAX = 10_000
const ASKED_MAX = 8192

export interface Asked {
  /** Who is to answer. */
  readonly of: MemberId
  readonly sentMs: number
  /** Whom the answer is about, when others were asked about it. */
  readonly about?: MemberId
  /** Who wanted to know, under which sequence of its own. */
  readonly relayTo?: { readonly member: MemberId; readonly sequence: number }
}

export class AskedPings {
  readonly #clock: MeshClock
  readonly #asked = new Map<number, Asked>()
  #sequence: number

  constructor(clock: MeshClock) {
    this.#clock = clock
    this.#sequence = drawWord(clock)
  }

  get count(): number {
    return this.#asked.size
  }

  /** Returns the sequence to ask under. */
  add(question: Omit<Asked, 'sentMs'>): number {
    const sentMs = this.#clock.monotonic()
    for (const [sequence, asked] of this.#asked) {
      if (this.#asked.size < ASKED_MAX && sentMs - asked.sentMs <= ANSWER_MS_MAX) break
      this.#asked.delete(sequence)
    }
    this.#sequence = (this.#sequence + 1) >>> 0
    this.#asked.set(this.#sequence, { ...question, sentMs })
    return this.#sequence
  }

  /** What `from` answers; `undefined` if it was not asked, or too long ago. */
  answered(from: MemberId, sequence: number): Asked | undefined {
    const asked = this.#asked.get(sequence)
    if (asked?.of !== from) return undefined
    this.#asked.delete(sequence)
    return this.#clock.monotonic() - asked.sentMs <= ANSWER_MS_MAX ? asked : undefined
  }
}
