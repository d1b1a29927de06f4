/**
 * BITFIELD: numbers of 1 to 64 bits anywhere in a string. What is set, and what is added without wrapping,
 * travels as the bits that it came to, of which the later ones win; what wraps travels as what is added, so
 * that additions of several replicas add up.
 */
import type { Change } from '../../../../crdt/redis/patches.ts'
import { wholeOf } from '../../call/arguments.ts'
import { FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { viewAs, write } from '../../call/key-facts.ts'
import { ReplyError, syntaxError } from '../../call/reply-error.ts'
import { bitOffsetOf } from './bitmaps.ts'
import { Bits } from './bits.ts'

const FACTS = { group: 'bitmap', keys: FIRST_KEY, arity: -2 } as const

export const BIT_FIELD_COMMANDS: readonly Command[] = [
  {
    ...FACTS,
    flags: ['write', 'denyoom'],
    name: 'BITFIELD',
    since: '3.2.0',
    summary: 'Reads, sets and adds to numbers in a string.',
    run: (call, args) => bitField(call, args, false),
  },
  {
    ...FACTS,
    flags: ['readonly', 'fast'],
    name: 'BITFIELD_RO',
    since: '6.0.0',
    summary: 'Reads numbers in a string.',
    run: (call, args) => bitField(call, args, true),
  },
]

type Overflow = 'WRAP' | 'SAT' | 'FAIL'

interface Step {
  readonly kind: 'GET' | 'SET' | 'INCRBY'
  readonly isSigned: boolean
  readonly width: number
  readonly offset: number
  readonly value: bigint
  readonly overflow: Overflow
}

const WORDS: Readonly<Record<string, number>> = { GET: 3, SET: 4, INCRBY: 4 }
const OVERFLOWS: ReadonlySet<string> = new Set<Overflow>(['WRAP', 'SAT', 'FAIL'])
/** Each change goes over the whole string: so many bytes in all. */
const CHANGED_BYTES_MAX = 67_108_864

function bitField(call: Call, args: readonly string[], isReadOnly: boolean): void {
  const steps = stepsOf(call, args)
  const writing = steps.filter(({ kind }) => kind !== 'GET')
  if (isReadOnly && writing.length > 0) throw new ReplyError('ERR BITFIELD_RO only supports the GET subcommand')
  const text = viewAs(call, args[1]!, 'string').text ?? ''
  const length = Math.max(0, ...writing.map(({ offset, width }) => Math.floor((offset + width - 1) / 8) + 1))
  if (writing.length * Math.max(length, text.length) > CHANGED_BYTES_MAX)
    throw new ReplyError(`ERR ${writing.length} changes of a string of ${text.length} bytes are too many at once`)
  const bits = new Bits(text)
  bits.reach(length)
  const changes: Change[] = []
  // Also what fails makes room.
  if (length > text.length) changes.push({ kind: 'add-bits', offset: length * 8 - 8, width: 8, value: 0n })
  call.reply.array(steps.length)
  for (const step of steps) {
    const { reply, change } = taken(bits, step)
    if (reply === undefined) call.reply.null()
    else call.reply.integer(reply)
    if (change !== undefined) changes.push(change)
  }
  if (changes.length > 0) write(call, args[1]!, 'patch', changes)
}

function stepsOf(call: Call, args: readonly string[]): Step[] {
  const steps: Step[] = []
  let overflow: Overflow = 'WRAP'
  for (let at = 2; at < args.length;) {
    const word = args[at]!.toUpperCase()
    const left = args.length - at
    if (word === 'OVERFLOW' && left >= 2) {
      overflow = args[at + 1]!.toUpperCase() as Overflow
      if (!OVERFLOWS.has(overflow)) throw new ReplyError('ERR Invalid OVERFLOW type specified')
      at += 2
      continue
    }
    const words = WORDS[word]
    if (words === undefined || left < words) throw syntaxError()
    const { isSigned, width } = typeOf(args[at + 1]!)
    const offset = bitOffsetOf(call, args[at + 2]!, width)
    const value = words === 4 ? BigInt(wholeOf(args[at + 3]!)) : 0n
    steps.push({ kind: word as Step['kind'], isSigned, width, offset, value, overflow })
    at += words
  }
  return steps
}

const TYPE = /^[iu]([1-9]\d?)$/

function typeOf(text: string): Pick<Step, 'isSigned' | 'width'> {
  const isSigned = text.startsWith('i')
  const width = Number(TYPE.exec(text)?.[1] ?? 0)
  if (width < 1 || width > (isSigned ? 64 : 63))
    throw new ReplyError(
      'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.',
    )
  return { isSigned, width }
}

/** What a step replies, `undefined` where it fails; and what it changes. */
function taken(bits: Bits, step: Step): { readonly reply: bigint | undefined; readonly change?: Change } {
  const { kind, width, offset, value, overflow } = step
  const before = numberOf(bits.read(offset, width), step)
  if (kind === 'GET') return { reply: before }
  const after = fitted(kind === 'SET' ? asRead(value, step) : before + value, step)
  if (after === undefined) return { reply: undefined }
  bits.write(offset, width, after)
  const reply = kind === 'SET' ? before : after
  if (kind === 'INCRBY' && overflow === 'WRAP') return { reply, change: { kind: 'add-bits', offset, width, value } }
  return { reply, change: { kind: 'set-bits', offset, width, value: after } }
}

/** `undefined` where it does not fit, and is to fail then. */
function fitted(wanted: bigint, { isSigned, width, overflow }: Step): bigint | undefined {
  const least = isSigned ? -(1n << BigInt(width - 1)) : 0n
  const most = least + (1n << BigInt(width)) - 1n
  if (wanted >= least && wanted <= most) return wanted
  if (overflow === 'FAIL') return undefined
  if (overflow === 'SAT') return wanted > most ? most : least
  return isSigned ? BigInt.asIntN(width, wanted) : BigInt.asUintN(width, wanted)
}

/** Redis takes what an unsigned field is set to for unsigned as well, of 64 bits. */
function asRead(value: bigint, { isSigned }: Step): bigint {
  return isSigned ? value : BigInt.asUintN(64, value)
}

function numberOf(bits: bigint, { isSigned, width }: Step): bigint {
  return isSigned ? BigInt.asIntN(width, bits) : bits
}
