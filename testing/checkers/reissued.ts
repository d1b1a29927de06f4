/**
 * What was issued again, and what went missing meanwhile. A replica that was away beyond the
 * horizon takes over a peer's state (`resync:done`). What others wrote and that peer has not seen
 * is gone from it until it comes again, and its own writes of before are issued again without it,
 * under other names and later stamps: the one step after which a replica may show less than before,
 * and of which no guarantee speaks.
 */
import type { CallRecord } from '../simulation/report/run-history.ts'
import type { RunEvent } from './checker.ts'

/** What is not judged while `isHalfDone`. */
export const HALF_DONE = 'half of a state that was being taken over'

export class Reissued {
  readonly #resyncs = new Map<string, { count: number; lastMs: number }>()
  readonly #halfDone = new Set<string>()

  note(event: RunEvent): void {
    if (event.kind !== 'report') return
    const { machine, atMs, event: report } = event.report
    const isHalfDone = report.kind === 'resync:interrupted'
    if (report.kind !== 'resync:done' && !isHalfDone) return
    if (isHalfDone) this.#halfDone.add(machine)
    else this.#halfDone.delete(machine)
    this.#resyncs.set(machine, { count: this.resyncs(machine) + 1, lastMs: atMs })
  }

  /** Whether what the machine shows is half the old and half the new state. */
  isHalfDone(machine: string): boolean {
    return this.#halfDone.has(machine)
  }

  /** How often the machine has taken over a state. */
  resyncs(machine: string): number {
    return this.#resyncs.get(machine)?.count ?? 0
  }

  /** Whether the write may have been issued again by now. */
  has({ machine, startedMs }: CallRecord): boolean {
    return startedMs <= (this.#resyncs.get(machine)?.lastMs ?? -1)
  }
}
