/**
 * Linearizable reads of a partition: a barrier says how far the log had come, and the read waits until
 * this replica has come there. One barrier serves all reads that wait when it is asked for.
 */
import type { OrderedLogLink } from '../ports/ordered-log.ts'
import type { Partition } from './partition.ts'

export class Barriers {
  readonly #link: OrderedLogLink
  readonly #partition: Partition
  #running: Promise<void> | undefined
  /** For those who came while one was under way: it may have been too early for them. */
  #next: Promise<void> | undefined

  constructor(link: OrderedLogLink, partition: Partition) {
    this.#link = link
    this.#partition = partition
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
    const running = this.#ask().finally(() => {
      if (this.#running === running) this.#running = undefined
    })
    this.#running = running
    return running
  }

  async #ask(): Promise<void> {
    const offset = await this.#link.barrier(this.#partition.index)
    await this.#partition.reached(offset)
  }
}
