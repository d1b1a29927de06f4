/** Replicas crash and start, exchange what they have, and deliver messages. */
import { KEYS, each } from '../../keys.ts'
import { covers, joinInto } from '../../vectors.ts'
import { asked, filled } from './cluster.ts'
import { ackOf, noteAck, receive } from './operations.ts'
import { type Carried, type Message, type Replica, type World } from '../world.ts'

export function crash(w: World, r: Replica, losesLog: boolean): void {
  if (!r.up) return
  r.up = false
  for (const state of r.keys.values()) {
    state.copy = null
    state.row = null
    state.flight = null
    state.retry = undefined
    state.stored = {}
  }
  r.seen = each(() => ({}))
  r.tips.clear()
  if (!losesLog) return
  r.gone = true
  w.lost.add(r.id)
}

/** Whoever has lost the log joins through somebody: takes over a state, but no copies. */
export function start(w: World, r: Replica): void {
  if (r.up) return
  if (!r.gone) {
    r.up = true
    return
  }
  const peer = w.replicas.find((x) => x.up && x !== r)
  if (peer === undefined) return
  const joiner = w.fresh(r.slot, 'ABCD'[r.slot]! + String(++w.unique))
  joiner.applied = { ...peer.applied }
  joiner.clock = peer.clock
  joiner.log = [...peer.log]
  joiner.forgotten = { ...peer.forgotten }
  joiner.forgottenInvalidations = { ...peer.forgottenInvalidations }
  joiner.forgottenStamp = peer.forgottenStamp
  joiner.remembered = peer.remembered.map(({ operation }) => ({ operation, position: 0 }))
  joiner.everKnown = [...peer.everKnown]
  for (const key of KEYS) {
    const state = peer.keys.get(key)
    if (state) Object.assign(w.keyOf(joiner, key), { ops: state.ops, base: state.base, stored: { ...state.stored } })
  }
  w.replicas[r.slot] = joiner
}

export function sync(w: World, r: Replica, x: Replica): void {
  for (const o of [...x.log]) receive(w, r, o)
  noteAck(r, x.id, ackOf(x))
}

/** An operation that comes too early stays on its way. */
export function deliver(w: World, message: Message, doubled: boolean): void {
  const r = w.replica(message.to)
  if (!r?.up) {
    remove(w, message)
    return
  }
  if (message.type === 'operation') {
    if (!carry(w, r, message)) return
  } else if (message.type === 'stored') {
    const state = r.keys.get(message.key)
    if (state) joinInto(state.stored, message.V)
  } else if (message.type === 'ask') asked(w, r, message)
  else filled(w, r, message)
  if (!doubled) remove(w, message)
}

function carry(w: World, r: Replica, { operation, from, ack }: Carried): boolean {
  if (!receive(w, r, operation)) return false
  // An acknowledgement counts once everything up to it is here.
  if (covers(r.applied, { [from]: ack[from] ?? 0 })) noteAck(r, from, ack)
  return true
}

function remove(w: World, message: Message): void {
  const at = w.net.indexOf(message)
  if (at >= 0) w.net.splice(at, 1)
}
