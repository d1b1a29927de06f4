/** Arguments read as what a command takes them for. */
import { clamped, parseDouble, parseWhole } from '../protocol/numbers.ts'
import { notFloat, notWhole, ReplyError, syntaxError } from './reply-error.ts'

/** A whole number of 64 bits. */
export function wholeOf(text: string): number | bigint {
  const value = parseWhole(text)
  if (value === undefined) throw notWhole()
  return value
}

/** The same where greater ones mean the greatest: an index, a count. */
export function indexOf(text: string): number {
  return clamped(wholeOf(text))
}

/** From 0 on. */
export function positiveOf(text: string): number {
  const value = parseWhole(text)
  if (value === undefined || value < 0) throw new ReplyError('ERR value is out of range, must be positive')
  return clamped(value)
}

export function doubleOf(text: string): number {
  const value = parseDouble(text)
  if (value === undefined) throw notFloat()
  return value
}

/** How long to wait: seconds in, milliseconds out; 0 is for ever. */
export function timeoutMsOf(text: string): number {
  const seconds = parseDouble(text)
  if (seconds === undefined || !Number.isFinite(seconds) || seconds * 1000 > Number.MAX_SAFE_INTEGER)
    throw new ReplyError('ERR timeout is not a float or out of range')
  if (seconds < 0) throw new ReplyError('ERR timeout is negative')
  return Math.ceil(seconds * 1000)
}

export interface ScanOptions {
  readonly match: string | undefined
  readonly count: number
  readonly type: string | undefined
}

const CURSOR = /^\d{1,20}$/
const CURSOR_MAX = 2n ** 64n - 1n
const SCAN_COUNT = 10

export function cursorOf(text: string): number {
  if (!CURSOR.test(text) || BigInt(text) > CURSOR_MAX) throw new ReplyError('ERR invalid cursor')
  return Number(text)
}

/** `MATCH pattern`, `COUNT count` and, where it `takesType`, `TYPE type`, from that place on. */
export function scanOptionsOf(args: readonly string[], from: number, takesType = false): ScanOptions {
  let [match, type]: (string | undefined)[] = []
  let count = SCAN_COUNT
  for (let at = from; at < args.length; at += 2) {
    const value = args[at + 1]
    if (value === undefined) throw syntaxError()
    const name = args[at]!.toUpperCase()
    if (name === 'MATCH') match = value
    else if (name === 'COUNT') {
      count = indexOf(value)
      if (count < 1) throw syntaxError()
    } else if (name === 'TYPE' && takesType) type = value.toLowerCase()
    else throw syntaxError()
  }
  return { match, count, type }
}

const NAME = /^[!-~]*$/

/** A name of a connection. */
export function checkedName(name: string): string {
  if (NAME.test(name)) return name
  throw new ReplyError('ERR Client names cannot contain spaces, newlines or special characters.')
}
