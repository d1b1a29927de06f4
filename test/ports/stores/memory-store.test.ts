/** What the memory store does beyond the port: be slow, fail, hang, lose answers, refuse. */
import { describe, expect, test } from 'vitest'
import type { WarpError } from '../../../crdt/warp-error.ts'
import type { RowChange, StoreRow } from '../../../src/ports/primary-store.ts'
import { type MemoryStore, type MemoryStoreSettings, memoryStoreOn } from '../../../src/ports/stores/memory-store.ts'
import { type VirtualEnv, virtualEnv } from '../../../testing/world/virtual-env.ts'

const { signal } = new AbortController()
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const row = (text: string, token = 1): StoreRow => ({
  value: bytes(text),
  meta: Uint8Array.of(1),
  token: new Uint8Array(16).fill(token),
})
const insert = (key: string, text: string): RowChange => ({ key, expected: undefined, next: row(text) })

function world(settings: MemoryStoreSettings = {}): { env: VirtualEnv; store: MemoryStore } {
  const env = virtualEnv()
  return { env, store: memoryStoreOn(env, settings) }
}

/** What a request has come to so far. */
function watched(request: Promise<unknown>): { state: string } {
  const seen = { state: 'open' }
  void request.then(
    () => (seen.state = 'answered'),
    (error: unknown) => {
      const { code, details, outcome } = error as WarpError
      seen.state = [code, details['failure'], outcome].join(' ')
    },
  )
  return seen
}

describe('a request', () => {
  test('takes effect after its latency and is answered after its reply time', async () => {
    const { env, store } = world({ latencyMs: 10, replyMs: 5 })
    const write = watched(store.compareAndSet([insert('a', 'one')], { signal }))
    await env.advance(9)
    expect(store.row('a')).toBeUndefined()
    await env.advance(1)
    expect(store.row('a')).toBeDefined()
    expect(write.state).toBe('open')
    await env.advance(5)
    expect(write.state).toBe('answered')
  })

  test('shows what was there when it was executed, not when it was answered', async () => {
    const { env, store } = world({ replyMs: 100 })
    store.put('a', bytes('old'))
    const read = store.readRows(['a'], { signal })
    store.put('a', bytes('new'))
    await env.advance(100)
    expect((await read)[0]?.value).toEqual(bytes('old'))
  })

  test('that fails is not executed', async () => {
    const { env, store } = world({ failure: 1 })
    const write = watched(store.compareAndSet([insert('a', 'one')], { signal }))
    await env.runUntilIdle()
    expect(write.state).toBe('WARP_E_STORE transient failed')
    expect(store.row('a')).toBeUndefined()
  })

  test('whose answer is lost is executed', async () => {
    const { env, store } = world({ lostReply: 1 })
    const write = watched(store.compareAndSet([insert('a', 'one')], { signal }))
    await env.runUntilIdle()
    expect(write.state).toBe('WARP_E_STORE transient indeterminate')
    expect(store.row('a')).toBeDefined()
    expect(store.stats()).toMatchObject({ doneRows: 1, lostReplies: 1 })
  })

  test('that is aborted under way is executed all the same', async () => {
    const { env, store } = world({ latencyMs: 10 })
    const controller = new AbortController()
    const write = watched(store.compareAndSet([insert('a', 'one')], { signal: controller.signal }))
    controller.abort()
    await env.runUntilIdle()
    expect(write.state).toBe('WARP_E_ABORTED  indeterminate')
    await env.advance(10)
    expect(store.row('a')).toBeDefined()
  })
})

describe('a store', () => {
  test('that hangs executes nothing until it goes on', async () => {
    const { env, store } = world()
    store.stall()
    const write = watched(store.compareAndSet([insert('a', 'one')], { signal }))
    await env.advance(60_000)
    expect(write.state).toBe('open')
    expect(store.row('a')).toBeUndefined()
    store.resume()
    await env.runUntilIdle()
    expect(write.state).toBe('answered')
  })

  test('can be made slow and quick again while it runs', async () => {
    const { env, store } = world()
    store.set({ latencyMs: 50 })
    const slow = watched(store.readRows(['a'], { signal }))
    store.set({ latencyMs: 0 })
    const quick = watched(store.readRows(['a'], { signal }))
    await env.runUntilIdle()
    expect([slow.state, quick.state]).toEqual(['open', 'answered'])
  })

  test('keeps what it was given, not the array that it came in', async () => {
    const { store } = world()
    const next = row('one')
    await store.compareAndSet([{ key: 'a', expected: undefined, next }], { signal })
    next.value?.fill(0)
    expect(store.row('a')?.value).toEqual(bytes('one'))
  })

  test('gives one run for one seed', async () => {
    const run = async (seed: number): Promise<string[]> => {
      const { env, store } = world({ seed, failure: 0.3, lostReply: 0.3, jitterMs: 20 })
      const seen = Array.from({ length: 30 }, (_, i) => watched(store.compareAndSet([insert(`${i}`, 'x')], { signal })))
      await env.advance(100)
      return seen.map(({ state }) => state)
    }
    expect(await run(7)).toEqual(await run(7))
    expect(await run(7)).not.toEqual(await run(8))
  })

  test('refuses settings that it has not', () => {
    expect(() => world({ failure: 2 })).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
    expect(() => world({ latency: 5 } as MemoryStoreSettings)).toThrow("did you mean 'latencyMs'?")
    expect(() => world({ codec: 'xml' as 'json' })).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
  })
})
