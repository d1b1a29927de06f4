/** MAXLEN and MINID of XADD and XTRIM. */
import type { StreamId } from '../../../../crdt/redis/streams/stream-id.ts'
import type { Stream } from '../../../../crdt/redis/streams/stream.ts'
import { indexOf } from '../../call/arguments.ts'
import { ReplyError } from '../../call/reply-error.ts'
import { idOf } from './ids.ts'

export interface Trimming {
  readonly lengthMax: number | undefined
  readonly least: StreamId | undefined
  /** `~`: in whole hundreds only, so that it is cheap to say so with each entry. */
  readonly isNear: boolean
  /** So many at a time, where `isNear`; 0: all. */
  readonly limit: number
}

export interface TrimmingWords {
  readonly trimming: Trimming | undefined
  readonly isMaking: boolean
  /** Behind the options. */
  readonly next: number
}

const NEAR_ENTRIES = 100

interface Words {
  trimming?: Trimming
  isMaking: boolean
  isLimited: boolean
  limit: number
}

/** From that place on. Ends before the first word that is no option, which `checkNext` may refuse. */
export function trimmingOf(
  args: readonly string[],
  from: number,
  checkNext: (word: string | undefined) => void,
): TrimmingWords {
  const words: Words = { isMaking: true, isLimited: false, limit: 0 }
  let at = from
  for (let taken = takenBy(words, args, at); taken > 0; taken = takenBy(words, args, at)) at += taken
  checkNext(args[at])
  const { trimming, isLimited, limit, isMaking } = words
  if (limit > 0 && trimming === undefined)
    throw new ReplyError('ERR syntax error, LIMIT cannot be used without specifying a trimming strategy')
  if (trimming === undefined && args[0]!.toUpperCase() === 'XTRIM')
    throw new ReplyError('ERR syntax error, XTRIM must be called with a trimming strategy')
  if (isLimited && trimming?.isNear !== true)
    throw new ReplyError('ERR syntax error, LIMIT cannot be used without the special ~ option')
  return { trimming: trimming && { ...trimming, limit }, isMaking, next: at }
}

/** How many words the option there takes; 0 if there is none. */
function takenBy(words: Words, args: readonly string[], at: number): number {
  const word = args[at]?.toUpperCase()
  const value = args[at + 1]
  if (word === 'NOMKSTREAM') {
    words.isMaking = false
    return 1
  }
  if (value === undefined) return 0
  if (word === 'LIMIT') {
    words.limit = indexOf(value)
    if (words.limit < 0) throw new ReplyError('ERR The LIMIT argument must be >= 0.')
    words.isLimited = true
    return 2
  }
  return word === 'MAXLEN' || word === 'MINID' ? takenByBound(words, word, [value, args[at + 2]]) : 0
}

function takenByBound(
  words: Words,
  word: 'MAXLEN' | 'MINID',
  [value, next]: readonly [string, string | undefined],
): number {
  if (words.trimming !== undefined)
    throw new ReplyError('ERR syntax error, MAXLEN and MINID options at the same time are not compatible')
  const threshold = ['~', '='].includes(value) ? next : undefined
  words.trimming = boundOf(word, threshold ?? value, threshold !== undefined && value === '~')
  return threshold === undefined ? 2 : 3
}

function boundOf(word: 'MAXLEN' | 'MINID', text: string, isNear: boolean): Trimming {
  if (word === 'MINID') return { lengthMax: undefined, least: idOf(text), isNear, limit: 0 }
  const lengthMax = indexOf(text)
  if (lengthMax < 0) throw new ReplyError('ERR The MAXLEN argument must be >= 0.')
  return { lengthMax, least: undefined, isNear, limit: 0 }
}

/** The id up to which entries go, and how many; `adding` is one that is added at the same time. */
export function floorOf(
  stream: Stream | undefined,
  trimming: Trimming,
  adding?: StreamId,
): { readonly floor: StreamId; readonly count: number } | undefined {
  const size = stream?.entries.size ?? 0
  const over = overOf(stream, trimming, adding)
  const count = trimming.isNear ? nearOf(over, size + (adding === undefined ? 0 : 1), trimming.limit) : over
  const floor = count > size ? adding : stream?.entries.at(count - 1)?.id
  return count === 0 || floor === undefined ? undefined : { floor, count }
}

/** Whole hundreds, or all; no more than the limit. */
function nearOf(over: number, size: number, limit: number): number {
  const wanted = over === size ? over : over - (over % NEAR_ENTRIES)
  return limit > 0 && wanted > limit ? limit - (limit % NEAR_ENTRIES) : wanted
}

function overOf(stream: Stream | undefined, { lengthMax, least }: Trimming, adding: StreamId | undefined): number {
  if (least !== undefined) return (stream?.rankOf(least) ?? 0) + (adding !== undefined && adding < least ? 1 : 0)
  const size = (stream?.entries.size ?? 0) + (adding === undefined ? 0 : 1)
  return Math.max(0, size - (lengthMax ?? size))
}
