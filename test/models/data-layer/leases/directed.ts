/** Leases: what chance hits too seldom. */
import { fail } from '../explorer.ts'
import { crash, deliver, evict, start, sync } from './life.ts'
import { end, grant, renew, write } from './operations.ts'
import { isHidden, load, read } from './reading.ts'
import { settle } from './rest.ts'
import { pass } from './steps.ts'
import { type Lease, type Replica, TTL, World } from './world.ts'

type Go = (w: World, a: Replica, b: Replica, c: Replica) => void

const CASES: Readonly<Record<string, Go>> = {
  'log this user out everywhere: one call, and every key of the session is gone, also for who joins later': (
    w,
    a,
    b,
    c,
  ) => {
    const lease = granted(w, a, 'a*')
    write(w, b, 'put', { lease: '', target: 'a' })
    load(c, 'b')
    exchange(w)
    crash(w, c, true)
    end(w, b, b.leases.get(lease.id)!, 'revoke')
    exchange(w)
    pass(w, 30)
    evict(w, c)
    start(w, c)
    for (const r of w.replicas) for (const key of ['a', 'b'] as const) read(w, r, key)
    const shown = w.counts['visible']
    if (shown !== 0) fail(`${shown} keys are still shown`)
  },
  'an attachment that arrives after the end of its lease': (w, a, b) => {
    const lease = granted(w, a, 'tag1')
    exchange(w)
    load(a, 'b')
    write(w, b, 'attach', { lease: lease.id, target: 'b' })
    w.net = []
    end(w, a, lease, 'revoke')
    sync(w, b, a)
    deliverAll(w)
    read(w, a, 'b')
  },
  'an owner that dies after a renewal, handed on from replica to replica': (w, a, b, c) => {
    const lease = granted(w, a, 'a')
    write(w, a, 'put', { lease: '', target: 'a' })
    exchange(w)
    renew(w, a, lease)
    w.net = w.net.filter(({ to }) => to === b.id)
    deliverAll(w)
    crash(w, a, false)
    for (let i = 0; i < 20; i++) {
      for (const [from, to] of [[b, c] as const, [c, b] as const]) sync(w, from, to)
      pass(w, 10)
      deliverAll(w)
      for (const r of [b, c]) read(w, r, 'a')
    }
  },
  'a lease that its owner renews is not ended by those who do not hear of it': (w, a, b, c) => {
    const lease = granted(w, a, 'a')
    exchange(w)
    for (const r of [b, c]) r.isolated = true
    a.isolated = true
    for (let i = 0; i < 12; i++) {
      pass(w, TTL / 5)
      renew(w, a, lease)
    }
    for (const r of [a, b, c]) r.isolated = false
    exchange(w)
    renew(w, a, lease)
    exchange(w)
    for (const r of w.replicas) {
      if (r.leases.get(lease.id)!.end) fail(`${r.id} takes the lease for ended`)
      if (isHidden(w, r, 'a')) fail(`${r.id} hides the key`)
    }
  },
}

export const DIRECTED: Readonly<Record<string, (mutant: string) => void>> = Object.fromEntries(
  Object.entries(CASES).map(([name, go]) => [
    name,
    (mutant: string): void => {
      const w = new World({ replicas: 3, volatile: true, profile: 0 }, mutant)
      const [a, b, c] = w.replicas
      go(w, a!, b!, c!)
      settle(w)
    },
  ]),
)

function granted(w: World, r: Replica, target: string): Lease {
  grant(w, r)
  const lease = [...r.leases.values()].at(-1)!
  write(w, r, 'attach', { lease: lease.id, target })
  return lease
}

function deliverAll(w: World): void {
  for (const message of [...w.net]) deliver(w, message)
}

function exchange(w: World): void {
  for (const r of w.replicas) for (const x of w.others(r)) if (r.up) sync(w, r, x)
  deliverAll(w)
}
