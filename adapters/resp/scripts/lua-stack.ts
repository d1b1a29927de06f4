/** Bytes, tables and functions of one Lua state, from the host. Strings are binary: a character a byte. */
import { LUA_TYPE, type LuaModule } from './lua-binding.ts'

const SCRATCH_BYTES_MIN = 4096
/** A larger one is given back once it has been used. */
const SCRATCH_BYTES_KEPT = 1024 * 1024
const POINTER_BYTES = 4

export class LuaStack {
  readonly module: LuaModule
  readonly #lengthAt: number
  #scratchAt: number
  #scratchBytes = SCRATCH_BYTES_MIN
  #memory: Buffer

  constructor(module: LuaModule) {
    this.module = module
    this.#lengthAt = module._malloc(POINTER_BYTES)
    this.#scratchAt = module._malloc(SCRATCH_BYTES_MIN)
    this.#memory = Buffer.from(module.HEAPU8.buffer)
  }

  /** Calls `use` with an address at which the bytes of the text lie until it returns. */
  withBytes<Result>(text: string, use: (address: number, bytes: number) => Result): Result {
    const { module } = this
    if (text.length > this.#scratchBytes) {
      module._free(this.#scratchAt)
      this.#scratchBytes = text.length
      this.#scratchAt = module._malloc(text.length)
    }
    this.#bytes().write(text, this.#scratchAt, 'latin1')
    try {
      return use(this.#scratchAt, text.length)
    } finally {
      if (this.#scratchBytes > SCRATCH_BYTES_KEPT) {
        module._free(this.#scratchAt)
        this.#scratchBytes = SCRATCH_BYTES_MIN
        this.#scratchAt = module._malloc(SCRATCH_BYTES_MIN)
      }
    }
  }

  push(state: number, text: string): void {
    this.withBytes(text, (address, bytes) => this.module._lua_pushlstring(state, address, bytes))
  }

  /** The table on top gets a field; its value is what `pushValue` pushes. */
  setField(state: number, name: string, pushValue: () => void): void {
    this.push(state, name)
    pushValue()
    this.module._lua_rawset(state, -3)
  }

  pushTexts(state: number, texts: readonly string[]): void {
    const { module } = this
    module._lua_createtable(state, texts.length, 0)
    for (let i = 0; i < texts.length; i++) {
      this.push(state, texts[i]!)
      module._lua_rawseti(state, -2, i + 1)
    }
  }

  /** A string, or a number as Lua shows it, which becomes a string in its place; `undefined` of anything else. */
  text(state: number, place: number): string | undefined {
    const address = this.module._lua_tolstring(state, place, this.#lengthAt)
    if (address === 0) return undefined
    const memory = this.#bytes()
    return memory.toString('latin1', address, address + memory.readUInt32LE(this.#lengthAt))
  }

  /** A field of the table at a place, if it is a text. */
  textField(state: number, place: number, name: string): string | undefined {
    const { module } = this
    this.push(state, name)
    module._lua_rawget(state, place < 0 ? place - 1 : place)
    const text = module._lua_type(state, -1) === LUA_TYPE.string ? this.text(state, -1) : undefined
    module._lua_settop(state, -2)
    return text
  }

  /** The memory moves when it grows. */
  #bytes(): Buffer {
    const { buffer } = this.module.HEAPU8
    if (this.#memory.buffer !== buffer) this.#memory = Buffer.from(buffer)
    return this.#memory
  }
}
