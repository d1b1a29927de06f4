/** Loaders that do what nobody expected, and options that mean nothing. */
import { afterEach, describe, expect, test } from 'vitest'
import { register } from '../../crdt/register.ts'
import { LOADS_MAX } from '../../src/limits.ts'
import { SourceWorld, type AnyWarp } from './world.ts'

let world: SourceWorld

afterEach(async () => {
  await world.close()
})

async function alone(options: Parameters<SourceWorld['join']>[1] = {}, copies = {}): Promise<AnyWarp> {
  world = new SourceWorld()
  return (await world.join('a', options, { alone: true, copies })).warp
}

describe('a loader', () => {
  test.each([
    ['invalidate', (warp: AnyWarp) => void warp.invalidate('k:1')],
    ['invalidateLocal', (warp: AnyWarp): void => warp.invalidateLocal('k:*')],
  ])(
    'that says itself, by %s, that its key is out of date is called once, and its answer is not kept',
    async (_, say) => {
      const warp = await alone({ load: 'caller' })
      let calls = 0
      const load = (): string => {
        calls++
        say(warp)
        return 'value'
      }
      expect(await warp.getOrSet('k:1', load)).toBe('value')
      expect(calls).toBe(1)
      expect(warp.peek('k:1')).toBeUndefined()
      const many = (keys: readonly string[]): [string, unknown][] => keys.map((key) => [key, load()])
      expect((await warp.getOrSetMany(['k:1'], many)).get('k:1')).toBe('value')
      expect(calls).toBe(2)
    },
  )

  test.each([
    [
      'an instance of a class',
      new (class User {
        readonly name = 'Ada'
      })(),
      /User/,
    ],
    ['a function', () => 1, /function/],
    [
      'a cycle',
      ((): unknown => {
        const cycle: { self?: unknown } = {}
        cycle.self = cycle
        return cycle
      })(),
      /cycle/,
    ],
  ])('that gives %s is refused, for readers would share it', async (_, given, message) => {
    const warp = await alone({ load: 'caller' })
    await expect(warp.getOrSet('k:1', () => given)).rejects.toMatchObject({
      code: 'WARP_E_LOAD',
      message: expect.stringMatching(message) as string,
      cause: { code: 'WARP_E_UNENCODABLE' },
    })
  })

  test('of many keys is told what it gave that nobody can use', async () => {
    const warp = await alone({ load: 'caller' })
    const many = (gives: unknown): Promise<unknown> => warp.getOrSetMany(['k:1'], () => gives as [])
    await expect(many([['1', 'value']])).rejects.toThrow(/gave a value for the string "1", which it was not asked for/)
    await expect(many(['value'])).rejects.toThrow(/gave a list with the string "value"; return a Map/)
    await expect(many(undefined)).rejects.toThrow(/gave undefined; return a Map/)
    expect(await many(new Map())).toEqual(new Map())
  })

  test('is told which of its tags is none', async () => {
    const warp = await alone({ load: 'caller' })
    const get = (tags: readonly unknown[]): Promise<unknown> =>
      warp.getOrSet('k:1', () => 1, { tags: tags as string[] })
    await expect(get(['a', 7])).rejects.toThrow(/tags\[1\] is 7/)
    await expect(get(['\ud800'])).rejects.toThrow(/tags\[0\].*well-formed/)
    await expect(get(Array.from({ length: 65 }, (_, i) => `${i}`))).rejects.toThrow(/65 tags are more than the 64/)
  })
})

test('what was written to keys that load is a copy: it is in no listing', async () => {
  const warp = await alone()
  await warp.set('k:1', 'old')
  await warp.set('own:1', 'mine')
  await warp.invalidate('k:1')
  const entries: unknown[] = []
  for await (const { key, value } of warp.entries('*')) entries.push([key, value])
  expect(entries).toEqual([['own:1', 'mine']])
  const keys: string[] = []
  for await (const key of warp.keys('*')) keys.push(key)
  expect(keys).toEqual(['own:1'])
})

test('a weight that is none fails the load that it is of, and no bound is lost by it', async () => {
  const weights = [Number.NaN, -1, 10, 10, 10]
  const warp = await alone({ load: 'caller' }, { bytesMax: 25, weigh: () => weights.shift() ?? 10 })
  await expect(warp.getOrSet('k:1', () => 1)).rejects.toThrow(/copies.weigh gave .*NaN for 'k:1'/)
  await expect(warp.getOrSet('k:1', () => 1)).rejects.toThrow(/copies.weigh gave .*-1/)
  for (const key of ['k:1', 'k:2', 'k:3']) await warp.getOrSet(key, () => 1)
  expect(warp.stats().copies).toMatchObject({ copiesCount: 2, bytes: 20 })
})

test('a source that is slower than those who ask does not fill the memory: more loads are refused, and stale copies served', async () => {
  const warp = await alone({ ttlMs: 1000, staleMs: 600_000, hardTimeoutMs: 60_000 })
  world.source.set('k:stale', 'stale')
  await warp.get('k:stale')
  await world.env.advance(1000)
  world.isHolding = true
  const reads = Array.from({ length: LOADS_MAX }, (_, i) => warp.get(`k:${i}`))
  await expect(warp.get('k:more')).rejects.toMatchObject({ code: 'WARP_E_LIMIT', details: { limit: LOADS_MAX } })
  expect(await warp.get('k:stale')).toBe('stale')
  expect(warp.stats().copies?.loadingCount).toBe(LOADS_MAX)
  const ended = Promise.allSettled(reads)
  await world.env.advance(60_000)
  expect((await ended).every(({ status }) => status === 'rejected')).toBe(true)
  expect(warp.stats().copies?.loadingCount).toBe(0)
})

test('copies that are void make room before those that are not', async () => {
  const warp = await alone({}, { entriesMax: 20 })
  for (let i = 0; i < 40; i++) world.source.set(`k:${i}`, i)
  for (let i = 0; i < 20; i++) for (let read = 0; read < 2; read++) await warp.get(`k:${i}`)
  // The newer half.
  await warp.invalidate('k:1?')
  for (let i = 20; i < 30; i++) await warp.get(`k:${i}`)
  for (let i = 0; i < 10; i++) expect(warp.peek(`k:${i}`)).toBe(i)
})

test('a pattern that matches no key of the engine is refused as such, and not as one whose truth is here', async () => {
  const warp = await alone({ load: 'caller' })
  await expect(warp.invalidate('nope:*')).rejects.toMatchObject({
    code: 'WARP_E_UNREGISTERED_KEY',
    message: expect.stringContaining("'nope:*'") as string,
  })
})

test('options that mean nothing are refused', async () => {
  const warp = await alone({ load: 'caller' })
  await expect(warp.getOrSet('k:1', () => 1, { softTimeoutMs: 20_000 })).rejects.toThrow(/beyond hardTimeoutMs/)
  await expect(warp.getOrSet('k:1', () => 1, { refreshAhead: 0.5 })).rejects.toThrow(/refreshAhead needs a load/)
  await expect(
    warp.register('r:*', {
      ...{ strategy: register() },
      load: 'caller',
      refreshAhead: 0.5,
    }),
  ).rejects.toThrow(/refreshAhead is 0.5 with load: 'caller'/)
  const aborted = AbortSignal.abort()
  await expect(warp.getOrSet('k:1', () => 1, { signal: aborted })).rejects.toThrow(/given up before it began/)
})
