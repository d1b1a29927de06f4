import { readFile } from 'node:fs'
import { expect, test } from 'vitest'
import { nodeEnv } from '../../../adapters/node/node-env.ts'

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
