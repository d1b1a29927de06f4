/**
 * What a Redis key ought to show, by the one rule and nothing else: of all operations together, what
 * an operation put in survives if no other one that had seen it takes away what is there. Knows nothing
 * of runs, cuts, dots or indexes; sums are taken over the additions that are left, each by itself.
 */
import { addExact, doubleOf, parseExact, shownExact, type Exact } from '../crdt/redis/exact.ts'
import { readable, readableName } from '../crdt/redis/binary.ts'
import { KIND_OF } from '../crdt/redis/apply.ts'
import { changed, type Change } from '../crdt/redis/patches.ts'
import { hyperloglogBytes } from '../crdt/redis/registers/hyperloglog-bytes.ts'
import { REGISTERS } from '../crdt/redis/registers/registers.ts'
import { ID_CHARS, shownId } from '../crdt/redis/streams/stream-id.ts'
import { comparePositions, type Position } from '../crdt/redis/positions.ts'
import { decodeWrite } from '../crdt/redis/read-write.ts'
import type { Kind } from '../crdt/redis/state.ts'
import type { Write } from '../crdt/redis/write.ts'
import { hasObserved, type LawOperation } from '../testing/laws/law-operation.ts'
import { compareStamps, type Stamp } from '../crdt/time/hlc.ts'

const NOTE = 'note '
const MARK = 'mark'

/** Something that an operation put into a place of a part. */
interface Contribution {
  readonly by: LawOperation
  readonly kind: Kind
  readonly place: string
  readonly put?: { readonly value: string | number; readonly mode: string }
  readonly amount?: Exact
  readonly changes?: readonly Change[]
  readonly rank?: number
  readonly entry?: readonly string[]
  readonly element?: { readonly position: Position; readonly value: string }
}

interface Act {
  readonly operation: LawOperation
  readonly write: Write
}

export function shownByRule(live: readonly LawOperation[]): unknown {
  const acts = live.map((operation) => ({ operation, write: decodeWrite(operation.payload) }))
  const left = acts
    .flatMap(contributionsOf)
    .filter(
      (one) => !acts.some((act) => act.operation !== one.by && hasObserved(act.operation, one.by) && takes(act, one)),
    )
  if (left.length === 0) return undefined
  const last = (kind: Kind): Stamp =>
    latest([...ofKind(left, kind).map(({ by }) => by), ...settersOf(acts, left, kind)])
  const present = left.filter(({ kind, place }) => kind !== 'stream' || !place.startsWith(NOTE))
  if (present.length === 0) return undefined
  const kinds = [...new Set(present.map(({ kind }) => kind))].sort((a, b) => compareStamps(last(a), last(b)))
  const kind = kinds.at(-1) as Kind
  return shown(kind, ofKind(left, kind), acts)
}

function contributionsOf({ operation: by, write: { act } }: Act): Contribution[] {
  switch (act.act) {
    case 'put':
      return [{ by, kind: 'string', place: '', put: { value: act.value, mode: 'put' } }]
    case 'add':
      return [{ by, kind: 'string', place: '', amount: act.addition.amount }]
    case 'patch':
      return [{ by, kind: 'string', place: '', changes: act.changes }]
    case 'fields':
      return act.fields.flatMap((field): Contribution[] => {
        const at = { by, kind: 'hash' as const, place: field.name }
        if ('addition' in field) return [{ ...at, amount: field.addition.amount }]
        return field.value === undefined ? [] : [{ ...at, put: { value: field.value, mode: 'put' } }]
      })
    case 'join':
      return act.members.map((place) => ({ by, kind: 'set', place }))
    case 'scores':
      return act.members.flatMap((member): Contribution[] => {
        const at = { by, kind: 'zset' as const, place: member.name }
        if ('addition' in member) return [{ ...at, amount: member.addition.amount }]
        return member.score === undefined ? [] : [{ ...at, put: { value: member.score, mode: member.mode } }]
      })
    case 'raise':
      return act.registers.map(({ place, rank }) => ({ by, kind: 'hll', place: String(place), rank }))
    case 'stream':
      return [
        ...act.entries.map(({ id, fields }, index): Contribution => {
          const place = id + by.hlc + by.replica + by.sequence + index
          return { by, kind: 'stream', place, entry: [shownId(id), ...fields] }
        }),
        ...(act.mark === undefined ? [] : [{ by, kind: 'stream', place: MARK } as const]),
      ]
    case 'notes':
      return act.notes.flatMap(({ name, value }): Contribution[] =>
        value === undefined ? [] : [{ by, kind: 'stream', place: NOTE + name }],
      )
    default:
      return elementsOf(by, act)
  }
}

function elementsOf(by: LawOperation, act: Write['act']): Contribution[] {
  switch (act.act) {
    case 'push': {
      const { side, order } = act
      const { replica, sequence } = by
      const elements = act.values.map((value, index) => ({
        position: { side, order, replica, sequence, index, inserted: [] },
        value,
      }))
      return elements.map((element) => ({ by, kind: 'list', place: JSON.stringify(element.position), element }))
    }
    case 'insert': {
      const { pivot, side, order, value } = act
      const inserted = [...pivot.inserted, { side, order, replica: by.replica, sequence: by.sequence }]
      const position = placeOf({ ...pivot, inserted })
      return [{ by, kind: 'list', place: JSON.stringify(position), element: { position, value } }]
    }
    default:
      return []
  }
}

/** Whether an operation takes away what it has seen in that place. */
function takes({ write: { act, isReplacing } }: Act, { kind, place }: Contribution): boolean {
  const own = KIND_OF[act.act]
  if (isReplacing || (own !== undefined && own !== kind)) return true
  switch (act.act) {
    case 'put':
      return true
    case 'fields':
      return act.fields.some((field) => field.name === place && !('addition' in field))
    case 'join':
    case 'leave':
      return act.members.includes(place)
    case 'scores':
      return act.members.some((member) => member.name === place && !('addition' in member))
    case 'take':
      return act.positions.some((position) => JSON.stringify(placeOf(position)) === place)
    default:
      return takesOfLater(act, place)
  }
}

function takesOfLater(act: Write['act'], place: string): boolean {
  switch (act.act) {
    case 'raise':
      return act.registers.some((register) => String(register.place) === place)
    case 'stream': {
      if (place === MARK) return act.mark !== undefined
      const id = place.slice(0, ID_CHARS)
      return !place.startsWith(NOTE) && (act.removed.some((one) => one === id) || (act.floor ?? '') >= id)
    }
    case 'notes':
      return act.notes.some(({ name }) => place === NOTE + name)
    default:
      return false
  }
}

function shown(kind: Kind, left: readonly Contribution[], acts: readonly Act[]): unknown {
  const places = [...new Set(left.map(({ place }) => place))].sort()
  const at = (place: string): Contribution[] => left.filter((one) => one.place === place)
  switch (kind) {
    case 'string':
      return readable(textOf(left))
    case 'hash':
      return Object.fromEntries(places.map((place) => [readableName(place), readable(textOf(at(place)))]))
    case 'set':
      return places.map(readable)
    case 'zset':
      return places
        .map((place) => ({ place, score: scoreOf(at(place)) }))
        .sort((a, b) => a.score - b.score)
        .map(({ place, score }) => [readable(place), score])
    case 'list':
      return left
        .flatMap(({ place, element }) => (element === undefined ? [] : [{ place, ...element }]))
        .sort((a, b) => comparePositions(a.position, b.position))
        .map(({ place, value }) => readable(setValues(acts, place).at(-1)?.value ?? value))
    case 'hll':
      return readable(hyperloglogBytes(ranksOf(left)))
    case 'stream':
      return entriesOf(left)
  }
}

function textOf(left: readonly Contribution[]): string {
  const base = left.flatMap(({ put }) => put ?? []).at(-1)?.value as string | undefined
  const amounts = left.flatMap(({ amount }) => amount ?? [])
  const number = parseExact(base ?? '0')
  const isSum = amounts.length > 0 && number !== undefined
  const text = isSum ? shownExact(amounts.reduce(addExact, number)) : (base ?? '')
  return left.flatMap(({ changes }) => (changes === undefined ? [] : [changes])).reduce(changed, text)
}

function scoreOf(left: readonly Contribution[]): number {
  const puts = left.flatMap(({ put }) => put ?? []) as { value: number; mode: string }[]
  const base = puts.reduce<number | undefined>((score, { value, mode }) => {
    if (score === undefined || mode === 'put') return value
    return mode === 'max' ? Math.max(score, value) : Math.min(score, value)
  }, undefined)
  if (base !== undefined && !Number.isFinite(base)) return base
  return doubleOf(left.flatMap(({ amount }) => amount ?? []).reduce(addExact, base ?? 0))
}

function ranksOf(left: readonly Contribution[]): Uint8Array {
  const ranks = new Uint8Array(REGISTERS)
  for (const { place, rank = 0 } of left) {
    const at = Number(place)
    if (at < REGISTERS) ranks[at] = Math.max(ranks[at] as number, rank)
  }
  return ranks
}

function entriesOf(left: readonly Contribution[]): unknown {
  const entries = left.flatMap(({ by, place, entry }) => (entry === undefined ? [] : [{ by, place, entry }]))
  const order = ({ by, place }: (typeof entries)[number], other: (typeof entries)[number]): number => {
    const [id, otherId] = [place.slice(0, ID_CHARS), other.place.slice(0, ID_CHARS)]
    return id < otherId ? -1 : id > otherId ? 1 : compareStamps(by, other.by)
  }
  return entries.sort(order).map(({ entry: [id = '', ...fields] }) => [id, ...fields.map(readable)])
}

function setValues(
  acts: readonly Act[],
  place: string,
): { readonly operation: LawOperation; readonly value: string }[] {
  return acts.flatMap(({ operation, write: { act } }) =>
    act.act === 'set' && JSON.stringify(placeOf(act.position)) === place ? [{ operation, value: act.value }] : [],
  )
}

/** The operations that set elements which are left. */
function settersOf(acts: readonly Act[], left: readonly Contribution[], kind: Kind): LawOperation[] {
  if (kind !== 'list') return []
  return left.flatMap(({ place }) => setValues(acts, place).map(({ operation }) => operation))
}

function ofKind(left: readonly Contribution[], kind: Kind): Contribution[] {
  return left.filter((one) => one.kind === kind)
}

function placeOf({ side, order, replica, sequence, index, inserted }: Position): Position {
  return { side, order, replica, sequence, index, inserted }
}

function latest(operations: readonly LawOperation[]): Stamp {
  return [...operations].sort(compareStamps).at(-1) as Stamp
}
