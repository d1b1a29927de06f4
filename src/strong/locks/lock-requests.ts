/**
 * The requests of one replica for locks: hears what becomes of them and of the locks that are held,
 * and gives commands about them to the desk.
 */
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import { isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { Env } from '../../ports/env.ts'
import type { Verdict } from '../verdict.ts'
import { certainMs, HeldLock } from './held-lock.ts'
import {
  Attempt,
  givenUp,
  type AcquireCommand,
  type Asked,
  type Grant,
  type Outcome,
  type RequestRoad,
  type Sent,
  type Waiting,
} from './lock-attempt.ts'
import type { LockDesk } from './lock-desk.ts'
import { LookTimer } from './look-timer.ts'
import { lockCommand } from './tables/lock-acts.ts'
import { isOf, type LockEvent } from './tables/lock-state.ts'

export class LockRequests implements RequestRoad {
  readonly #env: Env
  readonly #desk: LockDesk
  /** As whom, for people. */
  readonly #by: string
  readonly #looks: readonly LookTimer[]
  /** By the numbers of the requests. */
  readonly #waiting = new Map<number, Waiting>()
  readonly #held = new Map<number, { readonly lock: HeldLock; readonly partition: number }>()
  #next = 1
  #closed: WarpError | undefined

  constructor(env: Env, desk: LockDesk, by: string) {
    this.#env = env
    this.#desk = desk
    this.#by = by
    this.#looks = Array.from({ length: desk.partitionsCount }, (_, index) => new LookTimer(env, desk, index))
    desk.followLocks((partition, event) => this.#told(partition, event))
  }

  /** Rejects what waits; what is held is lost. */
  close(error: WarpError): void {
    this.#closed ??= error
    for (const waiting of [...this.#waiting.values()]) waiting.fail(error)
    for (const { lock } of [...this.#held.values()]) lock.lose(error)
  }

  /** Rejects with what is refused, `WARP_E_LOCK` at the deadline, and as the desk does. */
  ask(asked: Asked): Promise<Outcome> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    if (asked.signal?.aborted === true) return Promise.reject(givenUp(asked, asked.signal))
    return new Promise((resolve, reject) => new Attempt(this.#env, this, asked, { resolve, reject }).start())
  }

  enter(waiting: Waiting): { readonly request: number; readonly leave: () => void } {
    const request = this.#next++
    this.#waiting.set(request, waiting)
    return { request, leave: () => void this.#waiting.delete(request) }
  }

  partitionOf(name: string): number {
    return this.#desk.partitionOf(name)
  }

  async acquire(
    { name, permits, ttlMs }: Asked,
    { request, partition, leaseMs, signal }: AcquireCommand,
  ): Promise<Verdict> {
    const command = lockCommand({ act: 'acquire', name, request, permits, ttlMs, leaseMs, by: this.#by })
    const { verdict } = await this.#desk.submit(partition, command, { signal })
    return verdict
  }

  async stay(name: string, { request, partition, leaseMs }: Omit<AcquireCommand, 'signal'>): Promise<Verdict> {
    const { verdict } = await this.#desk.submit(partition, lockCommand({ act: 'stay', name, request, leaseMs }))
    return verdict
  }

  release(name: string, request: number, partition: number): void {
    const command = lockCommand({ act: 'release', name, request })
    ignoreOutcome(this.#desk.submit(partition, command, { timeoutMs: Infinity }))
  }

  async withdraw(name: string, request: number, { partition, dot }: Sent): Promise<void> {
    while (this.#closed === undefined) {
      try {
        const verdict = await this.#desk.resolve(dot)
        if (verdict?.kind !== 'void') this.release(name, request, partition)
        return
      } catch (error) {
        // The log has not answered: asked again until it has.
        if (!isWarpError(error, 'WARP_E_TRANSPORT') && !isWarpError(error, 'WARP_E_INDETERMINATE')) return
      }
    }
  }

  waitFor(name: string, partition: number): () => void {
    return this.#looks[partition]?.wait(name) ?? nothing
  }

  hold({ name, ttlMs }: Asked, request: number, grant: Grant, sentMs: number): HeldLock | undefined {
    const partition = this.partitionOf(name)
    const nowMs = this.#env.monotonic()
    // The request had its place in the log no earlier than it was sent, and the grant so much later.
    const validUntil = Math.min(sentMs + certainMs(grant.expiresMs - grant.sinceMs), nowMs + certainMs(ttlMs))
    if (validUntil <= nowMs) {
      this.release(name, request, partition)
      return undefined
    }
    const lock = new HeldLock({
      ...{ env: this.#env, desk: this.#desk, name, partition, request, token: grant.token, ttlMs, validUntil },
      ended: () => void this.#held.delete(request),
    })
    this.#held.set(request, { lock, partition })
    return lock
  }

  #told(partition: number, event: LockEvent): void {
    this.#looks[partition]?.noteChange()
    switch (event.kind) {
      case 'granted':
        if (this.#isOwn(event.holder)) this.#waiting.get(event.holder.request)?.granted(event.holder)
        break
      case 'lost':
        if (this.#isOwn(event.holder)) this.#held.get(event.holder.request)?.lock.lose(overInTheLog(event.name))
        break
      case 'dropped':
        if (this.#isOwn(event.waiter)) this.#waiting.get(event.waiter.request)?.dropped()
        break
      case 'replaced':
        this.#compare(partition)
        break
      default:
        this.#endAll(partition, event.error)
    }
  }

  #isOwn({ author }: { readonly author: string }): boolean {
    return author === this.#desk.author
  }

  /** Nothing was told of what happened between the locks of before and these. */
  #compare(partition: number): void {
    const table = this.#desk.locksOf(partition)
    for (const [request, waiting] of [...this.#waiting]) {
      if (waiting.partition !== partition) continue
      const { holders, waiters } = table.get(waiting.name)
      const isIt = isOf(this.#desk.author, request)
      const holder = holders.find(isIt)
      if (holder !== undefined) waiting.granted(holder)
      else if (!waiters.some(isIt)) waiting.missed()
    }
    for (const [request, { lock, partition: of }] of [...this.#held]) {
      if (of !== partition || table.get(lock.name).holders.some(isOf(this.#desk.author, request))) continue
      lock.lose(overInTheLog(lock.name))
    }
  }

  #endAll(partition: number, error: WarpError): void {
    for (const waiting of [...this.#waiting.values()]) if (waiting.partition === partition) waiting.fail(error)
    for (const { lock, partition: of } of [...this.#held.values()]) if (of === partition) lock.lose(error)
  }
}

function overInTheLog(name: string): WarpError {
  return new WarpError(
    'WARP_E_LOCK',
    `the lock '${name}' is not held any more: its time was over by the ordered log; acquire it again`,
    { details: { name } },
  )
}

function nothing(): void {
  // Nobody waits.
}
