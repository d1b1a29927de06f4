/**
 * One random history of replicas that take locks, under a log that is slow, loses and repeats, with
 * replicas that are cut off and killed; and what may never be seen in it.
 */
import { isWarpError, type Lock } from '../../../adapters/node/index.ts'
import { seededRandom, type Random } from '../../../testing/world/random.ts'
import { LockWorld, type Replica } from './lock-world.ts'

const NAMES = ['x', 'y'] as const
const DURATION_MS = 40_000
const WORKERS = 3

/** How long a process was certain to hold a lock, on the time line that all share. */
interface Span {
  readonly name: string
  readonly by: string
  readonly token: number
  readonly fromMs: number
  toMs: number
}

export class LockHistory {
  readonly counts = { had: 0, lost: 0, fenced: 0, refusedFences: 0, kills: 0 }
  readonly #world: LockWorld
  readonly #random: Random
  readonly #spans: Span[] = []
  readonly #found: string[] = []
  readonly #replicas = new Map<string, Replica>()
  readonly #killed = new Set<string>()
  #joined = 0
  #isOver = false

  static async run(seed: number): Promise<LockHistory> {
    const history = new LockHistory(seed)
    await history.#run()
    return history
  }

  private constructor(seed: number) {
    this.#random = seededRandom(seed)
    const troubles = { appendsLost: 0.1, answersLost: 0.1, repeated: 0.1, redelivered: 0.1 }
    this.#world = new LockWorld({ ...troubles, delayMs: 2, jitterMs: this.#random.below(60), answerMs: 300 }, seed + 1)
  }

  /** What may never be seen, and was. */
  violations(): string[] {
    return [...this.#found, ...NAMES.flatMap((name) => this.#overlaps(name))]
  }

  async #run(): Promise<void> {
    const referee = await this.#world.join('referee')
    for (let i = 0; i < 3; i++) await this.#join()
    const { env } = this.#world
    const endMs = env.monotonic() + DURATION_MS
    while (env.monotonic() < endMs) {
      await env.advance(500 + this.#random.below(1500))
      await this.#disturb()
    }
    this.#isOver = true
    this.#world.order.reconnect()
    for (const name of this.#replicas.keys()) this.#world.order.reconnect(name)
    this.#world.order.troubles({ appendsLost: 0, answersLost: 0, repeated: 0, redelivered: 0, slowMs: 0, jitterMs: 0 })
    await this.#canBeHad()
    await this.#compare(referee)
    await this.#checkFences(referee)
    await this.#world.close()
  }

  async #join(): Promise<void> {
    const name = `r${this.#joined++}`
    const replica = await this.#world.join(name, { snapshotEvery: 50 })
    this.#replicas.set(name, replica)
    for (let i = 0; i < WORKERS; i++) void this.#work(name, replica, this.#random.fork(`${name} ${i}`))
  }

  async #disturb(): Promise<void> {
    const names = [...this.#replicas.keys()]
    const name = names[this.#random.below(names.length)]!
    const { order } = this.#world
    const draw = this.#random.below(10)
    if (draw < 3) order.disconnect(name)
    else if (draw < 6) for (const one of names) order.reconnect(one)
    else if (draw === 6) order.troubles({ slowMs: this.#random.below(1500) }, name)
    else if (draw === 7) order.troubles({ slowMs: 0 }, name)
    else if (draw === 8) {
      this.counts.kills++
      this.#killed.add(name)
      const nowMs = this.#world.env.monotonic()
      for (const span of this.#spans) if (span.by === name) span.toMs = Math.min(span.toMs, nowMs)
      this.#replicas.delete(name)
      this.#world.kill(name)
      await this.#join()
    }
  }

  /** Takes locks, until the replica is killed or the time is over. */
  async #work(by: string, replica: Replica, random: Random): Promise<void> {
    while (!this.#isOver && !this.#killed.has(by)) {
      await this.#pause(random.below(800))
      const controller = new AbortController()
      const name = NAMES[random.below(NAMES.length)]!
      const ttlMs = 200 + random.below(2500)
      const wait = random.below(3)
      const options = { ttlMs, signal: controller.signal, ...(wait === 0 ? { waitMs: 1 + random.below(4000) } : {}) }
      try {
        const asking = wait === 1 ? replica.locks.tryAcquire(name, options) : replica.locks.acquire(name, options)
        if (wait === 2 && random.below(3) === 0)
          void this.#pause(random.below(1500)).then(() => controller.abort(new Error('enough')))
        const lock = await asking
        if (lock !== undefined && !this.#killed.has(by)) await this.#hold(by, replica, lock, random)
      } catch (error) {
        if (!isWarpError(error)) throw error
      }
    }
  }

  async #hold(by: string, replica: Replica, lock: Lock, random: Random): Promise<void> {
    const { env } = this.#world
    const { name, token } = lock
    this.counts.had++
    const span: Span = { name, by, token, fromMs: env.monotonic(), toMs: lock.validUntil }
    this.#spans.push(span)
    lock.lost.addEventListener('abort', () => {
      this.counts.lost++
      span.toMs = Math.min(span.toMs, env.monotonic())
    })
    for (let steps = random.below(4); steps > 0; steps--) {
      await this.#pause(random.below(1200))
      if (random.below(2) === 0)
        await lock.renew().then(
          () => (span.toMs = lock.validUntil),
          () => undefined,
        )
      // Also when the lock is lost: that is what fences are for.
      if (random.below(2) === 0)
        await replica.set(`job:${name}`, String(token), { fence: token }).then(
          () => this.counts.fenced++,
          (error: unknown) => {
            if (isWarpError(error, 'WARP_E_FENCED')) this.counts.refusedFences++
          },
        )
    }
    if (random.below(4) === 0) return
    if (lock.isHeld) span.toMs = Math.min(span.toMs, env.monotonic())
    await lock.release().catch(() => undefined)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#world.env.schedule(ms, resolve))
  }

  /** Nobody else asks any more: what the dead held and waited for is over in a bounded time. */
  async #canBeHad(): Promise<void> {
    const { env } = this.#world
    await env.advance(10_000)
    const [replica] = this.#replicas.values()
    const asking = NAMES.map((name) => replica!.locks.acquire(name, { ttlMs: 1000 }))
    const had: (Lock | Error | undefined)[] = []
    for (const one of asking) had.push(await this.#world.within(35_000, one))
    for (const [i, lock] of had.entries()) {
      if (lock === undefined || lock instanceof Error) this.#found.push(`${NAMES[i]} cannot be had: ${String(lock)}`)
    }
    await env.advance(2000)
  }

  /** All replicas have the same locks, also one that begins now. */
  async #compare(referee: Replica): Promise<void> {
    const late = await this.#world.join('late')
    await this.#world.during(late.get('job:x'))
    const shown = (replica: Replica): string =>
      JSON.stringify(
        replica.locks
          .list()
          .map(({ name, holders, waiting }) => [name, holders.map(({ token }) => token), waiting.length]),
      )
    for (const [name, replica] of [...this.#replicas, ['late', late] as const])
      if (shown(replica) !== shown(referee))
        this.#found.push(`${name} has other locks: ${shown(replica)} and not ${shown(referee)}`)
  }

  /** Writes with a fence that count are in the order of their tokens. */
  async #checkFences(referee: Replica): Promise<void> {
    for (const name of NAMES) {
      let last = 0
      for await (const { payload } of referee.log(`job:${name}`)) {
        const token = Number(payload)
        if (!(token >= last)) this.#found.push(`${name}: a write of token ${token} counts behind one of ${last}`)
        last = Math.max(last, token)
      }
      if (last === 0) this.#found.push(`${name}: nothing was written`)
    }
  }

  #overlaps(name: string): string[] {
    const spans = this.#spans.filter((span) => span.name === name).sort((a, b) => a.fromMs - b.fromMs)
    const found: string[] = []
    let end = 0
    let token = 0
    for (const span of spans) {
      if (span.fromMs < end) found.push(`${name}: held by ${span.by} from ${span.fromMs}, and by another to ${end}`)
      if (span.token <= token) found.push(`${name}: token ${span.token} behind ${token}`)
      end = Math.max(end, span.toMs)
      token = Math.max(token, span.token)
    }
    return found
  }
}
