/**
 * Leases: groups of keys that fall together, on every replica. Granting, attaching, renewing and ending
 * are operations, so they hold for replicas that are away and for those that join later. An end is final,
 * is told once on each replica that knew the lease alive, and is an invalidation of all that is attached,
 * now or later. How long a lease has left is reckoned in `lease-times.ts`.
 */
import { checkOptions, isNumberFrom, requireOptions } from '../../../crdt/checked-options.ts'
import { shownValue } from '../../../crdt/shown-kind.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { asError, WarpError } from '../../../crdt/warp-error.ts'
import { DOMAINS } from '../../keys/domain.ts'
import { LEASE_TARGETS_MAX, LEASES_MAX, LIFE_MS_MAX } from '../../limits.ts'
import type { EnteredInvalidation } from '../../operation/invalidation.ts'
import {
  isLeaseId,
  LEASE_ID_BYTES,
  type EnteredLeaseNote,
  type LeaseId,
  type LeaseNote,
  type LeaseTarget,
} from '../../operation/leases/lease-note.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { hexOf } from '../../../crdt/time/replica-id.ts'
import type { Env } from '../../ports/env.ts'
import type { BookedLease, LeaseBook } from '../../store/aside/lease-book.ts'
import type { EngineEvent, LeaseEnd } from '../../store/event.ts'
import type { KeyStore } from '../../store/key-store.ts'
import type { SettleOptions } from '../../store/write-road/receipt.ts'
import type { Writer } from '../../store/write-road/writer.ts'
import { LeaseTimes, type RunningLease } from './lease-times.ts'
import {
  GRANT_OPTIONS,
  SETTLE_OPTIONS,
  type GrantOptions,
  type Lease,
  type LeaseCounts,
  type LeaseReceipt,
  type Leases,
} from './lease-types.ts'

export interface LeaseDeskOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly writer: Writer
  readonly book: LeaseBook
  readonly observe: (event: EngineEvent) => void
  readonly self: () => ReplicaId
  readonly hasEnded: (owner: ReplicaId) => boolean
  readonly isSenior: () => boolean
  readonly write: (note: LeaseNote) => Dot
  /** Something has been written that is to be sent. */
  readonly written: () => void
  /** What a lease is about: throws `WARP_E_CONFIG` where nothing that is meant loads. */
  readonly named: (call: string, target: string) => LeaseTarget
  /** Copies that are void from now on. `late`: the end of their lease has been known before. */
  readonly voids: (invalidation: EnteredInvalidation, late?: Dot) => void
}

export class LeaseDesk implements Leases {
  readonly times: LeaseTimes
  readonly #options: LeaseDeskOptions
  #endedCount = 0

  constructor(options: LeaseDeskOptions) {
    const { env, book, self, hasEnded, isSenior } = options
    this.#options = options
    // What was before is nobody's affair.
    book.takeFormer()
    const expire = (lease: LeaseId): void => this.#ends(lease, 'expired')
    this.times = new LeaseTimes({ env, book, self, hasEnded, isSenior, expire })
  }

  grant(options: GrantOptions): Promise<LeaseReceipt> {
    return this.#asked(() => {
      requireOptions('leases.grant', options, GRANT_OPTIONS, '{ ttlMs: 1_800_000 }')
      const { ttlMs, ...wish } = options
      if (!isNumberFrom(ttlMs, 1, LIFE_MS_MAX) || !Number.isInteger(ttlMs)) throw badLife(ttlMs)
      if (this.times.size >= LEASES_MAX) throw tooManyLeases()
      const lease = hexOf(this.#options.env.random(LEASE_ID_BYTES))
      return this.#write({ kind: 'grant', lease, ttlMs }, wish)
    })
  }

  attach(lease: LeaseId, keyOrPattern: string, wish: SettleOptions = {}): Promise<LeaseReceipt> {
    return this.#asked(() => {
      checkOptions('leases.attach', wish, SETTLE_OPTIONS)
      const { booked } = this.#running('leases.attach', lease)
      const target = this.#options.named('leases.attach', keyOrPattern)
      if (booked.attachments.size >= LEASE_TARGETS_MAX) throw tooManyTargets(lease)
      return this.#write({ kind: 'attach', lease, ...target }, wish)
    })
  }

  renew(lease: LeaseId, wish: SettleOptions = {}): Promise<LeaseReceipt> {
    return this.#asked(() => {
      checkOptions('leases.renew', wish, SETTLE_OPTIONS)
      const running = this.#running('leases.renew', lease)
      const { booked, isOwn } = running
      if (!isOwn) throw notOwner(booked)
      if (running.isKnown && this.times.leftMs(running) === 0) {
        this.#ends(lease, 'expired')
        throw hasEnded('leases.renew', lease)
      }
      // Under another id by now: it is granted again, which renews it as well.
      const isStillOwner = booked.owner === this.#options.self()
      return this.#write(isStillOwner ? { kind: 'renew', lease } : { kind: 'grant', lease, ttlMs: booked.ttlMs }, wish)
    })
  }

  revoke(lease: LeaseId, wish: SettleOptions = {}): Promise<LeaseReceipt> {
    return this.#asked(() => {
      checkOptions('leases.revoke', wish, SETTLE_OPTIONS)
      this.#running('leases.revoke', lease)
      return this.#write({ kind: 'end', lease, reason: 'revoked' }, wish)
    })
  }

  list(): Lease[] {
    return [...this.times.all()].map((running) => {
      const { booked, isOwn } = running
      const { id, owner, ttlMs, attachments } = booked
      const leftMs = this.times.leftMs(running)
      const targets = [...attachments.values()].map(({ target }) => target)
      return { id, owner, isOwn, ttlMs, ...(leftMs === undefined ? {} : { leftMs }), targets }
    })
  }

  /** Whether a key is on a lease that may have run out. */
  hides(key: string): boolean {
    return this.times.hides(key)
  }

  /** Something that is new has been said of a lease, here or elsewhere. */
  entered(note: EnteredLeaseNote): void {
    const ended = this.times.entered(note)
    if (note.kind === 'end') {
      this.#fall(note)
      if (ended !== undefined) this.#tell(ended, note.reason)
    } else if (note.kind === 'attach') this.#fallLate(note)
  }

  /**
   * A state has been taken over, and every copy is gone. Of the leases that were known here: those that
   * have ended meanwhile are told, and what was said here and nobody has heard is said again.
   */
  reset(): void {
    const { book } = this.#options
    for (const [id, former] of book.takeFormer()) {
      if (former.isOver) continue
      const running = this.times.find(id)
      const now = book.get(id)
      if (now === undefined) this.#missing(former, running)
      else if (now.end !== undefined) this.#endedMeanwhile(running, now.end.reason)
      else this.#goesOn(former, running, now)
    }
    for (const now of book.all())
      if (now.end === undefined && this.times.find(now.id) === undefined) this.times.follow(undefined, now)
  }

  counts(): LeaseCounts {
    return { leasesCount: this.times.size, hiddenCount: this.times.hiddenCount, endedCount: this.#endedCount }
  }

  /** Leases of this replica are not ended: they run out, unless it is back before. */
  close(): void {
    this.times.close()
  }

  /** All that is attached falls. */
  #fall({ lease, dot }: Extract<EnteredLeaseNote, { readonly kind: 'end' }>): void {
    for (const { of, target } of this.#options.book.get(lease)?.attachments.values() ?? [])
      this.#options.voids({ of, target, isHard: true, dot })
  }

  /** What is attached to a lease that has ended falls at once. */
  #fallLate({ lease, of, target, dot }: Extract<EnteredLeaseNote, { readonly kind: 'attach' }>): void {
    const end = this.#options.book.get(lease)?.end
    if (end !== undefined) this.#options.voids({ of, target, isHard: true, dot }, end.dot)
  }

  /** Nobody knows it any more: everybody has its end, or nobody had heard of it. */
  #missing(former: BookedLease, running: RunningLease | undefined): void {
    if (running === undefined) return
    const { applied, table } = this.#options.store
    const { replica, sequence } = former.grant.dot
    const wasHeard = applied.includes(replica, sequence) || table.ended.includes(replica, sequence)
    if (running.isOwn && !wasHeard && this.times.leftMs(running) !== 0) this.#grantAgain(former, running)
    else this.#endedMeanwhile(running, 'missed')
  }

  #grantAgain({ id: lease, ttlMs, attachments }: BookedLease, running: RunningLease): void {
    this.times.drop(running)
    this.#say({ kind: 'grant', lease, ttlMs })
    for (const { of, target } of attachments.values()) this.#say({ kind: 'attach', lease, of, target })
  }

  #endedMeanwhile(running: RunningLease | undefined, reason: LeaseEnd['reason']): void {
    if (running === undefined) return
    this.times.drop(running)
    this.#tell(running, reason)
  }

  #goesOn(former: BookedLease, running: RunningLease | undefined, now: BookedLease): void {
    const lease = now.id
    for (const [name, { of, target }] of former.attachments)
      if (!now.attachments.has(name)) this.#say({ kind: 'attach', lease, of, target })
    if (former.end !== undefined) {
      // It has been told, and is final.
      this.#say({ kind: 'end', lease, reason: former.end.reason })
      return
    }
    this.times.follow(running, now)
    if (running?.isOwn === true && now.owner !== this.#options.self() && this.times.leftMs(running) !== 0)
      this.#say({ kind: 'grant', lease, ttlMs: now.ttlMs })
  }

  #ends(lease: LeaseId, reason: 'revoked' | 'expired'): void {
    this.#options.write({ kind: 'end', lease, reason })
    this.#options.written()
  }

  /** As the log allows: what it refuses now is what it has refused to whoever said it first. */
  #say(note: LeaseNote): void {
    this.#options.write(note)
    this.#options.written()
  }

  #tell({ booked }: RunningLease, reason: LeaseEnd['reason']): void {
    this.#endedCount++
    const { id: lease, owner, attachments } = booked
    const targets = [...attachments.values()].map(({ target }) => target)
    this.#options.observe({ kind: 'lease:ended', lease, owner, reason, targets })
  }

  #asked(ask: () => Promise<LeaseReceipt>): Promise<LeaseReceipt> {
    try {
      this.#options.store.assertOpen()
      return ask()
    } catch (error) {
      return this.#options.store.turns.rejected(asError(error))
    }
  }

  async #write(note: LeaseNote, wish: SettleOptions): Promise<LeaseReceipt> {
    const { store, writer, write, written } = this.#options
    writer.checkWish(wish, DOMAINS.shared)
    if (store.refusesWrites) throw readsOnly(note)
    const dot = write(note)
    written()
    return { id: note.lease, dot, ...(await writer.settled(dot, wish)) }
  }

  /** Throws `WARP_E_LEASE`. */
  #running(call: string, lease: unknown): RunningLease {
    if (!isLeaseId(lease))
      throw new WarpError('WARP_E_CONFIG', `${call} takes the id of a lease, and got ${shownValue(lease)}`)
    const running = this.times.find(lease)
    if (running !== undefined) return running
    throw this.#options.book.get(lease) === undefined ? unknownLease(call, lease) : hasEnded(call, lease)
  }
}

function badLife(ttlMs: unknown): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `leases.grant: ttlMs is ${shownValue(ttlMs)}; give whole milliseconds from 1 to ${LIFE_MS_MAX}`,
    { details: { option: 'ttlMs' } },
  )
}

function unknownLease(call: string, lease: LeaseId): WarpError {
  return new WarpError(
    'WARP_E_LEASE',
    `${call}: lease ${lease} is not known here; it has ended long ago, or has not arrived yet ` +
      '(grant it with acks to wait for the others)',
    { details: { lease, reason: 'unknown' } },
  )
}

function hasEnded(call: string, lease: LeaseId): WarpError {
  return new WarpError('WARP_E_LEASE', `${call}: lease ${lease} has ended, which is final; grant another one`, {
    details: { lease, reason: 'ended' },
  })
}

function notOwner({ id: lease, owner }: BookedLease): WarpError {
  return new WarpError('WARP_E_LEASE', `leases.renew: lease ${lease} is renewed by its owner alone, ${owner}`, {
    details: { lease, reason: 'not-owner', owner },
  })
}

function tooManyLeases(): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `leases.grant: ${LEASES_MAX} leases have not ended, the most there may be; revoke those that are over, or give them less time`,
    { details: { limit: LEASES_MAX } },
  )
}

function tooManyTargets(lease: LeaseId): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `leases.attach: ${LEASE_TARGETS_MAX} keys and patterns are on lease ${lease}, the most there may be; attach a pattern`,
    { details: { lease, limit: LEASE_TARGETS_MAX } },
  )
}

function readsOnly({ lease }: LeaseNote): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `lease ${lease} is changed inside a merge function, a getter of a value or a projection, which may only read; do it afterwards`,
  )
}
