/**
 * What an operation on a Redis key does, and its payload:
 *
 *     payload = [code, body, life?, cuts?]
 *
 *     code    the act's; plus REPLACING if first everything goes that the writer had seen
 *     life    0 leaves the key's life as it is (if absent: 0, or null where everything goes),
 *             null for ever, false as if nobody had said anything,
 *             or a deadline in milliseconds since 1970
 *     cuts    [[place, replica, sequence, index, total], ...]   additions taken away (runs.ts), in
 *             the place '' (the string), 'h' + field, or 'z' + member
 *
 *     act             code  body
 *     live            0     null
 *     put             1     value
 *     add             2     addition
 *     patch           3     [[bytes] | [offset, bytes] | [offset, width, value, isAdded], ...]
 *     fields          4     chunks of [field] (out) | [field, value] | [field, addition]
 *     members in      5     chunks of members
 *     members out     6     chunks of members
 *     scores          7     chunks of [member] (out) | [member, score, mode?] | [member, addition]
 *     push            8     [side, order, chunks of values]
 *     insert          9     [position, side, order, value]
 *     set at          10    [position, value]
 *     take            11    chunks of positions
 *     raise           12    chunks of [place, rank]
 *     stream          13    [chunks of [id, name, value, ...], chunks of ids that go, floor?, mark?]
 *     notes           14    chunks of [name] (out) | [name, value]
 *
 *     addition = [amount] | [amount, replica, sequence, index, before]
 *     mark     = [last id, greatest deleted id, how many have gone]; null for none, as for a floor
 *     position = [side, order, replica, sequence, index, (side, order, replica, sequence)...]
 *
 * Values, fields and members are text if they are ASCII, and else bytes (`binary.ts`). Dots in a
 * payload are given new names by `rebase` when operations are issued again.
 */
import type { Encodable } from '../encoding/encodable.ts'
import { toChunks } from '../encoding/stored-state.ts'
import type { PutMode } from './cell.ts'
import { toWire } from './binary.ts'
import type { Change } from './patches.ts'
import type { Position, Side, Step } from './positions.ts'
import type { Raised } from './registers/registers.ts'
import type { Addition, Cut } from './runs.ts'
import type { StreamId } from './streams/stream-id.ts'
import type { MarkContent } from './streams/stream.ts'

export const REPLACING = 16

/** In the order of their codes. */
export const ACTS = [
  'live',
  'put',
  'add',
  'patch',
  'fields',
  'join',
  'leave',
  'scores',
  'push',
  'insert',
  'set',
  'take',
  'raise',
  'stream',
  'notes',
] as const

export type FieldChange =
  { readonly name: string; readonly value: string | undefined } | { readonly name: string; readonly addition: Addition }

export interface NoteChange {
  readonly name: string
  readonly value: string | undefined
}

export type ScoreChange =
  | { readonly name: string; readonly score: number | undefined; readonly mode: PutMode }
  | { readonly name: string; readonly addition: Addition }

export type Act =
  | { readonly act: 'live' }
  | { readonly act: 'put'; readonly value: string }
  | { readonly act: 'add'; readonly addition: Addition }
  | { readonly act: 'patch'; readonly changes: readonly Change[] }
  | { readonly act: 'fields'; readonly fields: readonly FieldChange[] }
  | { readonly act: 'join'; readonly members: readonly string[] }
  | { readonly act: 'leave'; readonly members: readonly string[] }
  | { readonly act: 'scores'; readonly members: readonly ScoreChange[] }
  | { readonly act: 'push'; readonly side: Side; readonly order: number; readonly values: readonly string[] }
  | {
      readonly act: 'insert'
      readonly pivot: Position
      readonly side: Side
      readonly order: number
      readonly value: string
    }
  | { readonly act: 'set'; readonly position: Position; readonly value: string }
  | { readonly act: 'take'; readonly positions: readonly Position[] }
  | { readonly act: 'raise'; readonly registers: readonly Raised[] }
  | {
      readonly act: 'stream'
      readonly entries: readonly { readonly id: StreamId; readonly fields: readonly string[] }[]
      readonly removed: readonly StreamId[]
      /** Up to this one all go. */
      readonly floor: StreamId | undefined
      readonly mark: MarkContent | undefined
    }
  | { readonly act: 'notes'; readonly notes: readonly NoteChange[] }

export type ActOf<Name extends Act['act']> = Extract<Act, { readonly act: Name }>

/** Milliseconds since 1970, or `Infinity`; `'kept'` as it is, `'none'` as if nobody had said anything. */
export type LifeChange = number | 'kept' | 'none'

export interface PlacedCut extends Cut {
  readonly place: string
}

export interface Write {
  readonly act: Act
  readonly isReplacing: boolean
  readonly life: LifeChange
  readonly cuts: readonly PlacedCut[]
}

export const STRING_PLACE = ''
export const FIELD_PLACE = 'h'
export const MEMBER_PLACE = 'z'

const MODES: readonly PutMode[] = ['put', 'max', 'min']

/** What a life is if a payload does not say. */
export function unsaidLife(isReplacing: boolean): LifeChange {
  return isReplacing ? Infinity : 'kept'
}

export function encodeWrite({ act, isReplacing, life, cuts }: Write): Encodable {
  const code = ACTS.indexOf(act.act) + (isReplacing ? REPLACING : 0)
  const payload: Encodable[] = [code, encodeBody(act)]
  if (cuts.length === 0 && life === unsaidLife(isReplacing)) return payload
  payload.push(encodeLife(life))
  if (cuts.length > 0) payload.push(toChunks(cuts.map(encodeCut)))
  return payload
}

function encodeLife(life: LifeChange): Encodable {
  if (life === 'kept') return 0
  if (life === 'none') return false
  return life === Infinity ? null : life
}

function encodeCut({ place, replica, sequence, index, total }: PlacedCut): Encodable {
  return [toWire(place), replica, sequence, index, total]
}

const ENCODE: { readonly [Name in Act['act']]: (act: ActOf<Name>) => Encodable } = {
  live: () => null,
  put: ({ value }) => toWire(value),
  add: ({ addition }) => encodeAddition(addition),
  patch: ({ changes }) => changes.map(encodeChange),
  fields: ({ fields }) => toChunks(fields.map(encodeField)),
  join: ({ members }) => toChunks(members.map(toWire)),
  leave: ({ members }) => toChunks(members.map(toWire)),
  scores: ({ members }) => toChunks(members.map(encodeScore)),
  push: ({ side, order, values }) => [side, order, toChunks(values.map(toWire))],
  insert: ({ pivot, side, order, value }) => [encodePosition(pivot), side, order, toWire(value)],
  set: ({ position, value }) => [encodePosition(position), toWire(value)],
  take: ({ positions }) => toChunks(positions.map(encodePosition)),
  raise: ({ registers }) => toChunks(registers.map(({ place, rank }) => [place, rank])),
  stream: ({ entries, removed, floor, mark }) => [
    toChunks(entries.map(({ id, fields }) => [toWire(id), ...fields.map(toWire)])),
    toChunks(removed.map(toWire)),
    floor === undefined ? null : toWire(floor),
    mark === undefined ? null : encodeMark(mark),
  ],
  notes: ({ notes }) => toChunks(notes.map(encodeField)),
}

function encodeBody(act: Act): Encodable {
  const encode: (act: never) => Encodable = ENCODE[act.act]
  return encode(act as never)
}

function encodeAddition({ amount, within }: Addition): Encodable {
  if (within === undefined) return [amount]
  return [amount, within.replica, within.sequence, within.index, within.total]
}

export function encodeChange(change: Change): Encodable {
  if (change.kind === 'append') return [toWire(change.bytes)]
  if (change.kind === 'overwrite') return [change.offset, toWire(change.bytes)]
  return [change.offset, change.width, String(change.value), change.kind === 'add-bits']
}

export function encodeMark({ last, deleted, gone }: MarkContent): Encodable[] {
  return [toWire(last), toWire(deleted), gone]
}

function encodeField(field: FieldChange): Encodable {
  const name = toWire(field.name)
  if ('addition' in field) return [name, encodeAddition(field.addition)]
  return field.value === undefined ? [name] : [name, toWire(field.value)]
}

function encodeScore(member: ScoreChange): Encodable {
  const name = toWire(member.name)
  if ('addition' in member) return [name, encodeAddition(member.addition)]
  if (member.score === undefined) return [name]
  return member.mode === 'put' ? [name, member.score] : [name, member.score, MODES.indexOf(member.mode)]
}

export function encodePosition({ side, order, replica, sequence, index, inserted }: Position): Encodable[] {
  const encoded: Encodable[] = [side, order, replica, sequence, index]
  for (const step of inserted) encoded.push(...encodeStep(step))
  return encoded
}

function encodeStep({ side, order, replica, sequence }: Step): Encodable[] {
  return [side, order, replica, sequence]
}

/** By its number in a payload or a state. */
export function modeOf(code: Encodable | undefined): PutMode | undefined {
  return code === undefined ? 'put' : MODES[code as number]
}

export function codeOfMode(mode: PutMode): number {
  return MODES.indexOf(mode)
}
