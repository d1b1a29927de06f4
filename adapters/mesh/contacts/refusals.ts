/**
 * Counts what was refused on the way in, and tells an operator at most once a minute: the first
 * refusal after a quiet minute is reported at once, the rest of that minute together at its end.
 * One instance serves the datagrams and the streams of a mesh.
 * Bounded by nature: three numbers and one timer, however much somebody sends.
 */
import type { Timer, TransportReport } from '../../../src/index.ts'
import type { MeshClock } from './contact.ts'

export type RefusalKind = 'forged' | 'replayed' | 'malformed'

export interface RefusalsOptions {
  readonly clock: Pick<MeshClock, 'schedule'>
  readonly report: (report: TransportReport) => void
}

export const REFUSALS_REPORT_MS = 60_000

export class Refusals {
  readonly #options: RefusalsOptions
  #counts: Record<RefusalKind, number> = { forged: 0, replayed: 0, malformed: 0 }
  #quiet: Timer | undefined
  #isClosed = false

  constructor(options: RefusalsOptions) {
    this.#options = options
  }

  count(kind: RefusalKind): void {
    if (this.#isClosed) return
    this.#counts[kind]++
    if (this.#quiet === undefined) this.#report()
  }

  /** Reports what has not been reported yet. */
  close(): void {
    this.#quiet?.cancel()
    this.#report()
    this.#quiet?.cancel()
    this.#isClosed = true
  }

  #report(): void {
    this.#quiet = undefined
    const { forged, replayed, malformed } = this.#counts
    if (forged + replayed + malformed === 0) return
    this.#counts = { forged: 0, replayed: 0, malformed: 0 }
    this.#quiet = this.#options.clock.schedule(REFUSALS_REPORT_MS, () => this.#report())
    this.#options.report({
      kind: 'packets:refused',
      forgedCount: forged,
      replayedCount: replayed,
      malformedCount: malformed,
    })
  }
}
