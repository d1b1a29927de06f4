/**
 * Strategies by name, for configurations that are text: `"set"`, `{"map": "counter"}`,
 * `{"map": {"title": "register"}}`, `{"boundedCounter": {"min": 0, "max": 10}}`. A module may mix
 * these with strategies of its own. Documents of Yjs and Automerge need the packages of those names
 * and are loaded when they are named.
 */
import type { KeyMap, KeyOptions } from '../../../adapters/node/index.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import {
  boundedCounter,
  counter,
  list,
  map,
  max,
  min,
  multiValue,
  redis,
  register,
  set,
  text,
} from '../../../crdt/index.ts'
import type { AnyStrategy } from '../../../crdt/index.ts'

const PLAIN: Readonly<Record<string, () => AnyStrategy>> = {
  register: () => register(),
  multiValue: () => multiValue(),
  counter: () => counter(),
  boundedCounter: () => boundedCounter(),
  set: () => set(),
  list: () => list(),
  text: () => text(),
  redis: () => redis(),
  max: () => max(),
  min: () => min(),
}

const DOCUMENTS: Readonly<Record<string, () => Promise<AnyStrategy>>> = {
  yjs: async () => (await import('../../../crdt/documents/yjs.ts')).yjs(),
  automerge: async () => (await import('../../../crdt/documents/automerge.ts')).automerge(),
}

/** What has to be installed for them. */
const PACKAGES: Readonly<Record<string, string>> = { yjs: 'yjs', automerge: '@automerge/automerge' }

/** Throws `WARP_E_CONFIG`, naming the pattern. */
export async function keyMapOf(keys: Readonly<Record<string, unknown>>): Promise<KeyMap> {
  const made = Object.entries(keys).map(
    async ([pattern, given]) => [pattern, await definitionOf(pattern, given)] as const,
  )
  return Object.fromEntries(await Promise.all(made))
}

/**
 * What a value of `keys` says: a strategy, or options with one. What else it holds is checked when
 * the engine is opened.
 */
async function definitionOf(pattern: string, given: unknown): Promise<AnyStrategy | KeyOptions> {
  if (isObject(given) && 'strategy' in given) {
    return { ...given, strategy: await strategyOf(pattern, given['strategy']) }
  }
  return strategyOf(pattern, given)
}

async function strategyOf(pattern: string, given: unknown): Promise<AnyStrategy> {
  if (typeof given === 'string') return named(pattern, given)
  if (!isObject(given)) throw unknown(pattern, String(given))
  if (typeof given['apply'] === 'function') return given as unknown as AnyStrategy // the engine checks the rest
  const [only, ...others] = Object.entries(given)
  if (only !== undefined && others.length === 0) {
    const [name, content] = only
    if (name === 'map') return mapOf(pattern, content)
    if (name === 'boundedCounter' && isObject(content)) return boundedCounter(content)
  }
  throw unknown(pattern, JSON.stringify(given))
}

async function mapOf(pattern: string, content: unknown): Promise<AnyStrategy> {
  const isOne = typeof content === 'string' || !isObject(content) || 'map' in content || 'boundedCounter' in content
  if (isOne || typeof content['apply'] === 'function') return map(await strategyOf(pattern, content))
  const fields = Object.entries(content).map(async ([name, given]) => [name, await strategyOf(pattern, given)] as const)
  return map(Object.fromEntries(await Promise.all(fields)))
}

async function named(pattern: string, name: string): Promise<AnyStrategy> {
  if (Object.hasOwn(PLAIN, name)) return (PLAIN[name] as () => AnyStrategy)()
  if (!Object.hasOwn(DOCUMENTS, name)) throw unknown(pattern, `'${name}'`)
  try {
    return await (DOCUMENTS[name] as () => Promise<AnyStrategy>)()
  } catch (cause) {
    throw new WarpError(
      'WARP_E_CONFIG',
      `'${pattern}' is to be a document of ${name}, whose package is not installed; install it: npm install ${PACKAGES[name]}`,
      {
        details: { pattern, strategy: name },
        cause,
      },
    )
  }
}

function isObject(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === 'object' && given !== null && !Array.isArray(given)
}

function unknown(pattern: string, given: string): WarpError {
  const names = [...Object.keys(PLAIN), ...Object.keys(DOCUMENTS)].join(', ')
  return new WarpError(
    'WARP_E_CONFIG',
    `'${pattern}' has the strategy ${given}; give one of ${names}, {"map": ...}, or one of your own in a module (--config warp.config.mjs)`,
    { details: { pattern } },
  )
}
