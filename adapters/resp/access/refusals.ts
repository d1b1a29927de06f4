/** What was refused to whom, newest first, as ACL LOG shows it: bounded, and the same thing once a minute. */

export interface Refusal {
  readonly reason: 'auth' | 'channel' | 'command' | 'key'
  readonly context: 'lua' | 'multi' | 'toplevel'
  /** The command, the key or the channel. */
  readonly object: string
  readonly userName: string
}

export interface LoggedRefusal extends Refusal {
  readonly id: number
  readonly createdMs: number
  /** The line of CLIENT LIST of the connection. */
  client: string
  count: number
  updatedMs: number
}

const SAME_MS = 60_000

export class Refusals {
  readonly #max: number
  #all: LoggedRefusal[] = []
  #lastId = 0

  constructor(max = 128) {
    this.#max = max
  }

  get all(): readonly LoggedRefusal[] {
    return this.#all
  }

  add(refusal: Refusal, client: string, nowMs: number): void {
    const same = this.#all.find((one) => isSame(one, refusal) && nowMs - one.updatedMs <= SAME_MS)
    if (same !== undefined) {
      same.count++
      same.updatedMs = nowMs
      same.client = client
      this.#all = [same, ...this.#all.filter((one) => one !== same)]
      return
    }
    const added = { ...refusal, id: this.#lastId++, createdMs: nowMs, updatedMs: nowMs, client, count: 1 }
    this.#all = [added, ...this.#all].slice(0, this.#max)
  }

  forget(): void {
    this.#all = []
  }
}

function isSame(a: Refusal, b: Refusal): boolean {
  return a.reason === b.reason && a.context === b.context && a.object === b.object && a.userName === b.userName
}
