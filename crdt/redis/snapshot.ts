/**
 * The state of a Redis key, encoded in pieces:
 *
 *     state  = [head, piece...]
 *     head   = [replicas, lives, string?]
 *     piece  = [kind, replicas, entries]          some thousand entries of one part, in order
 *     life   = [replica, sequence, until]         null is for ever
 *     cell   = [puts, runs, patches]
 *     put    = [value, stamp..., mode?]
 *     run    = [replica, sequence, index, total, cut index + 1, cut, stamp...]
 *     patch  = [changes, stamp...]                as in payloads (`write.ts`)
 *     field  = [name, value, stamp...] | [name, cell]        likewise of scores
 *     member = [name, stamp..., stamp...]
 *     element = [value, position..., 0 or the stamp it came with, stamp of its value]
 *     register = [place, [rank, stamp...]...]
 *     entry  = [id, stamp, place among those of its operation, name, value...]     of a stream
 *     mark   = [last id, deleted id, how many have gone, stamp...];   note = as a field
 *     stamp  = hlc, replica, sequence
 *
 * Replicas are named by their place in the head's, or the piece's, own list of them.
 */
import type { Encodable } from '../encoding/encodable.ts'
import { sortedSteps } from '../sorted-steps.ts'
import type { Stamp } from '../time/hlc.ts'
import { compareStamps } from '../time/hlc.ts'
import type { ReplicaId } from '../time/replica-id.ts'
import { toWire } from './binary.ts'
import type { Cell, Put } from './cell.ts'
import type { Element } from './elements.ts'
import type { Patch } from './patches.ts'
import type { Rank, Registers } from './registers/registers.ts'
import type { Run } from './runs.ts'
import type { Field, Life, Member, RedisState } from './state.ts'
import type { ScoredMember } from './sorted-set.ts'
import type { Placed } from './table.ts'
import type { Mark, Note, StreamEntry } from './streams/stream.ts'
import { codeOfMode, encodeChange, encodeMark } from './write.ts'

export const PIECE_KINDS = ['hash', 'set', 'zset', 'list', 'hll', 'entries', 'marks', 'notes'] as const

const PIECE_ENTRIES = 4096
/** A piece ends behind so many characters. */
const PIECE_CHARS = 262_144

/** Names replicas by their places in a list that grows. */
class Names {
  readonly replicas: ReplicaId[] = []

  of(replica: ReplicaId): number {
    const known = this.replicas.indexOf(replica)
    return known < 0 ? this.replicas.push(replica) - 1 : known
  }

  stamp({ hlc, replica, sequence }: Stamp): Encodable[] {
    return [hlc, this.of(replica), sequence]
  }
}

export function encodeRedis(state: RedisState): Encodable {
  const items: Encodable[] = []
  for (const item of encodeRedisSteps(state)) if (item !== undefined) items.push(item)
  return items
}

export function* encodeRedisSteps(state: RedisState): Generator<Encodable | undefined, void> {
  yield encodeHead(state)
  if (state.hash !== undefined) yield* pieces(0, yield* byName(state.hash.entries()), encodeField)
  if (state.set !== undefined) yield* pieces(1, yield* byName(state.set.entries()), encodeMember)
  if (state.zset !== undefined) yield* pieces(2, yield* byName(state.zset.table.entries()), encodeScored)
  if (state.list !== undefined) yield* pieces(3, state.list.from(0), encodeElement)
  if (state.hll !== undefined) yield* pieces(4, byPlace(state.hll), encodeRegister)
  if (state.stream === undefined) return
  const { entries, marks, notes } = state.stream
  yield* pieces(5, entries.from(0), encodeEntry)
  yield* pieces(
    6,
    [...marks].sort((a, b) => compareDots(a.stamp, b.stamp)),
    encodeStampedMark,
  )
  yield* pieces(7, notes.from(0) as Iterable<Note>, encodeField)
}

function encodeHead({ lives, string }: RedisState): Encodable {
  const names = new Names()
  const ordered = [...lives].sort((a, b) => compareDots(a.stamp, b.stamp))
  const encodedLives = ordered.map((life) => encodeLife(names, life))
  const head = string === undefined ? [encodedLives] : [encodedLives, encodeCell(names, string, toWire)]
  return [names.replicas, ...head]
}

function encodeLife(names: Names, { stamp, untilMs }: Life): Encodable {
  return [names.of(stamp.replica), stamp.sequence, untilMs === Infinity ? null : untilMs]
}

function* byName<Entry extends Placed>(entries: readonly Entry[]): Generator<undefined, Entry[]> {
  return yield* sortedSteps([...entries], (a, b) => a.name < b.name)
}

function* pieces<Entry>(
  kind: number,
  entries: Iterable<Entry>,
  encodeEntry: (names: Names, entry: Entry) => { readonly encoded: Encodable; readonly chars: number },
): Generator<Encodable | undefined, void> {
  let [names, piece, chars] = [new Names(), [] as Encodable[], 0]
  for (const entry of entries) {
    const made = encodeEntry(names, entry)
    piece.push(made.encoded)
    chars += made.chars
    if (piece.length < PIECE_ENTRIES && chars < PIECE_CHARS) continue
    yield [kind, names.replicas, piece]
    ;[names, piece, chars] = [new Names(), [], 0]
  }
  if (piece.length > 0) yield [kind, names.replicas, piece]
}

type Encoded = { readonly encoded: Encodable; readonly chars: number }

function encodeField(names: Names, { name, cell }: Pick<Field, 'name' | 'cell'>): Encoded {
  const encoded = encodeNamed(names, name, cell, toWire)
  return { encoded, chars: name.length + cell.puts.reduce((sum, { value }) => sum + value.length, 0) }
}

function encodeScored(names: Names, { name, cell }: ScoredMember): Encoded {
  return { encoded: encodeNamed(names, name, cell, itself), chars: name.length }
}

function encodeMember(names: Names, { name, stamps }: Member): Encoded {
  const ordered = stamps.length === 1 ? stamps : [...stamps].sort(compareStamps)
  return { encoded: [toWire(name), ...ordered.flatMap((stamp) => names.stamp(stamp))], chars: name.length }
}

function encodeElement(names: Names, element: Element): Encoded {
  const { side, order, replica, sequence, index, inserted, value, stamp, setStamp } = element
  const encoded: Encodable[] = [toWire(value), names.stamp(stamp)]
  encoded.push(setStamp === stamp || compareStamps(setStamp, stamp) === 0 ? 0 : names.stamp(setStamp))
  encoded.push(side, order, names.of(replica), sequence, index)
  for (const step of inserted) encoded.push(step.side, step.order, names.of(step.replica), step.sequence)
  return { encoded, chars: value.length }
}

function byPlace(hll: Registers): (readonly [place: number, ranks: readonly Rank[]])[] {
  return [...hll.entries()].sort(([a], [b]) => a - b)
}

function encodeRegister(names: Names, [place, ranks]: readonly [place: number, ranks: readonly Rank[]]): Encoded {
  const ordered = [...ranks].sort((a, b) => compareStamps(a.stamp, b.stamp))
  return { encoded: [place, ...ordered.map(({ rank, stamp }) => [rank, ...names.stamp(stamp)])], chars: 0 }
}

function encodeEntry(names: Names, { id, fields, stamp, index }: StreamEntry): Encoded {
  return {
    encoded: [toWire(id), names.stamp(stamp), index, ...fields.map(toWire)],
    chars: fields.reduce((sum, { length }) => sum + length, 0),
  }
}

function encodeStampedMark(names: Names, { stamp, ...mark }: Mark): Encoded {
  return { encoded: [...encodeMark(mark), ...names.stamp(stamp)], chars: 0 }
}

/** Of the short form if there is nothing but one plain value. */
function encodeNamed<Value>(
  names: Names,
  name: string,
  cell: Cell<Value>,
  encodeValue: (value: Value) => Encodable,
): Encodable {
  const [put] = cell.puts
  const isPlain = cell.puts.length === 1 && cell.runs.length === 0 && cell.patches.length === 0
  if (isPlain && put?.mode === 'put') return [toWire(name), encodeValue(put.value), ...names.stamp(put.stamp)]
  return [toWire(name), encodeCell(names, cell, encodeValue)]
}

function encodeCell<Value>(
  names: Names,
  { puts, runs, patches }: Cell<Value>,
  encodeValue: (value: Value) => Encodable,
): Encodable {
  return [
    puts.map((put) => encodePut(names, put, encodeValue)),
    [...runs].sort(compareDots).map((run) => encodeRun(names, run)),
    patches.map((patch) => encodePatch(names, patch)),
  ]
}

function encodePut<Value>(names: Names, put: Put<Value>, encodeValue: (value: Value) => Encodable): Encodable {
  const encoded = [encodeValue(put.value), ...names.stamp(put.stamp)]
  return put.mode === 'put' ? encoded : [...encoded, codeOfMode(put.mode)]
}

function encodeRun(names: Names, { replica, sequence, index, total, cutIndex, cut, stamp }: Run): Encodable {
  return [names.of(replica), sequence, index, total, cutIndex + 1, cut, ...names.stamp(stamp)]
}

function encodePatch(names: Names, { stamp, changes }: Patch): Encodable {
  return [changes.map(encodeChange), ...names.stamp(stamp)]
}

function compareDots(a: Pick<Stamp, 'replica' | 'sequence'>, b: Pick<Stamp, 'replica' | 'sequence'>): number {
  return a.replica === b.replica ? a.sequence - b.sequence : a.replica < b.replica ? -1 : 1
}

function itself(score: number): Encodable {
  return score
}
