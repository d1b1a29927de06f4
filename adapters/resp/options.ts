/**
 * The options of `respServer`: defaults, bounds and checks.
 *
 * The rule that matters: without a password the server does not leave the machine, and says so rather than
 * guess.
 */
import type { TlsOptions } from 'node:tls'
import { checkTypeOf, isWholeFrom, optionNames, refusedOption, requireOptions } from '../../crdt/checked-options.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { whenAborted } from '../../src/ports/abort-signals.ts'
import type { RequestLimits } from './protocol/request-parser.ts'
import type { LuaLimits } from './scripts/lua-machine.ts'
import type { UserRules } from './access/users.ts'

export interface RespServerOptions {
  /** 0 takes any free one. Default 6379. */
  readonly port?: number
  /** The IP address to listen at. Beyond this machine only with `password` or `users`. Default `127.0.0.1`. */
  readonly host?: string
  /** Of the user `default`, who may do everything. Default: none is asked for. */
  readonly password?: string
  /** Further users by name, with what they are held to. Default: none. */
  readonly users?: Readonly<Record<string, UserRules>>
  /**
   * Certificate and key, as `tls.createServer` takes them; with `requestCert` and `ca` clients show theirs.
   * Default: no TLS.
   */
  readonly tls?: TlsOptions
  /** Connections at a time; who comes beyond is told so, and sent away. Default 10,000. */
  readonly clientsMax?: number
  /** Bytes of one argument. Default 8 MiB. */
  readonly argumentBytesMax?: number
  /** Bytes of one request. Default 64 MiB. */
  readonly requestBytesMax?: number
  /** Bytes that wait for one connection to read them; beyond, it is closed. Default 64 MiB. */
  readonly outputBytesMax?: number
  /** A connection that asks for nothing for so long is closed; 0: none is. Default 0. */
  readonly idleMs?: number
  /** A request that has begun has to be whole within this. Default 60,000. */
  readonly requestMs?: number
  /** Whoever needs a password has to give it within this. Default 10,000. */
  readonly authMs?: number
  /** `close` waits so long for commands under way, and for what is not sent yet. Default 2,000. */
  readonly drainMs?: number
  /**
   * Whether scripts in Lua run (EVAL), where the package `wasmoon-lua5.1` is installed. Default true.
   */
  readonly scripts?: boolean
  /** Instructions of Lua that one script may take; nobody else is served meanwhile. Default 10,000,000. */
  readonly scriptStepsMax?: number
  /** Bytes that all scripts together hold in Lua. Default 64 MiB. */
  readonly scriptBytesMax?: number
  /** Told what scripts say by `redis.log`. Default: nobody is told. */
  readonly onScriptLog?: (level: ScriptLogLevel, text: string) => void
  /** When it fires, the server closes. */
  readonly signal?: AbortSignal
  /** Told of faults, of the server and of what it stands on. Default: nobody is told. */
  readonly onError?: (error: Error) => void
}

export type ScriptLogLevel = 'debug' | 'verbose' | 'notice' | 'warning'

export interface RespSettings extends RequestLimits {
  readonly port: number
  readonly host: string
  readonly password: string | undefined
  readonly users: Readonly<Record<string, UserRules>>
  readonly tls: TlsOptions | undefined
  /** CONFIG SET changes it. */
  clientsMax: number
  readonly outputBytesMax: number
  /** CONFIG SET changes it. */
  idleMs: number
  readonly requestMs: number
  readonly authMs: number
  readonly drainMs: number
  /** `undefined`: none run. */
  readonly scripts: LuaLimits | undefined
  readonly onScriptLog: (level: ScriptLogLevel, text: string) => void
  readonly signal: AbortSignal | undefined
  readonly onError: (error: Error) => void
}

const OPTIONS = optionNames<RespServerOptions>({
  ...{ port: true, host: true, password: true, users: true, tls: true, clientsMax: true },
  ...{ argumentBytesMax: true, requestBytesMax: true, outputBytesMax: true },
  ...{ idleMs: true, requestMs: true, authMs: true, drainMs: true, signal: true, onError: true },
  ...{ scripts: true, scriptStepsMax: true, scriptBytesMax: true, onScriptLog: true },
})
const USER_OPTIONS = optionNames<UserRules>({ password: true, commands: true, keys: true })

const [MEBIBYTE, DAY_MS] = [1024 * 1024, 86_400_000]
const NUMBERS = {
  port: { fallback: 6379, min: 0, max: 65_535 },
  clientsMax: { fallback: 10_000, min: 1, max: 1_000_000 },
  argumentBytesMax: { fallback: 8 * MEBIBYTE, min: 1024, max: 512 * MEBIBYTE },
  requestBytesMax: { fallback: 64 * MEBIBYTE, min: 4096, max: 1024 * MEBIBYTE },
  outputBytesMax: { fallback: 64 * MEBIBYTE, min: 65_536, max: 1024 * MEBIBYTE },
  idleMs: { fallback: 0, min: 0, max: DAY_MS },
  requestMs: { fallback: 60_000, min: 100, max: DAY_MS },
  authMs: { fallback: 10_000, min: 100, max: DAY_MS },
  drainMs: { fallback: 2000, min: 0, max: DAY_MS },
  scriptStepsMax: { fallback: 10_000_000, min: 10_000, max: 10_000_000_000 },
  scriptBytesMax: { fallback: 64 * MEBIBYTE, min: 4 * MEBIBYTE, max: 1024 * MEBIBYTE },
} as const

type Numbers = { -readonly [Name in keyof typeof NUMBERS]: number }

/** Throws `WARP_E_CONFIG`, and `WARP_E_AUTH` for an address beyond this machine without a password. */
export function respSettings(options: RespServerOptions): RespSettings {
  requireOptions('respServer', options, OPTIONS, '{ port: 6379 }')
  const { host = '127.0.0.1', password, users = {}, tls, signal } = options
  const { onError = () => undefined, onScriptLog = () => undefined } = options
  for (const [name, type] of [
    ['host', 'string'],
    ['password', 'string'],
    ['onError', 'function'],
    ['onScriptLog', 'function'],
    ['scripts', 'boolean'],
  ] as const)
    checkTypeOf('respServer', options, name, type)
  if (password === '') throw refusedOption('respServer', 'password', password, 'give one that is not empty')
  checkUsers(users)
  checkTls(tls)
  if (!isLoopback(host) && password === undefined && Object.keys(users).length === 0) throw openToAll(host)
  const numbers = numbersOf(options)
  const scripts = options.scripts === false ? undefined : limitsOfScripts(numbers)
  return { ...numbers, host, password, users, tls, scripts, onScriptLog, signal, onError }
}

function limitsOfScripts({ scriptStepsMax, scriptBytesMax }: Numbers): LuaLimits {
  return { stepsMax: scriptStepsMax, bytesMax: scriptBytesMax }
}

/** Calls `close` when the signal of the options fires. */
export function closeOnAbort({ signal }: RespSettings, close: () => void): void {
  whenAborted(signal, close)
  if (signal?.aborted === true) close()
}

function checkTls(tls: unknown): void {
  if (tls !== undefined && (typeof tls !== 'object' || tls === null))
    throw refusedOption('respServer', 'tls', tls, 'give { cert, key }')
}

function checkUsers(users: Readonly<Record<string, UserRules>>): void {
  if (typeof users !== 'object' || users === null)
    throw refusedOption('respServer', 'users', users, 'give an object of names and rules')
  for (const [name, rules] of Object.entries(users)) checkUser(name, rules)
  if ('default' in users)
    throw refusedOption('respServer', 'users', users['default'], "give the password of 'default' as password")
}

function checkUser(name: string, rules: UserRules): void {
  const what = `respServer: users: ${name}`
  requireOptions(what, rules, USER_OPTIONS, "{ password: '…' }")
  const { password } = rules
  if (typeof password !== 'string' || password === '')
    throw refusedOption(what, 'password', password, 'give one that is not empty')
  for (const list of ['commands', 'keys'] as const) {
    const given: unknown = rules[list]
    if (given !== undefined && !(Array.isArray(given) && given.every((one) => typeof one === 'string')))
      throw refusedOption(what, list, given, 'give a list of texts')
  }
}

function numbersOf(options: RespServerOptions): Numbers {
  const chosen: Partial<Numbers> = {}
  for (const name of Object.keys(NUMBERS) as (keyof typeof NUMBERS)[]) {
    const { fallback, min, max } = NUMBERS[name]
    const value = options[name] ?? fallback
    if (!isWholeFrom(value, min, max))
      throw refusedOption('respServer', name, value, `give a whole number from ${min} to ${max}`)
    chosen[name] = value
  }
  return chosen as Numbers
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

function openToAll(host: string): WarpError {
  return new WarpError(
    'WARP_E_AUTH',
    `respServer: at ${host} anybody who reaches this machine could read and write every key; give a password, or users, or leave host out to stay on this machine`,
    { details: { host } },
  )
}
