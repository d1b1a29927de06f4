/**
 * Linearizable reads of a partition: a barrier says how far the log had come, and the read waits until
 * this replica has come there. One barrier serves all reads that wait when it is asked for. What the
 * log does not answer is asked again, and the first answer counts; a log that is not there is not
 * waited for.
 */
import { asError, isWarpError, WarpError } from '../../crdt/warp-error.ts'
import type { Env, Timer } from '../ports/env.ts'
import type { OrderedLogLink } from '../ports/ordered-log.ts'
import type { Partition } from './partition.ts'

export interface BarrierOptions {
  readonly env: Pick<Env, 'schedule'>
  readonly link: Pick<OrderedLogLink, 'barrier'>
  readonly partition: Pick<Partition, 'index' | 'reached'>
}

/** So long an answer is waited for before the log is asked once more. */
const AGAIN_MS = 200
/** Questions of one barrier that are under way at once. */
const ASKED_MAX = 8

export class Barriers {
  readonly #options: BarrierOptions
  /** The greatest answer. */
  headOffset = 0
  #running: Promise<void> | undefined
  /** For those who came while one was under way: it may have been too early for them. */
  #next: Promise<void> | undefined

  constructor(options: BarrierOptions) {
    this.#options = options
  }

  /** Settles when all that had been acknowledged before this call is here. Rejects as the log does. */
  passed(): Promise<void> {
    if (this.#running === undefined) return this.#run()
    const after = (): Promise<void> => {
      this.#next = undefined
      return this.#run()
    }
    return (this.#next ??= this.#running.then(after, after))
  }

  #run(): Promise<void> {
    const running = this.#wait().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #wait(): Promise<void> {
    await this.#options.partition.reached(await this.#ask())
  }

  #ask(): Promise<number> {
    const { env, link, partition } = this.#options
    return new Promise((resolve, reject) => {
      let again: Timer | undefined
      let askedCount = 0
      const ask = (): void => {
        again = env.schedule(AGAIN_MS, ask)
        if (askedCount === ASKED_MAX) return
        askedCount++
        link.barrier(partition.index).then(
          (offset) => {
            again?.cancel()
            this.headOffset = Math.max(this.headOffset, offset)
            resolve(offset)
          },
          (error: unknown) => {
            askedCount--
            if (isLost(error)) return
            again?.cancel()
            reject(asRead(error))
          },
        )
      }
      ask()
    })
  }
}

/** Nobody knows whether the question has arrived. */
function isLost(error: unknown): boolean {
  return isWarpError(error, 'WARP_E_TRANSPORT') && error.outcome === 'indeterminate'
}

/** Whatever became of the question, a read has changed nothing. */
function asRead(error: unknown): Error {
  if (!isWarpError(error) || error.outcome === 'failed') return asError(error)
  const { code, message, details } = error
  return new WarpError(code, message, { details, cause: error })
}
