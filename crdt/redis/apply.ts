/** What an operation does to the state of a Redis key. Nothing here can fail: payloads are checked before. */
import { emptyCell, eraseCell, isEmptyCell, patchCell, putInto, type Cell } from './cell.ts'
import { Elements, type Element } from './elements.ts'
import { NOT_INSERTED, type Position } from './positions.ts'
import { withAddition, withCut, type Addition } from './runs.ts'
import { isPast, type Seen } from './seen.ts'
import { Registers } from './registers/registers.ts'
import { SortedSet } from './sorted-set.ts'
import { Stream, type Note } from './streams/stream.ts'
import { KINDS, type Field, type Kind, type Member, type RedisState } from './state.ts'
import { Table } from './table.ts'
import type { Stamp } from '../time/hlc.ts'
import { compareStamps } from '../time/hlc.ts'
import {
  FIELD_PLACE,
  STRING_PLACE,
  type Act,
  type ActOf,
  type FieldChange,
  type NoteChange,
  type PlacedCut,
  type ScoreChange,
  type Write,
} from './write.ts'

/** The type that an act is about. */
export const KIND_OF: Readonly<Record<Act['act'], Kind | undefined>> = {
  live: undefined,
  put: 'string',
  add: 'string',
  patch: 'string',
  fields: 'hash',
  join: 'set',
  leave: 'set',
  scores: 'zset',
  push: 'list',
  insert: 'list',
  set: 'list',
  take: 'list',
  raise: 'hll',
  stream: 'stream',
  notes: 'stream',
}

/** Changes `state`. */
export function applyWrite(state: RedisState, { act, isReplacing, life, cuts }: Write, seen: Seen): void {
  const kind = KIND_OF[act.act]
  if (isReplacing) state.erase(seen)
  else if (kind !== undefined) for (const other of KINDS) if (other !== kind) state.erasePart(other, seen)
  for (const cut of cuts) applyCut(state, cut)
  if (life !== 'kept') state.eraseLives(seen)
  if (typeof life === 'number') state.lives = [...state.lives, { stamp: seen.stamp, untilMs: life }]
  state.tips.raise(seen.stamp.replica, seen.stamp.sequence)
  const apply: ApplyAct<never> = APPLY[act.act]
  apply(state, act as never, seen)
  state.changed()
}

function applyCut(state: RedisState, cut: PlacedCut): void {
  const { place } = cut
  const name = place.slice(1)
  if (place === STRING_PLACE) {
    if (state.string !== undefined) cutCell(state.string, cut)
  } else if (place.startsWith(FIELD_PLACE)) {
    const field = state.hash?.get(name)
    if (field === undefined) return
    cutCell(field.cell, cut)
    if (isEmptyCell(field.cell)) state.hash?.remove(field)
  } else if (state.zset?.table.get(name) !== undefined) state.zset.change(name, (cell) => cutCell(cell, cut))
}

function cutCell(cell: Cell<unknown>, cut: PlacedCut): void {
  cell.text = undefined
  cell.runs = withCut(cell.runs, cut)
}

type ApplyAct<A> = (state: RedisState, act: A, seen: Seen) => void

const APPLY: { readonly [Name in Act['act']]: ApplyAct<ActOf<Name>> } = {
  live: () => undefined,
  put(state, { value }, seen) {
    putInto((state.string ??= emptyCell<string>()), seen, value)
  },
  add(state, { addition }, seen) {
    addTo((state.string ??= emptyCell<string>()), addition, seen)
  },
  patch(state, { changes }, { stamp }) {
    patchCell((state.string ??= emptyCell<string>()), { stamp, changes })
  },
  fields(state, { fields }, seen) {
    for (const field of fields) changeField((state.hash ??= new Table<Field>()), field, seen)
  },
  join(state, { members }, seen) {
    for (const name of members) join((state.set ??= new Table<Member>()), name, seen)
  },
  leave(state, { members }, seen) {
    for (const name of members) leave(state.set, name, seen)
  },
  scores(state, { members }, seen) {
    for (const member of members) changeScore((state.zset ??= new SortedSet()), member, seen)
  },
  push(state, { side, order, values }, { stamp }) {
    const { replica, sequence } = stamp
    const list = (state.list ??= new Elements())
    for (const [index, value] of values.entries())
      list.add(elementAt({ side, order, replica, sequence, index, inserted: NOT_INSERTED }, value, stamp))
  },
  insert(state, { pivot, side, order, value }, { stamp }) {
    const { replica, sequence } = stamp
    const inserted = [...pivot.inserted, { side, order, replica, sequence }]
    ;(state.list ??= new Elements()).add(elementAt({ ...pivot, inserted }, value, stamp))
  },
  set(state, { position, value }, { stamp }) {
    const element = state.list?.find(position)
    // Whoever took it away has won: it must not come back.
    if (element === undefined || compareStamps(element.setStamp, stamp) > 0) return
    element.value = value
    element.setStamp = stamp
  },
  take(state, { positions }) {
    for (const position of positions) state.list?.remove(position)
  },
  raise(state, { registers }, seen) {
    for (const register of registers) (state.hll ??= new Registers()).raise(register, seen)
  },
  stream(state, { entries, removed, floor, mark }, seen) {
    const stream = (state.stream ??= new Stream())
    for (const id of removed) stream.removeId(id, seen)
    // What is added at once is trimmed as well.
    for (const [index, { id, fields }] of entries.entries()) stream.add({ id, fields, stamp: seen.stamp, index })
    if (floor !== undefined) stream.trim(floor, seen)
    if (mark !== undefined) stream.setMark(mark, seen)
  },
  notes(state, { notes }, seen) {
    for (const change of notes) changeNote((state.stream ??= new Stream()), change, seen)
  },
}

function addTo(cell: Cell<unknown>, addition: Addition, { stamp }: Seen): void {
  cell.text = undefined
  cell.runs = withAddition(cell.runs, addition, stamp)
}

function changeField(hash: Table<Field>, change: FieldChange, seen: Seen): void {
  const { name } = change
  const known = hash.get(name)
  const field = known ?? { name, place: 0, cell: emptyCell<string>() }
  if ('addition' in change) addTo(field.cell, change.addition, seen)
  else if (change.value === undefined) eraseCell(field.cell, seen)
  else putInto(field.cell, seen, change.value)
  const isEmpty = isEmptyCell(field.cell)
  if (known === undefined && !isEmpty) hash.add(field)
  if (known !== undefined && isEmpty) hash.remove(known)
}

function changeNote({ notes }: Stream, { name, value }: NoteChange, seen: Seen): void {
  const known = notes.find({ name }) as Note | undefined
  const note = known ?? { name, cell: emptyCell<string>() }
  if (value === undefined) eraseCell(note.cell, seen)
  else putInto(note.cell, seen, value)
  const isEmpty = isEmptyCell(note.cell)
  if (known === undefined && !isEmpty) notes.add(note)
  if (known !== undefined && isEmpty) notes.remove(known)
}

function changeScore(zset: SortedSet, change: ScoreChange, seen: Seen): void {
  zset.change(change.name, (cell) => {
    if ('addition' in change) addTo(cell, change.addition, seen)
    else if (change.score === undefined) eraseCell(cell, seen)
    else putInto(cell, seen, change.score, change.mode)
  })
}

function join(set: Table<Member>, name: string, seen: Seen): void {
  const known = set.get(name)
  if (known === undefined) set.add({ name, place: 0, stamps: [seen.stamp] })
  else known.stamps = [...known.stamps.filter((stamp) => !isPast(seen, stamp)), seen.stamp]
}

function leave(set: Table<Member> | undefined, name: string, seen: Seen): void {
  const known = set?.get(name)
  if (known === undefined) return
  known.stamps = known.stamps.filter((stamp) => !isPast(seen, stamp))
  if (known.stamps.length === 0) set?.remove(known)
}

function elementAt(position: Position, value: string, stamp: Stamp): Element {
  const { side, order, replica, sequence, index, inserted } = position
  return { side, order, replica, sequence, index, inserted, value, stamp, setStamp: stamp }
}
