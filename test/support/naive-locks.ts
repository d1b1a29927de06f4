/**
 * What locks are, written down as plainly as can be: one list of requests for each lock, in the order
 * in which they came, and nothing but looking through it. The judge of `src/strong/locks/tables`.
 */
export interface NaiveRequest {
  readonly author: string
  readonly request: number
  readonly kind: 'write' | 'read' | number
  readonly ttlMs: number
  /** Of who waits. */
  untilMs: number
  /** Of who holds. */
  heldUntilMs?: number
  token?: number
}

export class NaiveLocks {
  readonly locks = new Map<string, NaiveRequest[]>()
  lastToken = 0

  /** Time has come so far: what is over goes, and who may hold does. */
  pass(timeMs: number): void {
    for (const name of [...this.locks.keys()].sort()) {
      const before = this.#requests(name)
      const left = before.filter(({ heldUntilMs, untilMs }) => (heldUntilMs ?? untilMs) > timeMs)
      this.locks.set(name, left)
      if (left.length < before.length) this.grantAll(name, timeMs)
    }
  }

  grantAll(name: string, timeMs: number): void {
    const requests = this.#requests(name)
    for (const request of requests) {
      if (request.token !== undefined) continue
      if (!this.#mayHold(request, requests)) return
      this.lastToken = Math.max(this.lastToken + 1, timeMs)
      request.token = this.lastToken
      request.heldUntilMs = timeMs + request.ttlMs
    }
  }

  /** Whether it holds, waits, or neither. */
  acquire(name: string, request: NaiveRequest, timeMs: number, isTry: boolean): void {
    const requests = this.#requests(name)
    if (requests.some((one) => isSame(one, request))) return
    const mustWait = requests.some(({ token }) => token === undefined) || !this.#mayHold(request, requests)
    if (isTry && mustWait) return
    this.locks.set(name, [...requests, request])
    this.grantAll(name, timeMs)
  }

  find(name: string, of: Pick<NaiveRequest, 'author' | 'request'>): NaiveRequest | undefined {
    return this.#requests(name).find((one) => isSame(one, of))
  }

  remove(name: string, isGone: (request: NaiveRequest) => boolean, timeMs: number): void {
    const before = this.#requests(name)
    const left = before.filter((one) => !isGone(one))
    this.locks.set(name, left)
    if (left.length < before.length) this.grantAll(name, timeMs)
  }

  /** Nothing that excludes each other holds at once, and nobody holds who came behind one who waits. */
  violations(): string[] {
    const found: string[] = []
    for (const [name, requests] of this.locks) {
      const holders = requests.filter(({ token }) => token !== undefined)
      const isApart = (one: NaiveRequest): boolean =>
        holders.some((other) => one !== other && !together(one, other, holders.length))
      if (holders.some(isApart)) found.push(`${name}: held by two`)
      if (requests.slice(0, holders.length).some(({ token }) => token === undefined)) found.push(`${name}: overtaken`)
    }
    return found
  }

  #mayHold(request: NaiveRequest, requests: readonly NaiveRequest[]): boolean {
    const holders = requests.filter(({ token }) => token !== undefined)
    const all = [...holders, request]
    return all.every((one) => all.every((other) => one === other || together(one, other, all.length)))
  }

  #requests(name: string): NaiveRequest[] {
    return this.locks.get(name) ?? []
  }
}

/** Whether two may be among so many holders. */
function together(one: NaiveRequest, other: NaiveRequest, count: number): boolean {
  if (one.kind === 'read' || other.kind === 'read') return one.kind === other.kind
  if (typeof one.kind !== 'number' || typeof other.kind !== 'number') return false
  return count <= Math.min(one.kind, other.kind)
}

function isSame(a: Pick<NaiveRequest, 'author' | 'request'>, b: Pick<NaiveRequest, 'author' | 'request'>): boolean {
  return a.author === b.author && a.request === b.request
}
