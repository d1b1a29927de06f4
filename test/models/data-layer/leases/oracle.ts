/** Judges what is shown, and who ends a lease, by what really happened. */
import { fail } from '../explorer.ts'
import { type Key, matches } from '../keys.ts'
import { has } from '../vectors.ts'
import { type Copy, type Lease, type Operation, type Replica, TTL, type World } from './world.ts'

/** When the owner renewed the lease last. What it wrote after its end as a member counts for nobody but those who ended too. */
function renewedAt(w: World, r: Replica, lease: string, owner: string): number {
  return Math.max(0, ...renewalsOf(w, r, lease, owner).map((o) => o.at))
}

function renewalsOf(w: World, r: Replica, lease: string, owner: string): Operation[] {
  const last = w.ended.has(r.id) ? Infinity : (w.ended.get(owner) ?? Infinity)
  return w.operations.filter(
    (o) => o.lease === lease && o.r === owner && o.s <= last && (o.kind === 'grant' || o.kind === 'renew'),
  )
}

/** Nobody but the owner ends a lease while the owner is a member, and nobody ends one that has been renewed. */
export function judgeExpiry(w: World, r: Replica, { id, owner }: Lease): void {
  // What only those have who are members no more is lost with them.
  const renewals = renewalsOf(w, r, id, owner).filter((o) => w.members().some((x) => has(x.applied, o)))
  const at = Math.max(0, ...renewals.map((o) => o.at))
  if (w.now < at + TTL) fail(`${r.id} ends ${id} at ${w.now}, and ${owner} has renewed it at ${at}`)
  if (r.id !== owner && !w.ended.has(owner)) fail(`${r.id} ends ${id} of ${owner}, which is a member`)
}

export function judge(
  w: World,
  r: Replica,
  key: Key,
  { put, copy }: { put: Operation | undefined; copy: Copy | undefined },
): void {
  const attachments = r.known.filter((o) => o.kind === 'attach' && matches(o.target, key))
  for (const { lease } of attachments) {
    const granted = r.known.find((o) => o.kind === 'grant' && o.lease === lease)!
    const end = r.known.find((o) => (o.kind === 'revoke' || o.kind === 'expire') && o.lease === lease)
    if (end) {
      const isNews = put ? has(put.context, end) : r.known.indexOf(end) < copy!.known
      if (!isNews) fail(`${r.id} shows ${key}, and knows that ${lease} has ended`)
      continue
    }
    const at = renewedAt(w, r, lease, granted.r)
    // However late messages come, and however many have handed it on.
    if (w.now > at + TTL) fail(`${r.id} shows ${key} at ${w.now}; ${lease} was renewed last at ${at}`)
  }
}

/** One end for each lease, on each replica on which it was alive. */
export function judgeReports(r: Replica): void {
  for (const lease of r.metAlive) {
    const times = r.reported.filter((id) => id === lease).length
    if (times !== 1) fail(`${r.id} reports the end of ${lease} ${times} times`)
  }
}
