import { expect, it } from 'vitest'
import { openWarp } from '../adapters/node/index.ts'
import { counter, custom, map, multiValue, register, set, text } from '../crdt/index.ts'

it('one engine reads, writes, merges, watches and remembers', async () => {
  const warp = await openWarp({
    keys: {
      'user:*': { strategy: register<{ name: string }>(), ttlMs: 60_000 },
      'visits:*': counter(),
      'cart:*': set<string>(),
      'notes:*': custom<string[]>((old, next) => [...old, ...next]),
      'doc:*': text(),
      'mv:*': multiValue<number>(),
      'm:*': map({ a: counter(), b: register<string>() }),
    },
  })
  const receipt = await warp.set('user:1', { name: 'A' })
  expect(receipt.version).toBe(1)
  expect(warp.peek('user:1')).toEqual({ name: 'A' })
  expect(await warp.get('user:1')).toEqual({ name: 'A' })
  await warp.key('visits:home').increment(3)
  await warp.key('visits:home').increment()
  expect(await warp.get('visits:home')).toBe(4)
  await warp.key('cart:1').add('x', 'y')
  await warp.key('cart:1').remove('x')
  expect(await warp.get('cart:1')).toEqual(new Set(['y']))
  await warp.set('notes:1', ['a'])
  await warp.set('notes:1', ['b'])
  expect(await warp.get('notes:1')).toEqual(['a', 'b'])
  await warp.key('doc:1').insert(0, 'hello')
  expect(await warp.get('doc:1')).toBe('hello')
  await warp.key('m:1').update('a', 'increment', 2)
  expect(await warp.get('m:1')).toEqual({ a: 2 })
  const operations = []
  for await (const operation of warp.log('notes:1')) operations.push(operation.payload)
  expect(operations.length).toBe(2)
  expect(await warp.getAt('notes:1', { version: 1 })).toEqual(['a'])
  expect((await warp.explain('notes:1')).operations.map((o) => o.effect)).toEqual(['merged', 'merged'])
  const watch = warp.watch('user:*')
  const iterator = watch[Symbol.asyncIterator]()
  const next = iterator.next()
  await warp.set('user:2', { name: 'B' })
  const change = (await next).value
  expect(change).toMatchObject({ kind: 'value', key: 'user:2', version: 1 })
  await warp.delete('user:2')
  expect(await warp.get('user:2')).toBe(undefined)
  await warp.close()
})
