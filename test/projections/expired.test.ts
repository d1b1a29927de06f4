import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'
import { living, openWithLives, TTL_MS, type Living } from '../support/expirations.ts'

type Opened = Awaited<ReturnType<typeof openWithLives>>

function close(env: VirtualEnv, warp: Opened): Promise<void> {
  const closing = warp.close()
  return env.advance(5000).then(() => closing)
}

const checkpoint = {
  every: 1000,
  encode: ({ keys, expiredCount }: Living) => [keys, expiredCount],
  decode: (kept: unknown) => {
    const [keys, expiredCount] = kept as [string[], number]
    return { keys, expiredCount }
  },
}

test('a projection that counts keys with a value counts right when one expires', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const projection = await warp.project(living())
  await warp.set('session:1', 'x')
  await warp.set('plain:1', 'x')
  await warp.set('session:2', 'x')
  await warp.delete('session:2')
  expect(projection.state.keys).toEqual(['plain:1', 'session:1'])
  await env.advance(TTL_MS)
  expect(projection.state).toEqual({ keys: ['plain:1'], expiredCount: 1 })
  await env.advance(10 * TTL_MS)
  expect(projection.state.expiredCount).toBe(1)
  await close(env, warp)
})

test('the end of a life names the operation that had the life, and when it ended', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const ends: unknown[] = []
  await warp.project({
    name: 'ends',
    initial: () => 0,
    apply: (count, { key, value, operation }) => {
      if (operation.kind === 'expired') ends.push([key, value, operation.dot, operation.timeMs, operation.payload])
      return count + 1
    },
  })
  const startMs = env.now()
  const { dot } = await warp.set('session:1', 'x')
  await env.advance(TTL_MS)
  expect(ends).toEqual([['session:1', undefined, dot, startMs + TTL_MS, undefined]])
  await close(env, warp)
})

test('only keys that the projection looks at are told', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const projection = await warp.project(living({ keys: 'kept:*' }))
  await warp.set('session:1', 'x')
  await warp.set('kept:1', 'x')
  await env.advance(TTL_MS)
  expect(projection.state).toEqual({ keys: [], expiredCount: 1 })
  await close(env, warp)
})

test('a rebuild takes in the same ends of lives as were taken in live, between the same operations', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  const projection = await warp.project(living())
  await warp.set('kept:1', 'x')
  await warp.key('sum:1').increment(2)
  await env.advance(TTL_MS)
  await warp.set('kept:1', 'y')
  await warp.key('sum:1').increment(3)
  await warp.set('kept:2', 'y')
  await env.advance(TTL_MS / 2)
  await warp.set('kept:2', 'z')
  await env.advance(TTL_MS / 2)
  const live = projection.state
  expect(live).toEqual({ keys: ['kept:2'], expiredCount: 4 })
  await projection.rebuild()
  expect(projection.state).toEqual(live)
  await env.advance(TTL_MS)
  expect(projection.state).toEqual({ keys: [], expiredCount: 5 })
  await close(env, warp)
})

test('lives that end while a long log is read are taken in, each once', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  for (let i = 0; i < 6; i++) {
    await warp.setMany(Array.from({ length: 1000 }, (_, j) => [`kept:${i * 1000 + j}`, 'x'] as const))
  }
  await env.advance(TTL_MS - 100)
  await warp.set('kept:0', 'x')
  const original = env.yield.bind(env)
  let turns = 0
  env.yield = async () => {
    if (++turns === 3) env.jumpWall(200)
    if (turns === 4) await warp.set('kept:1', 'x')
    if (turns === 10) await warp.set('plain:1', 'x')
    return original()
  }
  const projection = await warp.project(living())
  await env.advance(300)
  // One was written again before it ended, one after, and one has no life.
  expect(projection.state).toEqual({ keys: ['kept:0', 'kept:1', 'plain:1'], expiredCount: 5999 })
  await close(env, warp)
})

test('after a restart a projection goes on from its checkpoint, and takes in what has expired since', async () => {
  const env = virtualEnv()
  const files = memoryFiles({ persistent: true })
  const first = await openWithLives(env, { files })
  const projection = await first.project(living({ checkpoint }))
  await first.set('kept:1', 'x')
  await first.set('kept:2', 'x')
  await env.advance(TTL_MS)
  await first.set('kept:2', 'y')
  await first.set('kept:3', 'y')
  expect(projection.state).toEqual({ keys: ['kept:2', 'kept:3'], expiredCount: 2 })
  await close(env, first)
  await env.advance(TTL_MS)

  const second = await openWithLives(env, { files: files.copy() })
  const again = await second.project(living({ checkpoint }))
  expect(again.state).toEqual({ keys: [], expiredCount: 4 })
  await second.set('kept:3', 'z')
  await env.advance(TTL_MS)
  expect(again.state).toEqual({ keys: [], expiredCount: 5 })
  await close(env, second)
})

test('a key that expired and was forgotten while a projection did not run is not counted for ever', async () => {
  const env = virtualEnv()
  const files = memoryFiles({ persistent: true })
  const first = await openWithLives(env, { files })
  const projection = await first.project(living({ checkpoint }))
  await first.set('session:1', 'x')
  await first.set('plain:1', 'x')
  await projection.close()
  await env.advance(TTL_MS)
  await first.compact()
  expect((await first.project(living({ checkpoint }))).state.keys).toEqual(['plain:1'])
  await close(env, first)
})

test('a key that is forgotten while the log is read is not counted for ever', async () => {
  const env = virtualEnv()
  const warp = await openWithLives(env)
  await warp.set('session:1', 'x')
  for (let i = 0; i < 4; i++) {
    await warp.setMany(Array.from({ length: 1000 }, (_, j) => [`plain:${i * 1000 + j}`, 'x'] as const))
  }
  env.jumpWall(TTL_MS)
  const original = env.yield.bind(env)
  let hasCompacted = false
  env.yield = async () => {
    if (!hasCompacted) {
      hasCompacted = true
      await warp.compact()
    }
    return original()
  }
  const projection = await warp.project(living({ keys: 'session:*' }))
  expect(projection.state.keys).toEqual([])
  await close(env, warp)
})
