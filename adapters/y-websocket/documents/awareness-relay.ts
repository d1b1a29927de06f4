/**
 * Tells other servers who is at a document here, and hears it from them: over a channel that keeps nothing.
 * What is lost comes again within 15 s, when clients renew what they say.
 */
import type { Channel, Subscription } from '../../../src/index.ts'
import type { ClientState } from '../frames/frames.ts'

export const AWARENESS_CHANNEL = 'warp-awareness'

interface Told {
  readonly from: string
  readonly key: string
  /** `[client, clock, JSON]`. Absent: who is there? */
  readonly states?: readonly (readonly [id: number, clock: number, json: string])[]
}

/** What is heard, by document. */
export interface AwarenessHearer {
  heard(key: string, server: string, states: readonly ClientState[]): void
  asked(key: string): void
}

/** So many states of 8 KiB fit a message. */
const STATES_PER_MESSAGE = 64

export class AwarenessRelay {
  readonly #channel: Channel<Told>
  readonly #subscription: Subscription<Told>
  /** This server; the process may have several. */
  readonly #name: string
  readonly #failed: (error: unknown) => void

  constructor(channel: Channel<Told>, name: string, hearer: AwarenessHearer, failed: (error: unknown) => void) {
    this.#channel = channel
    this.#name = name
    this.#failed = failed
    this.#subscription = channel.subscribe()
    this.#hear(hearer).catch(failed)
  }

  tell(key: string, states: readonly ClientState[]): void {
    for (let at = 0; at < states.length; at += STATES_PER_MESSAGE) {
      const some = states.slice(at, at + STATES_PER_MESSAGE)
      this.#publish({ from: this.#name, key, states: some.map(({ id, clock, json }) => [id, clock, json] as const) })
    }
  }

  ask(key: string): void {
    this.#publish({ from: this.#name, key })
  }

  close(): void {
    this.#subscription.close()
  }

  #publish(told: Told): void {
    this.#channel.publish(told).catch(this.#failed)
  }

  async #hear(hearer: AwarenessHearer): Promise<void> {
    for await (const news of this.#subscription) {
      if (news.kind !== 'message' || news.payload.from === this.#name) continue
      const { from, key, states } = news.payload
      if (states === undefined) hearer.asked(key)
      else
        hearer.heard(
          key,
          from,
          states.map(([id, clock, json]) => ({ id, clock, json })),
        )
    }
  }
}
