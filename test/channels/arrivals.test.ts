import { expect, test } from 'vitest'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { Arrivals, type ArrivalsLimits } from '../../src/channels/arrivals.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const WAIT_MS = 200
const A = { replica: parseReplicaId('a'.repeat(16)), session: 1 }

function world(limits: Partial<ArrivalsLimits> = {}) {
  const env = virtualEnv()
  const told: unknown[] = []
  const arrivals = new Arrivals(
    env,
    {
      arrived: (_, { number, channel }) => told.push(channel === 'c' ? number : `${channel}${number}`),
      missed: (_, channel, count) => told.push(`${count} of ${channel}`),
    },
    limits,
  )
  const come = (number: number, { stream = 1, channel = 'c', from = A, bytes = new Uint8Array(1) } = {}): void =>
    arrivals.message(from, { channel, stream, number, timeMs: 0, bytes })
  const head = (number: number, { stream = 1, isOverdue = false } = {}): void =>
    arrivals.head(A, { channel: 'c', stream, number }, isOverdue)
  return { env, told, arrivals, come, head }
}

test('what comes in order is handed on at once, what comes again is not', () => {
  const { told, come, arrivals } = world()
  for (const number of [1, 2, 2, 3, 1, 3]) come(number)
  expect(told).toEqual([1, 2, 3])
  expect(arrivals.repeatedCount).toBe(3)
})

test('what others have overtaken is waited for, and then they follow it', async () => {
  const { env, told, come } = world()
  for (const number of [1, 4, 3, 3]) come(number)
  await env.advance(WAIT_MS - 1)
  expect(told).toEqual([1])
  come(2)
  expect(told).toEqual([1, 2, 3, 4])
  await env.advance(WAIT_MS)
  expect(told).toHaveLength(4)
  expect(env.timerCount).toBe(0)
})

test('what does not come in time is missed, and then it counts for nothing', async () => {
  const { env, told, come } = world()
  for (const number of [1, 3, 4, 7]) come(number)
  await env.advance(WAIT_MS)
  expect(told).toEqual([1, '1 of c', 3, 4, '2 of c', 7])
  come(2)
  come(8)
  expect(told.slice(6)).toEqual([8])
})

test('each waits for its own time', async () => {
  const { env, told, come } = world()
  come(1)
  come(3)
  await env.advance(WAIT_MS / 2)
  come(5)
  await env.advance(WAIT_MS / 2)
  expect(told).toEqual([1, '1 of c', 3])
  come(4)
  expect(told.slice(3)).toEqual([4, 5])
})

test('the first that is heard of a publisher waits for those before it, unless it is number 1', async () => {
  const { env, told, come } = world()
  come(7)
  come(5)
  expect(told).toEqual([])
  await env.advance(WAIT_MS)
  // Nobody knows whether the earlier ones were published before anybody listened.
  expect(told).toEqual([5, '1 of c', 7])
  come(4)
  expect(told).toHaveLength(3)
})

test('a last number that was told lets its message arrive, and is missed if it does not', async () => {
  const { env, told, come, head } = world()
  come(1)
  head(2)
  await env.advance(WAIT_MS / 2)
  come(2)
  head(2)
  await env.advance(WAIT_MS)
  expect(told).toEqual([1, 2])
  head(4)
  await env.advance(WAIT_MS)
  expect(told).toEqual([1, 2, '2 of c'])
  come(4)
  come(5)
  expect(told.slice(3)).toEqual([5])
})

test('a last number of a publisher that was never heard is missed only by who has listened for long', async () => {
  const [young, old] = [world(), world()]
  young.head(3)
  old.head(3, { isOverdue: true })
  await young.env.advance(WAIT_MS)
  await old.env.advance(WAIT_MS)
  expect([young.told, old.told]).toEqual([[], ['undefined of c']])
  for (const { come } of [young, old]) come(4)
  expect([young.told, old.told]).toEqual([[4], ['undefined of c', 4]])
})

test('a last number that overtakes the first messages takes nothing from them', async () => {
  const { env, told, come, head } = world()
  head(2)
  come(2)
  come(1)
  await env.advance(WAIT_MS)
  expect(told).toEqual([1, 2])
})

test('a later stream of a publisher begins anew, and what is left of the old one is late', async () => {
  const { env, told, come } = world()
  for (const number of [1, 2]) come(number, { stream: 3 })
  come(4, { stream: 3 })
  come(2, { stream: 9 })
  come(3, { stream: 3 })
  come(1, { stream: 9 })
  await env.advance(WAIT_MS)
  expect(told).toEqual([1, 2, '1 of c', 4, 1, 2])
})

test('too much that waits is given up at once', () => {
  const few = world({ heldMax: 3 })
  few.come(1)
  for (const number of [3, 4, 5]) few.come(number)
  expect(few.told).toEqual([1])
  few.come(6)
  expect(few.told).toEqual([1, '1 of c', 3, 4, 5, 6])
  const small = world({ heldBytesMax: 10 })
  small.come(1)
  small.come(3, { bytes: new Uint8Array(8) })
  small.come(4, { bytes: new Uint8Array(8) })
  expect(small.told).toEqual([1, '1 of c', 3, 4])
  expect(small.arrivals.heldCount).toBe(0)
})

test('of too many channels those are forgotten that nothing has come of for longest', () => {
  const { told, come, arrivals } = world({ streamsMax: 2 })
  for (const channel of ['x', 'y', 'x', 'z']) come(channel === 'x' && told.length > 1 ? 2 : 1, { channel })
  expect(arrivals.streamsCount).toBe(2)
  come(2, { channel: 'x' })
  expect(told).toEqual(['x1', 'y1', 'x2', 'z1'])
})

test('of one replica its last two sessions are followed', () => {
  const { told, come, arrivals } = world()
  for (const session of [1, 2, 3, 4]) come(1, { from: { ...A, session } })
  expect([told, arrivals.streamsCount]).toEqual([[1, 1, 1, 1], 2])
})

test('of channels that nobody listens to nothing is kept', () => {
  const { env, come, arrivals } = world()
  for (const channel of ['x', 'y']) {
    come(1, { channel })
    come(3, { channel })
  }
  arrivals.forget((channel) => channel === 'y', ['x'])
  expect([arrivals.streamsCount, arrivals.heldCount, env.timerCount]).toEqual([1, 1, 1])
  arrivals.forget(() => false)
  expect([arrivals.streamsCount, arrivals.heldCount, env.timerCount]).toEqual([0, 0, 0])
})
