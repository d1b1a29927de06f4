import { readFile } from 'node:fs'
import { mock } from 'node:test'
import { describe, expect, test, vi } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { nodeEnv } from '../../../adapters/node/node-env.ts'
import { register } from '../../../crdt/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** Runs `start` in a callback of real I/O, where ticks, promises and immediates part ways, and waits for three immediates. */
function afterIo(start: () => void): Promise<void> {
  return new Promise((resolve) => {
    readFile(new URL(import.meta.url), () => {
      start()
      setImmediate(() => setImmediate(() => setImmediate(resolve)))
    })
  })
}

const chain = async (turns: number, then: () => void): Promise<void> => {
  for (let i = 0; i < turns; i++) await Promise.resolve()
  then()
}

test('a deferred callback runs after the promises settled in its turn and before the event loop goes on', async () => {
  const env = nodeEnv()
  const seen: string[] = []
  await afterIo(() => {
    setImmediate(() => seen.push('loop'))
    env.defer(() => seen.push('deferred'))
    void chain(20, () => seen.push('promise'))
  })
  expect(seen).toEqual(['promise', 'deferred', 'loop'])
})

test('a callback deferred by the first of many continuations runs after the last', async () => {
  const env = nodeEnv()
  const seen: string[] = []
  await afterIo(() => {
    void chain(1, () => env.defer(() => seen.push('deferred')))
    for (let i = 2; i < 20; i++) void chain(i, () => seen.push('write'))
  })
  expect(seen.at(-1)).toBe('deferred')
  expect(seen).toHaveLength(19)
})

test('yielding lets the event loop go on', async () => {
  const env = nodeEnv()
  let went = false
  setImmediate(() => (went = true))
  await env.yield()
  expect(went).toBe(true)
})

test('a timer fires once unless it is cancelled, and not early for being far away', async () => {
  const env = nodeEnv()
  const seen: string[] = []
  env.schedule(0, () => seen.push('cancelled')).cancel()
  const far = env.schedule(2 ** 40, () => seen.push('far'))
  const keepAlive = setInterval(() => undefined, 1000) // the Env's own timers do not keep a process alive
  await new Promise<void>((resolve) => env.schedule(5, resolve))
  clearInterval(keepAlive)
  far.cancel()
  expect(seen).toEqual([])
})

test('random bytes differ, and the clocks are the clocks', () => {
  const env = nodeEnv()
  expect(env.random(16)).toHaveLength(16)
  expect(env.random(16)).not.toEqual(env.random(16))
  expect(Number.isInteger(env.now())).toBe(true)
  expect(env.monotonic()).toBeLessThanOrEqual(env.monotonic())
})

describe('an engine closes though timers stand still, as those of a user’s tests do', () => {
  async function expectClosing(): Promise<void> {
    const network = memoryNetwork()
    const keys = { 'r:*': register<number>() }
    const log = fileLog({ path: temporaryFolder() })
    const warp = await openWarp({ keys, log, transports: [network.transport('a')] })
    for (let i = 0; i < 2000; i++) void warp.set(`r:${i}`, i)
    await warp.set('r:0', 1, { ack: 'durable' })
    for await (const key of warp.keys('r:19*')) expect(key).toContain('r:19')
    await warp.compact()
    await warp.close()
  }

  test('with vi.useFakeTimers()', async () => {
    vi.useFakeTimers()
    try {
      await expectClosing()
    } finally {
      vi.useRealTimers()
    }
  })

  test('with mock.timers of node:test', async () => {
    mock.timers.enable()
    try {
      await expectClosing()
    } finally {
      mock.timers.reset()
    }
  })
})
