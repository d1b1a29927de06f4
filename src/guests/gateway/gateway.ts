/** All guests of one engine: who is there, and who is told of which key. */
import { WarpError } from '../../../crdt/warp-error.ts'
import { LINK_GOING_AWAY, LINK_LIMIT, type GuestLink } from '../../ports/guest-link/guest-link.ts'
import type { Timer } from '../../ports/env.ts'
import type { GuestDesk } from './guest-desk.ts'
import { GUESTS } from './guest-desk.ts'
import type { GatewaySettings } from './options.ts'
import { Interests, type Reach } from './reach.ts'
import { GatewaySession } from './session.ts'

export class Gateway<Request> {
  readonly #settings: GatewaySettings<Request>
  readonly #desk: GuestDesk
  readonly #sessions = new Set<GatewaySession<Request>>()
  readonly #interests = new Interests<GatewaySession<Request>>()
  readonly #stops: (() => void)[] = []
  readonly #opened: Promise<void>
  #beat: Timer | undefined
  #isClosed = false

  /** Throws `WARP_E_CONFIG` for what is no engine. */
  constructor(warp: unknown, settings: GatewaySettings<Request>) {
    this.#settings = settings
    this.#desk = guestDesk(warp)
    const { store } = this.#desk
    this.#stops.push(
      store.subscribe(({ slot }) => {
        const key = store.keys.keys[slot]
        if (key === undefined || !this.#desk.isOffered(key, slot)) return
        for (const session of this.#interests.of(key)) session.note(key)
      }),
      this.#desk.onNamed((guest, sequence) => {
        for (const session of this.#sessions) if (session.guest === guest) session.named(sequence)
      }),
    )
    this.#opened = this.#desk.open()
    // Behind the desk's own listener.
    this.#stops.push(
      this.#desk.onReset(() => {
        for (const session of this.#sessions) session.reset()
      }),
    )
    this.#opened.catch((error: unknown) => settings.observe({ kind: 'gateway:failed', error: error as Error }))
    this.#look()
  }

  get guestsCount(): number {
    return this.#sessions.size
  }

  /** Settles when what guests have written before is known: until then nobody is let in. */
  opened(): Promise<void> {
    return this.#opened
  }

  /** Whether there is room for one more. */
  get isFull(): boolean {
    return this.#isClosed || this.#sessions.size >= this.#settings.limits.guestsMax
  }

  /** A guest has come. */
  connect(link: GuestLink, request: Request): void {
    const isGoing = this.#isClosed
    if (this.isFull) {
      const reason = isGoing ? 'the gateway goes away; come again' : 'there is no room for one more guest; come again'
      link.close({ code: isGoing ? LINK_GOING_AWAY : LINK_LIMIT, reason })
      this.#settings.observe({ kind: 'guest:refused', code: isGoing ? LINK_GOING_AWAY : LINK_LIMIT, reason })
      return
    }
    const session = new GatewaySession<Request>({
      ...{ desk: this.#desk, link, request, settings: this.#settings },
      opened: this.#opened,
      onReach: (of, before, now) => this.#reached(of, before, now),
      onEnd: (of) => this.#ended(of),
    })
    this.#sessions.add(session)
  }

  /** Lets nobody in any more, answers what has been taken and tells all guests to come again. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#beat?.cancel()
    await Promise.all([...this.#sessions].map((session) => session.drain()))
    for (const stop of this.#stops.splice(0)) stop()
    this.#desk.close()
  }

  #reached(session: GatewaySession<Request>, before: Reach | undefined, now: Reach): void {
    if (before !== undefined) this.#interests.remove(session, before.asked)
    this.#interests.add(session, now.asked)
  }

  #ended(session: GatewaySession<Request>): void {
    this.#sessions.delete(session)
    if (session.reach !== undefined) this.#interests.remove(session, session.reach.asked)
  }

  #look(): void {
    this.#beat = this.#desk.store.env.schedule(this.#settings.limits.heartbeatMs, () => {
      for (const session of [...this.#sessions]) session.look()
      if (!this.#isClosed) this.#look()
    })
  }
}

function guestDesk(warp: unknown): GuestDesk {
  const ask = (warp as { readonly [GUESTS]?: () => GuestDesk } | null | undefined)?.[GUESTS]
  if (typeof ask !== 'function')
    throw new WarpError(
      'WARP_E_CONFIG',
      "guestGateway needs an engine that is open; give what 'await openWarp(…)' returns",
    )
  return ask.call(warp)
}
