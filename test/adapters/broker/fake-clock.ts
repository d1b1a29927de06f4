/** Time that passes when it is told to, and bytes that are drawn from a count. */
import type { BrokerClock } from '../../../adapters/broker/platform-clock.ts'

interface Scheduled {
  readonly dueMs: number
  readonly callback: () => void
}

export class FakeClock implements BrokerClock {
  #nowMs = 0
  #drawn = 0
  readonly #scheduled = new Set<Scheduled>()

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs
  }

  schedule(delayMs: number, callback: () => void): { cancel(): void } {
    const scheduled = { dueMs: this.#nowMs + delayMs, callback }
    this.#scheduled.add(scheduled)
    return { cancel: () => void this.#scheduled.delete(scheduled) }
  }

  random(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => (this.#drawn = (this.#drawn * 73 + 41) & 0xff))
  }

  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs
    for (;;) {
      const next = [...this.#scheduled].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0]
      if (next === undefined) break
      this.#scheduled.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.callback()
    }
    this.#nowMs = endMs
  }
}
