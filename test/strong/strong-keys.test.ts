import { describe, expect, it } from 'vitest'
import { counter, register, set } from '../../crdt/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { memoryOrderedLog } from '../../adapters/memory/index.ts'

const KEYS = {
  'stock:*': { strategy: register<number>(), mode: 'strong' },
  'hits:*': { strategy: counter(), mode: 'strong' },
  'tags:*': { strategy: set<string>(), mode: 'strong' },
} as const

describe('strong keys of two replicas', () => {
  it('are read as the other has just written them', async () => {
    const order = memoryOrderedLog()
    await using a = await openWarp({ keys: KEYS, order })
    await using b = await openWarp({ keys: KEYS, order })
    const receipt = await a.set('stock:1', 7)
    expect(receipt).toMatchObject({ ack: 'broker', version: 1 })
    expect(await b.get('stock:1')).toBe(7)
    expect(await b.getVersioned('stock:1')).toEqual({ value: 7, version: 1 })
    await b.compareAndSet('stock:1', { version: 1 }, 8)
    expect(await a.tryCompareAndSet('stock:1', { version: 1 }, 9)).toEqual({ kind: 'conflict', version: 2 })
    expect(await a.get('stock:1')).toBe(8)
    await Promise.all([a, b].map((one) => one.key('hits:1').increment(2)))
    expect(await a.key('hits:1').get()).toBe(4)
    await a.key('tags:1').add('x')
    await b.key('tags:1').add('y')
    await b.key('tags:1').remove('x')
    expect(await a.get('tags:1')).toEqual(new Set(['y']))
    expect(await a.delete('stock:1')).toMatchObject({ ack: 'broker' })
    expect(await b.getVersioned('stock:1')).toEqual({ value: undefined, version: 0 })
  })

  it('lose no update', async () => {
    const order = memoryOrderedLog()
    await using a = await openWarp({ keys: KEYS, order })
    await using b = await openWarp({ keys: KEYS, order })
    const add = (one: typeof a): Promise<unknown> => one.update('stock:1', (count = 0) => count + 1)
    await Promise.all(Array.from({ length: 50 }, (_, i) => add(i % 2 === 0 ? a : b)))
    expect(await a.get('stock:1')).toBe(50)
    expect(await b.get('stock:1')).toBe(50)
  })
})
