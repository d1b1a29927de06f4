/**
 * What the keys mean, where the data is, and how to reach others: from a file, overridden by flags.
 * The file is `--config`, else `warp.config.json` in the current folder, else in the data's. A
 * module exports the settings by name or as its default and may hold strategies of one's own; JSON
 * names them (see `strategies.ts`). A module is code, and a folder may have come from anywhere: it
 * runs only if it is named.
 *
 * Only what stands in one place is checked here: names, and what is a path. The engine checks what
 * it is given.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { KeyMap, WarpOptions } from '../../../adapters/node/index.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { UsageError } from '../program/failure.ts'

/** See `shared-options.ts`. */
export interface ConfigFlags {
  readonly data?: string
  readonly config?: string
  readonly key?: readonly string[]
}

/** What goes to the engine as it is. */
export type EngineSettings = Pick<
  WarpOptions<KeyMap>,
  'name' | 'zone' | 'region' | 'ack' | 'cache' | 'clockDriftMsMax' | 'replication'
>

export interface Config {
  /** The file that was read, if there was one. */
  readonly file: string | undefined
  /** The data's folder, absolute. */
  readonly data: string
  /**
   * As given, by file and flags together; empty if nothing says what the keys mean. `keysOf` makes
   * strategies of it.
   */
  readonly keys: Readonly<Record<string, unknown>>
  /** As it stands in the file; `mesh-settings.ts` reads it. */
  readonly mesh: Readonly<Record<string, unknown>>
  readonly engine: EngineSettings
}

const NAME = 'warp.config.json'
const MODULES = ['warp.config.mjs', 'warp.config.js']
const DATA_DEFAULT = './data'
const ENGINE_SETTINGS = ['name', 'zone', 'region', 'ack', 'cache', 'clockDriftMsMax', 'replication'] as const
const SETTINGS: ReadonlySet<string> = new Set(['data', 'keys', 'mesh', ...ENGINE_SETTINGS])

/** Throws `UsageError` for flags, `WARP_E_CONFIG` for the file. */
export async function loadConfig(flags: ConfigFlags): Promise<Config> {
  const file = configFile(flags)
  const settings = file === undefined ? {} : await readSettings(file)
  const { keys, mesh = {} } = settings
  if (keys !== undefined && !isRecord(keys)) throw misread(file, 'keys is no object of patterns and strategies')
  if (!isRecord(mesh)) throw misread(file, 'mesh is no object')
  return {
    file,
    data: dataFolder(flags, file, settings['data']),
    keys: { ...keys, ...keysOfFlags(flags.key ?? []) },
    mesh,
    engine: Object.fromEntries(
      ENGINE_SETTINGS.filter((name) => settings[name] !== undefined).map((name) => [name, settings[name]]),
    ),
  }
}

/**
 * For commands that need to know what the keys mean; strategies are loaded for them. Throws
 * `WARP_E_CONFIG`.
 */
export async function keysOf({ keys, file, data }: Pick<Config, 'keys' | 'file' | 'data'>): Promise<KeyMap> {
  if (Object.keys(keys).length > 0) {
    const { keyMapOf } = await import('./strategies.ts')
    return keyMapOf(keys)
  }
  const looked = file === undefined ? `there is no ${NAME} here or in ${data}` : `${file} has no keys`
  throw new WarpError(
    'WARP_E_CONFIG',
    `nothing says what the keys mean: ${looked}; give --key 'user:*=register', or --config FILE`,
    { details: { path: file ?? data } },
  )
}

function configFile({ config, data = DATA_DEFAULT }: ConfigFlags): string | undefined {
  if (config === undefined) {
    const found = [resolve(NAME), resolve(data, NAME)].find(existsSync)
    if (found === undefined) refuseModuleHere()
    return found
  }
  const file = resolve(config)
  if (!existsSync(file)) throw new UsageError(`--config ${config}: there is no such file`)
  return file
}

/** In the current folder a module is most likely meant, and the command would do without. */
function refuseModuleHere(): void {
  const module = MODULES.find((name) => existsSync(name))
  if (module === undefined) return
  throw misread(resolve(module), `it is a program, and loading it runs it; give --config ${module} if that is meant`)
}

/** A folder in a file is meant from where the file is. */
function dataFolder(flags: ConfigFlags, file: string | undefined, data: unknown): string {
  if (flags.data !== undefined) return resolve(flags.data)
  if (data === undefined) return resolve(DATA_DEFAULT)
  if (typeof data !== 'string' || data === '') throw misread(file, 'data is not the name of a folder')
  return resolve(dirname(file ?? '.'), data)
}

async function readSettings(file: string): Promise<Readonly<Record<string, unknown>>> {
  const content = file.endsWith('.json') ? parseJson(file) : await loadModule(file)
  if (!isRecord(content)) throw misread(file, 'it holds no object')
  const { default: whole, ...named } = content
  if (whole !== undefined && !isRecord(whole)) throw misread(file, 'its default export is no object')
  const settings: Readonly<Record<string, unknown>> = { ...whole, ...named }
  const unknown = Object.keys(settings).find((name) => !SETTINGS.has(name))
  if (unknown !== undefined)
    throw misread(file, `there is no setting '${unknown}'; there are ${[...SETTINGS].join(', ')}`)
  return settings
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    const problem = cause instanceof SyntaxError ? jsonProblem(cause) : (cause as Error).message
    throw misread(file, `it cannot be read: ${problem}`)
  }
}

/** What is wrong, without the excerpt of the text that follows: a cluster's key may stand there. */
function jsonProblem({ message }: SyntaxError): string {
  return message.replace(/, (?:\.\.\.)?".*$/s, '')
}

async function loadModule(file: string): Promise<unknown> {
  try {
    return { ...((await import(pathToFileURL(file).href)) as object) }
  } catch (cause) {
    throw misread(file, `it cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/**
 * `user:*=register`, `stats:*={"map":"counter"}`. A pattern may hold `=`, a strategy's name does
 * not.
 */
function keysOfFlags(flags: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    flags.map((flag) => {
      const [, pattern, strategy] = /^(.+?)=(\{.*\})$/s.exec(flag) ?? /^(.+)=([A-Za-z]+)$/s.exec(flag) ?? []
      if (pattern === undefined || strategy === undefined) {
        throw new UsageError(`--key ${flag}: it is PATTERN=STRATEGY, such as 'cart:*=set'`)
      }
      return [pattern, strategy.startsWith('{') ? parseStrategy(flag, strategy) : strategy]
    }),
  )
}

function parseStrategy(flag: string, strategy: string): unknown {
  try {
    return JSON.parse(strategy)
  } catch (cause) {
    throw new UsageError(`--key ${flag}: ${(cause as Error).message}`)
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function misread(file: string | undefined, problem: string, cause?: unknown): WarpError {
  return new WarpError('WARP_E_CONFIG', `${file ?? 'the configuration'}: ${problem}`, {
    ...(file === undefined ? {} : { details: { path: file } }),
    cause,
  })
}

/** The control socket, the lock and the log live here; nothing is made of it. */
export function folderExists(folder: string): boolean {
  return existsSync(join(folder, '.'))
}
