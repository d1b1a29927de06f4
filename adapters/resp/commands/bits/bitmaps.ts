/** Commands of single bits of strings, and of all bits of several. */
import { indexOf } from '../../call/arguments.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { viewAs, viewOf, write } from '../../call/key-facts.ts'
import { notWhole, ReplyError, syntaxError, wrongType } from '../../call/reply-error.ts'
import { parseWhole } from '../../protocol/numbers.ts'
import { bitAt, combined, countOnes, findBit, type BitOperation, type BitRange } from './bits.ts'

const READ = { group: 'bitmap', keys: FIRST_KEY, flags: ['readonly'] } as const
const WRITE = { group: 'bitmap', keys: FIRST_KEY, flags: ['write', 'denyoom'] } as const

export const BITMAP_COMMANDS: readonly Command[] = [
  { ...WRITE, name: 'SETBIT', arity: 4, since: '2.2.0', summary: 'Sets a bit, and gives what it was.', run: setBit },
  {
    ...READ,
    flags: ['readonly', 'fast'],
    name: 'GETBIT',
    arity: 3,
    since: '2.2.0',
    summary: 'A bit of a string.',
    run: getBit,
  },
  { ...READ, name: 'BITCOUNT', arity: -2, since: '2.6.0', summary: 'How many bits are 1.', run: bitCount },
  { ...READ, name: 'BITPOS', arity: -3, since: '2.8.7', summary: 'The first bit that is 0, or 1.', run: bitPos },
  {
    ...WRITE,
    keys: { first: 2, last: -1, step: 1 },
    name: 'BITOP',
    arity: -4,
    since: '2.6.0',
    summary: 'Sets a key to all bits of others, taken together.',
    run: bitOp,
  },
]

/** `#n`, where it may be said, is the nth field of that width. Throws beyond what a string may be long. */
export function bitOffsetOf({ core }: Call, text: string, width?: number): number {
  const isCounted = width !== undefined && text.startsWith('#')
  const parsed = parseWhole(isCounted ? text.slice(1) : text)
  const offset = typeof parsed === 'number' ? parsed * (isCounted ? width : 1) : -1
  if (offset < 0 || offset >= core.settings.argumentBytesMax * 8)
    throw new ReplyError('ERR bit offset is not an integer or out of range')
  return offset
}

function setBit(call: Call, [, key, at, text]: readonly string[]): void {
  const offset = bitOffsetOf(call, at!)
  if (text !== '0' && text !== '1') throw new ReplyError('ERR bit is not an integer or out of range')
  const before = viewAs(call, key!, 'string').text ?? ''
  write(call, key!, 'patch', [{ kind: 'set-bits', offset, width: 1, value: BigInt(text) }])
  call.reply.integer(bitAt(before, offset))
}

function getBit(call: Call, [, key, at]: readonly string[]): void {
  const offset = bitOffsetOf(call, at!)
  call.reply.integer(bitAt(viewAs(call, key!, 'string').text ?? '', offset))
}

function bitCount(call: Call, args: readonly string[]): void {
  const [, key, from, to, unit] = args
  const { text } = viewAs(call, key!, 'string')
  if (text === undefined) call.reply.integer(0)
  else if (from === undefined) call.reply.integer(countOnes(text, { from: 0, to: text.length * 8 - 1 }))
  else if (to === undefined) throw syntaxError()
  else {
    const [start, end] = [indexOf(from), indexOf(to)]
    const isBackwards = start < 0 && end < 0 && start > end
    const range = isBackwards ? undefined : rangeOf(text, unit, [start, end])
    call.reply.integer(range === undefined ? 0 : countOnes(text, range))
  }
}

function bitPos(call: Call, args: readonly string[]): void {
  const [, key, said, from = '0', to, unit] = args as [string, string, string, ...(string | undefined)[]]
  const bit = bitOf(said)
  const { text } = viewAs(call, key, 'string')
  if (text === undefined) {
    call.reply.integer(bit === 1 ? -1 : 0)
    return
  }
  if (args.length > 6) throw syntaxError()
  const start = indexOf(from)
  const range = rangeOf(text, unit, [start, to === undefined ? Infinity : indexOf(to)])
  // A string goes on in zeros for whoever has not said where it ends.
  const behind = bit === 0 && to === undefined ? text.length * 8 : -1
  call.reply.integer(range === undefined ? -1 : (findBit(text, bit, range) ?? behind))
}

function bitOf(said: string): 0 | 1 {
  const bit = parseWhole(said)
  if (bit === undefined) throw notWhole()
  if (bit !== 0 && bit !== 1) throw new ReplyError('ERR The bit argument must be 1 or 0.')
  return bit
}

/** Bits from one index to another, of bytes unless the unit says otherwise; below 0 from the end. `undefined`: none. */
function rangeOf(text: string, unit = 'BYTE', [start, end]: readonly [number, number]): BitRange | undefined {
  const width = widthOf(unit)
  const count = (text.length * 8) / width
  const first = Math.max(0, start < 0 ? count + start : start)
  const last = Math.min(count - 1, Math.max(0, end < 0 ? count + end : end))
  return first > last ? undefined : { from: first * width, to: last * width + width - 1 }
}

function widthOf(unit: string): 1 | 8 {
  const word = unit.toUpperCase()
  if (word !== 'BIT' && word !== 'BYTE') throw syntaxError()
  return word === 'BIT' ? 1 : 8
}

const OPERATIONS: ReadonlySet<string> = new Set(['AND', 'OR', 'XOR', 'NOT'])

function bitOp(call: Call, [, word, target, ...sources]: readonly string[]): void {
  const operation = word!.toUpperCase()
  if (!OPERATIONS.has(operation)) throw syntaxError()
  if (operation === 'NOT' && sources.length > 1)
    throw new ReplyError('ERR BITOP NOT must be called with a single source key.')
  const texts = sources.map((key) => {
    const { kind, text } = viewOf(call, key)
    if (kind !== undefined && kind !== 'string') throw wrongType()
    return text ?? ''
  })
  const bytes = combined(operation as BitOperation, texts)
  if (bytes !== '') write(call, target!, 'put', bytes)
  else if (viewOf(call, target!).kind !== undefined) call.keys.delete(target!)
  call.reply.integer(bytes.length)
}
