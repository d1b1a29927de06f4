/** What a transport over a broker tells its operator of itself: each trouble once, and counts once a minute. */
import { WarpError, type WarpErrorCode } from '../../src/index.ts'
import type { Timer } from '../../src/index.ts'
import type { TransportReceiver } from '../../src/ports/transport.ts'
import type { BrokerClock } from './platform-clock.ts'

export interface TransportTroublesOptions {
  readonly clock: BrokerClock
  readonly receiver: TransportReceiver
  /** Where others are heard: `the subject warp`. */
  readonly where: string
  /** What is spoken here. */
  readonly format: number
}

/** Between two reports of what was refused. */
const REPORT_MS = 60_000

export class TransportTroubles {
  readonly #options: TransportTroublesOptions
  /** Of what was told; `undefined` while it is well. */
  #degradedBy: WarpErrorCode | undefined
  #malformedCount = 0
  #timer: Timer | undefined
  #droppedCount = 0
  #dropTimer: Timer | undefined
  readonly #formats = new Set<number>()
  #isClosed = false

  constructor(options: TransportTroublesOptions) {
    this.#options = options
  }

  /** Once for each kind of trouble, until it is well again. */
  degraded(error: WarpError): void {
    if (this.#degradedBy === error.code || this.#isClosed) return
    this.#degradedBy = error.code
    this.#options.receiver.report?.({ kind: 'transport:degraded', error })
  }

  well(): void {
    this.#degradedBy = undefined
  }

  /** A frame was dropped. Told at once, and then once a minute with how many they were. */
  dropped(reason: string): void {
    this.#droppedCount++
    if (this.#dropTimer !== undefined || this.#isClosed) return
    const droppedCount = this.#droppedCount
    this.#droppedCount = 0
    const message = `${reason}, so frames are dropped (${droppedCount}); replication repairs that later`
    const error = new WarpError('WARP_E_LIMIT', message, { details: { droppedCount } })
    this.#options.receiver.report?.({ kind: 'transport:degraded', error })
    this.#dropTimer = this.#options.clock.schedule(REPORT_MS, () => {
      this.#dropTimer = undefined
      if (this.#droppedCount === 0) return
      this.#droppedCount--
      this.dropped(reason)
    })
  }

  malformed(): void {
    this.#malformedCount++
    this.#timer ??= this.#options.clock.schedule(REPORT_MS, () => {
      this.#timer = undefined
      const malformedCount = this.#malformedCount
      this.#malformedCount = 0
      this.#options.receiver.report?.({ kind: 'packets:refused', forgedCount: 0, replayedCount: 0, malformedCount })
    })
  }

  /** Once for each format: the sender's address may stand elsewhere in it. */
  otherFormat(format: number): void {
    if (this.#formats.has(format) || this.#isClosed) return
    this.#formats.add(format)
    const { where, format: ours, receiver } = this.#options
    const what = where.split(' ')[1] ?? 'place'
    const message = `somebody on ${where} speaks format ${format}, and this is ${ours}; use the same version, or another ${what}`
    const error = new WarpError('WARP_E_PROTOCOL', message)
    receiver.report?.({ kind: 'peer:refused', address: `format ${format}`, error })
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#dropTimer?.cancel()
  }
}
