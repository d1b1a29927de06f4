/**
 * What can be written to a Redis key. A verb makes an effect, never a command: what a command decides
 * by looking (NX, GT, which member SPOP takes) has been decided when the operation is written, and
 * replicas that hear of it only do it.
 *
 * Each takes the time now in milliseconds first, by which it tells whether the key is still there; and
 * values, fields and members as binary strings. Each throws `WARP_E_MODE` if the key holds another
 * type, and writes nothing where there is nothing to change.
 */
import type { Encodable } from '../encoding/encodable.ts'
import type { Prepare } from '../strategy.ts'
import { shownKind } from '../shown-kind.ts'
import { WarpError } from '../warp-error.ts'
import { exactScoreOf, textOf, type Cell, type PutMode } from './cell.ts'
import { addExact, doubleOf, negated, parseExact, shownExact, type Exact } from './exact.ts'
import { STRING_BYTES_MAX, WIDTH_MAX, changed, type Change } from './patches.ts'
import { additionOf, NO_RUNS, type Run } from './runs.ts'
import { Situation, checkBinary, checkUntil, cutsIn, refused, type Replacing } from './situation.ts'
import type { RedisState } from './state.ts'
import { FIELD_PLACE, MEMBER_PLACE, encodeWrite, type FieldChange, type ScoreChange } from './write.ts'

type Made = Encodable | undefined
type Preparing = Prepare<RedisState>

/** A whole number, a decimal as text, or a bigint. */
export type Amount = number | string | bigint

/** A member, its score, and whether that is the greatest or the least of concurrent ones. */
export type Scored = readonly [member: string, score: number, mode?: PutMode]

export interface JoinOptions {
  readonly replacing?: Replacing | undefined
  /** Whether members that are in already are put in again, to survive a concurrent removal. Default true. */
  readonly isRenewing?: boolean | undefined
}

/** So many patches are kept, and more while the string is longer than so many bytes for each. */
const PATCHES_MAX = 64
const BYTES_PER_PATCH = 64
const PATCHES_HARD_MAX = 4096
/** A string that one operation carries as a whole; of longer ones patches are kept, however many. */
const WHOLE_BYTES_MAX = 2_097_152

/** SET and its like: takes the place of all that was in the key. `life` is a deadline, `Infinity`, or `'kept'`. */
export function put(prepare: Preparing, nowMs: number, value: string, life: number | 'kept' = Infinity): Made {
  const situation = new Situation(prepare, nowMs)
  const until = life === 'kept' ? life : checkUntil(life)
  const act = { act: 'put', value: checkBinary(value) } as const
  if (until === 'kept' && situation.isAlive) return situation.keepingPut(act)
  return situation.payload({ act, replacing: { untilMs: until === 'kept' ? Infinity : until } })
}

/** INCRBY, INCRBYFLOAT. Throws `WARP_E_MODE` if the string is no number. */
export function add(prepare: Preparing, nowMs: number, amount: Amount): Made {
  const by = exactAmount(amount)
  const situation = new Situation(prepare, nowMs)
  const string = situation.part('string')
  if (string === undefined) return situation.payload({ act: { act: 'add', addition: { amount: by } } })
  const before = numberIn(string)
  if (string.patches.length > 0) return situation.keepingPut({ act: 'put', value: shownExact(addExact(before, by)) })
  return situation.payload({ act: { act: 'add', addition: additionOf(string.runs, prepare.replica, by) } })
}

/** APPEND, SETRANGE, SETBIT, BITFIELD. */
export function patch(prepare: Preparing, nowMs: number, changes: readonly Change[]): Made {
  const checked = changes.map(checkChange)
  const situation = new Situation(prepare, nowMs)
  const string = situation.part('string')
  if (checked.length === 0) return undefined
  if (string !== undefined && (string.runs.length > 0 || isPatchedMuch(string)))
    return situation.keepingPut({ act: 'put', value: changed(textOf(string) ?? '', checked) })
  return situation.payload({ act: { act: 'patch', changes: checked } })
}

/** EXPIREAT with a deadline, PERSIST with `Infinity`. */
export function live(prepare: Preparing, nowMs: number, untilMs: number): Made {
  const situation = new Situation(prepare, nowMs)
  if (!situation.isAlive) return undefined
  return situation.payload({ act: { act: 'live' }, life: checkUntil(untilMs) })
}

/**
 * Says of a key whose life is over once more how long it lived: an operation behind the deadline that changes
 * nothing, by which a replica learns that nothing written before is still to come.
 */
export function repeatLife(prepare: Preparing, nowMs: number): Made {
  const { isAlive, state } = new Situation(prepare, nowMs)
  if (isAlive || state.lives.length === 0) return undefined
  return encodeWrite({ act: { act: 'live' }, isReplacing: false, life: state.untilMs, cuts: [] })
}

/** HSET. */
export function setFields(
  prepare: Preparing,
  nowMs: number,
  fields: readonly (readonly [field: string, value: string])[],
  replacing?: Replacing,
): Made {
  const situation = new Situation(prepare, nowMs)
  const hash = replacing === undefined ? situation.part('hash') : undefined
  const values = new Map(fields.map(([name, value]) => [checkBinary(name), checkBinary(value)]))
  if (values.size === 0) return undefined
  const act = { act: 'fields', fields: [...values].map(([name, value]): FieldChange => ({ name, value })) } as const
  const cuts = [...values.keys()].flatMap((name) => fieldCuts(hash?.get(name), name))
  return situation.payload({ act, cuts, replacing })
}

/** HINCRBY, HINCRBYFLOAT. Throws `WARP_E_MODE` if the field holds no number. */
export function addToField(prepare: Preparing, nowMs: number, field: string, amount: Amount): Made {
  const by = exactAmount(amount)
  const situation = new Situation(prepare, nowMs)
  const cell = situation.part('hash')?.get(checkBinary(field))?.cell
  if (cell !== undefined) numberIn(cell)
  const addition = additionOf(cell?.runs ?? NO_RUNS, prepare.replica, by)
  return situation.payload({ act: { act: 'fields', fields: [{ name: field, addition }] } })
}

/** HDEL. */
export function removeFields(prepare: Preparing, nowMs: number, ...fields: readonly string[]): Made {
  const situation = new Situation(prepare, nowMs)
  const hash = situation.part('hash')
  const found = [...new Set(fields)].filter((name) => hash?.get(name) !== undefined)
  if (found.length === 0) return undefined
  const act = { act: 'fields', fields: found.map((name) => ({ name, value: undefined })) } as const
  const cuts = found.flatMap((name) => fieldCuts(hash?.get(name), name))
  return situation.removal(act, found.length, cuts)
}

/** SADD. */
export function join(
  prepare: Preparing,
  nowMs: number,
  members: readonly string[],
  { replacing, isRenewing = true }: JoinOptions = {},
): Made {
  const situation = new Situation(prepare, nowMs)
  const set = replacing === undefined ? situation.part('set') : undefined
  const all = [...new Set(members.map(checkBinary))]
  const joining = isRenewing ? all : all.filter((name) => set?.get(name) === undefined)
  if (joining.length === 0) return undefined
  return situation.payload({ act: { act: 'join', members: joining }, replacing })
}

/** SREM, SPOP. */
export function leave(prepare: Preparing, nowMs: number, ...members: readonly string[]): Made {
  const situation = new Situation(prepare, nowMs)
  const set = situation.part('set')
  const found = [...new Set(members)].filter((name) => set?.get(name) !== undefined)
  return found.length === 0 ? undefined : situation.removal({ act: 'leave', members: found }, found.length)
}

/** ZADD. */
export function setScores(prepare: Preparing, nowMs: number, members: readonly Scored[], replacing?: Replacing): Made {
  const situation = new Situation(prepare, nowMs)
  const zset = replacing === undefined ? situation.part('zset') : undefined
  const scores = new Map(members.map(([name, score, mode]) => [checkBinary(name), checkScore(score, mode)]))
  if (scores.size === 0) return undefined
  const act = {
    act: 'scores',
    members: [...scores].map(([name, { score, mode }]): ScoreChange => ({ name, score, mode })),
  } as const
  const cuts = [...scores.keys()].flatMap((name) => memberCuts(zset?.table.get(name), name))
  return situation.payload({ act, cuts, replacing })
}

/**
 * ZINCRBY. What is added is what takes the score as it is seen here to the double that Redis would
 * come to, exactly: so additions of several replicas commute, and one replica alone rounds as Redis
 * does. Throws `WARP_E_LIMIT` where infinities cancel each other.
 */
export function addToScore(prepare: Preparing, nowMs: number, member: string, by: number): Made {
  const name = checkBinary(member)
  const { score: amount } = checkScore(by)
  const situation = new Situation(prepare, nowMs)
  const { runs, exact } = scoreIn(situation.part('zset')?.table.get(name)?.cell)
  const before = doubleOf(exact)
  const after = before + amount
  if (Number.isNaN(after)) throw new WarpError('WARP_E_LIMIT', 'infinities of both signs have no sum; set the score')
  if (!Number.isFinite(after) || !Number.isFinite(before)) return setScores(prepare, nowMs, [[member, after]])
  const addition = additionOf(runs, prepare.replica, addExact(after, negated(exact)))
  return situation.payload({ act: { act: 'scores', members: [{ name, addition }] } })
}

function scoreIn(cell: Cell<number> | undefined): { readonly runs: readonly Run[]; readonly exact: Exact } {
  if (cell === undefined) return { runs: NO_RUNS, exact: 0 }
  return { runs: cell.runs, exact: exactScoreOf(cell) ?? 0 }
}

/** ZREM, ZPOPMIN and its like. */
export function removeScores(prepare: Preparing, nowMs: number, ...members: readonly string[]): Made {
  const situation = new Situation(prepare, nowMs)
  const zset = situation.part('zset')
  const found = [...new Set(members)].filter((name) => zset?.table.get(name) !== undefined)
  if (found.length === 0) return undefined
  const mode: PutMode = 'put'
  const act = { act: 'scores', members: found.map((name) => ({ name, score: undefined, mode })) } as const
  const cuts = found.flatMap((name) => memberCuts(zset?.table.get(name), name))
  return situation.removal(act, found.length, cuts)
}

function fieldCuts(field: { readonly cell: Cell<string> } | undefined, name: string): ReturnType<typeof cutsIn> {
  return field === undefined ? [] : cutsIn(FIELD_PLACE + name, field.cell)
}

function memberCuts(member: { readonly cell: Cell<number> } | undefined, name: string): ReturnType<typeof cutsIn> {
  return member === undefined ? [] : cutsIn(MEMBER_PLACE + name, member.cell)
}

function numberIn(cell: Cell<string>): Exact {
  const number = parseExact(textOf(cell) ?? '0')
  if (number === undefined) throw new WarpError('WARP_E_MODE', 'what is added to is no number; set it to one first')
  return number
}

function isPatchedMuch(string: Cell<string>): boolean {
  const count = string.patches.length
  if (count < PATCHES_MAX) return false
  const { length } = textOf(string) ?? ''
  return length <= WHOLE_BYTES_MAX && (count >= PATCHES_HARD_MAX || length <= count * BYTES_PER_PATCH)
}

function exactAmount(amount: Amount): Exact {
  if (typeof amount === 'number' && Number.isSafeInteger(amount)) return amount
  const exact = typeof amount === 'number' ? undefined : parseExact(String(amount))
  if (exact === undefined) throw refused(`a whole number, a bigint or a decimal as text, not ${shownKind(amount)}`)
  return exact
}

function checkScore(score: number, mode: PutMode = 'put'): { readonly score: number; readonly mode: PutMode } {
  // + 0: there is no -0.
  if (typeof score === 'number' && !Number.isNaN(score)) return { score: score + 0, mode }
  throw refused(`a number as a score, not ${shownKind(score)}`)
}

function checkChange(change: Change): Change {
  if (change.kind === 'append') return { kind: 'append', bytes: checkBinary(change.bytes) }
  const { offset } = change
  const end = change.kind === 'overwrite' ? offset + checkBinary(change.bytes).length : (offset + change.width) / 8
  if (!Number.isSafeInteger(offset) || offset < 0 || end > STRING_BYTES_MAX)
    throw new WarpError('WARP_E_LIMIT', `a change at ${offset} ends beyond ${STRING_BYTES_MAX} bytes`, {
      details: { offset, limit: STRING_BYTES_MAX },
    })
  if (change.kind === 'overwrite') return change
  const { width } = change
  if (!Number.isSafeInteger(width) || width < 1 || width > WIDTH_MAX) throw refused(`1 to ${WIDTH_MAX} bits at once`)
  return { ...change, value: BigInt.asUintN(width, change.value) }
}
