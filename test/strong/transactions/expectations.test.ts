/** What a transaction expects of keys counts, whether its function waits for the answer or not. */
import { afterEach, describe, expect, it } from 'vitest'
import { memoryOrderedLog } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'

const KEYS = {
  'strong:*': { strategy: register<number>(), mode: 'strong' },
  'local:*': { strategy: register<number>(), mode: 'local' },
} as const

const opened: { close(): Promise<void> }[] = []
async function open() {
  const warp = await openWarp({ keys: KEYS, order: memoryOrderedLog() })
  opened.push(warp)
  return warp
}

afterEach(async () => void (await Promise.all(opened.splice(0).map((warp) => warp.close()))))

describe.each(['strong', 'local'] as const)(
  'a transaction of %s keys that does not wait for what it expects',
  (mode) => {
    // The types are those of one mode: the keys of the other have the same shape.
    const as = { mode } as { readonly mode: 'strong' }
    const a = `${mode}:a` as 'strong:a'
    const b = `${mode}:b` as 'strong:b'

    it('writes nothing where that is not so', async () => {
      const warp = await open()
      await warp.set(a, 1)
      const run = warp.transaction((tx) => {
        void tx.expect(a, { value: 7 })
        tx.set(b, 2)
      }, as)
      await expect(run).rejects.toMatchObject({ code: 'WARP_E_TXN_ABORTED', details: { key: a } })
      expect(await warp.get(b)).toBe(undefined)
    })

    it('writes what it compares and sets', async () => {
      const warp = await open()
      await warp.transaction((tx) => {
        void tx.compareAndSet(a, 'absent', 1)
        void tx.compareAndSet(b, 'absent', 2)
      }, as)
      expect([await warp.get(a), await warp.get(b)]).toEqual([1, 2])
    })

    it('writes nothing where it is refused, though its function hides that', async () => {
      const warp = await open()
      const run = warp.transaction(async (tx) => {
        tx.set(a, 1)
        await tx.expect(a, 'absent').catch(() => undefined)
      }, as)
      await expect(run).rejects.toMatchObject({ code: 'WARP_E_MODE' })
      expect(await warp.get(a)).toBe(undefined)
    })
  },
)
