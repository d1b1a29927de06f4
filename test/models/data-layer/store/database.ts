/** The primary store: it executes requests one after the other, and outsiders and the purge of tombstones change it too. */
import { fail } from '../explorer.ts'
import { type Key } from '../keys.ts'
import { covers, joinInto } from '../vectors.ts'
import { judgeCommit } from './oracle.ts'
import { type Replica, type Request, type Row, type World } from './world.ts'

export function execute(w: World, request: Request): void {
  const { key, id, from, type } = request
  const row = w.rowOf(key)
  if (type === 'get') {
    w.replies.push({ to: from, type, key, id, row: { ...row } })
    return
  }
  const next = request.next!
  const isDone = holdsAsExpected(w, request, row)
  if (isDone && next.through && !request.isFence && w.now % 4 === 0) {
    w.say('     the store refuses it')
    w.replies.push({ to: from, type, key, id, isDone: false, isRefused: true })
    return
  }
  if (isDone) {
    w.say(`     store: ${key} = ${next.value ?? 'nothing'} ${JSON.stringify(next.V)}, base ${next.name}, by ${from}`)
    commit(w, key, next, request.isFence === true)
  }
  w.replies.push({ to: from, type, key, id, isDone })
}

function holdsAsExpected(w: World, { token, value, next }: Request, row: Row): boolean {
  if (w.is('outsider-unnoticed')) return row.token === token
  if (w.is('count-version') || w.is('count-after-read') || w.countsOperations) return row.version < next!.version
  return row.token === token && row.value === value
}

function commit(w: World, key: Key, next: Row, isFence: boolean): void {
  if (next.through?.kind === 'void' && !isFence) fail('L: a write that was reported as refused reaches the store')
  const before = w.history[key].at(-1)!
  if (w.countsOperations) w.history[key].push({ value: next.value, V: next.V, tip: next.tip, base: before.base })
  else {
    for (const id in before.V) {
      if (!w.forgottenIds.has(id) || next.V[id] !== undefined) continue
      if (w.dropped[key][id] === undefined) w.count('idsDropped')
      w.dropped[key][id] = before.V[id]!
    }
    w.history[key].push(judgeCommit(w, key, next, isFence))
  }
  w.store[key] = { ...next }
}

export function outsiderWrites(w: World, key: Key): void {
  const row = w.rowOf(key)
  const n = ++w.unique
  const value = w.kind === 'counter' ? n * 1000 : w.kind === 'set' ? `o${n}` : `O${n}`
  w.store[key] = { ...row, value }
  const V = { ...row.V, ...w.dropped[key] }
  w.history[key].push({ value, V, tip: null, base: { value, V, tip: null, name: '' } })
  w.owed.push(key)
}

/** Removes a tombstone for good. */
export function purge(w: World, key: Key): void {
  const row = w.store[key]
  if (row === undefined || row.value !== undefined || row.digest !== undefined) return
  if (!w.is('tombstone-purged-early') && !mayPurge(w, key, row)) return
  joinInto(w.purged[key], row.V)
  joinInto(w.purged[key], w.dropped[key])
  w.store[key] = undefined
  w.history[key].push({ value: undefined, V: {}, tip: null, base: { value: undefined, V: {}, tip: null, name: '0' } })
}

/** Its operations are applied by every member, no member holds the key, and no request about it can be alive. */
function mayPurge(w: World, key: Key, row: Row): boolean {
  if (w.requests.some((q) => q.key === key && q.type === 'cas')) return false
  const V = Object.fromEntries(Object.entries(row.V).filter(([id]) => !w.lost.has(id)))
  return w.members().every((x) => covers(x.applied, V) && !holds(x, key))
}

function holds(x: Replica, key: Key): boolean {
  const state = x.keys.get(key)
  return state !== undefined && (state.flight !== null || state.ops.length > 0 || Object.keys(state.base.V).length > 0)
}
