/** Arguments of commands that take so many keys as they say. */
import { clamped, parseWhole } from '../../protocol/numbers.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'

export interface NumkeysRefusals {
  readonly none: string
  /** Default: a syntax error. */
  readonly tooMany?: string
}

/** The keys behind `numkeys`, which stands at that place. */
export function numkeysOf(args: readonly string[], place: number, refusals: NumkeysRefusals): readonly string[] {
  const count = parseWhole(args[place] as string)
  if (count === undefined || count <= 0) throw new ReplyError(refusals.none)
  if (count > args.length - place - 1)
    throw refusals.tooMany === undefined ? syntaxError() : new ReplyError(refusals.tooMany)
  return args.slice(place + 1, place + 1 + Number(count))
}

/** Of LMPOP and its like. */
export const POSITIVE_NUMKEYS: NumkeysRefusals = { none: 'ERR numkeys should be greater than 0' }
export const CARD_NUMKEYS: NumkeysRefusals = {
  ...POSITIVE_NUMKEYS,
  tooMany: "ERR Number of keys can't be greater than number of args",
}

/** `COUNT count` of LMPOP and ZMPOP, from that place on. */
export function popCountOf(args: readonly string[], from: number): number {
  if (args.length === from) return 1
  if (args.length !== from + 2 || (args[from] as string).toUpperCase() !== 'COUNT') throw syntaxError()
  const count = parseWhole(args[from + 1] as string)
  if (count === undefined || count <= 0) throw new ReplyError('ERR count should be greater than 0')
  return clamped(count)
}

/** `LIMIT count` of SINTERCARD and ZINTERCARD, from that place on; 0 is no limit. */
export function cardLimitOf(args: readonly string[], from: number): number {
  if (args.length === from) return Infinity
  if (args.length !== from + 2 || (args[from] as string).toUpperCase() !== 'LIMIT') throw syntaxError()
  const limit = parseWhole(args[from + 1] as string)
  if (limit === undefined || limit < 0) throw new ReplyError("ERR LIMIT can't be negative")
  return limit === 0 ? Infinity : clamped(limit)
}
