/**
 * One state of Lua 5.1 in which all scripts of a server run, one after the other, each to its end: with
 * bounded steps and memory, without a way out of it, and without a trace of the one before.
 *
 * The steps are counted by a hook. A script that has used them up cannot catch that: from then on every
 * line of it fails. When the memory is used up the state is thrown away, and another one is made.
 *
 * Known: a pattern that backtracks (`('a?'):rep(30)`) is one step, however long it takes. Redis has the
 * same weakness.
 */
import { ReplyError } from '../call/reply-error.ts'
import { shownDouble } from '../protocol/numbers.ts'
import type { ReplyWriter } from '../protocol/reply-writer.ts'
import { LUA_ERROR_OF_MEMORY, LUA_GLOBALS, LUA_HOOK, LUA_REGISTRY, LUA_TYPE, type LuaModule } from './lua-binding.ts'
import { pushReply, writeReply } from './lua-replies.ts'
import { hostFunctions, pushHost } from './lua-host.ts'
import { LuaStack } from './lua-stack.ts'
import { PRELUDE } from './prelude/index.ts'

/** What a script works with while it runs. */
export interface ScriptHost {
  /** Runs a command and returns its reply, as text of the protocol. Throws nothing. */
  call(args: readonly string[], protocol: 2 | 3): string
  log(level: number, text: string): void
}

/** Binary strings. */
export interface ScriptCall {
  readonly keys: readonly string[]
  readonly args: readonly string[]
}

export interface LuaLimits {
  /** Instructions of the virtual machine, about; 10,000 at least. */
  readonly stepsMax: number
  /** What all scripts together hold, compiled ones too. */
  readonly bytesMax: number
}

/** Scripts, and what their faults call them. */
const CHUNK = '@user_script'
const STEPS_AT_ONCE = 10_000
/** What a command counts: about what its time would be in steps. */
const STEPS_PER_COMMAND = 500
/** The functions between a fault and the script. */
const LEVELS_MAX = 8
const ALL_RESULTS_BUT_ONE = 1
/** The state has room for so much beyond its limit while the host prepares a script. */
const RESERVE_BYTES = 1024 * 1024
/** What a string takes beside its bytes, with its place in a table. */
const BYTES_PER_TEXT = 64

interface Script {
  readonly source: string
  /** In the registry of the state of that number. */
  reference: number
  ofState: number
}

export class LuaMachine {
  readonly #module: LuaModule
  readonly #limits: LuaLimits
  readonly #versionText: string
  readonly #scripts = new Map<string, Script>()
  readonly #stack: LuaStack
  readonly #functions: number[] = []
  readonly #allocatorAt: number
  readonly #hookAt: number
  readonly #faultAt: number
  #state = 0
  #stateNumber = 0
  /** In the registry: what begins each script. */
  #begin = 0
  #usedBytes = 0
  #sourceBytes = 0
  #isRunning = false
  #stepsLeft = 0
  #host: ScriptHost | undefined
  #protocol: 2 | 3 = 2

  /** `version`: of Redis, as scripts are told. */
  constructor(module: LuaModule, limits: LuaLimits, version: string) {
    this.#module = module
    this.#limits = limits
    this.#versionText = version
    this.#stack = new LuaStack(module)
    this.#allocatorAt = module.addFunction(
      (_, address, before, after) => this.#allocate(address, before, after),
      'iiiii',
    )
    this.#hookAt = module.addFunction((state) => this.#onSteps(state), 'vii')
    this.#faultAt = module.addFunction((state) => this.#onFault(state), 'ii')
    this.#open()
  }

  /** How many scripts are known. */
  get scriptsCount(): number {
    return this.#scripts.size
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  has(digest: string): boolean {
    return this.#scripts.has(digest.toLowerCase())
  }

  /** Compiles a script that is known by that SHA-1 from now on. Throws `ReplyError`. */
  load(digest: string, source: string): void {
    const script = { source, reference: 0, ofState: -1 }
    this.#compile(script)
    this.#scripts.set(digest, script)
    this.#sourceBytes += source.length
    this.#forgetOldest()
  }

  /** Forgets all scripts. */
  flush(): void {
    this.#scripts.clear()
    this.#sourceBytes = 0
    this.#reopen()
  }

  /** Runs a script that is known, and writes its reply. Throws `ReplyError`, and then nothing is written. */
  run(digest: string, { keys, args }: ScriptCall, host: ScriptHost, reply: ReplyWriter): void {
    const script = this.#scripts.get(digest.toLowerCase())
    if (script === undefined) throw new ReplyError('NOSCRIPT No matching script. Please use EVAL.')
    if (script.ofState !== this.#stateNumber) this.#compile(script)
    const { length } = reply
    try {
      this.#prepare(keys, args)
      this.#run(script.reference, digest.toLowerCase(), host, reply)
      this.#module._lua_settop(this.#state, 0)
    } catch (error) {
      reply.cut(length)
      if (error instanceof ReplyError) this.#module._lua_settop(this.#state, 0)
      // The state is worth nothing once the host itself has failed in it.
      else this.#reopen()
      throw error
    }
  }

  close(): void {
    if (this.#state !== 0) this.#module._lua_close(this.#state)
    this.#state = 0
    for (const at of [...this.#functions.splice(0), this.#allocatorAt, this.#hookAt, this.#faultAt]) {
      this.#module.removeFunction(at)
    }
  }

  /** Texts of scripts take a quarter of what scripts may hold; who sends one again is told that it is not known. */
  #forgetOldest(): void {
    for (const [digest, { source, reference, ofState }] of this.#scripts) {
      if (this.#sourceBytes <= this.#limits.bytesMax / 4 || this.#scripts.size === 1) return
      this.#scripts.delete(digest)
      this.#sourceBytes -= source.length
      if (ofState === this.#stateNumber) this.#module._luaL_unref(this.#state, LUA_REGISTRY, reference)
    }
  }

  #prepare(keys: readonly string[], args: readonly string[]): void {
    const { module: lua, stack, state } = this.#parts()
    // Whatever the host pushes must find room: nobody could take the failure back.
    const bytes = [...keys, ...args].reduce((sum, { length }) => sum + length + BYTES_PER_TEXT, 0)
    if (bytes > this.#limits.bytesMax - this.#usedBytes)
      throw new ReplyError(`ERR not enough memory for ${bytes} bytes of keys and arguments`)
    lua._lua_settop(state, 0)
    lua._lua_rawgeti(state, LUA_REGISTRY, this.#begin)
    lua._lua_pcall(state, 0, 0, 0)
    for (const [name, texts] of [
      ['KEYS', keys],
      ['ARGV', args],
    ] as const) {
      stack.push(state, name)
      stack.pushTexts(state, texts)
      lua._lua_rawset(state, LUA_GLOBALS)
    }
  }

  #run(reference: number, digest: string, host: ScriptHost, reply: ReplyWriter): void {
    const { module: lua, stack, state } = this.#parts()
    this.#host = host
    this.#protocol = 2
    this.#stepsLeft = this.#limits.stepsMax
    lua._lua_sethook(state, this.#hookAt, LUA_HOOK.count, STEPS_AT_ONCE)
    lua._lua_pushcclosure(state, this.#faultAt, 0)
    lua._lua_rawgeti(state, LUA_REGISTRY, reference)
    this.#isRunning = true
    let outcome: number
    try {
      outcome = lua._lua_pcall(state, 0, ALL_RESULTS_BUT_ONE, 1)
    } finally {
      this.#isRunning = false
      this.#host = undefined
    }
    lua._lua_sethook(state, 0, 0, 0)
    if (outcome === 0) {
      writeReply(stack, state, reply, this.#isForBooleans(reply))
      return
    }
    if (outcome === LUA_ERROR_OF_MEMORY) {
      this.#reopen()
      throw new ReplyError(`ERR not enough memory script: ${digest}, on @user_script.`)
    }
    const text = stack.textField(state, -1, 'err') ?? 'ERR unknown error'
    const place = stack.textField(state, -1, 'place') ?? 'user_script'
    throw new ReplyError(`${text} script: ${digest}, on @${place}.`)
  }

  /** Whether the script has asked for RESP3, and its client as well. */
  #isForBooleans({ protocol }: ReplyWriter): boolean {
    return this.#protocol === 3 && protocol === 3
  }

  #parts(): { module: LuaModule; stack: LuaStack; state: number } {
    return { module: this.#module, stack: this.#stack, state: this.#state }
  }

  #compile(script: Script): void {
    const { module: lua, stack, state } = this.#parts()
    const { source } = script
    if (source.charCodeAt(0) === 0x1b) throw new ReplyError('ERR Error compiling script: binary chunks are refused')
    // Names of chunks end with a zero byte.
    const failed = stack.withBytes(`${source}\0${CHUNK}\0`, (at) =>
      lua._luaL_loadbuffer(state, at, source.length, at + source.length + 1),
    )
    if (failed !== 0) {
      const text = stack.text(state, -1) ?? ''
      lua._lua_settop(state, 0)
      throw new ReplyError(`ERR Error compiling script (new function): ${text}`)
    }
    script.reference = lua._luaL_ref(state, LUA_REGISTRY)
    script.ofState = this.#stateNumber
  }

  #reopen(): void {
    this.#module._lua_close(this.#state)
    for (const at of this.#functions.splice(0)) this.#module.removeFunction(at)
    this.#open()
  }

  #open(): void {
    const { module: lua, stack } = this.#parts()
    this.#usedBytes = 0
    const state = lua._lua_newstate(this.#allocatorAt, 0)
    if (state === 0) throw new ReplyError('ERR there is no memory for scripts')
    this.#state = state
    this.#stateNumber++
    for (const open of [lua._luaopen_base, lua._luaopen_table, lua._luaopen_string, lua._luaopen_math]) open(state)
    lua._lua_settop(state, 0)
    const failed = stack.withBytes(`${PRELUDE}\0@redis\0`, (at) =>
      lua._luaL_loadbuffer(state, at, PRELUDE.length, at + PRELUDE.length + 1),
    )
    if (failed === 0) this.#pushHost(state)
    if (failed !== 0 || lua._lua_pcall(state, 1, 1, 0) !== 0) throw new Error(`prelude: ${stack.text(state, -1)}`)
    this.#begin = lua._luaL_ref(state, LUA_REGISTRY)
  }

  /** What the prelude cannot do itself. */
  #pushHost(state: number): void {
    const functions = hostFunctions(this.#stack, {
      ask: (running) => this.#ask(running),
      log: (level, text) => this.#host?.log(level, text),
      setProtocol: (protocol) => (this.#protocol = protocol),
    })
    this.#functions.push(...pushHost(this.#stack, state, { version: this.#versionText, functions }))
  }

  /** Runs a command; its reply is on the stack. */
  #ask(state: number): number {
    this.#stepsLeft -= STEPS_PER_COMMAND
    if (this.#stepsLeft <= 0) this.#endBySteps(state)
    pushReply(this.#stack, state, this.#replyOf(state))
    return 1
  }

  #replyOf(state: number): string {
    const { module: lua, stack } = this.#parts()
    const count = lua._lua_gettop(state)
    if (count === 0) return '-ERR Please specify at least one argument for this redis.call() call\r\n'
    const args: string[] = []
    for (let place = 1; place <= count; place++) {
      const type = lua._lua_type(state, place)
      if (type === LUA_TYPE.string) args.push(stack.text(state, place)!)
      else if (type === LUA_TYPE.number) args.push(shownDouble(lua._lua_tonumber(state, place)))
      else return '-ERR Lua redis lib command arguments must be strings or integers\r\n'
    }
    return this.#host!.call(args, this.#protocol)
  }

  #allocate(address: number, before: number, after: number): number {
    if (after === 0) {
      this.#usedBytes -= address === 0 ? 0 : before
      this.#module._free(address)
      return 0
    }
    const used = this.#usedBytes + after - (address === 0 ? 0 : before)
    const most = this.#limits.bytesMax + (this.#isRunning ? 0 : RESERVE_BYTES)
    if (after > before && used > most) return 0
    const moved = this.#module._realloc(address, after)
    if (moved !== 0) this.#usedBytes = used
    return moved
  }

  /** Called after so many steps, and once they are used up before each line. */
  #onSteps(state: number): void {
    this.#stepsLeft -= STEPS_AT_ONCE
    if (this.#stepsLeft <= 0) this.#endBySteps(state)
  }

  #endBySteps(state: number): void {
    this.#module._lua_sethook(state, this.#hookAt, LUA_HOOK.line | LUA_HOOK.count, 1)
    this.#stack.push(state, `the script has taken more than ${this.#limits.stepsMax} steps`)
    this.#module._lua_error(state)
  }

  /** What was raised becomes a table with its text, and with the line of the script. */
  #onFault(state: number): number {
    const { module: lua, stack } = this.#parts()
    if (lua._lua_type(state, 1) !== LUA_TYPE.table) {
      const text = stack.text(state, 1) ?? '(error object is not a string)'
      lua._lua_settop(state, 0)
      lua._lua_createtable(state, 0, 2)
      stack.setField(state, 'err', () => stack.push(state, `ERR ${text}`))
    }
    const place = this.#placeOf(state)
    if (place !== undefined) stack.setField(state, 'place', () => stack.push(state, place))
    return 1
  }

  #placeOf(state: number): string | undefined {
    for (let level = 1; level <= LEVELS_MAX; level++) {
      this.#module._luaL_where(state, level)
      const [place] = /^user_script:\d+/.exec(this.#stack.text(state, -1) ?? '') ?? []
      this.#module._lua_settop(state, -2)
      if (place !== undefined) return place
    }
    return undefined
  }
}
