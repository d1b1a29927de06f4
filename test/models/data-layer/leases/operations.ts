/** The operations of leases, and what they do where they enter. */
import { KEYS, matches } from '../keys.ts'
import { covers, has, isNext, raise } from '../vectors.ts'
import { judgeExpiry } from './oracle.ts'
import { type Kind, type Left, type Lease, type Operation, type Replica, TTL, type World, keysOf } from './world.ts'

export function write(
  w: World,
  r: Replica,
  kind: Kind,
  { lease, target = '' }: { lease: string; target?: string },
): Operation {
  const s = (r.applied[r.id] ?? 0) + 1
  const o: Operation = { kind, lease, target, r: r.id, s, context: { ...r.applied }, at: w.now }
  w.operations.push(o)
  enter(w, r, o)
  // What is left is asked for.
  for (const x of w.others(r))
    w.net.push({ from: r.id, to: x.id, at: w.now, operations: [o], lefts: [], applied: undefined })
  return o
}

export function grant(w: World, r: Replica): void {
  w.count('grants')
  const lease = `L${++w.unique}`
  write(w, r, 'grant', { lease })
}

/** Only the owner renews, and not after the lease has run out: then it ends it. */
export function renew(w: World, r: Replica, lease: Lease): void {
  if (lease.end || (lease.owner !== r.id && !w.is('anybody-renews'))) return
  if (lease.deadline !== undefined && lease.deadline <= w.now) {
    end(w, r, lease, 'expire')
    return
  }
  w.count('renewals')
  write(w, r, 'renew', { lease: lease.id })
}

export function end(w: World, r: Replica, lease: Lease, kind: 'revoke' | 'expire'): void {
  if (lease.end) return
  if (kind === 'expire') judgeExpiry(w, r, lease)
  write(w, r, kind, { lease: lease.id })
}

/** The owner ends what has run out. For an owner that has ended the senior member does; others only hide. */
export function expire(w: World, r: Replica): void {
  for (const lease of r.leases.values()) {
    const isOut = (lease.isKnown ? (lease.deadline ?? w.now) : lease.unknownSince + TTL) <= w.now
    if (isOut && endsHere(w, r, lease)) end(w, r, lease, 'expire')
  }
}

function endsHere(w: World, r: Replica, lease: Lease): boolean {
  if (lease.owner === r.id) return !w.is('owner-never-ends')
  if (w.senior() !== r || w.is('nobody-ends-for-the-dead')) return false
  const owner = w.replica(lease.owner)
  const isSilent = !owner?.up || owner.isolated
  if (!w.ended.has(lease.owner)) return isSilent && w.is('silent-owner-is-dead')
  return hasAllOf(w, r, lease.owner) || w.is('senior-does-not-wait')
}

/** The last renewal may be on its way from another member. */
function hasAllOf(w: World, r: Replica, owner: string): boolean {
  const here = r.applied[owner] ?? 0
  return w.members().every((x) => x.gone || (x.applied[owner] ?? 0) <= here)
}

export function receive(w: World, r: Replica, o: Operation): boolean {
  if (has(r.applied, o)) return true
  if (o.s > (w.ended.get(o.r) ?? Infinity) || !isNext(r.applied, o)) return false
  enter(w, r, o)
  return true
}

export function enter(w: World, r: Replica, o: Operation): void {
  raise(r.applied, o)
  r.position++
  r.log.push(o)
  r.known.push(o)
  ENTERS[o.kind](w, r, o)
}

const ENTERS: Readonly<Record<Kind, (w: World, r: Replica, o: Operation) => void>> = {
  grant: (w, r, o) => {
    const deadline = o.r === r.id || w.is('second-hand-in-full') ? w.now + TTL : undefined
    const isKnown = deadline !== undefined
    const known = { id: o.lease, owner: o.r, renewal: o, deadline, isKnown, unknownSince: w.now }
    r.leases.set(o.lease, { ...known, end: undefined, attachments: [] })
    r.metAlive.add(o.lease)
  },
  renew: (w, r, o) => {
    const lease = r.leases.get(o.lease)
    if (!lease) return
    if (w.is('renewal-revives') && lease.end) lease.end = undefined
    const isFirstHand = o.r === r.id || w.is('second-hand-in-full')
    renewWith(w, lease, o, isFirstHand ? w.now + TTL : undefined)
  },
  attach: (w, r, o) => {
    const lease = r.leases.get(o.lease)
    if (!lease || (lease.end && w.is('end-spares-late-attachment'))) return
    lease.attachments.push(o)
    // What is attached to a lease that has ended falls at once.
    if (lease.end) for (const key of KEYS) if (matches(o.target, key)) r.copies.delete(key)
  },
  revoke: enterEnd,
  expire: enterEnd,
  put: (_w, r, o) => {
    r.puts.push(o)
  },
}

function enterEnd(w: World, r: Replica, o: Operation): void {
  const lease = r.leases.get(o.lease)
  if (!lease) return
  if (!lease.end || w.is('reports-each-end')) {
    r.reported.push(o.lease)
    w.count('ends')
  }
  lease.end ??= o
  if (!w.is('end-spares-copies')) for (const key of keysOf(lease)) r.copies.delete(key)
}

// -- how long a lease has left --------------------------------------------------------------------------------------------------

/** What this replica can say of its leases. */
export function leftsOf(w: World, r: Replica): Left[] {
  return [...r.leases.values()].map(({ id, renewal, deadline, isKnown }) => {
    return { lease: id, renewal, left: deadline === undefined || !isKnown ? undefined : deadline - w.now }
  })
}

/**
 * A renewal that comes second-hand has what its sender says is left, from when that was asked for on.
 */
export function hear(w: World, r: Replica, { lease: id, renewal, left }: Left, askedAt: number): void {
  const lease = r.leases.get(id)
  if (!lease || left === undefined || !has(r.applied, renewal)) return
  renewWith(w, lease, renewal, (w.is('counts-from-the-answer') ? w.now : askedAt) + left)
}

function renewWith(w: World, lease: Lease, renewal: Dot, deadline: number | undefined): void {
  const isSame = lease.renewal.r === renewal.r && lease.renewal.s === renewal.s
  if (!isSame) {
    if (renewal.r === lease.renewal.r && renewal.s < lease.renewal.s) return
    lease.renewal = renewal
    lease.unknownSince = w.now
    lease.isKnown = deadline !== undefined || w.is('earlier-deadline-ends')
    // Until it is known what is left since the later one, what was left since the one before holds: it is less.
    if (deadline !== undefined) lease.deadline = Math.max(lease.deadline ?? 0, deadline)
  } else if (deadline !== undefined) {
    lease.isKnown = true
    // Of two words the one that gives more is nearer to what the owner knows.
    lease.deadline = Math.max(lease.deadline ?? 0, deadline)
  }
}

type Dot = Lease['renewal']

// -- letting go ------------------------------------------------------------------------------------------------------------------

/** A lease that has ended leaves, with what it voided, when everybody has its end. */
export function compact(w: World, r: Replica): void {
  for (const lease of [...r.leases.values()]) {
    const { end: last } = lease
    if (!last || (!isStable(w, r, last) && !w.is('compacts-unstable-end'))) continue
    r.puts = r.puts.filter((o) => !keysOf(lease).some((key) => key === o.target) || has(o.context, last))
    r.leases.delete(lease.id)
  }
}

export const isStable = (w: World, r: Replica, o: Operation): boolean =>
  w.members().every((x) => {
    const ack = x === r ? r.applied : r.acks.get(x.id)
    return ack !== undefined && has(ack, o) && covers(r.applied, { [x.id]: ack[x.id] ?? 0 })
  })
