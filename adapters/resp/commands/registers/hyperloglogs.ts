/** Commands of HyperLogLogs, which are strings to all other commands. */
import { isHyperloglog, ranksIn } from '../../../../crdt/redis/registers/hyperloglog-bytes.ts'
import { PRESENCE, REGISTERS, type Raised } from '../../../../crdt/redis/registers/registers.ts'
import { ALL_KEYS, FIRST_KEY, type Call, type Command } from '../../call/command.ts'
import { viewAs, write } from '../../call/key-facts.ts'
import { ReplyError } from '../../call/reply-error.ts'
import { estimate, registerOf } from './estimate.ts'

const WRITE = { group: 'hyperloglog', keys: FIRST_KEY, flags: ['write', 'denyoom'], since: '2.8.9' } as const

export const HYPERLOGLOG_COMMANDS: readonly Command[] = [
  {
    ...WRITE,
    flags: ['write', 'denyoom', 'fast'],
    name: 'PFADD',
    arity: -2,
    summary: 'Counts elements in.',
    run: pfadd,
  },
  {
    ...WRITE,
    flags: ['readonly'],
    keys: ALL_KEYS,
    name: 'PFCOUNT',
    arity: -2,
    summary: 'About how many different elements were counted in.',
    run: pfcount,
  },
  { ...WRITE, keys: ALL_KEYS, name: 'PFMERGE', arity: -2, summary: 'Counts in what others have.', run: pfmerge },
]

/** What is under a key: the ranks of its registers, and whether they are a string's that somebody has set. */
interface Counted {
  readonly ranks: Uint8Array
  readonly isSet: boolean
  readonly untilMs: number
}

/** `undefined` where there is no key. */
function countedOf(call: Call, key: string): Counted | undefined {
  const { registers, text, untilMs } = viewAs(call, key, 'string')
  if (registers !== undefined) return { ranks: registers.ranks(), isSet: false, untilMs }
  if (text === undefined) return undefined
  if (!isHyperloglog(text)) throw new ReplyError('WRONGTYPE Key is not a valid HyperLogLog string value.')
  const ranks = ranksIn(text)
  if (ranks === undefined) throw new ReplyError('INVALIDOBJ Corrupted HLL object detected')
  return { ranks, isSet: true, untilMs }
}

/** Returns whether that changes anything. */
function raiseIn(call: Call, key: string, known: Counted | undefined, raised: readonly Raised[]): boolean {
  const higher = raised.filter(({ place, rank }) => rank > (known?.ranks[place] ?? 0))
  if (known !== undefined && higher.length === 0) return false
  const presence = { place: PRESENCE, rank: 1 }
  if (known?.isSet === true)
    write(call, key, 'raise', [presence, ...raisedOf(known.ranks), ...higher], { untilMs: known.untilMs })
  else write(call, key, 'raise', known === undefined ? [presence, ...higher] : higher)
  return true
}

function raisedOf(ranks: Uint8Array): Raised[] {
  return Array.from(ranks, (rank, place) => ({ place, rank })).filter(({ rank }) => rank > 0)
}

function pfadd(call: Call, [, key, ...elements]: readonly string[]): void {
  const isChanged = raiseIn(call, key!, countedOf(call, key!), elements.map(registerOf))
  call.reply.integer(isChanged ? 1 : 0)
}

function pfcount(call: Call, [, ...keys]: readonly string[]): void {
  call.reply.integer(estimate(union(keys.map((key) => countedOf(call, key)))))
}

function union(all: readonly (Counted | undefined)[]): Uint8Array {
  const ranks = new Uint8Array(REGISTERS)
  for (const one of all)
    for (let place = 0; one !== undefined && place < REGISTERS; place++)
      if (one.ranks[place]! > ranks[place]!) ranks[place] = one.ranks[place]!
  return ranks
}

function pfmerge(call: Call, [, ...keys]: readonly string[]): void {
  const all = keys.map((key) => countedOf(call, key))
  raiseIn(call, keys[0]!, all[0], raisedOf(union(all)))
  call.reply.ok()
}
