/** Which values a replica shows: a key with several leases is visible while all of them live. */
import { type Key } from '../keys.ts'
import { has } from '../vectors.ts'
import { judge } from './oracle.ts'
import { type Copy, type Lease, type Operation, type Replica, type World, isAttached } from './world.ts'

export function read(w: World, r: Replica, key: Key): void {
  w.count('reads')
  const put = r.puts.findLast((o) => o.target === key && !isVoid(w, r, o))
  const copy = r.copies.get(key)
  if (!put && !copy) return
  if (isHidden(w, r, key)) {
    w.count('hidden')
    return
  }
  w.count('visible')
  judge(w, r, key, { put, copy })
}

/** A lease that has ended voids what its writer had put without having seen the end. */
function isVoid(w: World, r: Replica, put: Operation): boolean {
  const attached = leasesOf(r, put.target as Key)
  const fallen = attached.filter((lease) => lease.end && !has(put.context, lease.end))
  return w.is('falls-with-the-last') ? fallen.length > 0 && fallen.length === attached.length : fallen.length > 0
}

/** While a lease may have run out, as far as is known here, its keys are not shown. */
export function isHidden(w: World, r: Replica, key: Key): boolean {
  if (w.is('others-show-until-the-end')) return false
  const live = leasesOf(r, key).filter((lease) => !lease.end)
  const lapsed = live.filter(({ deadline }) => deadline === undefined || deadline <= w.now)
  return w.is('falls-with-the-last') ? lapsed.length > 0 && lapsed.length === live.length : lapsed.length > 0
}

const leasesOf = (r: Replica, key: Key): Lease[] => [...r.leases.values()].filter((lease) => isAttached(lease, key))

export function load(r: Replica, key: Key): void {
  const copy: Copy = { begin: r.position, known: r.known.length }
  r.copies.set(key, copy)
}
