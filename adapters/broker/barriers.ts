/**
 * Barriers of one partition: the place of a record that was appended after the question. A record that
 * was sent before a question is no answer to it. Such questions wait, and share the next record.
 */
import { WarpError } from '../../src/index.ts'
import type { AppendOutcome } from '../../src/ports/ordered-log.ts'

export class Barriers {
  readonly #append: () => Promise<AppendOutcome>
  #underWay: Promise<unknown> | undefined
  #next: Promise<number> | undefined

  constructor(append: () => Promise<AppendOutcome>) {
    this.#append = append
  }

  /** Rejects with `WARP_E_TRANSPORT`, `WARP_E_ABORTED`, and with why the log takes nothing. */
  place(signal?: AbortSignal): Promise<number> {
    if (signal?.aborted === true) return Promise.reject(aborted())
    this.#next ??= this.#begin()
    return signal === undefined ? this.#next : orAborted(this.#next, signal)
  }

  async #begin(): Promise<number> {
    await this.#underWay
    const appended = this.#append()
    this.#next = undefined
    this.#underWay = appended
    const outcome = await appended
    if (outcome.kind === 'appended') return outcome.offset
    throw outcome.error
  }
}

async function orAborted(place: Promise<number>, signal: AbortSignal): Promise<number> {
  let abort = (): void => undefined
  const given = new Promise<never>((_resolve, reject) => {
    abort = () => reject(aborted())
    signal.addEventListener('abort', abort)
  })
  try {
    return await Promise.race([place, given])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function aborted(): WarpError {
  return new WarpError('WARP_E_ABORTED', 'the caller has given up waiting for the barrier')
}
