/** Tells the observer of messages that were missed: seldom, however many they are. */
import type { Env } from '../ports/env.ts'
import type { MessagesMissed } from './channel-types.ts'

/** Between two events of one reason. */
const TOLD_EVERY_MS = 10_000

export class MissedTeller {
  readonly #env: Pick<Env, 'monotonic'>
  readonly #observe: (event: MessagesMissed) => void
  readonly #reasons = {
    lost: { toldMs: -Infinity, missedCount: 0 },
    slow: { toldMs: -Infinity, missedCount: 0 },
  }

  constructor(env: Pick<Env, 'monotonic'>, observe: (event: MessagesMissed) => void) {
    this.#env = env
    this.#observe = observe
  }

  missed(reason: MessagesMissed['reason'], channel: string, missedCount: number): void {
    const now = this.#env.monotonic()
    const own = this.#reasons[reason]
    own.missedCount += missedCount
    if (now - own.toldMs < TOLD_EVERY_MS) return
    this.#observe({ kind: 'messages:missed', reason, missedCount: own.missedCount, channel })
    own.toldMs = now
    own.missedCount = 0
  }
}
