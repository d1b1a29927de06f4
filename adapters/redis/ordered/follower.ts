/**
 * Follows one partition for one reader. Each read looks whether the log goes on behind the record that
 * was handed over last, in the same step in which it takes what follows. Appends wake it over pub/sub;
 * where that is lost, it looks by itself every second.
 */
import type { WarpError } from '../../../src/index.ts'
import type { Timer } from '../../../src/index.ts'
import type { Bookmark, OrderedLogReader, OrderedRecord } from '../../../src/ports/ordered-log.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { type BrokerClock, withJitter } from '../../broker/platform-clock.ts'
import { type Answer, textOf } from './asking.ts'

export interface FollowerOptions {
  readonly clock: BrokerClock
  /** What lies behind the bookmark. Rejects with `WARP_E_ORDER_BROKEN`, or where nobody answers. */
  readonly read: (after: Bookmark | undefined) => Promise<Answer>
  /** Settles when the connection is up. */
  readonly up: () => Promise<void>
  readonly interrupted: (error: WarpError) => void
  readonly resumed: () => void
}

const LOOK_MS = 1000
/** After a read that failed. */
const AGAIN_MS = 250

export class Follower {
  readonly #options: FollowerOptions
  readonly #reader: OrderedLogReader
  #last: Bookmark | undefined
  #hasEnded = false
  #isAtBatch = false
  /** Told when the reader has dealt with its batch. */
  #proof: WarpError | undefined
  #wasWoken = false
  #wake: (() => void) | undefined

  constructor(options: FollowerOptions, after: Bookmark | undefined, reader: OrderedLogReader) {
    this.#options = options
    this.#last = after
    this.#reader = reader
    void this.#run()
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** The last record that the reader has, or is being given. */
  get last(): Bookmark | undefined {
    return this.#last
  }

  /** There may be more. */
  wake(): void {
    this.#wasWoken = true
    this.#wake?.()
  }

  end(): void {
    this.#hasEnded = true
    this.#wake?.()
  }

  /** Somebody has proof that the log is not what it was. */
  broken(error: WarpError): void {
    if (this.#hasEnded) return
    this.#proof = error
    if (!this.#isAtBatch) this.#tellBroken(error)
  }

  async #run(): Promise<void> {
    while (!this.#hasEnded) {
      await this.#options.up()
      if (this.#hasEnded) return
      this.#wasWoken = false
      try {
        const answer = await this.#options.read(this.#last)
        if (this.#hasEnded) return
        this.#options.resumed()
        if (!(await this.#take(answer))) await this.#pause(LOOK_MS)
      } catch (error) {
        if (this.#hasEnded) return
        this.#failed(error)
        if (!this.#hasEnded) await this.#pause(AGAIN_MS)
      }
    }
  }

  /** Whether there may be more already. */
  async #take(answer: Answer): Promise<boolean> {
    if (textOf(answer[0]) === 'trimmed') {
      this.end()
      this.#reader.trimmed(Number(textOf(answer[1])))
      return true
    }
    const batch = recordsOf(answer)
    const last = batch.at(-1)
    if (last === undefined) return false
    this.#last = { offset: last.offset, id: last.id }
    this.#isAtBatch = true
    await this.#reader.records(batch)
    this.#isAtBatch = false
    if (this.#proof !== undefined && !this.#hasEnded) this.#tellBroken(this.#proof)
    return true
  }

  #failed(error: unknown): void {
    if (isWarpError(error, 'WARP_E_ORDER_BROKEN')) this.#tellBroken(error)
    else if (isWarpError(error)) this.#options.interrupted(error)
  }

  #tellBroken(error: WarpError): void {
    this.end()
    this.#reader.broken(error)
  }

  async #pause(delayMs: number): Promise<void> {
    if (this.#wasWoken || this.#hasEnded) return
    const { clock } = this.#options
    let timer: Timer | undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = clock.schedule(withJitter(clock, delayMs), resolve)
    })
    timer?.cancel()
    this.#wake = undefined
  }
}

function recordsOf(answer: Answer): OrderedRecord[] {
  const records: OrderedRecord[] = []
  for (let at = 1; at + 2 < answer.length; at += 3) {
    const [offset, timeMs] = textOf(answer[at]).split('-').map(Number)
    // A copy: the answer is a view of what came from the socket.
    const bytes = new Uint8Array(answer[at + 2]!)
    records.push({ offset: offset!, timeMs: timeMs!, id: textOf(answer[at + 1]), bytes })
  }
  return records
}
