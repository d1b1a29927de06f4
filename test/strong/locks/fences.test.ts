/** Tokens that come with writes: no write of an old holder behind one of a newer holder (W40). */
import { describe, expect, it } from 'vitest'
import { memoryOrderedLog } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { counter, register } from '../../../crdt/index.ts'
import { FENCED_KEYS_MAX } from '../../../src/limits.ts'
import { FenceTable } from '../../../src/strong/locks/tables/fence-table.ts'
import type { WriteCommand } from '../../../src/strong/commands.ts'

const KEYS = {
  'job:*': { strategy: register<string>(), mode: 'strong' },
  'done:*': { strategy: counter(), mode: 'strong' },
  'own:*': { strategy: register<string>(), mode: 'local' },
  'free:*': register<string>(),
} as const
const FENCED = expect.objectContaining({ code: 'WARP_E_FENCED', outcome: 'failed' }) as Error

describe('a write with a fence', () => {
  it('is refused on every replica once a greater token has written its key, and only there', async () => {
    const order = memoryOrderedLog()
    await using a = await openWarp({ keys: KEYS, order })
    await using b = await openWarp({ keys: KEYS, order })
    await a.set('job:1', 'old', { fence: 7 })
    await a.set('job:1', 'old again', { fence: 7 })
    await b.set('job:1', 'new', { fence: 8 })
    await expect(a.set('job:1', 'late', { fence: 7 })).rejects.toThrow(FENCED)
    await expect(a.delete('job:1', { fence: 7 })).rejects.toThrow(FENCED)
    await expect(a.compareAndSet('job:1', { value: 'new' }, 'late', { fence: 7 })).rejects.toThrow(FENCED)
    await expect(a.update('job:1', () => 'late', { fence: 7 })).rejects.toThrow(FENCED)
    await expect(a.key('job:1').with({ fence: 7 }).set('late')).rejects.toThrow(FENCED)
    await a.set('job:2', 'another key', { fence: 7 })
    for (const one of [a, b]) expect(await one.get('job:1')).toBe('new')
    // What a machine has to know stands beside the message.
    const details = { key: 'job:1', fence: 7, token: 8 }
    await expect(a.set('job:1', 'late', { fence: 7 })).rejects.toMatchObject({ details })
    // Who gives none is not looked at.
    await a.set('job:1', 'unfenced')
    await b.delete('job:1', { fence: 8 })
    // A key that is gone is remembered.
    await expect(b.set('job:1', 'late', { fence: 7 })).rejects.toThrow(FENCED)
    await b.key('done:1').with({ fence: 3 }).increment()
    await expect(a.key('done:1').with({ fence: 2 }).increment()).rejects.toThrow(FENCED)
    await expect(
      a.setMany(
        [
          ['job:3', 'x'],
          ['job:1', 'x'],
        ],
        { fence: 7 },
      ),
    ).rejects.toThrow(FENCED)
    expect(await b.get('job:3')).toBeUndefined()
  })

  it('of a transaction is judged for each key that it writes, and nothing is written by halves', async () => {
    await using warp = await openWarp({ keys: KEYS, order: memoryOrderedLog() })
    await warp.set('job:1', 'new', { fence: 8 })
    const both = (value: string, fence: number): Promise<unknown> =>
      warp.transaction(
        (tx) => {
          tx.set('job:2', value)
          tx.set('job:1', value)
        },
        { fence },
      )
    await expect(both('late', 7)).rejects.toThrow(FENCED)
    expect([await warp.get('job:1'), await warp.get('job:2')]).toEqual(['new', undefined])
    await both('newer', 9)
    await expect(warp.set('job:2', 'late', { fence: 8 })).rejects.toThrow(FENCED)
  })

  it('counts for its key when it counts at all', async () => {
    await using warp = await openWarp({ keys: KEYS, order: memoryOrderedLog() })
    await warp.set('job:1', 'x', { fence: 5 })
    await expect(warp.compareAndSet('job:1', 'absent', 'y', { fence: 9 })).rejects.toMatchObject({
      code: 'WARP_E_CAS_CONFLICT',
    })
    await warp.set('job:1', 'z', { fence: 6 })
  })

  it('takes the token of a lock and nothing else, on strong keys and on no others', async () => {
    await using warp = await openWarp({ keys: KEYS, order: memoryOrderedLog() })
    for (const fence of [0, -1, 1.5, Number.NaN, '7', null, 2 ** 53]) {
      const options = { fence } as { fence: number }
      await expect(warp.set('job:1', 'x', options)).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
      await expect(warp.compareAndSet('job:1', 'absent', 'x', options)).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    }
    const mode = { code: 'WARP_E_MODE' }
    await expect(warp.set('own:1', 'x', { fence: 1 })).rejects.toMatchObject(mode)
    await expect(warp.set('free:1', 'x', { fence: 1 })).rejects.toMatchObject(mode)
    await expect(warp.delete('free:1', { fence: 1 })).rejects.toMatchObject(mode)
    await expect(warp.compareAndSet('own:1', 'absent', 'x', { fence: 1 })).rejects.toMatchObject(mode)
    expect(await warp.get('own:1')).toBeUndefined()
  })
})

describe('what is remembered of fences', () => {
  const write = (key: string, fence: number): WriteCommand => ({
    kind: 'write',
    expected: [],
    changes: [{ key, strategy: 1, parameters: [], lifeMs: 0 }],
    fence,
  })

  it('is bounded: of keys that were forgotten the greatest token that was counts', () => {
    const table = new FenceTable('f')
    for (let i = 1; i <= FENCED_KEYS_MAX; i++) table.note(write(`k${i}`, 1000 + i))
    expect(table.refusal(write('new', 1))).toBeUndefined()
    table.note(write('one more', 900_000))
    expect(table.kept.weight).toBe(FENCED_KEYS_MAX - FENCED_KEYS_MAX / 8 + 1)
    const most = 1000 + FENCED_KEYS_MAX / 8
    expect(table.refusal(write('k1', 1001))?.code).toBe('WARP_E_FENCED')
    expect(table.refusal(write('new', most - 1))?.code).toBe('WARP_E_FENCED')
    expect(table.refusal(write('new', most))).toBeUndefined()
    // What is remembered is remembered as it was.
    expect(table.refusal(write(`k${FENCED_KEYS_MAX}`, 1000 + FENCED_KEYS_MAX))).toBeUndefined()
    expect(table.refusal(write(`k${FENCED_KEYS_MAX}`, 999 + FENCED_KEYS_MAX))?.code).toBe('WARP_E_FENCED')
    const taken = new FenceTable('f')
    taken.kept.replace(table.encode())
    expect(taken.refusal(write('new', most - 1))?.code).toBe('WARP_E_FENCED')
  })
})
