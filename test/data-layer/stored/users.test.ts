/** A store is closed once, by the last engine that uses it; an opening that failed is no use. */
import { expect, test } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { openWarp, type PrimaryStore } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/register.ts'
import { storeError } from '../../../src/ports/stores/store-error.ts'

function closable(): { readonly store: PrimaryStore; readonly closings: () => number } {
  const store: PrimaryStore = memoryStore()
  let closings = 0
  store.close = () => {
    closings++
    return Promise.resolve()
  }
  return { store, closings: () => closings }
}

/** A store whose table is not there the first time. */
function brokenOnce(): ReturnType<typeof closable> {
  const made = closable()
  let isBroken = true
  made.store.check = () => {
    if (!isBroken) return Promise.resolve()
    isBroken = false
    return Promise.reject(storeError({ store: 'mine', failure: 'broken', message: 'there is no table; make it' }))
  }
  return made
}

test('two engines that use one store close it once, with the second', async () => {
  const { store, closings } = closable()
  const keys = {
    'k:*': { strategy: register<string>(), store },
    'l:*': { strategy: register<string>(), store },
  } as const
  const [a, b] = [await openWarp({ keys }), await openWarp({ keys })]
  await a.close()
  expect(closings()).toBe(0)
  await b.close()
  expect(closings()).toBe(1)
})

test('an opening that fails closes no store and counts as no use, of the broken one nor of those before it', async () => {
  const [sound, broken] = [closable(), brokenOnce()]
  const keys = {
    'k:*': { strategy: register<string>(), store: sound.store },
    'l:*': { strategy: register<string>(), store: broken.store },
  } as const
  await expect(openWarp({ keys })).rejects.toMatchObject({ code: 'WARP_E_STORE' })
  expect([sound.closings(), broken.closings()]).toEqual([0, 0])
  const warp = await openWarp({ keys })
  await warp.close()
  expect([sound.closings(), broken.closings()]).toEqual([1, 1])
})
