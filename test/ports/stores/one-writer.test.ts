import { expect, test } from 'vitest'
import type { StoreRow } from '../../../src/ports/primary-store.ts'
import { OneWriter } from '../../../src/ports/stores/one-writer.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

const { signal } = new AbortController()
const row = (token: number): StoreRow => ({
  value: Uint8Array.of(1),
  meta: Uint8Array.of(1),
  token: Uint8Array.of(token),
})

/** A store that takes its time to answer, and counts how many calls are under way. */
function slowRows() {
  const env = virtualEnv()
  const rows = new Map<string, StoreRow>()
  const seen = { open: 0, most: 0 }
  const slowly = async <Answer>(run: () => Answer): Promise<Answer> => {
    seen.most = Math.max(seen.most, ++seen.open)
    await env.yield()
    seen.open--
    return run()
  }
  const writer = new OneWriter({
    read: (keys) => slowly(() => keys.map((key) => rows.get(key))),
    write: (key, next) => slowly(() => void rows.set(key, next)),
    erase: (key) => slowly(() => void rows.delete(key)),
  })
  return { writer, rows, seen }
}

test('calls about one key wait for one another, so that one of them wins', async () => {
  const { writer, rows, seen } = slowRows()
  const changes = [1, 2, 3].map((token) => ({ key: 'a', expected: undefined, next: row(token) }))
  const outcomes = await Promise.all(changes.map((change) => writer.compareAndSet([change], signal)))
  expect(outcomes.flat().map(({ kind }) => kind)).toEqual(['done', 'refused', 'refused'])
  expect(rows.get('a')?.token).toEqual(Uint8Array.of(1))
  expect(seen.most).toBe(1)
})

test('calls about different keys go side by side, within bounds', async () => {
  const { writer, seen } = slowRows()
  const changes = Array.from({ length: 100 }, (_, i) => ({ key: `${i}`, expected: undefined, next: row(i) }))
  await writer.compareAndSet(changes, signal)
  expect(seen.most).toBe(16)
})

test('a call that fails does not end those behind it', async () => {
  let isDown = true
  const writer = new OneWriter({
    read: () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve([undefined])),
    write: () => Promise.resolve(),
    erase: () => Promise.resolve(),
  })
  const change = { key: 'a', expected: undefined, next: row(1) }
  const first = writer.compareAndSet([change], signal)
  await expect(first).rejects.toThrow('down')
  isDown = false
  expect(await writer.compareAndSet([change], signal)).toEqual([{ kind: 'done' }])
})
