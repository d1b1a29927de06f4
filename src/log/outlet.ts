/**
 * Up to where the log may be sent. A record goes out once it outlives this process, because a dot
 * that others know must not be used again; the flush to stable storage does not have to be waited
 * for, since a machine that has gone down writes under another id.
 *
 * What is issued again is held back until not even a power failure can take it away: after that it
 * would be issued once more, under yet another name, while others have it under this one.
 */
import type { Log } from './log.ts'
import type { Position } from '../operation/position.ts'

export class Outlet {
  readonly #log: Log
  #heldBackFrom: Position = Infinity
  #holdsCount = 0

  constructor(log: Log) {
    this.#log = log
  }

  /** Records before this one may be sent. */
  get through(): Position {
    return Math.min(this.#log.loggedThrough, this.#heldBackFrom)
  }

  /**
   * Settles when what has been appended may be sent; look at `through` again, it may be more by
   * then. Rejects with what has poisoned the log.
   */
  settled(): Promise<void> {
    return this.#log.settled(this.#heldBackFrom === Infinity ? 'logged' : 'durable')
  }

  /**
   * Holds back records appended until the returned function is called, and releases them once they
   * are durable. The function counts once, however often it is called.
   */
  holdBack(): () => void {
    this.#heldBackFrom = Math.min(this.#heldBackFrom, this.#log.end)
    this.#holdsCount++
    let isEnded = false
    return () => {
      if (isEnded) return
      isEnded = true
      const release = (): void => {
        if (--this.#holdsCount === 0) this.#heldBackFrom = Infinity
      }
      // A log that is poisoned meanwhile sends nothing of it.
      if (this.#log.persistent) this.#log.settled('durable').then(release, () => undefined)
      else release()
    }
  }
}
