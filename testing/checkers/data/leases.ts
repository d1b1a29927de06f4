/**
 * W42: a lease that nobody renews is dead on every machine when its time is over. Told by versions of
 * the source that nobody has been told of: once a lease must be dead, nobody serves what was loaded
 * while it lived.
 *
 * When the owner renewed it last is known, and no message makes it longer. Only where machines sleep, so that
 * their processes do not know how much time has passed, it is asked what is shown some time after everything
 * was made good.
 */
import type { LeaseId } from '../../../src/operation/leases/lease-note.ts'
import type { Said } from '../../simulation/data/data-intent.ts'
import { LEASED, LOAD_MS_MAX, spaceOf } from '../../simulation/data/data-keys.ts'
import type { CallRecord, RunHistory } from '../../simulation/report/run-history.ts'
import type { CallEvent, Checker, Moment, ReportEvent, RunEvent, SourcesView, Violation } from '../checker.ts'
import { Attachments } from './attachments.ts'

const NAME = 'W42'
/** A look at the clock is as old as that at most, and clocks go wrong by half a thousandth. */
const LOOK_MS = 5
const DRIFT_MS = 50
/** Time that processes do not notice. */
export const UNNOTICED: readonly string[] = ['suspend']

interface Followed {
  readonly id: LeaseId
  readonly ttlMs: number
  readonly owner: string
  /** When it may have been renewed last; `Infinity` while somebody tries to. */
  renewedMs: number
  /** Somebody has ended it sooner. */
  isRevoked: boolean
  readonly renewing: Set<number>
}

/** A read of a key, and which leases the machine knew the key to be on. */
interface Read {
  readonly call: CallRecord
  readonly key: string
  readonly leases: readonly Followed[]
}

export function leaseChecker(): Checker {
  return new LeaseChecker()
}

class LeaseChecker implements Checker {
  readonly name = NAME
  readonly #attachments = new Attachments()
  readonly #followed = new Map<LeaseId, Followed>()
  /** The lease that was granted last for each number. */
  readonly #granted = new Map<number, Followed>()
  readonly #reads = new Map<number, Read>()

  observe(event: RunEvent): undefined {
    if (event.kind === 'report') this.#reported(event)
    if (event.kind !== 'call') return
    this.#attachments.note(event.call)
    if (event.call.outcome === 'pending') this.#begins(event)
    else this.#ends(event.call)
  }

  verify(moment: Moment): readonly Violation[] {
    const { sources, phase } = moment
    if (phase === 'replayed' || sources === undefined) return []
    const found = [...this.#reads.values()].flatMap((read) => judge(read, moment, sources))
    // Judged with what was known by then.
    this.#reads.clear()
    return [...found, ...this.#alive(moment)]
  }

  #begins({ call, knows }: CallEvent): void {
    const { intent } = call
    if (intent.kind === 'renew') this.#granted.get(intent.lease)?.renewing.add(call.id)
    else if (intent.kind === 'revoke') {
      const lease = this.#granted.get(intent.lease)
      if (lease !== undefined) lease.isRevoked = true
    } else if (intent.kind === 'read' && spaceOf(intent.key) === LEASED) {
      const { key } = intent
      const leases = [...this.#followed.values()].filter(({ id }) => this.#attachments.isOn(key, id, knows))
      if (leases.length > 0) this.#reads.set(call.id, { call, key, leases })
    }
  }

  #ends({ id, intent, outcome, value, endedMs, machine }: CallRecord): void {
    if (intent.kind === 'grant' && outcome === 'ok') {
      const lease = (value as Said).lease as LeaseId
      const { ttlMs } = intent
      const one = {
        id: lease,
        ttlMs,
        owner: machine,
        renewedMs: endedMs,
        isRevoked: false,
        renewing: new Set<number>(),
      }
      this.#followed.set(lease, one)
      this.#granted.set(intent.lease, one)
    }
    if (intent.kind !== 'renew') return
    // Whatever came of it, and whichever lease it was by then.
    for (const lease of this.#followed.values()) if (lease.renewing.delete(id)) lease.renewedMs = endedMs
  }

  /** Whoever takes over a state grants again what nobody has heard of. */
  #reported({ report: { machine, atMs, event } }: ReportEvent): void {
    if (event.kind !== 'resync:done' && event.kind !== 'resync:interrupted') return
    for (const lease of this.#followed.values()) if (lease.owner === machine) lease.renewedMs = atMs
  }

  /** After everything was made good, and none is renewed any more. */
  #alive({ history, nowMs, machines }: Moment): Violation[] {
    return machines.flatMap(({ name: machine, warp }) =>
      warp.leases.list().flatMap(({ id, leftMs = 0 }): Violation[] => {
        const lease = this.#followed.get(id)
        if (leftMs === 0 || lease === undefined || nowMs < deadMs(lease, history)) return []
        const message = `${machine} gives lease ${id} ${leftMs} ms more, which was renewed last at ${lease.renewedMs} ms for ${lease.ttlMs} ms`
        return [{ invariant: NAME, message, machine }]
      }),
    )
  }
}

/** From when on a lease is dead everywhere. */
function deadMs({ renewedMs, renewing, ttlMs, isRevoked }: Followed, { planned, healedMs }: RunHistory): number {
  if (renewing.size > 0 || isRevoked) return Infinity
  const isUnnoticed = UNNOTICED.some((kind) => planned.has(kind))
  return (isUnnoticed ? Math.max(renewedMs, healedMs) : renewedMs) + ttlMs + LOOK_MS
}

function judge({ call, key, leases }: Read, { history }: Moment, sources: SourcesView): Violation[] {
  if (call.outcome !== 'ok' || typeof call.value !== 'number') return []
  const value = call.value
  return leases.flatMap((lease) => {
    if (call.startedMs < deadMs(lease, history)) return []
    history.count('reads of keys whose lease had run out')
    const { id, owner, renewedMs, ttlMs } = lease
    const least = sources.versionAt(key, renewedMs + ttlMs - LOAD_MS_MAX - DRIFT_MS)
    if (value >= least) return []
    const message = `${call.machine} reads version ${value} of ${key} at ${call.startedMs} ms, which was there before lease ${id} of ${owner} had to end (${renewedMs} + ${ttlMs} ms; then there was ${least})`
    return [{ invariant: NAME, message, key, machine: call.machine }]
  })
}
