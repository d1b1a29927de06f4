/**
 * Callers without a compiler: calls of the public face with whatever there is in JavaScript, in
 * random order. Each call answers or refuses with an error of Warp's own, nothing is rejected
 * unhandled (vitest fails on that), and afterwards the engine works.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryNetwork } from '../adapters/memory/memory-network.ts'
import { asError, isWarpError } from '../crdt/warp-error.ts'
import { boundedCounter, counter, custom, list, map, max, multiValue, register, set, text } from '../crdt/index.ts'
import { ALL_PARTS } from '../src/api/all-parts.ts'
import { openWarpOn } from '../src/warp.ts'
import { virtualEnv } from '../testing/world/virtual-env.ts'
import { closeAll } from '../test/support/close-all.ts'
import { byExtent } from '../test/support/extent.ts'
import { SEED } from './seed.ts'

const RUNS = byExtent({ some: 200, all: 1000, soak: 50_000 })

const KEYS = {
  'reg:*': register<unknown>(),
  'cnt:*': counter(),
  'set:*': set<unknown>(),
  'rec:*': map({ name: register<unknown>(), hits: counter(), tags: set<unknown>() }),
  'lst:*': list<string>(),
  'txt:*': text(),
  'max:*': max(),
  'mv:*': multiValue<unknown>(),
  'cus:*': custom<unknown[]>((old, next) => [...old, ...next].slice(-5)),
  'bnd:*': boundedCounter(),
  'loc:*': { strategy: counter(), mode: 'local' },
  'ttl:*': { strategy: register<unknown>(), ttlMs: 30 },
} as const

/** Thrown by getters and proxies of callers: theirs, and passed on. */
class OfTheCaller extends Error {}

const sly = (): never => {
  throw new OfTheCaller('sly')
}
const round: { me?: unknown } = {}
round.me = round

/** What callers give where something else was meant. */
const STRANGE: readonly unknown[] = [
  ...[undefined, null, true, 0, -0, -1, 0.5, 1e21, NaN, Infinity, 2 ** 53, 10n, 2n ** 70n, Symbol('s'), '', '\ud800'],
  ...['__proto__', 'reg:\0', 'x'.repeat(3000), () => 1, async () => 1, /x/, new Date(0), new Date(NaN), round],
  ...[new Map([[1, 2]]), new Set([1]), new WeakMap(), new Uint8Array(3), new ArrayBuffer(2), new Float64Array(1)],
  ...[Object.create(null), Object.create({ inherited: 1 }), Object(4), new Error('e'), [1, , 3], [[], [[]]]],
  ...[{ foo: 1 }, { limit: Symbol('l') }, { ttlMs: Object.create(null) as unknown }, { signal: {} }, { ack: 'x' }],
  ...[{ acks: { replicas: Symbol('r') } }, { timeMs: 1n }, { version: {} }, { toJSON: () => 1 }, { then: 1 }],
  Object.defineProperty({}, 'a', { get: sly, enumerable: true }),
  new Proxy({}, { ownKeys: sly }),
  JSON.parse('{"__proto__":{"polluted":1}}'),
  Promise.resolve(1),
]
const CALLS = ['get', 'peek', 'set', 'write', 'delete', 'key', 'getMany', 'setMany', 'entries', 'keys', 'log', 'getAt']
const MORE_CALLS = ['explain', 'watch', 'register', 'unregister', 'project', 'settled', 'compact', 'export', 'import']
const VERBS = [
  'set',
  'increment',
  'decrement',
  'add',
  'remove',
  'insert',
  'push',
  'update',
  'transfer',
  'rights',
  'with',
]

const strange = fc.constantFrom(...STRANGE)
const key = fc.constantFrom(...Object.keys(KEYS).map((pattern) => pattern.replace('*', '1')))
const parameter = fc.oneof({ weight: 2, arbitrary: key }, { weight: 3, arbitrary: strange })
const call = fc.record({
  name: fc.constantFrom(...CALLS, ...MORE_CALLS, ...VERBS),
  parameters: fc.array(parameter, { maxLength: 4 }),
  on: key,
})

test(`whatever callers give is answered, or refused by name, ${RUNS} times`, { timeout: 3_600_000 }, async () => {
  const property = fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 25 }), async (calls) => {
    const env = virtualEnv({ seed: 1 })
    const warp = await openWarpOn(
      { env, parts: ALL_PARTS },
      { keys: KEYS, transports: [memoryNetwork({ env }).transport('a')] },
    )
    const answers: Promise<void>[] = []
    for (const { name, parameters, on } of calls) answers.push(outcomeOf(name, () => run(warp, name, parameters, on)))
    await env.advance(100)
    const failed = (await Promise.allSettled(answers)).find(({ status }) => status === 'rejected')
    if (failed !== undefined) throw asError((failed as PromiseRejectedResult).reason)
    const answer = warp.set('reg:after', 'works')
    await env.advance(10)
    await answer
    expect(warp.peek('reg:after')).toBe('works')
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    await closeAll(env, [warp])
  })
  await fc.assert(property, { numRuns: RUNS, seed: SEED })
})

type Face = Record<string, (...parameters: readonly unknown[]) => unknown>

function run(warp: object, name: string, parameters: readonly unknown[], on: string): unknown {
  if (!VERBS.includes(name) || (name === 'set' && parameters.length > 1)) return (warp as Face)[name]!(...parameters)
  const handle = (warp as Face)['key']!(on) as Face
  return typeof handle[name] === 'function' ? handle[name](...parameters) : undefined
}

async function outcomeOf(name: string, begin: () => unknown): Promise<void> {
  try {
    const begun = begin()
    if (typeof begun !== 'object' || begun === null) return
    if (Symbol.asyncIterator in begun && name !== 'watch') await firstThree(begun as AsyncIterable<unknown>)
    else await (begun as PromiseLike<unknown>)
  } catch (error) {
    if (isWarpError(error) || error instanceof OfTheCaller) return
    throw new Error(`${name} ended with an error that is not Warp's`, { cause: error })
  }
}

async function firstThree(listing: AsyncIterable<unknown>): Promise<void> {
  let count = 0
  for await (const _ of listing) if (++count === 3) break
}
