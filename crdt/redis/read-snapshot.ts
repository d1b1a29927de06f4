/** States of other replicas, decoded and checked: what `snapshot.ts` encodes. */
import type { Encodable } from '../encoding/encodable.ts'
import { expectArray, expectCount, expectReplica, finished, malformedState } from '../encoding/stored-state.ts'
import type { Stamp } from '../time/hlc.ts'
import type { ReplicaId } from '../time/replica-id.ts'
import { fromWire } from './binary.ts'
import { emptyCell, type Cell, type Put } from './cell.ts'
import { Elements } from './elements.ts'
import { isExact, type Exact } from './exact.ts'
import type { Patch } from './patches.ts'
import { NOT_INSERTED, type Step } from './positions.ts'
import { decodeChange, isScore } from './read-write.ts'
import type { Run } from './runs.ts'
import { SortedSet } from './sorted-set.ts'
import { isRegister } from './registers/register-verbs.ts'
import { Registers } from './registers/registers.ts'
import { PIECE_KINDS } from './snapshot.ts'
import { KINDS, RedisState, STAMPS, type Field, type Life, type Member } from './state.ts'
import { isStreamId, type StreamId } from './streams/stream-id.ts'
import { Stream, type Note } from './streams/stream.ts'
import { Table } from './table.ts'
import { modeOf } from './write.ts'

type Items = readonly (Encodable | undefined)[]
type Replicas = readonly ReplicaId[]

const STAMP_ITEMS = 3
const STEP_ITEMS = 4
const STAMPS_PER_STEP = 65_536

export function decodeRedis(encoded: Encodable): RedisState {
  return finished(decodeRedisSteps(expectArray(encoded)))
}

export function* decodeRedisSteps(items: Iterable<Encodable>): Generator<undefined, RedisState> {
  const state = new RedisState()
  let isHead = true
  for (const item of items) {
    if (isHead) decodeHead(state, expectArray(item))
    else decodePiece(state, expectArray(item))
    isHead = false
    yield undefined
  }
  if (isHead) throw malformedState('no head')
  yield* raiseTips(state)
  state.changed()
  return state
}

function* raiseTips(state: RedisState): Generator<undefined, void> {
  for (const { stamp } of state.lives) state.tips.raise(stamp.replica, stamp.sequence)
  let left = STAMPS_PER_STEP
  for (const kind of KINDS)
    for (const { replica, sequence } of STAMPS[kind](state)) {
      state.tips.raise(replica, sequence)
      if (--left > 0) continue
      left = STAMPS_PER_STEP
      yield undefined
    }
}

function decodeHead(state: RedisState, [named, lives, string]: Items): void {
  const replicas = replicasOf(named)
  state.lives = expectArray(lives).map((life) => decodeLife(replicas, expectArray(life)))
  if (string !== undefined) state.string = decodeCell(replicas, string, binaryOf)
}

function decodeLife(replicas: Replicas, [replica, sequence, until]: Items): Life {
  const stamp = { replica: nameOf(replicas, replica), sequence: expectCount(sequence) }
  return { stamp, untilMs: until === null ? Infinity : expectCount(until) }
}

function decodePiece(state: RedisState, [code, named, entries]: Items): void {
  const kind = PIECE_KINDS[code as number]
  const replicas = replicasOf(named)
  const decodeEntry = kind === undefined ? undefined : ENTRIES[kind]
  if (decodeEntry === undefined) throw malformedState('a part of no type')
  for (const entry of expectArray(entries)) decodeEntry(state, replicas, expectArray(entry))
}

type DecodeEntry = (state: RedisState, replicas: Replicas, entry: Items) => void

const ENTRIES: Readonly<Record<(typeof PIECE_KINDS)[number], DecodeEntry>> = {
  hash(state, replicas, [wire, ...rest]) {
    const hash = (state.hash ??= new Table<Field>())
    hash.add({ name: newName(hash, wire), place: 0, cell: decodeNamed(replicas, rest, binaryOf) })
  },
  set(state, replicas, [wire, ...rest]) {
    const set = (state.set ??= new Table<Member>())
    const stamps: Stamp[] = []
    for (let i = 0; i < rest.length; i += STAMP_ITEMS) stamps.push(stampOf(replicas, rest.slice(i, i + STAMP_ITEMS)))
    if (stamps.length === 0) throw malformedState('a member that nothing keeps in')
    set.add({ name: newName(set, wire), place: 0, stamps })
  },
  zset(state, replicas, [wire, ...rest]) {
    const zset = (state.zset ??= new SortedSet())
    const cell = decodeNamed(replicas, rest, numberOf)
    zset.change(newName(zset.table, wire), (own) => void Object.assign(own, cell))
  },
  list(state, replicas, [value, stamp, setStamp, side, order, replica, sequence, index, ...steps]) {
    const list = (state.list ??= new Elements())
    const created = stampOf(replicas, expectArray(stamp))
    const element = {
      ...stepOf(replicas, [side, order, replica, sequence]),
      index: expectCount(index),
      inserted: insertedOf(replicas, steps),
      value: binaryOf(value),
      stamp: created,
      setStamp: setStamp === 0 ? created : stampOf(replicas, expectArray(setStamp)),
    }
    if (list.find(element) !== undefined) throw malformedState('two elements in one position')
    list.add(element)
  },
  hll(state, replicas, [encodedPlace, ...encodedRanks]) {
    const place = expectCount(encodedPlace)
    const ranks = encodedRanks.map((encoded) => {
      const [rank, ...stamp] = expectArray(encoded)
      return { rank: expectCount(rank), stamp: stampOf(replicas, stamp) }
    })
    const hll = (state.hll ??= new Registers())
    if (ranks.length === 0 || hll.has(place) || !ranks.every(({ rank }) => isRegister({ place, rank })))
      throw malformedState('a register that is none')
    hll.put(place, ranks)
  },
  entries(state, replicas, [id, stamp, index, ...fields]) {
    const stream = (state.stream ??= new Stream())
    const entry = {
      id: idOf(id),
      fields: fields.map(binaryOf),
      stamp: stampOf(replicas, expectArray(stamp)),
      index: expectCount(index),
    }
    if (stream.entries.find(entry) !== undefined) throw malformedState('two entries in one place')
    stream.add(entry)
  },
  marks(state, replicas, [last, deleted, gone, ...stamp]) {
    const mark = { last: idOf(last), deleted: idOf(deleted), gone: expectCount(gone) }
    const stream = (state.stream ??= new Stream())
    stream.marks = [...stream.marks, { ...mark, stamp: stampOf(replicas, stamp) }]
  },
  notes(state, replicas, [wire, ...rest]) {
    const { notes } = (state.stream ??= new Stream())
    const name = binaryOf(wire)
    if (notes.find({ name }) !== undefined) throw malformedState('two notes of one name')
    const note: Note = { name, cell: decodeNamed(replicas, rest, binaryOf) }
    notes.add(note)
  },
}

function newName(table: { get(name: string): unknown }, wire: Encodable | undefined): string {
  const name = binaryOf(wire)
  if (table.get(name) !== undefined) throw malformedState('two entries of one name')
  return name
}

type DecodeValue<Value> = (encoded: Encodable | undefined) => Value

function decodeNamed<Value>(replicas: Replicas, rest: Items, decodeValue: DecodeValue<Value>): Cell<Value> {
  const [first, ...stamp] = rest
  if (rest.length === 1) return decodeCell(replicas, first, decodeValue)
  const put: Put<Value> = { value: decodeValue(first), stamp: stampOf(replicas, stamp), mode: 'put' }
  return { ...emptyCell<Value>(), puts: [put] }
}

function decodeCell<Value>(
  replicas: Replicas,
  encoded: Encodable | undefined,
  decodeValue: DecodeValue<Value>,
): Cell<Value> {
  const [puts, runs, patches] = expectArray(encoded)
  const cell = {
    puts: expectArray(puts).map((put) => decodePut(replicas, expectArray(put), decodeValue)),
    runs: expectArray(runs).map((run) => decodeRun(replicas, expectArray(run))),
    patches: expectArray(patches).map((patch) => decodePatch(replicas, expectArray(patch))),
    text: undefined,
  }
  if (cell.puts.length + cell.runs.length + cell.patches.length === 0) throw malformedState('a value of nothing')
  return cell
}

function decodePut<Value>(
  replicas: Replicas,
  [encoded, hlc, replica, sequence, code]: Items,
  decodeValue: DecodeValue<Value>,
): Put<Value> {
  const mode = modeOf(code)
  if (mode === undefined) throw malformedState('a value of no kind')
  return { value: decodeValue(encoded), stamp: stampOf(replicas, [hlc, replica, sequence]), mode }
}

function decodeRun(replicas: Replicas, items: Items): Run {
  const [replica, sequence, index, total, cutCount, cut, ...stamp] = items
  return {
    replica: nameOf(replicas, replica),
    sequence: expectCount(sequence),
    index: expectCount(index),
    total: exactOf(total),
    cutIndex: expectCount(cutCount) - 1,
    cut: exactOf(cut),
    stamp: stampOf(replicas, stamp),
  }
}

function decodePatch(replicas: Replicas, [changes, ...stamp]: Items): Patch {
  return { changes: expectArray(changes).map(decodeChange), stamp: stampOf(replicas, stamp) }
}

function insertedOf(replicas: Replicas, steps: Items): readonly Step[] {
  if (steps.length === 0) return NOT_INSERTED
  const inserted: Step[] = []
  for (let i = 0; i < steps.length; i += STEP_ITEMS) inserted.push(stepOf(replicas, steps.slice(i, i + STEP_ITEMS)))
  return inserted
}

function stepOf(replicas: Replicas, [side, order, replica, sequence]: Items): Step {
  if (side !== 1 && side !== -1) throw malformedState('an element on no side')
  return {
    side: side,
    order: expectCount(order),
    replica: nameOf(replicas, replica),
    sequence: expectCount(sequence),
  }
}

function stampOf(replicas: Replicas, [hlc, replica, sequence]: Items): Stamp {
  return { hlc: expectCount(hlc), replica: nameOf(replicas, replica), sequence: expectCount(sequence) }
}

function replicasOf(encoded: Encodable | undefined): Replicas {
  return expectArray(encoded).map(expectReplica)
}

function nameOf(replicas: Replicas, place: Encodable | undefined): ReplicaId {
  const replica = replicas[place as number]
  if (replica === undefined) throw malformedState('a replica without a name')
  return replica
}

function idOf(encoded: Encodable | undefined): StreamId {
  const id = binaryOf(encoded)
  if (!isStreamId(id)) throw malformedState('no id of a stream')
  return id
}

function binaryOf(encoded: Encodable | undefined): string {
  const binary = fromWire(encoded)
  if (binary === undefined) throw malformedState('not a binary string')
  return binary
}

function numberOf(encoded: Encodable | undefined): number {
  if (!isScore(encoded)) throw malformedState('not a score')
  return encoded
}

function exactOf(encoded: Encodable | undefined): Exact {
  if (!isExact(encoded)) throw malformedState('not a sum')
  return encoded
}
