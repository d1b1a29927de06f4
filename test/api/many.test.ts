/** Many keys at once. */
import { expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const open = () => openWarp({ keys: { 'a:*': register<number>(), 'hits:*': counter() }, env: virtualEnv() })

test('many values are read in the order of their keys, without those that have none', async () => {
  const warp = await open()
  await warp.set('a:1', 1)
  await warp.key('hits:1').increment()
  await warp.set('a:2', 2)
  const values = await warp.getMany(['a:2', 'a:9', 'hits:1', 'a:1'])
  expect([...values]).toEqual([
    ['a:2', 2],
    ['hits:1', 1],
    ['a:1', 1],
  ])
  await expect(warp.getMany(['a:1', 'x:1' as 'a:1'])).rejects.toMatchObject({ code: 'WARP_E_UNREGISTERED_KEY' })
  await expect(warp.getMany(['a:1'], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
})

test('pages of entries list each key once, whatever is written between them', async () => {
  const warp = await open()
  for (let i = 0; i < 1_000; i++) await warp.set(`a:${i}`, i)
  await warp.key('hits:1').increment()
  await warp.delete('a:500')
  const seen: string[] = []
  let after: string | undefined
  for (;;) {
    let count = 0
    for await (const { key, value, cursor } of warp.entries('a:*', {
      limit: 70,
      ...(after === undefined ? {} : { after }),
    })) {
      expect(key).toBe(`a:${value}`)
      seen.push(key)
      after = cursor
      count++
    }
    await warp.set(`a:${2_000 + seen.length}`, 2_000 + seen.length)
    await warp.delete(`a:${900 + (seen.length % 90)}`)
    if (count < 70) break
  }
  expect(new Set(seen).size).toBe(seen.length)
  for (let i = 0; i < 900; i++) expect(seen.includes(`a:${i}`)).toBe(i !== 500)
})

test('a cursor of another opening and a limit of nothing are refused', async () => {
  const warp = await open()
  expect(() => warp.entries('a:*', { after: 'x.5' })).toThrow('no cursor of this opening')
  expect(() => warp.entries('a:*', { limit: 0 })).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
})

test('many keys are set in one piece, all or none', async () => {
  const warp = await open()
  const receipts = await warp.setMany([
    ['a:1', 1],
    ['a:2', 2],
  ])
  expect(receipts.map(({ version }) => version)).toEqual([1, 1])
  const refused = warp.setMany([
    ['a:1', 5],
    ['a:3', (() => 1) as unknown as number],
  ])
  await expect(refused).rejects.toMatchObject({ code: 'WARP_E_UNENCODABLE' })
  expect([...(await warp.getMany(['a:1', 'a:2', 'a:3'])).values()]).toEqual([1, 2])
  const many = Array.from({ length: 1_001 }, (_, i) => [`a:${i}`, i] as const)
  await expect(warp.setMany(many)).rejects.toMatchObject({ code: 'WARP_E_LIMIT' })
  expect(warp.stats().log.operationsCount).toBe(2)
})

test('keys that are set at once are bounded in bytes too, and nothing of what is refused is there', async () => {
  const warp = await openWarp({ keys: { 'a:*': register<string>() }, env: virtualEnv() })
  await warp.set('a:0', 'old')
  const long = 'x'.repeat(1_000_000)
  const entries = Array.from({ length: 5 }, (_, i) => [`a:${i}`, long] as const)
  const error: unknown = await warp.setMany(entries).catch((refusal: unknown) => refusal)
  expect(error).toMatchObject({ code: 'WARP_E_LIMIT', details: { limit: 4 * 2 ** 20 } })
  expect(error).toMatchObject({ message: expect.stringContaining('write them in several calls') as unknown })
  expect([...(await warp.getMany(entries.map(([key]) => key)))]).toEqual([['a:0', 'old']])
  expect(warp.stats().log.operationsCount).toBe(1)
  expect(await warp.setMany(entries.slice(0, 4))).toHaveLength(4)
  expect((await warp.set('a:4', 'new')).dot?.sequence).toBe(6)
})
