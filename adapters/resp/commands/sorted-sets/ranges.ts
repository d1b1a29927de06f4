/** Ranges of sorted sets: by rank, by score, or, of members that have one score, by name. */
import type { ScoredMember } from '../../../../crdt/redis/sorted-set.ts'
import { indexOf, wholeOf } from '../../call/arguments.ts'
import type { KeyView } from '../../call/key-facts.ts'
import { ReplyError } from '../../call/reply-error.ts'
import { clamped, parseDouble } from '../../protocol/numbers.ts'
import { membersFrom, type Scored } from './members.ts'

export type RangeKind = 'rank' | 'score' | 'name'

/** Which members lie before the first one of a range, and which do not lie behind its last one. */
interface Bounds {
  readonly isBefore: (member: Scored) => boolean
  readonly isNotBehind: (member: Scored) => boolean
}

export interface Range {
  /** The ranks of the first member and of the one behind the last. */
  readonly ranks: (zset: KeyView) => readonly [from: number, to: number]
  readonly isReverse: boolean
  readonly offset: number
  /** `Infinity`: all. */
  readonly count: number
}

/** Throws what Redis says of bounds that are none. `isReverse`: ranks count from the last one. */
export function ranksOf(
  kind: RangeKind,
  [first, last]: readonly [first: string, last: string],
  isReverse: boolean,
): Range['ranks'] {
  if (kind === 'rank') {
    const [start, stop] = [clamped(wholeOf(first)), clamped(wholeOf(last))]
    return ({ size }) => {
      const from = Math.max(0, start < 0 ? size + start : start)
      const to = Math.max(from, Math.min(size, (stop < 0 ? size + stop : stop) + 1))
      return isReverse ? [Math.max(0, size - to), Math.max(0, size - from)] : [from, to]
    }
  }
  const bounds = kind === 'score' ? scoreBounds(first, last) : nameBounds(first, last)
  return ({ members }) => {
    if (members === undefined) return [0, 0]
    return [members.rankOf(bounds.isBefore), members.rankOf(bounds.isNotBehind)]
  }
}

/** How many members lie within. */
export function countIn(ranks: Range['ranks'], zset: KeyView): number {
  const [from, to] = ranks(zset)
  return Math.max(0, to - from)
}

export function membersIn({ ranks, isReverse, offset, count }: Range, zset: KeyView): Scored[] {
  const [from, to] = ranks(zset)
  if (offset < 0) return []
  const left = Math.min(count, to - from - offset)
  return membersFrom(zset, { rank: isReverse ? to - 1 - offset : from + offset, count: left, isReverse })
}

function scoreBounds(min: string, max: string): Bounds {
  const [low, high] = [scoreBound(min), scoreBound(max)]
  return {
    isBefore: ({ score }) => score < low.score || (low.isExclusive && score === low.score),
    isNotBehind: ({ score }) => score < high.score || (!high.isExclusive && score === high.score),
  }
}

function scoreBound(text: string): { readonly score: number; readonly isExclusive: boolean } {
  const isExclusive = text.startsWith('(')
  const digits = isExclusive ? text.slice(1) : text
  // As C reads it: nothing is 0, and blanks before a number are none.
  const score = digits === '' ? 0 : parseDouble(digits.replace(/^\s+/, ''))
  if (score === undefined) throw new ReplyError('ERR min or max is not a float')
  return { score, isExclusive }
}

function nameBounds(min: string, max: string): Bounds {
  const [low, high] = [nameBound(min), nameBound(max)]
  return {
    isBefore: ({ name }) =>
      low === 'last' || (low !== 'first' && (name < low.name || (low.isOut && name === low.name))),
    isNotBehind: ({ name }) =>
      high === 'last' || (high !== 'first' && (name < high.name || (!high.isOut && name === high.name))),
  }
}

function nameBound(text: string): 'first' | 'last' | { readonly name: string; readonly isOut: boolean } {
  if (text === '-') return 'first'
  if (text === '+') return 'last'
  if (text.startsWith('[') || text.startsWith('(')) return { name: text.slice(1), isOut: text.startsWith('(') }
  throw new ReplyError('ERR min or max not valid string range item')
}

export interface Limit extends Pick<Range, 'offset' | 'count'> {
  /** As it was said. */
  readonly said: number
}

/** `LIMIT offset count`. */
export function limitOf(offset: string | undefined, count: string | undefined): Limit {
  const [skipped, said] = [indexOf(offset as string), indexOf(count as string)]
  return { offset: skipped, count: said < 0 ? Infinity : said, said }
}

/** Before which member a member of that name and score stands. */
export function isBefore({ name, score }: Scored): (member: ScoredMember) => boolean {
  return (other) => other.score < score || (other.score === score && other.name < name)
}
