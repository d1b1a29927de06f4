/**
 * What pings tell of a peer: how long the way there and back takes, and how far its wall clock is
 * from ours.
 *
 * The round trip is smoothed as RFC 6298 does it. The skew is NTP's offset (RFC 5905, section 8)
 * with one time of the peer instead of two, since it answers at once: its clock, less ours in the
 * middle of the round trip; wrong by at most half the round trip. One answer that was held up must
 * not raise an alarm, so the median of the last three counts. Reported once when it exceeds the
 * threshold by more than the error, and again only after the clocks agreed to within half the
 * threshold.
 */
const SMOOTHING = 1 / 8
const VARIATION_SMOOTHING = 1 / 4
const SAMPLES_MAX = 3

export class RoundTrip {
  #smoothedMs: number | undefined
  #variationMs = 0

  /** Absent until measured. */
  get smoothedMs(): number | undefined {
    return this.#smoothedMs
  }

  sample(ms: number): void {
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = ms
      this.#variationMs = ms / 2
      return
    }
    this.#variationMs += VARIATION_SMOOTHING * (Math.abs(this.#smoothedMs - ms) - this.#variationMs)
    this.#smoothedMs += SMOOTHING * (ms - this.#smoothedMs)
  }

  /** After which an answer is late: the RFC's retransmission timeout, within bounds. */
  timeoutMs(minMs: number, maxMs: number): number {
    if (this.#smoothedMs === undefined) return maxMs
    return Math.min(maxMs, Math.max(minMs, this.#smoothedMs + 4 * this.#variationMs))
  }
}

export interface SkewSample {
  /** The peer's wall clock when it answered, and ours when the answer came. */
  readonly theirMs: number
  readonly ourMs: number
  readonly roundTripMs: number
}

export class ClockSkew {
  readonly #samples: { readonly skewMs: number; readonly errorMs: number }[] = []
  readonly #skewMsMax: number
  #isSkewed = false

  constructor(skewMsMax: number) {
    this.#skewMsMax = skewMsMax
  }

  /** Theirs minus ours; absent until measured. */
  get skewMs(): number | undefined {
    return this.#median()?.skewMs
  }

  /** Returns the skew when it is to be reported. */
  sample({ theirMs, ourMs, roundTripMs }: SkewSample): number | undefined {
    this.#samples.push({ skewMs: theirMs - (ourMs - roundTripMs / 2), errorMs: roundTripMs / 2 })
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift()
    const { skewMs, errorMs } = this.#median()!
    if (Math.abs(skewMs) <= this.#skewMsMax / 2) this.#isSkewed = false
    if (this.#isSkewed || Math.abs(skewMs) - errorMs <= this.#skewMsMax) return undefined
    this.#isSkewed = true
    return skewMs
  }

  #median(): { readonly skewMs: number; readonly errorMs: number } | undefined {
    const sorted = [...this.#samples].sort((a, b) => a.skewMs - b.skewMs)
    return sorted[(sorted.length - 1) >> 1]
  }
}
