/** Commands of lists that do not wait. */
import { indexOf, positiveOf, wholeOf } from '../../call/arguments.ts'
import { FIRST_KEY, TWO_KEYS, countedKeys, type Call, type Command } from '../../call/command.ts'
import { viewAs, write, writeEach, type KeyView } from '../../call/key-facts.ts'
import { noSuchKey, ReplyError, syntaxError } from '../../call/reply-error.ts'
import { clamped, parseWhole } from '../../protocol/numbers.ts'
import { POSITIVE_NUMKEYS, numkeysOf, popCountOf } from './counted.ts'

const READ = { group: 'list', keys: FIRST_KEY, flags: ['readonly'] } as const
const WRITE = { group: 'list', keys: FIRST_KEY, flags: ['write', 'denyoom'] } as const
const PUSH = { group: 'list', keys: FIRST_KEY, flags: ['write', 'denyoom', 'fast'], arity: -3 } as const
const POP = { group: 'list', keys: FIRST_KEY, flags: ['write', 'fast'], arity: -2, since: '1.0.0' } as const

export type End = 'left' | 'right'

export const LIST_COMMANDS: readonly Command[] = [
  { ...PUSH, name: 'LPUSH', since: '1.0.0', summary: 'Pushes to the left end.', run: pushing('left', false) },
  { ...PUSH, name: 'RPUSH', since: '1.0.0', summary: 'Pushes to the right end.', run: pushing('right', false) },
  { ...PUSH, name: 'LPUSHX', since: '2.2.0', summary: 'Pushes to a list that is there.', run: pushing('left', true) },
  { ...PUSH, name: 'RPUSHX', since: '2.2.0', summary: 'Pushes to a list that is there.', run: pushing('right', true) },
  {
    ...POP,
    name: 'LPOP',
    summary: 'Takes from the left end; several replicas may take the same.',
    run: popping('left'),
  },
  {
    ...POP,
    name: 'RPOP',
    summary: 'Takes from the right end; several replicas may take the same.',
    run: popping('right'),
  },
  {
    group: 'list',
    flags: ['write'],
    findKeys: countedKeys(1),
    name: 'LMPOP',
    arity: -4,
    since: '7.0.0',
    summary: 'Takes from the first list that has something.',
    run: lmpop,
  },
  { ...WRITE, keys: TWO_KEYS, name: 'LMOVE', arity: 5, since: '6.2.0', summary: 'Moves an element.', run: lmove },
  {
    ...WRITE,
    keys: TWO_KEYS,
    name: 'RPOPLPUSH',
    arity: 3,
    since: '1.2.0',
    summary: 'Moves the last element to the left of a list.',
    run: (call, [, source, target]) => replyMoved(call, { source, target, from: 'right', to: 'left' }),
  },
  { ...WRITE, name: 'LINSERT', arity: 5, since: '2.2.0', summary: 'Inserts beside an element.', run: linsert },
  { ...WRITE, name: 'LSET', arity: 4, since: '1.0.0', summary: 'Sets an element.', run: lset },
  {
    ...WRITE,
    flags: ['write'],
    name: 'LREM',
    arity: 4,
    since: '1.0.0',
    summary: 'Takes equal elements out.',
    run: lrem,
  },
  { ...WRITE, flags: ['write'], name: 'LTRIM', arity: 4, since: '1.0.0', summary: 'Keeps a range.', run: ltrim },
  { ...READ, flags: ['readonly', 'fast'], name: 'LLEN', arity: 2, since: '1.0.0', summary: 'The length.', run: llen },
  { ...READ, name: 'LINDEX', arity: 3, since: '1.0.0', summary: 'The element at an index.', run: lindex },
  { ...READ, name: 'LRANGE', arity: 4, since: '1.0.0', summary: 'The elements of a range.', run: lrange },
  { ...READ, name: 'LPOS', arity: -3, since: '6.0.6', summary: 'Where an element is.', run: lpos },
]

export function listOf(call: Call, key: string | undefined): KeyView {
  return viewAs(call, key as string, 'list')
}

export function endOf(text: string | undefined): End {
  const word = text?.toUpperCase()
  if (word === 'LEFT') return 'left'
  if (word === 'RIGHT') return 'right'
  throw syntaxError()
}

function pushing(to: End, isThere: boolean): Command['run'] {
  return (call, [, key, ...values]) => {
    const { size } = listOf(call, key)
    if (isThere && size === 0) {
      call.reply.integer(0)
      return
    }
    write(call, key as string, 'push', { to, values })
    call.reply.integer(size + values.length)
  }
}

/** Takes elements from an end: the first one is that at the end. */
export function pop(call: Call, key: string, from: End, count: number): string[] {
  const list = listOf(call, key)
  const taken = Math.min(count, list.size)
  if (taken === 0) return []
  const elements = from === 'left' ? list.elementsFrom(0) : list.elementsBackFrom(list.size - 1)
  const values = first(elements, taken)
  write(call, key, 'take', [from === 'left' ? 0 : list.size - taken, taken])
  return values
}

function first(elements: Iterable<string>, count: number): string[] {
  const values: string[] = []
  if (count <= 0) return values
  for (const value of elements) {
    values.push(value)
    if (values.length === count) break
  }
  return values
}

function popping(from: End): Command['run'] {
  return (call, args) => {
    const [, key, count] = args
    if (args.length > 3)
      throw new ReplyError(`ERR wrong number of arguments for '${from === 'left' ? 'lpop' : 'rpop'}' command`)
    const many = count === undefined ? 1 : positiveOf(count)
    const isThere = listOf(call, key).size > 0
    const values = pop(call, key as string, from, many)
    if (count === undefined) call.reply.bulkOrNull(values[0])
    else if (isThere) call.reply.bulks(values)
    else call.reply.nullArray()
  }
}

/** What stands behind the keys of LMPOP: which end, and how many. */
export function popOptionsOf(args: readonly string[], from: number): { readonly end: End; readonly count: number } {
  const end = endOf(args[from])
  return { end, count: popCountOf(args, from + 1) }
}

function lmpop(call: Call, args: readonly string[]): void {
  const keys = numkeysOf(args, 1, POSITIVE_NUMKEYS)
  const { end, count } = popOptionsOf(args, 2 + keys.length)
  if (!replyPopped(call, keys, end, count)) call.reply.nullArray()
}

/** Replies what the first list that has something gives, and says whether there is one. */
export function replyPopped(call: Call, keys: readonly string[], end: End, count: number): boolean {
  const key = keys.find((one) => listOf(call, one).size > 0)
  if (key === undefined) return false
  const values = pop(call, key, end, count)
  call.reply.array(2)
  call.reply.bulk(key)
  call.reply.bulks(values)
  return true
}

export interface Move {
  readonly source: string | undefined
  readonly target: string | undefined
  readonly from: End
  readonly to: End
}

function lmove(call: Call, [, source, target, from, to]: readonly string[]): void {
  replyMoved(call, { source, target, from: endOf(from), to: endOf(to) })
}

function replyMoved(call: Call, order: Move): void {
  if (!move(call, order)) call.reply.null()
}

/** Moves an element and replies it; `false` if there is none. */
export function move(call: Call, { source, target, from, to }: Move): boolean {
  if (listOf(call, source).size === 0) return false
  listOf(call, target)
  if (source === target) {
    const [value] = pop(call, source as string, from, 1)
    write(call, target as string, 'push', { to, values: [value] })
    call.reply.bulkOrNull(value)
    return true
  }
  const [value] = peek(call, source as string, from)
  call.keys.together(() => {
    // In this order: if the second one is refused the element is there twice, and not gone.
    write(call, target as string, 'push', { to, values: [value] })
    pop(call, source as string, from, 1)
  })
  call.reply.bulkOrNull(value)
  return true
}

function peek(call: Call, key: string, from: End): string[] {
  const list = listOf(call, key)
  return first(from === 'left' ? list.elementsFrom(0) : list.elementsBackFrom(list.size - 1), 1)
}

function linsert(call: Call, [, key, where, pivot, value]: readonly string[]): void {
  const word = where?.toUpperCase()
  if (word !== 'BEFORE' && word !== 'AFTER') throw syntaxError()
  const list = listOf(call, key)
  const index = [...list.elementsFrom(0)].indexOf(pivot as string)
  if (index < 0) {
    call.reply.integer(list.size === 0 ? 0 : -1)
    return
  }
  const { size } = list
  write(call, key as string, 'insertBeside', { index, on: word === 'BEFORE' ? 'left' : 'right', value })
  call.reply.integer(size + 1)
}

function lset(call: Call, [, key, at, value]: readonly string[]): void {
  const list = listOf(call, key)
  if (list.size === 0) throw noSuchKey()
  const index = fromStart(indexOf(at as string), list.size)
  if (index < 0 || index >= list.size) throw new ReplyError('ERR index out of range')
  write(call, key as string, 'setElement', index, value)
  call.reply.ok()
}

function fromStart(index: number, size: number): number {
  return index < 0 ? size + index : index
}

function lrem(call: Call, [, key, text, value]: readonly string[]): void {
  const count = indexOf(text as string)
  const list = listOf(call, key)
  const values = [...list.elementsFrom(0)]
  let found = values.flatMap((one, index) => (one === value ? [index] : []))
  if (count > 0) found = found.slice(0, count)
  if (count < 0) found = found.slice(count)
  writeEach(
    call,
    key as string,
    'take',
    found.map((index) => [index, 1] as const),
  )
  call.reply.integer(found.length)
}

/** The part of `start stop` that is there; empty if `from` is not below `to`. */
export function rangeOf(start: string | undefined, stop: string | undefined, size: number): readonly [number, number] {
  const [first, last] = [clamped(wholeOf(start as string)), clamped(wholeOf(stop as string))]
  const from = Math.max(0, fromStart(first, size))
  return [from, Math.min(size, fromStart(last, size) + 1)]
}

function ltrim(call: Call, [, key, start, stop]: readonly string[]): void {
  const { size } = listOf(call, key)
  const [from, to] = rangeOf(start, stop, size)
  if (from >= to) write(call, key as string, 'take', [0, size])
  else if (from > 0 || to < size) write(call, key as string, 'take', [0, from], [to, size - to])
  call.reply.ok()
}

function llen(call: Call, [, key]: readonly string[]): void {
  call.reply.integer(listOf(call, key).size)
}

function lindex(call: Call, [, key, at]: readonly string[]): void {
  const index = indexOf(at as string)
  const list = listOf(call, key)
  call.reply.bulkOrNull(list.element(fromStart(index, list.size)))
}

function lrange(call: Call, [, key, start, stop]: readonly string[]): void {
  rangeOf(start, stop, 0) // refuses what is no index before it looks at the key
  const list = listOf(call, key)
  const [from, to] = rangeOf(start, stop, list.size)
  call.reply.bulks(first(list.elementsFrom(from), to - from))
}

interface Search {
  readonly rank: number
  readonly count: number | undefined
  readonly comparisonsMax: number
}

function searchOf(args: readonly string[]): Search {
  let [rank, comparisonsMax] = [1, 0]
  let count: number | undefined
  for (let at = 3; at < args.length; at += 2) {
    const [option, text] = [args[at]?.toUpperCase(), args[at + 1]]
    if (text === undefined) throw syntaxError()
    if (option === 'RANK') rank = rankOf(text)
    else if (option === 'COUNT') count = notNegative(text, 'COUNT')
    else if (option === 'MAXLEN') comparisonsMax = notNegative(text, 'MAXLEN')
    else throw syntaxError()
  }
  return { rank, count, comparisonsMax }
}

function rankOf(text: string): number {
  const rank = wholeOf(text)
  if (rank === 0)
    throw new ReplyError(
      "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
    )
  if (BigInt(rank) === -(2n ** 63n)) throw new ReplyError('ERR value is out of range')
  return clamped(rank)
}

function notNegative(text: string, option: string): number {
  const value = parseWhole(text)
  if (value === undefined || value < 0) throw new ReplyError(`ERR ${option} can't be negative`)
  return clamped(value)
}

function lpos(call: Call, args: readonly string[]): void {
  const { reply } = call
  const search = searchOf(args)
  const found = placesOf(listOf(call, args[1]), args[2] as string, search)
  if (search.count !== undefined) {
    reply.array(found.length)
    for (const index of found) reply.integer(index)
  } else if (found[0] === undefined) reply.null()
  else reply.integer(found[0])
}

function placesOf(list: KeyView, wanted: string, { rank, count = 1, comparisonsMax }: Search): number[] {
  const isBack = rank < 0
  const elements = isBack ? list.elementsBackFrom(list.size - 1) : list.elementsFrom(0)
  const [foundMax, comparedMax] = [count || Infinity, comparisonsMax || Infinity]
  const found: number[] = []
  let [compared, skipped] = [0, Math.abs(rank) - 1]
  for (const value of elements) {
    if (found.length >= foundMax || compared >= comparedMax) break
    const index = isBack ? list.size - 1 - compared : compared
    compared++
    if (value === wanted && --skipped < 0) found.push(index)
  }
  return found
}
