/** The world heals, everything that is owed is announced, and nobody serves anything but the database's rows. */
import { fail } from '../explorer.ts'
import { KEYS, type Key } from '../keys.ts'
import { covers, has } from '../vectors.ts'
import { loaded, read, serve, timeout } from './loads.ts'
import { invalidate, set, setSince } from './operations.ts'
import { deliver, start, sync, targetOf } from './steps.ts'
import { type Replica, type World, entryOf } from './world.ts'

export function settle(w: World): void {
  w.say('---  healing')
  heal(w)
  for (let round = 0; round < 4; round++) {
    for (const r of w.replicas) for (const x of w.others(r)) sync(w, r, x)
    drain(w)
    for (const r of w.replicas) for (const key of KEYS) timeout(r, key)
  }
  w.say('---  at rest')
  for (const r of w.replicas)
    for (const x of w.others(r)) if (!covers(r.applied, x.applied)) fail(`${r.id} never gets what ${x.id} has`)
  judge(w, 'at rest')
  for (const r of w.replicas) for (const key of KEYS) readAnew(w, r, key)
  judge(w, 'read anew')
}

function readAnew(w: World, r: Replica, key: Key): void {
  const { copy } = entryOf(r, key)
  if (copy) copy.expired = true
  read(w, r, key)
  drain(w)
  if (serve(w, r, key) === undefined) fail(`at rest ${r.id} has no copy of ${key} after a load`)
}

function judge(w: World, when: string): void {
  for (const r of w.replicas)
    for (const key of KEYS) {
      const row = serve(w, r, key)
      if (row !== undefined && row !== w.database[key])
        fail(`${when} ${r.id} serves ${key}=${row}, and the database holds ${w.database[key]}`)
    }
}

function heal(w: World): void {
  for (const r of [...w.replicas]) if (!r.gone) start(w, r)
  for (const r of [...w.replicas]) start(w, r)
  for (const r of w.replicas) {
    r.view.clear()
    for (const [key, begun] of r.begun) {
      if (begun.row === undefined) continue
      if (w.config.since) setSince(w, r, key, begun.row, begun.position)
      else set(w, r, key, begun.row)
    }
    r.begun.clear()
  }
  for (const owed of w.owed.splice(0)) invalidate(w, w.replicas[0]!, targetOf(owed, w.now))
  drain(w)
  // What died with its author before anybody else had it was never acknowledged: its caller announces it again.
  const orphans = w.operations.filter((o) => !w.replicas.some((r) => has(r.applied, o)))
  for (const o of orphans) invalidate(w, w.replicas[0]!, o.target)
}

function drain(w: World): void {
  for (let i = 0; i < 40 && w.requests.length + w.replies.length + w.net.length > 0; i++) {
    for (const request of w.requests.splice(0)) w.replies.push({ ...request, row: w.database[request.key] })
    for (const reply of w.replies.splice(0)) {
      const r = w.replica(reply.from)
      if (r !== undefined) loaded(w, r, reply)
    }
    for (const message of [...w.net]) deliver(w, message, false)
  }
  // What has come too early, because what it needs was lost, comes again by a sync.
  w.net = []
}
