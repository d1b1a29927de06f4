/**
 * Replies on their way into a script and out of it: the text of the protocol becomes values of Lua, and
 * what a script returns becomes a reply. The rules are those of Redis (EVAL, "Data type conversion").
 */
import { shownDouble } from '../protocol/numbers.ts'
import type { ReplyWriter } from '../protocol/reply-writer.ts'
import { LUA_TYPE } from './lua-binding.ts'
import type { LuaStack } from './lua-stack.ts'

/** Tables in tables that are shown; also what the stack of Lua has room for. */
const NESTED_MAX = 100

/** Pushes one value: what a whole reply of either protocol says. */
export function pushReply(stack: LuaStack, state: number, reply: string): void {
  new ReplyReader(stack, state, reply).push(0)
}

class ReplyReader {
  readonly #stack: LuaStack
  readonly #state: number
  readonly #text: string
  #at = 0

  constructor(stack: LuaStack, state: number, text: string) {
    this.#stack = stack
    this.#state = state
    this.#text = text
  }

  push(depth: number): void {
    const kind = this.#text[this.#at++]!
    const line = this.#line()
    const { module } = this.#stack
    if (line === '-1' && (kind === '$' || kind === '*')) this.#pushBoolean(false)
    else if (kind === ':') module._lua_pushnumber(this.#state, Number(line))
    else if (kind === '$') this.#stack.push(this.#state, this.#bytes(Number(line)))
    else if (kind === '*') this.#pushArray(Number(line), depth)
    else if (kind === '_') module._lua_pushnil(this.#state)
    else if (kind === '#') this.#pushBoolean(line === 't')
    else this.#pushNamed(kind, line, depth)
  }

  /** Kinds that become a table with one field, which says which kind it is. */
  #pushNamed(kind: string, line: string, depth: number): void {
    const values: Readonly<Record<string, readonly [name: string, push: () => void]>> = {
      '+': ['ok', () => this.#stack.push(this.#state, line)],
      '-': ['err', () => this.#stack.push(this.#state, line)],
      ',': ['double', () => this.#stack.module._lua_pushnumber(this.#state, doubleOf(line))],
      '(': ['big_number', () => this.#stack.push(this.#state, line)],
      '=': ['verbatim_string', () => this.#pushVerbatim(this.#bytes(Number(line)))],
      '%': ['map', () => this.#pushMap(Number(line), depth)],
      '~': ['set', () => this.#pushSet(Number(line), depth)],
    }
    const [name, pushValue] = values[kind] ?? [
      'err',
      () => this.#stack.push(this.#state, `ERR a reply of kind ${kind}`),
    ]
    this.#stack.module._lua_createtable(this.#state, 0, 1)
    this.#stack.setField(this.#state, name, pushValue)
  }

  #pushBoolean(value: boolean): void {
    this.#stack.module._lua_pushboolean(this.#state, value ? 1 : 0)
  }

  #pushArray(count: number, depth: number): void {
    const { module } = this.#stack
    this.#enter(depth)
    module._lua_createtable(this.#state, count, 0)
    for (let i = 1; i <= count; i++) {
      this.push(depth + 1)
      module._lua_rawseti(this.#state, -2, i)
    }
  }

  #pushMap(count: number, depth: number): void {
    const { module } = this.#stack
    this.#enter(depth)
    module._lua_createtable(this.#state, 0, count)
    for (let i = 0; i < count; i++) {
      this.push(depth + 1)
      this.push(depth + 1)
      module._lua_rawset(this.#state, -3)
    }
  }

  #pushSet(count: number, depth: number): void {
    const { module } = this.#stack
    this.#enter(depth)
    module._lua_createtable(this.#state, 0, count)
    for (let i = 0; i < count; i++) {
      this.push(depth + 1)
      this.#pushBoolean(true)
      module._lua_rawset(this.#state, -3)
    }
  }

  #pushVerbatim(text: string): void {
    this.#stack.module._lua_createtable(this.#state, 0, 2)
    this.#stack.setField(this.#state, 'format', () => this.#stack.push(this.#state, text.slice(0, 3)))
    this.#stack.setField(this.#state, 'string', () => this.#stack.push(this.#state, text.slice(4)))
  }

  #enter(depth: number): void {
    if (depth >= NESTED_MAX) throw new Error('a command has replied with too many arrays in arrays')
    this.#stack.module._luaL_checkstack(this.#state, 8, 0)
  }

  #line(): string {
    const end = this.#text.indexOf('\r\n', this.#at)
    const line = this.#text.slice(this.#at, end)
    this.#at = end + 2
    return line
  }

  #bytes(count: number): string {
    const bytes = this.#text.slice(this.#at, this.#at + count)
    this.#at += count + 2
    return bytes
  }
}

function doubleOf(text: string): number {
  if (text === 'inf') return Infinity
  return text === '-inf' ? -Infinity : Number(text)
}

/** Writes what the value on top of the stack says. */
export function writeReply(stack: LuaStack, state: number, reply: ReplyWriter, depth = 0): void {
  const { module } = stack
  switch (module._lua_type(state, -1)) {
    case LUA_TYPE.string:
      reply.bulk(stack.text(state, -1) ?? '')
      return
    case LUA_TYPE.number:
      reply.integer(wholeOf(module._lua_tonumber(state, -1)))
      return
    case LUA_TYPE.boolean:
      writeBoolean(reply, module._lua_toboolean(state, -1) !== 0)
      return
    case LUA_TYPE.table:
      writeTable(stack, state, reply, depth)
      return
    default:
      reply.null()
  }
}

function writeBoolean(reply: ReplyWriter, value: boolean): void {
  if (value) reply.integer(1)
  else reply.null()
}

function writeTable(stack: LuaStack, state: number, reply: ReplyWriter, depth: number): void {
  const { module } = stack
  if (depth >= NESTED_MAX) {
    reply.error('ERR reached lua stack limit')
    return
  }
  module._luaL_checkstack(state, 8, 0)
  const error = stack.textField(state, -1, 'err')
  if (error !== undefined) {
    reply.error(error)
    return
  }
  const ok = stack.textField(state, -1, 'ok')
  if (ok !== undefined) {
    reply.simple(ok.replace(/[\r\n]/g, ' '))
    return
  }
  for (const [name, write] of TAGGED) if (wrote(stack, state, name, () => write(stack, state, reply, depth))) return
  writeArray(stack, state, reply, depth)
}

type TaggedWriter = (stack: LuaStack, state: number, reply: ReplyWriter, depth: number) => boolean

/** Tables that name what they hold; each says whether it does. The value is on top. */
const TAGGED: readonly (readonly [name: string, write: TaggedWriter])[] = [
  [
    'double',
    ({ module }, state, reply) => {
      if (module._lua_type(state, -1) !== LUA_TYPE.number) return false
      const value = module._lua_tonumber(state, -1)
      if (Number.isNaN(value)) reply.bulk(shownDouble(value))
      else reply.double(value)
      return true
    },
  ],
  [
    'map',
    (stack, state, reply, depth) =>
      writeEntries(
        stack,
        state,
        (count) => reply.map(count),
        () => {
          stack.module._lua_pushvalue(state, -2)
          writeReply(stack, state, reply, depth + 1)
          stack.module._lua_settop(state, -2)
          writeReply(stack, state, reply, depth + 1)
        },
      ),
  ],
  [
    'set',
    (stack, state, reply, depth) =>
      writeEntries(
        stack,
        state,
        (count) => reply.set(count),
        () => {
          stack.module._lua_pushvalue(state, -2)
          writeReply(stack, state, reply, depth + 1)
          stack.module._lua_settop(state, -2)
        },
      ),
  ],
]

/** Whether the table on top has a field of that name that `write` can say. */
function wrote(stack: LuaStack, state: number, name: string, write: () => boolean): boolean {
  stack.push(state, name)
  stack.module._lua_rawget(state, -2)
  const isWritten = write()
  stack.module._lua_settop(state, -2)
  return isWritten
}

/** The entries of the table on top; each time the key lies below the value. */
function writeEntries({ module }: LuaStack, state: number, head: (count: number) => void, entry: () => void): boolean {
  if (module._lua_type(state, -1) !== LUA_TYPE.table) return false
  let count = 0
  eachEntry(module, state, () => count++)
  head(count)
  eachEntry(module, state, entry)
  return true
}

/** Calls `entry` with each key and value of the table on top, the value above. */
function eachEntry(module: LuaStack['module'], state: number, entry: () => void): void {
  module._lua_pushnil(state)
  while (module._lua_next(state, -2) !== 0) {
    entry()
    module._lua_settop(state, -2)
  }
}

/** Up to the first nil. */
function writeArray(stack: LuaStack, state: number, reply: ReplyWriter, depth: number): void {
  const { module } = stack
  const begun = reply.length
  let count = 0
  for (;;) {
    module._lua_rawgeti(state, -1, count + 1)
    if (module._lua_type(state, -1) === LUA_TYPE.nil) break
    writeReply(stack, state, reply, depth + 1)
    module._lua_settop(state, -2)
    count++
  }
  module._lua_settop(state, -2)
  const elements = reply.takeFrom(begun)
  reply.array(count)
  reply.raw(elements)
}

/** As C makes a whole number of a double. */
function wholeOf(value: number): number | bigint {
  if (Number.isNaN(value)) return 0
  const whole = Math.trunc(value)
  if (Number.isSafeInteger(whole)) return whole === 0 ? 0 : whole
  if (whole >= 2 ** 63 || whole < -(2 ** 63)) return -(2n ** 63n)
  return BigInt(whole)
}
