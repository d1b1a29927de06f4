/** Keys whose lives are over go, on every replica alike, and nothing brings them back but who may. */
import { expect, test } from 'vitest'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { CommandKeys } from '../../../adapters/resp/call/command-keys.ts'
import { Deadlines } from '../../../adapters/resp/lives/deadlines.ts'
import { SKEW_MS, Sweep } from '../../../adapters/resp/lives/sweep.ts'
import { redis } from '../../../crdt/index.ts'
import { directKeys, type DirectKeys } from '../../../src/api/direct/direct-keys.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { SEED } from '../../../property-tests/seed.ts'
import { virtualEnv, type VirtualEnv } from '../../../testing/world/virtual-env.ts'

const KEYS = { '*': { strategy: redis(), retain: 'latest' as const } }
const LIFE_MS = 1000
const LONG_MS = 120_000

interface Side {
  readonly env: VirtualEnv
  readonly direct: DirectKeys
  readonly keys: CommandKeys
  readonly sweep: Sweep
  compact(): Promise<unknown>
  /** Runs a verb at this replica's time. */
  write(key: string, verb: string, ...parameters: readonly unknown[]): boolean
  /** The type of a key as it is to be seen. */
  kind(key: string): string | undefined
  close(): Promise<void>
}

function sideOf(warp: { compact(): Promise<unknown>; close(): Promise<void> }, env: VirtualEnv): Side {
  const direct = directKeys('test', warp)
  const failed = (error: unknown): void => {
    throw error
  }
  const sweep = new Sweep(direct, failed)
  const keys: CommandKeys = new CommandKeys(direct, (name, untilMs) => sweep.watch(name, untilMs))
  direct.onEntered((key) => {
    if (!keys.isWriting) sweep.entered(key)
  })
  return {
    ...{ env, direct, keys, sweep },
    compact: () => warp.compact(),
    write: (key, verb, ...parameters) => keys.write(key, verb, env.now(), ...parameters),
    kind: (key) => keys.view(key, env.now()).kind,
    async close() {
      sweep.close()
      await settled(env, warp.close())
    },
  }
}

async function settled(env: VirtualEnv, work: Promise<unknown>): Promise<void> {
  let isDone = false
  void work.finally(() => (isDone = true))
  while (!isDone) await env.advance(50)
  await work
}

async function alone(): Promise<Side> {
  const env = virtualEnv({ seed: SEED })
  return sideOf(await openWarp({ keys: KEYS, env }), env)
}

async function two(wallOffsetMs = 0) {
  const env = virtualEnv({ seed: SEED })
  const network = memoryNetwork({ seed: SEED, env, delayMs: 5 })
  const open = async (name: string, offsetMs: number): Promise<Side> => {
    const own = env.fork({ label: name, wallOffsetMs: offsetMs })
    const options = { keys: KEYS, name, env: own, clockDriftMsMax: SKEW_MS }
    return sideOf(await openWarp({ ...options, transports: [network.transport(name)] }), own)
  }
  const sides = [await open('a', 0), await open('b', wallOffsetMs)] as const
  await env.advance(5000)
  // From here on it is known what is stable.
  sides[0].write('first', 'put', 'x', sides[0].env.now() + 1)
  await env.advance(60_000)
  for (const { compact } of sides) await settled(env, compact())
  const close = async (): Promise<void> => {
    for (const side of sides) await side.close()
  }
  return { env, network, a: sides[0], b: sides[1], close }
}

test('a replica alone deletes keys when their lives are over, in steps, and keeps nothing of them', async () => {
  const side = await alone()
  const count = 5000
  for (let i = 0; i < count; i++) side.write(`key:${i}`, 'put', 'x', side.env.now() + LIFE_MS)
  side.write('stays', 'put', 'x')
  side.write('longer', 'put', 'x', side.env.now() + LIFE_MS)
  side.write('longer', 'live', side.env.now() + LONG_MS)
  expect(side.sweep.watchedCount).toBe(count + 1)
  await side.env.advance(LIFE_MS * 2)
  expect([side.sweep.deletedCount, side.sweep.watchedCount]).toEqual([count, 1])
  await settled(side.env, side.compact())
  expect(side.direct.keysCount).toBe(2)
  expect([side.kind('stays'), side.kind('longer'), side.kind('key:1')]).toEqual(['string', 'string', undefined])
  await side.close()
})

test('keys that were there when the server was opened are looked at too', async () => {
  const env = virtualEnv({ seed: SEED })
  const warp = await openWarp({ keys: KEYS, env })
  const keys = new CommandKeys(directKeys('test', warp))
  for (let i = 0; i < 1000; i++) keys.write(`key:${i}`, 'put', env.now(), 'x', env.now() + LIFE_MS)
  const side = sideOf(warp, env)
  await env.advance(LIFE_MS * 2)
  expect(side.sweep.deletedCount).toBe(1000)
  await side.close()
})

test('with peers a key goes everywhere when all that was written before its deadline is known', async () => {
  const { env, a, b, close } = await two()
  a.write('k', 'setFields', [['f', '1']])
  await env.advance(1000)
  a.write('k', 'live', a.env.now() + LIFE_MS)
  await env.advance(LIFE_MS + SKEW_MS / 2)
  expect([a.kind('k'), b.kind('k'), a.sweep.deletedCount]).toEqual([undefined, undefined, 1])
  await env.advance(60_000)
  expect([a.sweep.deletedCount, b.sweep.deletedCount]).toEqual([2, 0])
  for (const side of [a, b]) await settled(env, side.compact())
  expect([a.direct.keysCount, b.direct.keysCount]).toEqual([0, 0])
  await close()
})

test('while a replica is cut off nothing is deleted, and a life that it has made longer brings the key back', async () => {
  const { env, network, a, b, close } = await two()
  a.write('k', 'put', 'x', a.env.now() + LIFE_MS)
  a.write('gone', 'put', 'x', a.env.now() + LIFE_MS)
  await env.advance(200)
  network.partition([['a'], ['b']])
  b.write('k', 'live', b.env.now() + LONG_MS * 2)
  await env.advance(LONG_MS)
  expect([a.kind('k'), b.kind('k'), a.sweep.deletedCount]).toEqual([undefined, 'string', 1])
  network.heal()
  await env.advance(60_000)
  expect([a.kind('k'), b.kind('k')]).toEqual(['string', 'string'])
  for (const side of [a, b]) await settled(env, side.compact())
  expect([a.direct.keysCount, b.direct.keysCount]).toEqual([1, 1])
  await close()
})

test('what was written before the deadline and is heard of late leaves no rest that never ends', async () => {
  const { env, network, a, b, close } = await two()
  a.write('h', 'setFields', [['f', '1']])
  a.write('h', 'live', a.env.now() + LIFE_MS)
  await env.advance(200)
  network.partition([['a'], ['b']])
  b.write('h', 'setFields', [['late', '1']])
  await env.advance(LONG_MS)
  network.heal()
  await env.advance(60_000)
  expect([a.kind('h'), b.kind('h')]).toEqual([undefined, undefined])
  for (const side of [a, b]) await settled(env, side.compact())
  expect([a.direct.keysCount, b.direct.keysCount]).toEqual([0, 0])
  await close()
})

test('a clock that is late writes into a life that is over elsewhere, and that goes as well', async () => {
  const { env, a, b, close } = await two(200 - SKEW_MS)
  a.write('h', 'setFields', [['f', '1']])
  a.write('h', 'live', a.env.now() + LIFE_MS)
  // Of what is written meanwhile it is known when it is stable.
  for (let i = 0; i < 22; i++) {
    await env.advance(LIFE_MS / 4)
    a.write(`other:${i}`, 'put', 'x')
  }
  expect([a.kind('h'), b.kind('h')]).toEqual([undefined, 'hash'])
  b.write('h', 'setFields', [['late', '1']])
  await env.advance(60_000)
  expect([a.kind('h'), b.kind('h')]).toEqual([undefined, undefined])
  expect(a.sweep.deletedCount).toBe(2)
  await close()
})

test('where whoever gave the life has gone the others delete', async () => {
  const { env, a, b, close } = await two()
  a.write('k', 'put', 'x', a.env.now() + LIFE_MS)
  await env.advance(200)
  a.sweep.close()
  await env.advance(LONG_MS)
  expect(b.sweep.deletedCount).toBe(1)
  await close()
})

test('a life that is changed with every request takes one place, and keys are due in the order of their ends', () => {
  const random = seededRandom(SEED)
  const deadlines = new Deadlines()
  for (let i = 0; i < 100_000; i++) deadlines.add('session', 1_000_000 - i)
  expect(deadlines.heldCount).toBeLessThan(2000)
  const moments = new Map<string, number>([['session', 900_001]])
  for (let i = 0; i < 1000; i++) {
    const [name, atMs] = [`key:${random.below(200)}`, random.below(1_000_000)]
    deadlines.add(name, atMs)
    moments.set(name, Math.min(moments.get(name) ?? Infinity, atMs))
  }
  const taken: string[] = []
  for (let name = deadlines.take(1e9); name !== undefined; name = deadlines.take(1e9)) taken.push(name)
  expect(taken.map((name) => moments.get(name))).toEqual([...moments.values()].sort((x, y) => x - y))
})
