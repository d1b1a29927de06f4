/** The functions of the host that the prelude is given, and how they get into a state. */
import { createHash } from 'node:crypto'
import { LUA_TYPE } from './lua-binding.ts'
import type { LuaStack } from './lua-stack.ts'

/** A function as Lua calls it: its arguments are on the stack of the state, and so are its results. Returns how many. */
export type LuaFunction = (state: number) => number

/** What the functions are about. */
export interface HostPorts {
  /** Runs the command on the stack, and leaves its reply on top. */
  readonly ask: LuaFunction
  readonly log: (level: number, text: string) => void
  readonly setProtocol: (protocol: 2 | 3) => void
}

export interface HostFunctions {
  readonly plain: Readonly<Record<string, LuaFunction>>
  readonly bit: Readonly<Record<string, LuaFunction>>
}

export function hostFunctions(stack: LuaStack, { ask, log, setProtocol }: HostPorts): HostFunctions {
  const { module } = stack
  const textOf = (state: number, place: number): string => stack.text(state, place) ?? ''
  const toText =
    (run: (state: number) => string): LuaFunction =>
    (state) => {
      stack.push(state, run(state))
      return 1
    }
  const toNumber =
    (run: (state: number) => number): LuaFunction =>
    (state) => {
      module._lua_pushnumber(state, run(state))
      return 1
    }
  const bitsOf = (state: number): number[] =>
    Array.from({ length: module._lua_gettop(state) }, (_, i) => toBits(module._lua_tonumber(state, i + 1)))
  const bit = Object.fromEntries(
    Object.entries(BITS).map(([name, run]) => [name, toNumber((state) => run(bitsOf(state)))]),
  )
  return {
    bit: { ...bit, tohex: toText((state) => hexOf(bitsOf(state))) },
    plain: {
      pcall: ask,
      call(state) {
        ask(state)
        // Raised by the host and not by the prelude: then the line is that of the script, tail call or not.
        return isFault(stack, state) ? module._lua_error(state) : 1
      },
      log(state) {
        log(module._lua_tonumber(state, 1), textOf(state, 2))
        return 0
      },
      setresp(state) {
        setProtocol(module._lua_tonumber(state, 1) === 3 ? 3 : 2)
        return 0
      },
      sha1: toText((state) => sha1(textOf(state, 1))),
      // In 4 bytes where they say the same.
      fromDouble: toText((state) => {
        const value = module._lua_tonumber(state, 1)
        const isFloat = Math.fround(value) === value
        const bytes = Buffer.alloc(isFloat ? 4 : 8)
        if (isFloat) bytes.writeFloatBE(value)
        else bytes.writeDoubleBE(value)
        return bytes.toString('latin1')
      }),
      fromWhole: toText((state) => {
        const bytes = Buffer.alloc(8)
        bytes.writeBigInt64BE(BigInt(module._lua_tonumber(state, 1)))
        return bytes.toString('latin1')
      }),
      toDouble: toNumber((state) => {
        const bytes = Buffer.from(textOf(state, 1), 'latin1')
        return bytes.length === 4 ? bytes.readFloatBE() : bytes.readDoubleBE()
      }),
      toWhole: toNumber((state) => Number(Buffer.from(textOf(state, 1), 'latin1').readBigInt64BE())),
    },
  }
}

/** Pushes a table of them, and returns the addresses that they have in the module. */
export function pushHost(
  stack: LuaStack,
  state: number,
  { version, functions: { plain, bit } }: { readonly version: string; readonly functions: HostFunctions },
): number[] {
  const { module } = stack
  const addresses: number[] = []
  const setAll = (functions: Readonly<Record<string, LuaFunction>>): void => {
    for (const [name, run] of Object.entries(functions)) {
      const address = module.addFunction(run, 'ii')
      addresses.push(address)
      stack.setField(state, name, () => module._lua_pushcclosure(state, address, 0))
    }
  }
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  module._lua_createtable(state, 0, 16)
  stack.setField(state, 'version', () => stack.push(state, version))
  stack.setField(state, 'versionNumber', () => module._lua_pushnumber(state, major * 65_536 + minor * 256 + patch))
  stack.setField(state, 'null', () => module._lua_pushlightuserdata(state, 0))
  setAll(plain)
  stack.setField(state, 'bit', () => {
    module._lua_createtable(state, 0, 12)
    setAll(bit)
  })
  return addresses
}

/** Of a binary string, in hexadecimal digits. */
export function sha1(binary: string): string {
  return createHash('sha1').update(binary, 'latin1').digest('hex')
}

/** Whether a reply, which is on top, is an error. */
function isFault(stack: LuaStack, state: number): boolean {
  return stack.module._lua_type(state, -1) === LUA_TYPE.table && stack.textField(state, -1, 'err') !== undefined
}

/** As LuaBitOp: modulo 2^32, with a sign. */
function toBits(value: number): number {
  return Number(BigInt.asIntN(32, BigInt(Math.round(Number.isFinite(value) ? value : 0))))
}

const BITS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  tobit: ([value = 0]) => value,
  bnot: ([value = 0]) => ~value,
  bswap: ([value = 0]) => Buffer.from(Int32Array.of(value).buffer).readInt32BE(),
  band: (values) => values.reduce((all, value) => all & value),
  bor: (values) => values.reduce((all, value) => all | value),
  bxor: (values) => values.reduce((all, value) => all ^ value),
  lshift: ([value = 0, by = 0]) => value << (by & 31),
  rshift: ([value = 0, by = 0]) => (value >>> (by & 31)) | 0,
  arshift: ([value = 0, by = 0]) => value >> (by & 31),
  rol: ([value = 0, by = 0]) => (value << (by & 31)) | (value >>> (-by & 31)),
  ror: ([value = 0, by = 0]) => (value >>> (by & 31)) | (value << (-by & 31)),
}

function hexOf([value = 0, digits = 8]: readonly number[]): string {
  const text = (value >>> 0)
    .toString(16)
    .padStart(8, '0')
    .slice(-Math.min(8, Math.abs(digits)) || 8)
  return digits < 0 ? text.toUpperCase() : text
}
