/** What an open link to an ordered log waits for: work that ends with the link, and the connection. */
import { WarpError } from '../../src/index.ts'

export class LinkWork {
  readonly #isUp: () => boolean
  readonly #underWay = new Set<() => void>()
  #waitingForUp: (() => void)[] = []
  #isClosed = false

  constructor(isUp: () => boolean) {
    this.#isUp = isUp
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Throws `WARP_E_CLOSED`. */
  assertOpen(): void {
    if (this.#isClosed) throw closed()
  }

  /** Rejects with `WARP_E_CLOSED` when the link closes, whatever the work waits for. */
  whileOpen<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const end = (): void => reject(closed())
      this.#underWay.add(end)
      void work()
        .then(resolve, reject)
        .finally(() => this.#underWay.delete(end))
    })
  }

  /** Settles when the connection is up, or the link is closed. */
  whenUp(): Promise<void> {
    if (this.#isUp() || this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => this.#waitingForUp.push(resolve))
  }

  /** The connection is up. */
  rise(): void {
    const waiting = this.#waitingForUp
    this.#waitingForUp = []
    for (const resolve of waiting) resolve()
  }

  /** From now on nothing waits for the connection. */
  close(): void {
    this.#isClosed = true
    this.rise()
  }

  /** Ends what is under way. */
  end(): void {
    for (const end of [...this.#underWay]) end()
  }
}

export function noPartition(partition: number): WarpError {
  return new WarpError('WARP_E_CONFIG', `there is no partition ${partition}`)
}

export function trimmedTooFar(partition: number, offset: number, kept: number | string): WarpError {
  const remedy = `its snapshot reaches to ${kept}; save one that reaches further`
  return new WarpError('WARP_E_CONFIG', `partition ${partition} cannot be trimmed before ${offset}: ${remedy}`)
}

function closed(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'the ordered log has been closed')
}
