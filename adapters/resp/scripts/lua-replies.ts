/**
 * Replies on their way into a script and out of it: the text of the protocol becomes values of Lua, and
 * what a script returns becomes a reply. The rules are those of Redis (EVAL, "Data type conversion").
 */
import type { ReplyWriter } from '../protocol/reply-writer.ts'
import { LUA_TYPE, type LuaModule } from './lua-binding.ts'
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

/**
 * Writes what the value on top of the stack says. `hasBooleans`: true and false are replies; otherwise 1 and
 * null.
 */
export function writeReply(stack: LuaStack, state: number, reply: ReplyWriter, hasBooleans: boolean): void {
  new ReplyMaker(stack, state, reply, hasBooleans).write(0)
}

class ReplyMaker {
  readonly #stack: LuaStack
  readonly #module: LuaModule
  readonly #state: number
  readonly #reply: ReplyWriter
  readonly #hasBooleans: boolean

  constructor(stack: LuaStack, state: number, reply: ReplyWriter, hasBooleans: boolean) {
    this.#stack = stack
    this.#module = stack.module
    this.#state = state
    this.#reply = reply
    this.#hasBooleans = hasBooleans
  }

  /** The value on top. */
  write(depth: number): void {
    switch (this.#type()) {
      case LUA_TYPE.string:
        this.#reply.bulk(this.#stack.text(this.#state, -1) ?? '')
        return
      case LUA_TYPE.number:
        this.#reply.integer(wholeOf(this.#module._lua_tonumber(this.#state, -1)))
        return
      case LUA_TYPE.boolean:
        this.#boolean(this.#module._lua_toboolean(this.#state, -1) !== 0)
        return
      case LUA_TYPE.table:
        this.#table(depth)
        return
      default:
        this.#reply.null()
    }
  }

  #type(): number {
    return this.#module._lua_type(this.#state, -1)
  }

  #pop(): void {
    this.#module._lua_settop(this.#state, -2)
  }

  #boolean(value: boolean): void {
    if (this.#hasBooleans) this.#reply.raw(value ? '#t\r\n' : '#f\r\n')
    else if (value) this.#reply.integer(1)
    else this.#reply.null()
  }

  #table(depth: number): void {
    if (depth >= NESTED_MAX) {
      this.#reply.error('ERR reached lua stack limit')
      return
    }
    this.#module._luaL_checkstack(this.#state, 8, 0)
    const error = this.#stack.textField(this.#state, -1, 'err')
    const ok = this.#stack.textField(this.#state, -1, 'ok')
    if (error !== undefined) this.#reply.error(error)
    else if (ok !== undefined) this.#reply.simple(ok.replace(/[\r\n]/g, ' '))
    else if (!this.#double() && !this.#map(depth) && !this.#set(depth)) this.#array(depth)
  }

  /** Whether the table on top has a field of that name that `write` can say. */
  #has(name: string, write: () => boolean): boolean {
    this.#stack.push(this.#state, name)
    this.#module._lua_rawget(this.#state, -2)
    const isWritten = write()
    this.#pop()
    return isWritten
  }

  #double(): boolean {
    return this.#has('double', () => {
      if (this.#type() !== LUA_TYPE.number) return false
      this.#reply.double(this.#module._lua_tonumber(this.#state, -1))
      return true
    })
  }

  #map(depth: number): boolean {
    return this.#has('map', () => {
      if (this.#type() !== LUA_TYPE.table) return false
      this.#reply.map(this.#eachEntry(() => undefined))
      this.#eachEntry(() => {
        this.#key(depth)
        this.write(depth + 1)
      })
      return true
    })
  }

  #set(depth: number): boolean {
    return this.#has('set', () => {
      if (this.#type() !== LUA_TYPE.table) return false
      this.#reply.set(this.#eachEntry(() => undefined))
      this.#eachEntry(() => {
        this.#key(depth)
      })
      return true
    })
  }

  /** Calls `entry` with each key and value of the table on top, the value above. Returns how many there are. */
  #eachEntry(entry: () => void): number {
    let count = 0
    this.#module._lua_pushnil(this.#state)
    while (this.#module._lua_next(this.#state, -2) !== 0) {
      entry()
      this.#pop()
      count++
    }
    return count
  }

  /** What lies below the top; a copy, because looking at a number as text would change it in its place. */
  #key(depth: number): void {
    this.#module._lua_pushvalue(this.#state, -2)
    this.write(depth + 1)
    this.#pop()
  }

  /** Up to the first nil. */
  #array(depth: number): void {
    const begun = this.#reply.length
    let count = 0
    for (;;) {
      this.#module._lua_rawgeti(this.#state, -1, count + 1)
      if (this.#type() === LUA_TYPE.nil) break
      this.write(depth + 1)
      this.#pop()
      count++
    }
    this.#pop()
    const elements = this.#reply.takeFrom(begun)
    this.#reply.array(count)
    this.#reply.raw(elements)
  }
}

/** As C makes a whole number of a double. */
function wholeOf(value: number): number | bigint {
  if (Number.isNaN(value)) return 0
  const whole = Math.trunc(value)
  if (Number.isSafeInteger(whole)) return whole === 0 ? 0 : whole
  if (whole >= 2 ** 63 || whole < -(2 ** 63)) return -(2n ** 63n)
  return BigInt(whole)
}
