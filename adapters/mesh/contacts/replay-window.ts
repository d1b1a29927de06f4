/**
 * Which packets of a session have come: the newest counter and a window of 2,048 counters behind
 * it, as a ring of bits (RFC 6479, Zhang and Tsou 2012: words are cleared as the window moves over
 * them, so nothing is ever shifted). What lies behind the window counts as a repetition. A datagram
 * may thus be overtaken by about two thousand others and still be taken.
 */
const WORDS = 64
const WORD_BITS = 32
/**
 * The word in which the newest counter lies is shared by two laps of the ring, hence not part of
 * the window.
 */
export const REPLAY_WINDOW: number = (WORDS - 1) * WORD_BITS

export class ReplayWindow {
  readonly #bits = new Uint32Array(WORDS)
  #newest = -1

  /** Before the packet has been authenticated: changes nothing. */
  isNew(counter: number): boolean {
    if (counter > this.#newest) return true
    if (counter + REPLAY_WINDOW <= this.#newest) return false
    return (this.#bits[wordOf(counter)]! & (1 << (counter % WORD_BITS))) === 0
  }

  /** After it has been authenticated. */
  take(counter: number): void {
    if (counter > this.#newest) {
      const before = Math.floor(this.#newest / WORD_BITS)
      const now = Math.floor(counter / WORD_BITS)
      for (let word = Math.max(before + 1, now - WORDS + 1); word <= now; word++) this.#bits[word % WORDS] = 0
      this.#newest = counter
    }
    this.#bits[wordOf(counter)]! |= 1 << (counter % WORD_BITS)
  }
}

function wordOf(counter: number): number {
  return Math.floor(counter / WORD_BITS) % WORDS
}
