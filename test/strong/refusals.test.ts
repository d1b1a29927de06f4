import { describe, expect, test } from 'vitest'
import { memoryOrderedLog, memoryStore } from '../../adapters/memory/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { counter, register } from '../../crdt/index.ts'
import { yjs } from '../../crdt/documents/yjs.ts'
import type { KeyMap, Warp } from '../../src/index.ts'

const KEYS = {
  'strong:*': { strategy: register<number>(), mode: 'strong' },
  'local:*': { strategy: register<number>(), mode: 'local' },
  'eventual:*': register<number>(),
} as const

/** Without the types, which refuse some of it as well. */
async function opened(): Promise<Warp<KeyMap>> {
  return (await openWarp({ keys: KEYS, order: memoryOrderedLog({ partitions: 2 }) })) as unknown as Warp<KeyMap>
}

describe('an ordered log decides about strong keys alone', () => {
  test.each([
    ['compareAndSet', (warp: Warp<KeyMap>) => warp.compareAndSet('eventual:1', 'absent', 1)],
    ['update', (warp: Warp<KeyMap>) => warp.update('eventual:1', () => 1)],
    ['getVersioned', (warp: Warp<KeyMap>) => warp.getVersioned('eventual:1')],
    ['touch', (warp: Warp<KeyMap>) => warp.touch('strong:1')],
    ['write', async (warp: Warp<KeyMap>) => Promise.resolve(warp.write('strong:1', 1))],
    [
      'two modes in one write',
      (warp: Warp<KeyMap>) =>
        warp.setMany([
          ['strong:1', 1],
          ['eventual:1', 1],
        ]),
    ],
    [
      'two partitions in one write',
      (warp: Warp<KeyMap>) => warp.setMany(Array.from({ length: 20 }, (_, i) => [`strong:${i}`, i] as const)),
    ],
  ])('%s is refused where it does not fit', async (_, call) => {
    await using warp = await opened()
    await expect(call(warp)).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  })

  test('keys with a part in braces in common are written as one', async () => {
    await using warp = await opened()
    await warp.setMany(Array.from({ length: 20 }, (_, i) => [`strong:{a}:${i}`, i] as const))
    expect(await warp.get('strong:{a}:19')).toBe(19)
  })

  test('an eventual key is not read linearizably, and a strong pattern needs an ordered log', async () => {
    await using warp = await opened()
    const code = 'WARP_E_LINEARIZABLE_UNSUPPORTED'
    await expect(warp.get('eventual:1', { consistency: 'linearizable' })).rejects.toMatchObject({ code })
    await expect(openWarp({ keys: KEYS })).rejects.toMatchObject({ code })
  })

  test('a consistency that is none is refused by all that read, and by what does not read as a whole', async () => {
    await using warp = await opened()
    const options = { consistency: 'strong' } as never
    const code = 'WARP_E_CONFIG'
    await expect(warp.get('local:1', options)).rejects.toMatchObject({ code })
    await expect(warp.getMany(['local:1'], options)).rejects.toMatchObject({ code })
    await expect(warp.getVersioned('local:1', options)).rejects.toMatchObject({ code })
    await expect(warp.getAt('local:1', { version: 1 }, { consistency: 'stale' } as never)).rejects.toMatchObject({
      code,
    })
  })

  test('compare-and-set of a local key is decided by the process', async () => {
    await using warp = await opened()
    const receipt = await warp.compareAndSet('local:1', 'absent', 1)
    expect(await warp.tryCompareAndSet('local:1', 'absent', 2)).toMatchObject({ kind: 'conflict' })
    await warp.compareAndSet('local:1', { value: 1 }, 2)
    expect(await warp.tryCompareAndSet('local:1', { version: receipt.version }, 3)).toMatchObject({ kind: 'conflict' })
    await Promise.all(Array.from({ length: 20 }, () => warp.update('local:1', (n) => (n as number) + 1)))
    expect(warp.peek('local:1')).toBe(22)
  })

  test.each<[string, object]>([
    ['a store', { strategy: register(), mode: 'strong', store: memoryStore() }],
    ['a life that slides', { strategy: register(), mode: 'strong', ttlMs: 1000, ttl: 'sliding' }],
    ['a document', { strategy: yjs(), mode: 'strong' }],
  ])('%s is refused for a strong pattern', async (_, definition) => {
    const keys = { 'a:*': definition } as unknown as KeyMap
    await expect(openWarp({ keys, order: memoryOrderedLog() })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  })

  test('a verb that its strategy does not have, and a value that is refused, are verdicts', async () => {
    await using warp = await openWarp({
      keys: { 'hits:*': { strategy: counter(), mode: 'strong' } },
      order: memoryOrderedLog(),
    })
    await expect(warp.key('hits:1').increment(0.5)).rejects.toMatchObject({ code: 'WARP_E_LIMIT' })
    await warp.key('hits:1').increment()
    expect(await warp.key('hits:1').get()).toBe(1)
  })
})
