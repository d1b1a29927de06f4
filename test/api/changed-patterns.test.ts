import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const TOLD = /^(keys:unregistered|strategy:)/

function told(events: readonly WarpEvent[]): WarpEvent[] {
  return events.filter(({ kind }) => TOLD.test(kind))
}

async function opened(files: MemoryFiles, keys: KeyMap) {
  const events: WarpEvent[] = []
  const env = virtualEnv()
  const observe = (event: WarpEvent): void => void events.push(event)
  const warp = await openWarp({ keys, env, observe, log: { name: 'memory', open: () => Promise.resolve(files) } })
  await env.runUntilIdle()
  return { warp, events, env }
}

async function written(): Promise<MemoryFiles> {
  const files = memoryFiles({ persistent: true })
  const { warp, events, env } = await opened(files, { 'a:*': register(), 'b:*': counter() })
  for (let i = 0; i < 30; i++) await warp.set(`a:${i}`, i)
  await warp.key('b:1')['increment']?.(1)
  expect(told(events)).toEqual([])
  await closeAll(env, [warp])
  return files.copy()
}

test('a pattern that is gone at the next opening is said, with how many keys it concerns and some of them', async () => {
  const { warp, events, env } = await opened(await written(), { 'b:*': counter() })
  expect(told(events)).toEqual([
    { kind: 'keys:unregistered', keysCount: 30, examples: ['a:0', 'a:1', 'a:2', 'a:3', 'a:4'] },
  ])
  await closeAll(env, [warp])
})

test('a strategy that was changed between two openings is said, with both names and how many keys it concerns', async () => {
  const { warp, events, env } = await opened(await written(), { 'a:*': counter(), 'b:*': counter() })
  expect(told(events)).toEqual([
    {
      ...{ kind: 'strategy:changed', pattern: 'a:*', keysCount: 30, key: 'a:0' },
      ...{ written: 'register', registered: 'counter' },
    },
  ])
  await expect(warp.get('a:0')).rejects.toMatchObject({ code: 'WARP_E_UNKNOWN_OP' })
  await closeAll(env, [warp])
})

test('patterns as they were say nothing', async () => {
  const { warp, events, env } = await opened(await written(), { 'a:*': register(), 'b:*': counter(), 'c:*': counter() })
  expect(told(events)).toEqual([])
  await closeAll(env, [warp])
})

test('a peer that uses another strategy for a pattern is named once, with both strategies, on both sides', async () => {
  const env = virtualEnv()
  const network = memoryNetwork({ env, seed: 1 })
  const open = async (name: string, keys: KeyMap) => {
    const events: WarpEvent[] = []
    const observe = (event: WarpEvent): void => void events.push(event)
    const own = env.fork({ label: name })
    return { warp: await openWarp({ keys, env: own, observe, transports: [network.transport(name)] }), events }
  }
  const a = await open('a', { 'x:*': register() })
  const b = await open('b', { 'x:*': counter() })
  await env.advance(5000)
  await a.warp.set('x:1', 1)
  await a.warp.set('x:2', 1)
  await b.warp.key('x:3')['increment']?.(1)
  await env.advance(5000)
  const [inA, inB] = [a.warp.replica, b.warp.replica]
  const pattern = 'x:*'
  expect(told(a.events)).toEqual([
    {
      ...{ kind: 'strategy:differs', pattern, key: 'x:3', replica: inA, strategy: 'register' },
      ...{ writer: inB, writerStrategy: 'counter' },
    },
  ])
  expect(told(b.events)).toEqual([
    {
      ...{ kind: 'strategy:differs', pattern, key: 'x:1', replica: inB, strategy: 'counter' },
      ...{ writer: inA, writerStrategy: 'register' },
    },
  ])
  await closeAll(env, [a.warp, b.warp])
})
