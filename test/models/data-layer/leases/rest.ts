/** The world heals: what is renewed is shown everywhere; what is renewed no longer ends everywhere, once. */
import { fail } from '../explorer.ts'
import { KEYS } from '../keys.ts'
import { changeIsolation, deliver, evict, start, sync } from './life.ts'
import { renew } from './operations.ts'
import { judgeReports } from './oracle.ts'
import { isHidden, read } from './reading.ts'
import { pass } from './steps.ts'
import { RESTART, TTL, type World, isAttached } from './world.ts'

export function settle(w: World): void {
  w.say('----  healing')
  heal(w)
  for (let round = 0; round < 3; round++) {
    for (const r of w.replicas) for (const lease of [...r.leases.values()]) renew(w, r, lease)
    exchange(w)
  }
  w.say('----  everything is renewed')
  for (const r of w.replicas) for (const key of KEYS) judgeShown(w, r.slot, key)
  for (let round = 0; round < 6; round++) {
    pass(w, TTL / 2)
    exchange(w)
    for (const r of w.replicas) for (const key of KEYS) read(w, r, key)
  }
  w.say('----  nothing was renewed')
  for (const r of w.replicas) {
    for (const lease of r.leases.values()) if (!lease.end) fail(`${lease.id} of ${lease.owner} never ends on ${r.id}`)
    judgeReports(r)
  }
}

function heal(w: World): void {
  for (const r of w.replicas) r.downSince = w.now - RESTART
  for (const r of [...w.replicas]) if (!r.gone && !w.ended.has(r.id)) start(w, r)
  for (let round = 0; round < 2; round++)
    for (const r of [...w.replicas]) {
      if (r.isolated) changeIsolation(w, r)
      if (r.gone) evict(w, r)
      start(w, r)
    }
}

function exchange(w: World): void {
  for (let round = 0; round < 2; round++) {
    for (const r of w.replicas) for (const x of w.others(r)) sync(w, r, x)
    pass(w, 1)
    for (const message of [...w.net]) deliver(w, message)
  }
}

function judgeShown(w: World, slot: number, key: (typeof KEYS)[number]): void {
  const r = w.replicas[slot]!
  const isRenewed = (owner: string): boolean => w.members().some((x) => x.id === owner)
  const live = [...r.leases.values()].filter((lease) => !lease.end && isAttached(lease, key))
  if (live.every(({ owner }) => isRenewed(owner)) && isHidden(w, r, key))
    fail(`${r.id} hides ${key}, and all of its leases are renewed`)
}
