import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp, type LogStore } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { list } from '../../crdt/sequence/list.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { yjs } from '../../crdt/documents/yjs.ts'
import { EXPIRY_TICK_MS } from '../../src/cache/expiry.ts'
import { openEngine } from '../support/open-engine.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'

const TTL_MS = 1000

function open(ttl: 'absolute' | 'sliding', env: VirtualEnv, log?: LogStore) {
  const keys = { '*': { strategy: register<string>(), ttlMs: TTL_MS, ttl } } as const
  return openWarp({ keys, env, ...(log === undefined ? {} : { log }) })
}

test('a value is gone once its time to live has passed, and costs no timer then', async () => {
  const env = virtualEnv()
  const warp = await open('absolute', env)
  await warp.set('a', 'x')
  expect(await warp.get('a')).toBe('x')
  await env.advance(TTL_MS - 1)
  expect(await warp.get('a')).toBe('x')
  await env.advance(1)
  expect(await warp.get('a')).toBeUndefined()
  expect(warp.peek('a')).toBeUndefined()
  await env.advance(2 * EXPIRY_TICK_MS)
  expect(env.timerCount).toBe(0)
  await warp.close()
})

test('a value that is not in memory is never served beyond its time, to the millisecond', async () => {
  const env = virtualEnv()
  const warp = await open('absolute', env)
  await warp.set('a', 'x')
  await env.advance(TTL_MS - 1)
  expect(warp.peek('a')).toBe('x')
  await warp.set('b', 'y')
  await env.advance(TTL_MS)
  expect(await warp.get('b')).toBeUndefined()
  await warp.close()
})

test('an absolute time to live counts from the last write, however often the key is read', async () => {
  const env = virtualEnv()
  const warp = await open('absolute', env)
  await warp.set('a', 'x')
  for (let ms = 0; ms < 800; ms += 100) {
    await env.advance(100)
    expect(warp.peek('a')).toBe('x')
  }
  await warp.set('a', 'y')
  await env.advance(900)
  expect(warp.peek('a')).toBe('y')
  await env.advance(100 + EXPIRY_TICK_MS)
  expect(warp.peek('a')).toBeUndefined()
  await warp.close()
})

test('a sliding time to live counts from the last read', async () => {
  const env = virtualEnv()
  const warp = await open('sliding', env)
  await warp.set('a', 'x')
  for (let i = 0; i < 5; i++) {
    await env.advance(900)
    expect(warp.peek('a')).toBe('x')
  }
  await env.advance(TTL_MS + EXPIRY_TICK_MS)
  expect(warp.peek('a')).toBeUndefined()
  await warp.close()
})

test('a value with a sliding time to live is the written one at once, read or not', async () => {
  const warp = await open('sliding', virtualEnv())
  for (const value of ['x', 'y', 'z']) {
    await warp.set('a', value)
    expect([warp.peek('a'), await warp.get('a')]).toEqual([value, value])
  }
  await warp.close()
})

// b writes at 0; a reads at 900, so the key lives until 1,900; then an older write of c arrives.
test('a late write does not shorten a sliding life that a read has prolonged', async () => {
  const env = virtualEnv()
  const keys = { '*': { strategy: register<string>(), ttlMs: TTL_MS, ttl: 'sliding' } } as const
  const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((label) => openEngine(keys, { env: env.fork({ label }) })))
  if (a === undefined || b === undefined || c === undefined) throw new Error('three engines')
  await c.write('k', 'set', 'older')
  await env.advance(1)
  await b.write('k', 'set', 'x')
  a.engine.admit(...envelope(b))
  expect(a.read('k')).toBe('x')
  await env.advance(900)
  expect(a.read('k')).toBe('x')
  a.engine.admit(...envelope(c))
  await env.advance(500)
  expect(a.read('k')).toBe('x')
})

// Soak seed 1795398797402: read once, a key was gone, and with a restart it was back.
test('a read does not shorten the life of what a replica has written whose clock is ahead', async () => {
  const env = virtualEnv()
  const keys = { '*': { strategy: register<string>(), ttlMs: TTL_MS, ttl: 'sliding' } } as const
  const a = await openEngine(keys, { env: env.fork({ label: 'a' }) })
  const b = await openEngine(keys, { env: env.fork({ label: 'b', wallOffsetMs: 400 }) })
  await b.write('k', 'set', 'x')
  a.engine.admit(...envelope(b))
  expect(a.read('k')).toBe('x')
  await env.advance(TTL_MS + 200)
  expect(a.read('k')).toBe('x')
})

test('a write after the expiry makes the key live again', async () => {
  const env = virtualEnv()
  const warp = await open('absolute', env)
  await warp.set('a', 'x')
  await env.advance(TTL_MS * 3)
  expect(await warp.get('a')).toBeUndefined()
  await warp.set('a', 'y')
  expect(await warp.get('a')).toBe('y')
  await warp.close()
})

test.each([3_600_000, -3_600_000, 30_000, -30_000])('a clock that jumps by %i ms is caught up with', async (jumpMs) => {
  const env = virtualEnv()
  const warp = await open('absolute', env)
  await warp.set('a', 'x')
  expect(warp.peek('a')).toBe('x')
  await env.advance(100)
  env.jumpWall(jumpMs)
  await env.advance(EXPIRY_TICK_MS)
  expect(warp.peek('a')).toBe(jumpMs > 0 ? undefined : 'x')
  if (jumpMs < 0) {
    env.jumpWall(-jumpMs)
    await env.advance(TTL_MS)
    expect(warp.peek('a')).toBeUndefined()
  }
  await warp.close()
})

test('many keys with all kinds of times to live expire each in its time', async () => {
  const env = virtualEnv()
  const lives = [60, 500, 5000, 40_000, 100_000]
  const keys = Object.fromEntries(lives.map((ttlMs) => [`${ttlMs}:*`, { strategy: register<string>(), ttlMs }]))
  const { engine, read, write } = await openEngine(keys, { env })
  for (const life of lives) for (let i = 0; i < 20; i++) await write(`${life}:${i}`, 'set', 'x')
  for (const life of lives) for (let i = 0; i < 20; i++) read(`${life}:${i}`)
  let passed = 0
  for (const ms of [59, 130, 499, 600, 4999, 5100, 39_999, 40_100, 99_999, 100_100]) {
    await env.advance(ms - passed)
    passed = ms
    for (const life of lives) {
      const { values, keys: table } = engine.store
      const hot = Array.from(
        { length: 20 },
        (_, i) => (values.residency.states[table.find(`${life}:${i}`) as number] as number) > 0,
      )
      expect(hot).toEqual(new Array(20).fill(life > ms))
    }
  }
})

test('getAt respects an absolute time to live and knows nothing of a sliding one', async () => {
  const env = virtualEnv()
  const startMs = env.now()
  for (const [ttl, afterwards] of [
    ['absolute', undefined],
    ['sliding', 'x'],
  ] as const) {
    const own = env.fork()
    const warp = await open(ttl, own)
    await warp.set('a', 'x')
    await own.advance(0)
    expect(await warp.getAt('a', { timeMs: startMs + TTL_MS - 1 })).toBe('x')
    expect(await warp.getAt('a', { timeMs: startMs + TTL_MS })).toBe(afterwards)
    expect(await warp.getAt('a', { timeMs: startMs - 1 })).toBeUndefined()
    await warp.close()
  }
})

test('after a restart the time to live goes on from the write', async () => {
  const path = temporaryFolder()
  const env = virtualEnv()
  const log = fileLog({ path })
  const before = await open('absolute', env, log)
  await before.set('a', 'x')
  await before.close()
  await env.advance(600)
  const warp = await open('absolute', env, fileLog({ path }))
  expect(await warp.get('a')).toBe('x')
  await env.advance(400 + EXPIRY_TICK_MS)
  expect(await warp.get('a')).toBeUndefined()
  await warp.close()
})

/** The last operation that an engine wrote, as arguments for `admit`. */
function envelope({ engine }: Awaited<ReturnType<typeof openEngine>>): [Uint8Array, number, number] {
  let found = new Uint8Array()
  engine.scanOperations(0, ({ bytes, start, end }) => {
    found = bytes.slice(start, end)
    return true
  })
  return [found, 0, found.length]
}

test('what is written after the expiry begins from nothing, whether or not anybody looked or compacted in between', async () => {
  const env = virtualEnv()
  const settings = { ttlMs: TTL_MS, retain: 'latest' } as const
  const warp = await openWarp({
    keys: {
      'c:*': { strategy: counter(), ...settings },
      's:*': { strategy: set<string>(), ...settings },
      'l:*': { strategy: list<string>(), ...settings },
    },
    env,
  })
  for (const name of ['looked', 'left', 'compacted']) {
    await warp.key(`c:${name}`).increment(5)
    await warp.key(`s:${name}`).add('old')
    await warp.key(`l:${name}`).push('old')
  }
  await env.advance(TTL_MS)
  expect(await warp.key('s:looked').has('old')).toBe(false)
  expect([await warp.get('c:looked'), await warp.get('s:looked')]).toEqual([undefined, undefined])
  await warp.compact()
  for (const name of ['looked', 'left', 'compacted']) {
    await warp.key(`c:${name}`).increment(1)
    await warp.key(`s:${name}`).add('new')
    await warp.key(`l:${name}`).insert(0, 'new')
    expect(warp.peek(`c:${name}`)).toBe(1)
    expect(warp.peek(`s:${name}`)).toEqual(new Set(['new']))
    expect(warp.peek(`l:${name}`)).toEqual(['new'])
  }
  await warp.close()
})

test('explain says which operations belong to a life that is over', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ keys: { '*': { strategy: counter(), ttlMs: TTL_MS } }, env })
  await warp.key('c').increment(5)
  await env.advance(TTL_MS)
  await warp.key('c').increment(1)
  expect((await warp.explain('c')).operations.map(({ effect }) => effect)).toEqual(['expired', 'merged'])
  await warp.close()
})

test('a document whose life is over begins anew under the change that comes next', async () => {
  const env = virtualEnv()
  const warp = await openWarp({ keys: { '*': { strategy: yjs(), ttlMs: TTL_MS } }, env })
  const document = warp.key('d')
  await document.change((doc) => doc.getText('t').insert(0, 'old'))
  await env.advance(TTL_MS)
  await document.change((doc) => doc.getText('t').insert(0, 'new'))
  expect((await document.get())?.getText('t').toJSON()).toBe('new')
  await document.change((doc) => doc.getText('t').insert(3, '!'))
  expect((await document.get())?.getText('t').toJSON()).toBe('new!')
  expect((await warp.getAt('d', { version: 3 }))?.getText('t').toJSON()).toBe('new!')
  await warp.close()
})

test.each(['absolute', 'sliding'] as const)(
  'a value is not served beyond its life though no timer fires, as on a busy event loop (%s)',
  async (ttl) => {
    const env = virtualEnv()
    const keys = {
      'r:*': { strategy: register<string>(), ttlMs: TTL_MS, ttl },
      's:*': { strategy: set<string>(), ttlMs: TTL_MS, ttl },
    } as const
    const warp = await openWarp({ keys, env })
    await warp.set('r:1', 'x')
    await warp.key('s:1').add('x')
    for (let i = 0; i < 3; i++) expect([warp.peek('r:1'), await warp.key('s:1').has('x')]).toEqual(['x', true])
    env.jumpWall(TTL_MS) // the clock goes on, and no timer has its turn
    expect([await warp.get('r:1'), warp.peek('r:1'), await warp.key('s:1').has('x')]).toEqual([
      undefined,
      undefined,
      false,
    ])
    await warp.close()
  },
)

test('to list keys, or to compact, prolongs no sliding life', async () => {
  const env = virtualEnv()
  const warp = await open('sliding', env)
  await warp.set('a', 'x')
  await env.advance(TTL_MS - 1)
  for await (const key of warp.keys('*')) expect(key).toBe('a')
  await warp.compact()
  await env.advance(1)
  expect(await warp.get('a')).toBeUndefined()
  await warp.close()
})
