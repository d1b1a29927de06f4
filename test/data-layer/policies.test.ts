/** Whom the policies of copies let go, and what is asked of a user's own. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { openWarp, type CopiesOptions, type CopyPolicy } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import { FrequencySketch, hashOf } from '../../src/data-layer/policies/frequency-sketch.ts'
import { refusalOf } from '../support/refusal-of.ts'

async function open(copies: CopiesOptions) {
  const keys = { 'k:*': { strategy: register<number>(), load: 'caller' } } as const
  const warp = await openWarp({ keys, copies })
  onTestFinished(() => warp.close())
  /** Reads keys one after the other, loading those that are not there; says how many were. */
  const read = async (...names: readonly (string | number)[]): Promise<number> => {
    let hits = 0
    for (const name of names) {
      const isThere = warp.peek(`k:${name}`) !== undefined
      if (isThere) hits++
      else await warp.getOrSet(`k:${name}`, () => 1)
    }
    return hits
  }
  const isThere = (name: string | number): boolean => warp.peek(`k:${name}`) === 1
  return { warp, read, isThere }
}

const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, at) => from + at)

describe.each(['sieve', 'adaptive', 'w-tinylfu', 'lfu', 'lru'] as const)('%s', (policy) => {
  test('keeps to the bound, however copies come and go', async () => {
    const { warp, read } = await open({ entriesMax: 10, policy })
    await read(...numbers(0, 40))
    await warp.clear('k:*')
    for (const key of numbers(30, 10)) warp.invalidateLocal(`k:${key}`)
    await read(...numbers(20, 40), ...numbers(50, 10))
    expect(warp.stats().copies).toMatchObject({ copiesCount: 10, entriesMax: 10 })
  })

  test('keeps what has just been loaded, also where there is room for one', async () => {
    const { read, isThere } = await open({ entriesMax: 1, policy })
    await read('a', 'b')
    expect([isThere('a'), isThere('b')]).toEqual([false, true])
  })

  test('bounds weight as well', async () => {
    const { warp, read } = await open({ bytesMax: 100, weigh: () => 30, policy })
    await read(...numbers(0, 10))
    expect(warp.stats().copies).toMatchObject({ copiesCount: 3, bytes: 90 })
  })
})

describe('what tells them apart', () => {
  test('lru: whom nobody has read for longest goes', async () => {
    const { read, isThere } = await open({ entriesMax: 3, policy: 'lru' })
    await read('a', 'b', 'c', 'a', 'd')
    expect(['a', 'b', 'c', 'd'].map(isThere)).toEqual([true, false, true, true])
  })

  test('sieve: what has been read survives a scan', async () => {
    const { read, isThere } = await open({ entriesMax: 20, policy: 'sieve' })
    await read('a', ...numbers(0, 10), 'a', ...numbers(100, 25))
    expect(isThere('a')).toBe(true)
  })

  test('w-tinylfu: what is popular survives a scan of ten times what there is room for, as with lru nothing does', async () => {
    const popular = numbers(0, 50)
    const survivors = async (policy: 'lru' | 'w-tinylfu'): Promise<number> => {
      const { read } = await open({ entriesMax: 100, policy })
      for (let round = 0; round < 5; round++) await read(...popular)
      await read(...numbers(1000, 1000))
      return read(...popular)
    }
    expect(await survivors('lru')).toBe(0)
    expect(await survivors('w-tinylfu')).toBeGreaterThanOrEqual(35)
  })

  test('w-tinylfu: of a loop that is larger than memory a part is hit, where lru hits nothing', async () => {
    const loop = Array.from({ length: 20 }, () => numbers(0, 200)).flat()
    const hits = async (policy: 'lru' | 'w-tinylfu'): Promise<number> =>
      (await open({ entriesMax: 100, policy })).read(...loop)
    expect(await hits('lru')).toBe(0)
    expect(await hits('w-tinylfu')).toBeGreaterThan(loop.length / 4)
  })

  test('adaptive: of a loop that is larger than memory nearly half is hit, and a scan passes by', async () => {
    const { read } = await open({ entriesMax: 100, policy: 'adaptive' })
    const loop = Array.from({ length: 20 }, () => numbers(0, 200)).flat()
    expect(await read(...loop)).toBeGreaterThan(loop.length * 0.4)
    const kept = await read(...numbers(0, 200))
    await read(...numbers(1000, 1000))
    expect(await read(...numbers(0, 200))).toBeGreaterThan(kept - 10)
  })

  test('adaptive: half of a new hot set is kept within three rounds, where w-tinylfu holds on to the old one', async () => {
    const hitsOfFourthRound = async (policy: 'adaptive' | 'w-tinylfu'): Promise<number> => {
      const { read } = await open({ entriesMax: 100, policy })
      for (let round = 0; round < 12; round++) await read(...numbers(0, 100))
      for (let round = 0; round < 3; round++) await read(...numbers(500, 40))
      return read(...numbers(500, 40))
    }
    expect(await hitsOfFourthRound('adaptive')).toBeGreaterThanOrEqual(20)
    expect(await hitsOfFourthRound('w-tinylfu')).toBeLessThan(10)
  })

  test('w-tinylfu: what was popular once makes room for what is popular now', async () => {
    const { read } = await open({ entriesMax: 100, policy: 'w-tinylfu' })
    for (let round = 0; round < 30; round++) await read(...numbers(0, 100))
    for (let round = 0; round < 60; round++) await read(...numbers(500, 80))
    expect(await read(...numbers(500, 80))).toBeGreaterThanOrEqual(72)
  })
})

describe('a policy of the user’s own', () => {
  /** First in, first out, with a mistake if that is wanted. */
  const fifo = (name: (slot: number, kept: number) => unknown = (slot) => slot): CopyPolicy => {
    const slots: number[] = []
    return {
      added: (slot) => void slots.push(slot),
      hit: () => undefined,
      removed: (slot) => void slots.splice(slots.indexOf(slot), 1),
      victim: (kept) => name(slots.find((slot) => slot !== kept) as number, kept) as number | undefined,
    }
  }

  test('decides, and is told of everything', async () => {
    const { read, isThere } = await open({ entriesMax: 2, policy: () => fifo() })
    await read('a', 'b', 'a', 'c')
    expect(['a', 'b', 'c'].map(isThere)).toEqual([false, true, true])
  })

  test.each([
    ['a slot where nothing is', (): unknown => 77],
    ['what is no slot', (): unknown => 'a'],
    ['what has just come', (_: number, kept: number): unknown => kept],
  ])('that names %s is refused, and the bound holds', async (_, name) => {
    const { warp, read } = await open({ entriesMax: 2, policy: () => fifo(name) })
    await read('a', 'b')
    expect(await refusalOf(() => warp.getOrSet('k:c', () => 1))).toContain('copies.policy named')
    expect(warp.stats().copies?.copiesCount).toBe(2)
  })

  test.each([
    ['a name that is none', 'siev', "did you mean 'sieve'?"],
    ['what is neither name nor function', 5, 'or a function'],
    ['a policy without a method', () => ({ added: () => undefined }), 'the policy needs hit()'],
  ])('%s is refused', async (_, policy, message) => {
    const refusal = await refusalOf(async () => {
      const { read } = await open({ policy: policy as 'sieve' })
      await read('a')
    })
    expect(refusal).toContain(message)
  })
})

test('the sketch knows who is asked for more often, and forgets', () => {
  const sketch = new FrequencySketch()
  sketch.reach(64)
  for (let at = 0; at < 10; at++) sketch.add(hashOf('often'))
  sketch.add(hashOf('once'))
  expect(sketch.estimate(hashOf('often'))).toBeGreaterThanOrEqual(10)
  expect(sketch.estimate(hashOf('once'))).toBeLessThan(10)
  for (let at = 0; at < 2000; at++) sketch.add(hashOf(`other ${at % 400}`))
  const before = sketch.estimate(hashOf('often'))
  expect(before).toBeLessThan(10)
})
