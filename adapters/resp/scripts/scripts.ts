/** The scripts of a server: the machine, once it has been loaded, and what each script says of itself. */
import { ReplyError } from '../call/reply-error.ts'
import type { ReplyWriter } from '../protocol/reply-writer.ts'
import { loadLuaModule } from './lua-binding.ts'
import { sha1 } from './lua-host.ts'
import { LuaMachine, type LuaLimits, type ScriptCall, type ScriptHost } from './lua-machine.ts'

const NOT_INSTALLED =
  'ERR scripts need a package that is not installed where this server runs: npm install wasmoon-lua5.1'
const SWITCHED_OFF = 'ERR scripts are switched off on this server'
const LOADING = 'LOADING the machine for scripts is being loaded; try again'

/** What the first line of a script may say, and what comes of it here. */
const FLAGS: ReadonlySet<string> = new Set([
  'no-writes',
  'allow-stale',
  'allow-oom',
  'no-cluster',
  'allow-cross-slot-keys',
])

export class Scripts {
  /** `undefined`: there are none. */
  readonly #limits: LuaLimits | undefined
  readonly #version: string
  readonly #readOnly = new Set<string>()
  #machine: LuaMachine | undefined
  #loading: Promise<void> | undefined
  #isMissing = false
  #isClosed = false

  constructor(limits: LuaLimits | undefined, version: string) {
    this.#limits = limits
    this.#version = version
  }

  /** Settles once scripts can run, or it is known that they cannot. Rejects if the package is spoilt. */
  ready(): Promise<void> {
    this.#loading ??= this.#load()
    return this.#loading
  }

  /** Whether commands about scripts need not wait. */
  get isReady(): boolean {
    return this.#limits === undefined || this.#isMissing || this.#machine !== undefined
  }

  /** Compiles a script and returns its SHA-1. Throws `ReplyError`. */
  add(source: string): string {
    const machine = this.#ready()
    const digest = sha1(source)
    if (machine.has(digest)) return digest
    const { flags, code } = readShebang(source)
    machine.load(digest, code)
    if (flags.includes('no-writes')) this.#readOnly.add(digest)
    return digest
  }

  has(digest: string): boolean {
    return this.#ready().has(digest)
  }

  /** Whether a script says that it writes nothing. */
  isReadOnly(digest: string): boolean {
    return this.#readOnly.has(digest.toLowerCase())
  }

  /** Throws `ReplyError`; then nothing is written to `reply`. */
  run(digest: string, call: ScriptCall, host: ScriptHost, reply: ReplyWriter): void {
    this.#ready().run(digest, call, host, reply)
  }

  flush(): void {
    this.#ready().flush()
    this.#readOnly.clear()
  }

  /** Scripts that are known, and the bytes of the machine. */
  get facts(): { readonly count: number; readonly bytes: number } {
    return { count: this.#machine?.scriptsCount ?? 0, bytes: this.#machine?.usedBytes ?? 0 }
  }

  close(): void {
    this.#isClosed = true
    this.#machine?.close()
    this.#machine = undefined
  }

  #ready(): LuaMachine {
    if (this.#limits === undefined) throw new ReplyError(SWITCHED_OFF)
    if (this.#isMissing) throw new ReplyError(NOT_INSTALLED)
    if (this.#machine === undefined) throw new ReplyError(LOADING)
    return this.#machine
  }

  async #load(): Promise<void> {
    if (this.#limits === undefined) return
    const module = await loadLuaModule()
    if (module === undefined) this.#isMissing = true
    else if (!this.#isClosed) this.#machine = new LuaMachine(module, this.#limits, this.#version)
  }
}

/** `#!lua flags=no-writes`. The code keeps its line numbers. */
function readShebang(source: string): { flags: readonly string[]; code: string } {
  if (!source.startsWith('#!')) return { flags: [], code: source }
  const end = source.indexOf('\n')
  if (end === -1) throw new ReplyError('ERR Invalid script shebang')
  const [engine = '', ...options] = source.slice(2, end).trim().split(/\s+/)
  if (engine !== 'lua') throw new ReplyError(`ERR Unexpected engine in script shebang: ${engine}`)
  const flags: string[] = []
  for (const option of options) {
    if (!option.startsWith('flags=')) throw new ReplyError(`ERR Unknown lua shebang option: ${option}`)
    flags.push(
      ...option
        .slice('flags='.length)
        .split(',')
        .filter((flag) => flag !== ''),
    )
  }
  for (const flag of flags) if (!FLAGS.has(flag)) throw new ReplyError(`ERR Unexpected flag in script shebang: ${flag}`)
  return { flags, code: source.slice(end) }
}
