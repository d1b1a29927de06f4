/** What commands of hashes, sets and sorted sets have in common: scans, and random choices. */
import { cursorOf, scanOptionsOf } from '../../call/arguments.ts'
import type { Call } from '../../call/command.ts'
import { viewAs, type KeyKind, type KeyView } from '../../call/key-facts.ts'
import { notWhole, ReplyError, syntaxError } from '../../call/reply-error.ts'
import { INT64_MAX, INT64_MIN, clamped, parseWhole } from '../../protocol/numbers.ts'
import { globOf } from '../../protocol/glob.ts'

/** Smaller collections are shown at once. */
const SCANNED_AT_ONCE = 512
/** A choice that repeats is as long as asked for, up to this. */
const REPEATED_MAX = 65_536

/** All names in a collection. */
export function namesIn({ entries }: KeyView): string[] {
  return Array.from({ length: entries.size }, (_, place) => nameAt(entries, place))
}

export function nameAt(entries: KeyView['entries'], place: number): string {
  return entries.at(place)?.name ?? ''
}

/** How an entry is shown by a scan, in so many items. */
export interface ShownEntry {
  readonly items: number
  readonly write: (view: KeyView, name: string) => void
}

/**
 * SSCAN and its like. A cursor is the place below which nothing has been shown: places are shown from the
 * last to the first one, and what comes or goes moves nothing past that (`crdt/redis/table.ts`).
 */
export function scan(call: Call, args: readonly string[], kind: KeyKind, shownEntry: ShownEntry): void {
  const { reply } = call
  const cursor = cursorOf(args[2] as string)
  const view = viewAs(call, args[1] as string, kind)
  const { entries } = view
  // As Redis: of what is not there no option is looked at.
  const { match, count } = view.kind === undefined ? { match: '*', count: 1 } : scanOptionsOf(args, 3)
  const isSmall = entries.size <= SCANNED_AT_ONCE
  const from = cursor === 0 || isSmall ? entries.size : Math.min(cursor, entries.size)
  const to = isSmall ? 0 : Math.max(0, from - count)
  const isShown = globOf(match ?? '*')
  const shown: string[] = []
  for (let place = from - 1; place >= to; place--) {
    const name = nameAt(entries, place)
    if (isShown(name)) shown.push(name)
  }
  reply.array(2)
  reply.bulk(String(to))
  reply.array(shown.length * shownEntry.items)
  for (const name of shown) shownEntry.write(view, name)
}

/** SRANDMEMBER and its like: so many different names, or, with a count below 0, so many that may repeat. */
export function chosen(call: Call, view: KeyView, count: number): string[] {
  const { entries } = view
  const { size } = entries
  if (size === 0) return []
  if (count < -REPEATED_MAX) throw new ReplyError('ERR value is out of range')
  if (count < 0) return Array.from({ length: -count }, () => nameAt(entries, below(call, size)))
  if (count >= size) return namesIn(view)
  // The first steps of a shuffle, of which only the places that it has touched are noted.
  const moved = new Map<number, number>()
  return Array.from({ length: count }, (_, i) => {
    const at = i + below(call, size - i)
    const place = moved.get(at) ?? at
    moved.set(at, moved.get(i) ?? i)
    return nameAt(entries, place)
  })
}

/** One of them; `undefined` of nothing. */
export function chosenOne(call: Call, view: KeyView): string | undefined {
  return view.entries.size === 0 ? undefined : nameAt(view.entries, below(call, view.entries.size))
}

export interface Choice {
  /** Below 0: so many that may repeat. */
  readonly count: number
  /** Whether what belongs to a name is shown as well. */
  readonly isPaired: boolean
}

/** `count [option]` of HRANDFIELD and its like; `undefined`: one name is asked for. */
export function choiceOf([, , text, word, ...more]: readonly string[], option?: string): Choice | undefined {
  if (text === undefined) return undefined
  const count = parseWhole(text)
  if (count === undefined) throw notWhole()
  // The one number whose opposite is none.
  if (count === INT64_MIN)
    throw new ReplyError(`ERR value is out of range, value must between -${INT64_MAX} and ${INT64_MAX}`)
  if (more.length > 0 || (word !== undefined && word.toUpperCase() !== option)) throw syntaxError()
  const most = INT64_MAX / 2n
  if (word !== undefined && (BigInt(count) > most || BigInt(count) < -most))
    throw new ReplyError('ERR value is out of range')
  return { count: clamped(count), isPaired: word !== undefined }
}

function below({ core }: Call, bound: number): number {
  const bytes = core.env.random(6)
  let value = 0
  for (const byte of bytes) value = value * 256 + byte
  return value % bound
}
