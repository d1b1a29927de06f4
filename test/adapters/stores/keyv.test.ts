import { Keyv } from 'keyv'
import { describe, expect, test } from 'vitest'
import { primaryStoreSuite } from '../../../adapters/conformance/primary-store/suite.ts'
import { keyvStore } from '../../../adapters/stores/keyv/keyv-store.ts'

const { signal } = new AbortController()

describe('a Keyv over a Map', () => {
  primaryStoreSuite({
    test,
    create: () => {
      const keyv = new Keyv({ store: new Map(), throwOnErrors: true })
      return {
        store: keyvStore(keyv),
        outsider: async (key, value) => {
          if (value === undefined) await keyv.delete(key)
          else await keyv.set(key, JSON.parse(Buffer.from(value).toString()))
        },
      }
    },
  })
})

/** A store of Keyv's that fails while it is told to. */
class FailingStore {
  isDown = false
  readonly opts = {}
  readonly #map = new Map<string, unknown>()

  get(key: string): Promise<unknown> {
    return this.isDown ? Promise.reject(new Error('no connection')) : Promise.resolve(this.#map.get(key))
  }

  set(key: string, value: unknown): Promise<void> {
    if (this.isDown) return Promise.reject(new Error('no connection'))
    this.#map.set(key, value)
    return Promise.resolve()
  }

  delete(key: string): Promise<boolean> {
    return Promise.resolve(this.#map.delete(key))
  }

  clear(): Promise<void> {
    return Promise.resolve()
  }
}

describe('a Keyv whose store is down', () => {
  const down = expect.objectContaining({
    code: 'WARP_E_STORE',
    details: expect.objectContaining({ failure: 'transient' }),
  })

  test('is an error, never an empty answer', async () => {
    const failing = new FailingStore()
    const store = keyvStore(new Keyv({ store: failing, throwOnErrors: true }))
    failing.isDown = true
    await expect(store.readRows(['a', 'b'], { signal })).rejects.toEqual(down)
    const next = { value: Buffer.from('1'), meta: Buffer.from([1]), token: Buffer.alloc(16) }
    await expect(store.compareAndSet([{ key: 'a', expected: undefined, next }], { signal })).rejects.toEqual(down)
    failing.isDown = false
    expect(await store.readRows(['a'], { signal })).toEqual([undefined])
  })

  test('cannot list what its store cannot list, and says so', async () => {
    const store = keyvStore(new Keyv({ store: new FailingStore(), throwOnErrors: true }))
    await expect(store.listKeys({ prefix: '', limit: 1, signal })).rejects.toThrow('cannot list keys')
  })
})

test('a Keyv that would hide errors or let rows expire is refused', () => {
  expect(() => keyvStore(new Keyv())).toThrow('throwOnErrors: true')
  expect(() => keyvStore(new Keyv({ throwOnErrors: true, ttl: 1000 }))).toThrow('ttl')
  const none: unknown = {}
  expect(() => keyvStore(none as Keyv)).toThrow('give a Keyv')
})
