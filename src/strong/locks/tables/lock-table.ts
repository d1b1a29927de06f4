/**
 * The locks of a partition, as every replica judges them: by the commands in their order, and by the
 * time that the log stamped on their records. A lock that nobody holds or waits for is forgotten.
 *
 * Tokens come from one counter for all locks of the partition, which runs ahead of the log's time: so
 * they also rise over a log that was made anew, as far as clocks do.
 */
import type { Encodable } from '../../../../crdt/encoding/encodable.ts'
import type { ReplicaId } from '../../../../crdt/time/replica-id.ts'
import { isWarpError } from '../../../../crdt/warp-error.ts'
import { LOCK_REQUESTS_MAX, LOCK_WAITERS_MAX } from '../../../limits.ts'
import type { LockCommand } from '../../commands.ts'
import type { Verdict } from '../../verdict.ts'
import { KeptTable } from './kept-table.ts'
import { encodeAnswer, readAct, type LockAct, type LockAnswer } from './lock-acts.ts'
import {
  decodeLock,
  dueMsOf,
  encodeLock,
  FREE,
  grant,
  isFree,
  isOf,
  mayShare,
  settledLock,
  type LockEvent,
  type LockState,
  type Moment,
} from './lock-state.ts'

type Of<Act> = Extract<LockAct, { readonly act: Act }>

const BUCKETS = 64

export class LockTable {
  readonly kept: KeptTable<LockState>
  /** Nothing is due before. */
  #dueMs = Infinity
  /** What is told once the command counts. */
  #events: LockEvent[] = []

  /** `name`: what its checkpoints are called. */
  constructor(name: string) {
    this.kept = new KeptTable<LockState>({
      ...{ name, bucketsCount: BUCKETS, encodeValue: encodeLock, decodeValue: decodeLock },
      weigh: ({ holders, waiters }) => holders.length + waiters.length,
    })
  }

  load(find: (name: string) => Uint8Array | undefined): void {
    this.kept.load(find)
    this.#dueMs = 0
  }

  get(name: string): LockState {
    return this.kept.get(name) ?? FREE
  }

  /** Everything that is due by now happens. To be called before each command is judged. */
  pass(timeMs: number): void {
    if (timeMs < this.#dueMs) return
    const due: string[] = []
    for (const [name, lock] of this.kept.entries()) if (dueMsOf(lock) <= timeMs) due.push(name)
    // Tokens are given in this order, which is the same on every replica.
    for (const name of due.sort()) this.#put(name, settledLock(this.get(name), this.#at(name, timeMs)))
    this.#dueMs = Infinity
    for (const [, lock] of this.kept.entries()) this.#dueMs = Math.min(this.#dueMs, dueMsOf(lock))
  }

  /** Throws `WARP_E_UNKNOWN_OP` for what a later version wrote. */
  judge(command: LockCommand, author: ReplicaId, timeMs: number): Verdict {
    try {
      return this.#judge(readAct(command), author, timeMs)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
      return { kind: 'failed', code: error.code, message: error.message }
    }
  }

  /** An author has said good-bye: it neither holds nor waits for anything. */
  forget(author: ReplicaId, timeMs: number): void {
    const isBy = (one: { readonly author: ReplicaId }): boolean => one.author === author
    const names = [...this.kept.entries()]
      .filter(([, { holders, waiters }]) => holders.some(isBy) || waiters.some(isBy))
      .map(([name]) => name)
    for (const name of names.sort()) {
      const lock = this.get(name)
      for (const holder of lock.holders.filter(isBy)) this.#events.push({ kind: 'lost', name, holder })
      const left = {
        holders: lock.holders.filter((one) => !isBy(one)),
        waiters: lock.waiters.filter((one) => !isBy(one)),
      }
      this.#put(name, settledLock(left, this.#at(name, timeMs)))
    }
  }

  /** What has become of locks counts. Returns what is to be told. */
  counts(): readonly LockEvent[] {
    const events = this.#events
    this.#events = []
    this.kept.kept()
    return events
  }

  undo(): void {
    this.#events = []
    this.kept.undo()
    this.#dueMs = 0
  }

  encode(): Encodable {
    return this.kept.encode()
  }

  /** Throws `WARP_E_PROTOCOL`. */
  replace(encoded: Encodable | undefined): void {
    this.kept.replace(encoded)
    this.#dueMs = 0
    this.#events.push({ kind: 'replaced' })
  }

  #judge(act: LockAct, author: ReplicaId, timeMs: number): Verdict {
    switch (act.act) {
      case 'acquire':
        return this.#acquire(act, author, timeMs)
      case 'stay':
        return this.#stay(act, author, timeMs)
      case 'renew':
        return this.#renew(act, author, timeMs)
      case 'release':
        return this.#release(act, author, timeMs)
      default:
        return answered({ state: 'none' })
    }
  }

  #acquire({ name, request, permits, ttlMs, leaseMs, by }: Of<'acquire'>, author: ReplicaId, timeMs: number): Verdict {
    const lock = this.get(name)
    const known = answerOf(lock, author, request)
    if (known.state !== 'none') return answered(known)
    const asked = { author, request, permits, ttlMs, by, sinceMs: timeMs }
    const isAtOnce = lock.waiters.length === 0 && mayShare(lock.holders, asked)
    if (!isAtOnce && leaseMs === 0) return answered(known)
    if (this.kept.weight >= LOCK_REQUESTS_MAX) return tooMany(`${LOCK_REQUESTS_MAX} requests for locks`)
    if (isAtOnce) {
      const holder = grant(asked, this.#at(name, timeMs))
      this.#put(name, { ...lock, holders: [...lock.holders, holder] })
    } else {
      if (lock.waiters.length >= LOCK_WAITERS_MAX) return tooMany(`${LOCK_WAITERS_MAX} requests for the lock '${name}'`)
      this.#put(name, { ...lock, waiters: [...lock.waiters, { ...asked, untilMs: timeMs + leaseMs }] })
    }
    return answered(answerOf(this.get(name), author, request))
  }

  #stay({ name, request, leaseMs }: Of<'stay'>, author: ReplicaId, timeMs: number): Verdict {
    const lock = this.get(name)
    const isIt = isOf(author, request)
    if (lock.waiters.some(isIt)) {
      const untilMs = timeMs + leaseMs
      const waiters = lock.waiters.map((waiter) => (isIt(waiter) ? { ...waiter, untilMs } : waiter))
      this.#put(name, { ...lock, waiters })
    }
    return answered(answerOf(lock, author, request))
  }

  #renew({ name, request }: Of<'renew'>, author: ReplicaId, timeMs: number): Verdict {
    const lock = this.get(name)
    const isIt = isOf(author, request)
    if (!lock.holders.some(isIt)) return notHeld(name)
    const holders = lock.holders.map((one) => (isIt(one) ? { ...one, expiresMs: timeMs + one.ttlMs } : one))
    this.#put(name, { ...lock, holders })
    return answered(answerOf(this.get(name), author, request))
  }

  #release({ name, request }: Of<'release'>, author: ReplicaId, timeMs: number): Verdict {
    const lock = this.get(name)
    const former = answerOf(lock, author, request)
    if (former.state === 'none') return answered(former)
    const isIt = isOf(author, request)
    const left = {
      holders: lock.holders.filter((one) => !isIt(one)),
      waiters: lock.waiters.filter((one) => !isIt(one)),
    }
    this.#put(name, settledLock(left, this.#at(name, timeMs)))
    return answered(former)
  }

  #at(name: string, timeMs: number): Moment {
    const nextToken = (): number => {
      this.kept.raise(Math.max(this.kept.mark + 1, timeMs))
      return this.kept.mark
    }
    return { name, timeMs, nextToken, told: (event) => this.#events.push(event) }
  }

  #put(name: string, lock: LockState): void {
    this.kept.set(name, isFree(lock) ? undefined : lock)
    this.#dueMs = Math.min(this.#dueMs, dueMsOf(lock))
  }
}

function answerOf({ holders, waiters }: LockState, author: ReplicaId, request: number): LockAnswer {
  const isIt = isOf(author, request)
  const holder = holders.find(isIt)
  if (holder !== undefined) {
    const { token, sinceMs, expiresMs } = holder
    return { state: 'held', token, sinceMs, expiresMs }
  }
  return waiters.some(isIt) ? { state: 'waits' } : { state: 'none' }
}

function answered(answer: LockAnswer): Verdict {
  return { kind: 'done', version: 0, given: encodeAnswer(answer) }
}

function notHeld(name: string): Verdict {
  return {
    ...{ kind: 'failed', code: 'WARP_E_LOCK' },
    message: `the lock '${name}' is not held any more: its time was over, or it was released; acquire it again`,
  }
}

function tooMany(what: string): Verdict {
  return {
    ...{ kind: 'failed', code: 'WARP_E_LIMIT' },
    message: `there are ${what} already, the most that one partition of the ordered log takes; try again later`,
  }
}
