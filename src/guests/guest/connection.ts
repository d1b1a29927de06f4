/**
 * The connection of a guest: made again whenever it ends, with waits that double up to a bound and are
 * drawn at random, so that a gateway that comes back is not met by all its guests at once. A sign of life
 * goes out in each beat; who says nothing for two beats is given up.
 */
import { asError, WarpError } from '../../../crdt/warp-error.ts'
import type { Env, Timer } from '../../ports/env.ts'
import {
  LINK_DONE,
  LINK_GOING_AWAY,
  LINK_MALFORMED,
  LINK_REFUSED,
  LINK_SILENT,
  type GuestLink,
  type LinkEnd,
} from '../../ports/guest-link/guest-link.ts'
import { randomShare } from '../../ports/random-word.ts'
import { decodeGatewayFrame, encodeGuestFrame, type GatewayFrame, type GuestFrame } from '../frames.ts'

/** After so long without trouble the next wait is short again. */
const HEALTHY_MS = 30_000
const BEAT_MS = 15_000
/** Beats without a word. */
const SILENT_BEATS = 2

export interface ConnectionOptions {
  readonly env: Env
  readonly dial: (signal: AbortSignal) => Promise<GuestLink>
  readonly backoffMs: readonly [number, number]
  /** A link is there: the first frame. May ask others first. */
  readonly hello: () => Promise<GuestFrame>
  readonly receive: (frame: GatewayFrame) => void
  readonly drained: () => void
  /** The link is over; it is tried again in so many milliseconds. */
  readonly down: (error: Error, isRefused: boolean, retryMs: number) => void
}

export class Connection {
  readonly #options: ConnectionOptions
  #link: GuestLink | undefined
  #isClosed = false
  #attempt = 0
  #upAt = 0
  #heardAt = 0
  #beatMs = BEAT_MS
  #beat: Timer | undefined
  #retry: Timer | undefined
  #dialling: AbortController | undefined

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** Begins to connect. */
  open(): void {
    this.#retry?.cancel()
    this.#retry = undefined
    if (this.#isClosed || this.#dialling !== undefined || this.#link !== undefined) return
    void this.#connect()
  }

  /** Returns whether more may be sent at once. */
  send(frame: GuestFrame): boolean {
    return this.#link?.send(encodeGuestFrame(frame)) ?? false
  }

  /** How often the gateway wants to hear of the guest. */
  set beatMs(beatMs: number) {
    this.#beatMs = beatMs
    this.#schedule()
  }

  /** The link is of no use: it is made anew. */
  drop(code: number, reason: string): void {
    const link = this.#link
    link?.close({ code, reason })
    if (link !== undefined) this.#over(link, { code, reason })
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#retry?.cancel()
    this.#beat?.cancel()
    this.#dialling?.abort()
    this.#link?.close({ code: LINK_DONE, reason: 'the guest has closed' })
    this.#link = undefined
  }

  async #connect(): Promise<void> {
    const { env, dial, hello } = this.#options
    const dialling = (this.#dialling = new AbortController())
    let link: GuestLink | undefined
    try {
      link = await dial(dialling.signal)
      const opened = link
      // What has been closed meanwhile is closed when it is there.
      if (this.#isClosed) throw new WarpError('WARP_E_CLOSED', 'the guest has closed')
      const first = await hello()
      this.#dialling = undefined
      if (dialling.signal.aborted) throw new WarpError('WARP_E_CLOSED', 'the guest has closed')
      this.#link = opened
      this.#heardAt = this.#upAt = env.monotonic()
      opened.open({
        receive: (frame) => this.#receive(opened, frame),
        drained: () => this.#options.drained(),
        closed: (end) => this.#over(opened, end),
      })
      opened.send(encodeGuestFrame(first))
      this.#schedule()
    } catch (error) {
      this.#dialling = undefined
      link?.close({ code: LINK_DONE, reason: 'not used' })
      this.#again(asError(error), false)
    }
  }

  #receive(link: GuestLink, bytes: Uint8Array): void {
    if (link !== this.#link) return
    this.#heardAt = this.#options.env.monotonic()
    try {
      this.#options.receive(decodeGatewayFrame(bytes))
    } catch (error) {
      this.drop(LINK_MALFORMED, asError(error).message.slice(0, 100))
    }
  }

  #over(link: GuestLink, { code, reason }: LinkEnd): void {
    if (link !== this.#link) return
    this.#link = undefined
    this.#beat?.cancel()
    if (this.#options.env.monotonic() - this.#upAt >= HEALTHY_MS || code === LINK_GOING_AWAY) this.#attempt = 0
    this.#again(
      new WarpError(
        'WARP_E_TRANSPORT',
        `the connection to the gateway is over: ${reason === '' ? 'cut' : reason} (${code})`,
        {
          details: { code },
        },
      ),
      code === LINK_REFUSED,
    )
  }

  #again(error: Error, isRefused: boolean): void {
    if (this.#isClosed) return
    const { env, backoffMs, down } = this.#options
    const [least, most] = backoffMs
    const bound = Math.min(most, least * 2 ** Math.min(this.#attempt++, 30))
    const retryMs = Math.round(randomShare(env) * bound)
    down(error, isRefused, retryMs)
    this.#retry = env.schedule(retryMs, () => this.open())
  }

  #schedule(): void {
    this.#beat?.cancel()
    const { env } = this.#options
    this.#beat = env.schedule(this.#beatMs, () => {
      if (env.monotonic() - this.#heardAt >= this.#beatMs * SILENT_BEATS) {
        this.drop(LINK_SILENT, 'the gateway has been silent for too long')
        return
      }
      this.send({ kind: 'ping' })
      this.#schedule()
    })
  }
}
