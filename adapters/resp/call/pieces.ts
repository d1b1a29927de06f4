/**
 * What a command writes may be more than one operation carries: then it is written as several, one behind the
 * other in the same turn. Whoever reads at this replica sees all of it or nothing, and so does the log after
 * a crash; other replicas take one in after the other.
 *
 * What replaces a key does so with the first operation; the others go on from there. Elements of a list are
 * taken from the end on, so that the indexes of the others stay what they are.
 */
import type { JoinOptions, Scored } from '../../../crdt/redis/verbs.ts'
import type { PushOptions, Range } from '../../../crdt/redis/list-verbs.ts'

type Parameters = readonly unknown[]
type Push = PushOptions & { readonly to: 'left' | 'right'; readonly values: readonly string[] }

/** Bytes of names and values in one operation, which carries other things beside them. */
const PIECE_BYTES = 768 * 1024
/** An operation carries no more than that: what has one item so long is refused as a whole. */
const ITEM_BYTES_MAX = 2 * 1024 * 1024
/** What an entry may say of additions that it takes away. */
const ENTRY_BYTES = 96
/** Positions of a list are named one by one. */
const PIECE_ELEMENTS = 1024

/** The parameters of calls of a verb that come to the same, one or several; `undefined`: it may not fit into any. */
export function piecesOf(verb: string, parameters: Parameters): readonly Parameters[] | undefined {
  return SPLIT[verb]?.(parameters)
}

/** Whether a verb takes the place of all that is in a key. */
export function isReplacing(verb: string, parameters: Parameters): boolean {
  if (verb === 'put') return true
  const [first, second] = parameters as readonly { readonly replacing?: unknown }[]
  if (verb === 'setFields' || verb === 'setScores') return second !== undefined
  if (verb === 'join') return second?.replacing !== undefined
  return verb === 'push' && first?.replacing !== undefined
}

const SPLIT: Readonly<Record<string, (parameters: Parameters) => readonly Parameters[] | undefined>> = {
  put: (parameters) => ((parameters[0] as string).length > ITEM_BYTES_MAX ? undefined : [parameters]),
  setFields([fields, replacing]) {
    const pieces = cut(
      fields as readonly (readonly [string, string])[],
      ([name, value]) => name.length * 2 + value.length,
    )
    return pieces?.map((piece, i) => [piece, i === 0 ? replacing : undefined])
  },
  setScores([members, replacing]) {
    return cut(members as readonly Scored[], ([name]) => name.length * 2)?.map((piece, i) => [
      piece,
      i === 0 ? replacing : undefined,
    ])
  },
  join([members, options]) {
    const others = { ...(options as JoinOptions | undefined), replacing: undefined }
    return cut(members as readonly string[], lengthOf)?.map((piece, i) => [piece, i === 0 ? options : others])
  },
  push([options]) {
    const { to, values, replacing } = options as Push
    return cut(values, lengthOf)?.map((piece, i) => [{ to, values: piece, replacing: i === 0 ? replacing : undefined }])
  },
  removeFields: (names) => cut(names as readonly string[], twiceLengthOf),
  leave: (names) => cut(names as readonly string[], lengthOf),
  removeScores: (names) => cut(names as readonly string[], twiceLengthOf),
  take: (ranges) => cutRanges(ranges as readonly Range[]),
}

function lengthOf(text: string): number {
  return text.length
}

/** The name of what is taken away may be said again with what was added to it. */
function twiceLengthOf(name: string): number {
  return name.length * 2
}

function cut<Item>(items: readonly Item[], bytesOf: (item: Item) => number): Item[][] | undefined {
  const pieces: Item[][] = []
  let [piece, bytes] = [[] as Item[], 0]
  for (const item of items) {
    const itemBytes = bytesOf(item) + ENTRY_BYTES
    if (itemBytes > ITEM_BYTES_MAX) return undefined
    if (piece.length > 0 && bytes + itemBytes > PIECE_BYTES) {
      pieces.push(piece)
      ;[piece, bytes] = [[], 0]
    }
    piece.push(item)
    bytes += itemBytes
  }
  return piece.length === 0 ? pieces : [...pieces, piece]
}

function cutRanges(ranges: readonly Range[]): Range[][] {
  if (ranges.reduce((sum, [, count]) => sum + count, 0) <= PIECE_ELEMENTS) return [[...ranges]]
  const pieces: Range[][] = []
  let [piece, left] = [[] as Range[], PIECE_ELEMENTS]
  for (const [index, count] of [...ranges].sort(([a], [b]) => b - a)) {
    for (let end = index + count; end > index;) {
      const taken = Math.min(left, end - index)
      end -= taken
      piece.push([end, taken])
      left -= taken
      if (left > 0) continue
      pieces.push(piece)
      ;[piece, left] = [[], PIECE_ELEMENTS]
    }
  }
  return piece.length === 0 ? pieces : [...pieces, piece]
}
