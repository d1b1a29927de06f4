/** Replicas crash, start, are cut off and evicted, and exchange what they have. */
import { hear, leftsOf, receive } from './operations.ts'
import { type Message, RESTART, type Replica, TTL, type World, freshReplica } from './world.ts'

export function sync(w: World, from: Replica, to: Replica): void {
  const operations = [...from.log]
  w.net.push({ from: from.id, to: to.id, at: w.now, operations, lefts: leftsOf(w, from), applied: { ...from.applied } })
}

/**
 * It may have been on its way for any time. What is left of leases was asked for: that the question was asked no earlier
 * than the answer was sent is the worst that there is.
 */
export function deliver(w: World, message: Message): void {
  w.net.splice(w.net.indexOf(message), 1)
  const [from, to] = [w.replica(message.from), w.replica(message.to)]
  if (!to?.up || !from) return
  if ([from, to].some((r) => r.isolated || w.ended.has(r.id))) return
  for (const o of message.operations) receive(w, to, o)
  for (const left of message.lefts) hear(w, to, left, message.at)
  if (message.applied) to.acks.set(message.from, { ...message.applied })
}

export function crash(w: World, r: Replica, losesLog: boolean): void {
  if (!r.up) return
  r.up = false
  r.downSince = w.now
  r.copies.clear()
  r.acks.clear()
  if (losesLog) r.gone = true
}

/** How long a lease has left is not in the log: a process that starts does not know how long it was away. */
export function start(w: World, r: Replica): void {
  const hasEnded = r.up && w.ended.has(r.id) && !r.isolated
  if (!hasEnded && (r.up || w.now - r.downSince < RESTART)) return
  if (r.gone || w.ended.has(r.id)) {
    joinAnew(w, r)
    return
  }
  r.up = true
  for (const lease of r.leases.values()) {
    lease.deadline = w.is('start-counts-in-full') ? w.now + TTL : undefined
    lease.isKnown = lease.deadline !== undefined
    lease.unknownSince = w.now
  }
}

/** Membership says where the operations of a replica end; it does not come back under its id. */
export function evict(w: World, r: Replica): void {
  if (w.ended.has(r.id) || (r.up && !r.isolated)) return
  const others = w.members().filter((x) => x !== r && !x.gone)
  if (!others.some((x) => x.up && !x.isolated)) return
  w.ended.set(r.id, Math.max(0, ...others.map((x) => x.applied[r.id] ?? 0)))
  w.count('evictions')
}

export function changeIsolation(w: World, r: Replica): void {
  r.isolated = !r.isolated
  if (!r.isolated && w.ended.has(r.id)) joinAnew(w, r)
}

/** Joins through somebody: takes over the state, with the leases that have ended and are not compacted. */
function joinAnew(w: World, r: Replica): void {
  const peer = w.members().find((x) => x.up && !x.isolated && x !== r)
  if (!peer) return
  if (!w.ended.has(r.id)) evict(w, r)
  const joiner = freshReplica(r.slot, 'ABCD'[r.slot]! + String(++w.unique))
  joiner.applied = { ...peer.applied }
  joiner.position = peer.position
  joiner.log = [...peer.log]
  joiner.puts = [...peer.puts]
  joiner.known = [...peer.known]
  for (const lease of peer.leases.values()) {
    if (lease.end && w.is('joiner-does-not-hear-of-ends')) continue
    const deadline = w.is('joiner-counts-in-full') ? w.now + TTL : undefined
    const isKnown = deadline !== undefined
    joiner.leases.set(lease.id, {
      ...lease,
      deadline,
      isKnown,
      unknownSince: w.now,
      attachments: [...lease.attachments],
    })
    if (!lease.end) joiner.metAlive.add(lease.id)
  }
  w.replicas[r.slot] = joiner
}
