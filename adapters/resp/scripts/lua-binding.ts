/**
 * The part of the package `wasmoon-lua5.1` (Lua 5.1.5 as WebAssembly) that is used: the C API of Lua. The
 * package's own wrapper is not, because its strings are UTF-8, and those of Redis are bytes.
 *
 * The package is loaded when a server opens, and need not be there: then scripts are refused.
 */
import { WarpError } from '../../../crdt/warp-error.ts'

/** Addresses in the memory of the module, and places on the stack of a state. */
export interface LuaModule {
  readonly HEAPU8: Uint8Array
  readonly HEAPU32: Uint32Array
  /** `signature`: of the result, then of the parameters; `i` a whole number, `v` nothing. */
  addFunction(run: (...parameters: [number, number, number, number]) => unknown, signature: string): number
  removeFunction(address: number): void
  _malloc(bytes: number): number
  _realloc(address: number, bytes: number): number
  _free(address: number): void
  _lua_newstate(allocator: number, data: number): number
  _lua_close(state: number): void
  _luaopen_base(state: number): number
  _luaopen_table(state: number): number
  _luaopen_string(state: number): number
  _luaopen_math(state: number): number
  _luaL_loadbuffer(state: number, code: number, bytes: number, name: number): number
  _luaL_ref(state: number, table: number): number
  _luaL_unref(state: number, table: number, reference: number): void
  _luaL_where(state: number, level: number): void
  _luaL_checkstack(state: number, count: number, message: number): void
  _lua_pcall(state: number, parameters: number, results: number, handler: number): number
  _lua_error(state: number): number
  _lua_sethook(state: number, hook: number, mask: number, count: number): void
  _lua_gettop(state: number): number
  _lua_settop(state: number, place: number): void
  _lua_remove(state: number, place: number): void
  _lua_insert(state: number, place: number): void
  _lua_pushvalue(state: number, place: number): void
  _lua_type(state: number, place: number): number
  _lua_tonumber(state: number, place: number): number
  _lua_toboolean(state: number, place: number): number
  _lua_tolstring(state: number, place: number, lengthAddress: number): number
  _lua_pushnil(state: number): void
  _lua_pushnumber(state: number, value: number): void
  _lua_pushboolean(state: number, value: number): void
  _lua_pushlstring(state: number, address: number, bytes: number): void
  _lua_pushlightuserdata(state: number, address: number): void
  _lua_pushcclosure(state: number, address: number, values: number): void
  _lua_createtable(state: number, elements: number, fields: number): void
  _lua_rawget(state: number, place: number): void
  _lua_rawset(state: number, place: number): void
  _lua_rawgeti(state: number, place: number, index: number): void
  _lua_rawseti(state: number, place: number, index: number): void
  _lua_next(state: number, place: number): number
}

export const LUA_TYPE = { nil: 0, boolean: 1, number: 3, string: 4, table: 5 } as const
export const LUA_REGISTRY = -10_000
export const LUA_GLOBALS = -10_002
export const LUA_ERROR_OF_MEMORY = 4
export const LUA_HOOK = { line: 4, count: 8 } as const

interface Package {
  readonly LuaApi: { initialize(): Promise<{ readonly module: LuaModule }> }
}

const PACKAGE = 'wasmoon-lua5.1'

/** `undefined` if the package is not installed. Throws `WARP_E_CONFIG` if it is, and cannot be loaded. */
export async function loadLuaModule(): Promise<LuaModule | undefined> {
  try {
    // Named by a constant: nobody who bundles a program without scripts needs it.
    const loaded = (await import(PACKAGE)) as Package & { readonly default?: Package }
    const { LuaApi } = loaded.default ?? loaded
    const { module } = await LuaApi.initialize()
    return module
  } catch (error) {
    const { code } = error as { readonly code?: unknown }
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return undefined
    throw new WarpError(
      'WARP_E_CONFIG',
      `the package ${PACKAGE}, which runs scripts, cannot be loaded; install it again`,
      {
        cause: error,
      },
    )
  }
}
