/** LCS: the longest common subsequence of two strings, by the table of Wagner and Fischer (1974). */
import type { Call } from '../../call/command.ts'
import { indexOf } from '../../call/arguments.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'

/** Cells of the table: what is asked for holds up everybody else. */
const CELLS_MAX = 4_000_000

interface Match {
  readonly one: readonly [number, number]
  readonly other: readonly [number, number]
}

interface Options {
  readonly isLength: boolean
  readonly isIndexes: boolean
  readonly lengthMin: number
  readonly isWithLengths: boolean
}

/** Replies. Throws for strings whose product is too great to be worked out at once. */
export function longestCommon(
  { reply }: Call,
  [one, other]: readonly [string, string],
  words: readonly string[],
): void {
  const { isLength, isIndexes, lengthMin, isWithLengths } = optionsOf(words)
  if (isLength && isIndexes) throw new ReplyError('ERR If you want both the length and indexes, please just use IDX.')
  if (one.length * other.length > CELLS_MAX)
    throw new ReplyError('ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len')
  const table = tableOf(one, other)
  const length = table.at(-1)!
  if (isLength) {
    reply.integer(length)
    return
  }
  const { text, matches } = walk(one, other, table)
  if (!isIndexes) {
    reply.bulk(text)
    return
  }
  const shown = matches.filter(({ one: [from, to] }) => to - from + 1 >= lengthMin)
  reply.map(2)
  reply.bulk('matches')
  reply.array(shown.length)
  for (const match of shown) {
    reply.array(isWithLengths ? 3 : 2)
    for (const [from, to] of [match.one, match.other]) {
      reply.array(2)
      reply.integer(from)
      reply.integer(to)
    }
    if (isWithLengths) reply.integer(match.one[1] - match.one[0] + 1)
  }
  reply.bulk('len')
  reply.integer(length)
}

function optionsOf(words: readonly string[]): Options {
  let [isLength, isIndexes, isWithLengths] = [false, false, false]
  let lengthMin = 0
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!.toUpperCase()
    if (word === 'LEN') isLength = true
    else if (word === 'IDX') isIndexes = true
    else if (word === 'WITHMATCHLEN') isWithLengths = true
    else if (word === 'MINMATCHLEN' && at + 1 < words.length) lengthMin = Math.max(0, indexOf(words[++at]!))
    else throw syntaxError()
  }
  return { isLength, isIndexes, lengthMin, isWithLengths }
}

/** Rows of `one`, columns of `other`: the length for their first characters. */
function tableOf(one: string, other: string): Uint32Array {
  const width = other.length + 1
  const table = new Uint32Array((one.length + 1) * width)
  for (let i = 1; i <= one.length; i++)
    for (let j = 1; j <= other.length; j++)
      table[i * width + j] =
        one[i - 1] === other[j - 1]
          ? table[(i - 1) * width + j - 1]! + 1
          : Math.max(table[(i - 1) * width + j]!, table[i * width + j - 1]!)
  return table
}

/** From the end to the beginning, as Redis lists matches. */
function walk(one: string, other: string, table: Uint32Array): { text: string; matches: Match[] } {
  const width = other.length + 1
  let [i, j] = [one.length, other.length]
  let text = ''
  const matches: Match[] = []
  while (i > 0 && j > 0) {
    if (one[i - 1] === other[j - 1]) {
      text = one[i - 1]! + text
      const last = matches.at(-1)
      const isJoined = last !== undefined && last.one[0] === i && last.other[0] === j
      if (isJoined) matches[matches.length - 1] = { one: [i - 1, last.one[1]], other: [j - 1, last.other[1]] }
      else matches.push({ one: [i - 1, i - 1], other: [j - 1, j - 1] })
      i--
      j--
    } else if (table[(i - 1) * width + j]! > table[i * width + j - 1]!) i--
    else j--
  }
  return { text, matches }
}
