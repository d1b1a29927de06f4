/**
 * Whether the log is there: the connection is up, and appends are answered. Once one is not, the log
 * counts as away until a record of ours has a place: a server that has lost its majority is connected
 * and takes nothing.
 */
import type { Timer } from '../../src/index.ts'
import type { WarpError, WarpErrorCode } from '../../src/index.ts'
import type { OrderedLogReceiver } from '../../src/ports/ordered-log.ts'
import { type BrokerClock, withJitter } from './platform-clock.ts'

export interface LogHealthOptions {
  readonly clock: BrokerClock
  readonly receiver: OrderedLogReceiver
  /** Appends an empty record; `true` once it has a place. */
  readonly probe: () => Promise<boolean>
}

const PROBE_MS = 1000

export class LogHealth {
  readonly #options: LogHealthOptions
  #isUp = true
  #isAnswering = true
  #wasTold = true
  /** Of what was told; `undefined` while it is well. */
  #degradedBy: WarpErrorCode | undefined
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: LogHealthOptions) {
    this.#options = options
  }

  up(): void {
    this.#isUp = true
    this.#tell()
    if (!this.#isAnswering) this.#probe()
  }

  down(error: WarpError): void {
    this.#isUp = false
    this.degraded(error)
    this.#tell()
  }

  answered(): void {
    this.#isAnswering = true
    this.#tell()
  }

  silent(error: WarpError): void {
    if (!this.#isAnswering || !this.#isUp) return
    this.#isAnswering = false
    this.degraded(error)
    this.#tell()
    this.#probe()
  }

  /** Once for each kind of trouble, until it is well again. */
  degraded(error: WarpError): void {
    if (this.#degradedBy === error.code || this.#isClosed) return
    this.#degradedBy = error.code
    this.#options.receiver.report?.({ kind: 'order:degraded', error })
  }

  well(): void {
    if (this.#isUp && this.#isAnswering) this.#degradedBy = undefined
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #tell(): void {
    const isThere = this.#isUp && this.#isAnswering
    if (isThere === this.#wasTold || this.#isClosed) return
    this.#wasTold = isThere
    if (isThere) this.#degradedBy = undefined
    this.#options.receiver.connected(isThere)
  }

  #probe(): void {
    if (this.#timer !== undefined || this.#isClosed) return
    const { clock, probe } = this.#options
    this.#timer = clock.schedule(withJitter(clock, PROBE_MS), () => {
      void probe().then((isAnswered) => {
        this.#timer = undefined
        if (isAnswered) this.answered()
        else if (!this.#isAnswering && this.#isUp) this.#probe()
      })
    })
  }
}
