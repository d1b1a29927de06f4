/**
 * How long each lease has left, as this replica reckons it. No wall clock is asked, here or elsewhere:
 * the owner reckons from its own renewals, and the others from what they are told is left, *from when
 * they have asked for it*. So nobody believes in more than the owner does, however late messages come, and
 * however many have handed it on. After a start nothing is known.
 *
 * While the time since the newest renewal is not known, that since an earlier one counts: it is less. It
 * shows keys, and ends nothing. A lease that may have run out is hidden by everybody. Its owner ends it.
 * If the owner is no member any more, whoever has all of it that counts ends it: at once the member with
 * the least id, the others when nothing has come of that for a while.
 *
 * Modelled in test/models/data-layer/leases; docs/data-layer-model.md, "Leases".
 */
import { isSameDot, type Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { EnteredLeaseNote, LeaseId } from '../../operation/leases/lease-note.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { OldestFirst } from '../../../crdt/oldest-first.ts'
import type { LeaseLeft, LeaseTimesPort, UnknownLease } from '../../ports/talk/lease-times.ts'
import type { BookedLease, LeaseBook } from '../../store/aside/lease-book.ts'
import { CoarseClock } from '../coarse-clock.ts'
import { DueQueue } from './due-queue.ts'
import { HiddenTargets } from './hidden-targets.ts'

export interface LeaseTimesOptions {
  readonly env: Env
  readonly book: LeaseBook
  /** Who this replica is now. */
  readonly self: () => ReplicaId
  /** Whether the owner is no member any more, and all of it that counts is here. */
  readonly hasEnded: (owner: ReplicaId) => boolean
  /** Whether this is the member with the least id. */
  readonly isSenior: () => boolean
  /** Writes that a lease was not renewed in time. May throw. */
  readonly expire: (lease: LeaseId) => void
}

/** A lease that has not ended. */
export interface RunningLease {
  readonly booked: BookedLease
  /** Granted by this process, or under its present id. */
  readonly isOwn: boolean
  /** When it lapses, by the monotonic clock. `undefined`: not known. */
  deadlineMs: number | undefined
  /** Whether that is of the newest renewal. If not, it is of one before it. */
  isKnown: boolean
  /** Since when the newest renewal is known. */
  sinceMs: number
  isHidden: boolean
}

/** Told of renewals that have not come yet. */
const EARLY_MAX = 4096
/** How often it is seen whether an owner is no member any more, and what the log refused is tried again. */
const LOOK_MS = 1000
/** So long others wait for the member with the least id. */
const PATIENCE_MS = 30_000
/** Ends that are written in one turn. */
const ENDS_MAX = 256
/** No timer is set for longer. */
const TIMER_MS_MAX = 86_400_000

export class LeaseTimes implements LeaseTimesPort {
  readonly #options: LeaseTimesOptions
  readonly #clock: CoarseClock
  readonly #running = new Map<LeaseId, RunningLease>()
  readonly #queue = new DueQueue<LeaseId>()
  readonly #hidden = new HiddenTargets()
  readonly #early = new OldestFirst<LeaseId, { readonly renewal: Dot; readonly deadlineMs: number }>()
  /** They have run out, and somebody has to say so. */
  readonly #due = new Set<RunningLease>()
  /** Those of others of which it is not known how long they have left. */
  readonly #unknown = new Set<LeaseId>()
  #timer: Timer | undefined
  #timerMs = Infinity
  #isClosed = false
  hiddenCount = 0

  constructor(options: LeaseTimesOptions) {
    this.#options = options
    this.#clock = new CoarseClock(options.env)
    for (const booked of options.book.all())
      if (booked.end === undefined) this.#begin(booked, booked.owner === options.self(), undefined)
  }

  get size(): number {
    return this.#running.size
  }

  find(lease: LeaseId): RunningLease | undefined {
    return this.#running.get(lease)
  }

  all(): IterableIterator<RunningLease> {
    return this.#running.values()
  }

  leftMs({ deadlineMs }: RunningLease): number | undefined {
    return deadlineMs === undefined ? undefined : Math.max(0, deadlineMs - this.#options.env.monotonic())
  }

  /** Whether a key is on a lease that may have run out. */
  hides(key: string): boolean {
    if (this.#running.size === 0) return false
    if (this.#queue.earliestMs <= this.#clock.now()) this.#look(this.#options.env.monotonic())
    return !this.#hidden.isEmpty && this.#hidden.has(key)
  }

  /** An operation has entered that says something new. Returns the lease that has ended with it. */
  entered(note: EnteredLeaseNote): RunningLease | undefined {
    const booked = this.#options.book.get(note.lease)
    const running = this.#running.get(note.lease)
    if (booked === undefined) return undefined
    switch (note.kind) {
      case 'grant':
        if (booked.end !== undefined) return undefined
        if (running === undefined) this.#begin(booked, note.dot.replica === this.#options.self(), note.dot)
        else this.#renewed(running, note.dot)
        return undefined
      case 'renew':
        if (running !== undefined) this.#renewed(running, note.dot)
        return undefined
      case 'attach':
        if (running?.isHidden === true) this.#hidden.add(note)
        return undefined
      case 'end':
        if (running !== undefined) this.drop(running)
        return running
    }
  }

  /** It has ended, or is known no more. */
  drop(running: RunningLease): void {
    this.#show(running)
    this.#running.delete(running.booked.id)
    this.#due.delete(running)
    this.#early.delete(running.booked.id)
    this.#unknown.delete(running.booked.id)
  }

  /** A state has been taken over, in which the lease is as `booked` says. */
  follow(running: RunningLease | undefined, booked: BookedLease): void {
    const isOwn = running?.isOwn ?? booked.owner === this.#options.self()
    const isSame = running !== undefined && isSameDot(running.booked.renewal, booked.renewal)
    const known = isSame || isOwn ? running : undefined
    if (running !== undefined) this.drop(running)
    const next = this.#begin(booked, isOwn, undefined)
    if (known?.deadlineMs === undefined) return
    next.isKnown = known.isKnown
    if (next.isKnown) this.#unknown.delete(booked.id)
    this.#lives(next, known.deadlineMs)
  }

  // -- what replicas tell each other -----------------------------------------------------------------

  unknown(countMax: number): UnknownLease[] {
    const unknown: UnknownLease[] = []
    for (const lease of this.#unknown) {
      const owner = this.#running.get(lease)?.booked.owner
      if (owner !== undefined) unknown.push({ lease, owner })
      if (unknown.length === countMax) break
    }
    return unknown
  }

  leftOf(leases: Iterable<LeaseId>): LeaseLeft[] {
    const nowMs = this.#options.env.monotonic()
    const lefts: LeaseLeft[] = []
    for (const lease of leases) {
      const running = this.#running.get(lease)
      if (running?.isKnown !== true || running.deadlineMs === undefined || running.deadlineMs <= nowMs) continue
      lefts.push({ lease, renewal: running.booked.renewal, leftMs: Math.floor(running.deadlineMs - nowMs) })
    }
    return lefts
  }

  hear(lefts: readonly LeaseLeft[], askedMs: number): void {
    for (const { lease, renewal, leftMs } of lefts) {
      const running = this.#running.get(lease)
      if (running?.isOwn === true) continue
      const ttlMs = running?.booked.ttlMs ?? Infinity
      const deadlineMs = askedMs + Math.min(leftMs, ttlMs)
      // A renewal that has not come yet may never count: its owner may have ended before it.
      if (running !== undefined && isSameDot(running.booked.renewal, renewal)) this.#told(running, deadlineMs)
      else this.#note(lease, renewal, deadlineMs)
    }
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#queue.clear()
    this.#running.clear()
  }

  /** Of two words the one that gives more is nearer to what the owner knows. */
  #told(running: RunningLease, deadlineMs: number): void {
    running.isKnown = true
    this.#unknown.delete(running.booked.id)
    this.#lives(running, Math.max(running.deadlineMs ?? -Infinity, deadlineMs))
  }

  /** The operation is still on its way. */
  #note(lease: LeaseId, renewal: Dot, deadlineMs: number): void {
    const before = this.#early.get(lease)
    if (before !== undefined && isSameDot(before.renewal, renewal) && before.deadlineMs >= deadlineMs) return
    this.#early.delete(lease)
    this.#early.set(lease, { renewal, deadlineMs })
    if (this.#early.size <= EARLY_MAX) return
    this.#early.delete(this.#early.oldest() as LeaseId)
  }

  #begin(booked: BookedLease, isOwn: boolean, granted: Dot | undefined): RunningLease {
    const sinceMs = this.#options.env.monotonic()
    const running = { booked, isOwn, deadlineMs: undefined, isKnown: false, sinceMs, isHidden: false }
    this.#running.set(booked.id, running)
    if (!isOwn) this.#unknown.add(booked.id)
    if (granted !== undefined) this.#renewed(running, granted)
    else {
      this.#hide(running)
      this.#dueAt(booked.id, sinceMs + booked.ttlMs)
    }
    return running
  }

  #renewed(running: RunningLease, renewal: Dot): void {
    const { booked } = running
    const nowMs = this.#options.env.monotonic()
    running.sinceMs = nowMs
    running.isKnown = false
    this.#due.delete(running)
    if (renewal.replica === this.#options.self()) {
      running.isKnown = true
      this.#unknown.delete(booked.id)
      this.#lives(running, nowMs + booked.ttlMs)
      return
    }
    this.#unknown.add(booked.id)
    const early = this.#early.get(booked.id)
    if (early !== undefined && isSameDot(early.renewal, renewal)) {
      this.#early.delete(booked.id)
      this.#told(running, early.deadlineMs)
      return
    }
    if (running.deadlineMs === undefined || running.deadlineMs <= nowMs) this.#hide(running)
    this.#dueAt(booked.id, nowMs + booked.ttlMs)
  }

  #lives(running: RunningLease, deadlineMs: number): void {
    running.deadlineMs = deadlineMs
    this.#due.delete(running)
    if (deadlineMs > this.#options.env.monotonic()) this.#show(running)
    else this.#hide(running)
    this.#dueAt(running.booked.id, deadlineMs)
  }

  #hide(running: RunningLease): void {
    if (running.isHidden) return
    running.isHidden = true
    this.hiddenCount++
    for (const target of running.booked.attachments.values()) this.#hidden.add(target)
  }

  #show(running: RunningLease): void {
    if (!running.isHidden) return
    running.isHidden = false
    this.hiddenCount--
    for (const target of running.booked.attachments.values()) this.#hidden.remove(target)
  }

  #dueAt(lease: LeaseId, dueMs: number): void {
    if (this.#isClosed) return
    this.#queue.push(lease, dueMs)
    this.#schedule(dueMs)
  }

  #schedule(dueMs: number): void {
    if (dueMs >= this.#timerMs || dueMs === Infinity) return
    this.#timer?.cancel()
    this.#timerMs = dueMs
    const delayMs = Math.min(TIMER_MS_MAX, Math.max(0, dueMs - this.#options.env.monotonic()))
    this.#timer = this.#options.env.schedule(delayMs, () => this.#tick())
  }

  #tick(): void {
    this.#timerMs = Infinity
    if (this.#isClosed) return
    const nowMs = this.#options.env.monotonic()
    this.#look(nowMs)
    const isMore = this.#endThoseDue(nowMs)
    if (isMore) this.#schedule(nowMs)
    else if (this.#due.size > 0) this.#schedule(nowMs + LOOK_MS)
    this.#schedule(this.#queue.earliestMs)
  }

  /** Hides what has lapsed. Reads ask for it as well, so nothing is written here. */
  #look(nowMs: number): void {
    for (let lease = this.#queue.take(nowMs); lease !== undefined; lease = this.#queue.take(nowMs)) {
      const running = this.#running.get(lease)
      if (running === undefined) continue
      const { deadlineMs, isKnown, sinceMs, booked } = running
      if (deadlineMs === undefined || deadlineMs <= nowMs) this.#hide(running)
      if ((isKnown ? (deadlineMs ?? nowMs) : sinceMs + booked.ttlMs) <= nowMs) this.#due.add(running)
    }
  }

  /** Returns whether there is more to be ended now. */
  #endThoseDue(nowMs: number): boolean {
    let left = ENDS_MAX
    for (const running of this.#due) {
      if (!this.#endsHere(running, nowMs)) continue
      if (left-- === 0) return true
      try {
        this.#options.expire(running.booked.id)
      } catch {
        // The log takes nothing: hidden it is already, and it is tried again.
        return false
      }
    }
    return false
  }

  #endsHere({ isOwn, booked, sinceMs, deadlineMs }: RunningLease, nowMs: number): boolean {
    if (isOwn) return true
    if (!this.#options.hasEnded(booked.owner)) return false
    return this.#options.isSenior() || nowMs - (deadlineMs ?? sinceMs + booked.ttlMs) >= PATIENCE_MS
  }
}
