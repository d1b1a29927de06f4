/** A consumer as its reader sees it, with a server that is played here. */
import type { JetStreamManager } from '@nats-io/jetstream'
import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node'
import { expect, test } from 'vitest'
import type { Connection } from '../../../adapters/nats/connection.ts'
import { Pull } from '../../../adapters/nats/ordered/pull.ts'
import { FakeClock } from '../broker/fake-clock.ts'

interface Request {
  readonly reply: string
  readonly max_bytes: number
  readonly batch: number
}

async function opened(bytesMax = 1000) {
  const clock = new FakeClock()
  const requests: Request[] = []
  const consumers: string[] = []
  let hear: (error: Error | null, message: Msg) => void = () => undefined
  const nats = {
    subscribe: (_: string, options: { callback: typeof hear }) => {
      hear = options.callback
      return { unsubscribe: () => undefined }
    },
    publish: (_: string, json: string, { reply }: { reply: string }) =>
      void requests.push({ ...JSON.parse(json), reply }),
  } as unknown as NatsConnection
  const manager = {
    getOptions: () => ({ apiPrefix: '$JS.API' }),
    consumers: {
      add: (_: string, { opt_start_seq }: { opt_start_seq: number }) =>
        Promise.resolve(void consumers.push(`from ${opt_start_seq}`)),
      delete: () => Promise.resolve(true),
    },
  } as unknown as JetStreamManager
  const connection = { nats, isUp: true } as unknown as Connection
  const pull = await Pull.open({ connection, manager, clock, inboxPrefix: undefined, stream: 'orders-0', bytesMax }, 1)
  const deliver = (offset: number, number = offset, size = 10): void => {
    const hdrs = headers()
    hdrs.set('Warp-Id', `r${offset}`)
    const reply = `$JS.ACK.orders-0.c.1.${offset}.${number}.1700000000000000000.0`
    hear(null, { subject: 'orders.0', reply, headers: hdrs, data: new Uint8Array(size) } as Msg)
  }
  const say = (code: number, description: string, request = requests.at(-1)): void =>
    hear(null, { subject: request!.reply, headers: headers(code, description), data: new Uint8Array() } as Msg)
  const ids = async (): Promise<string[]> => (await pull.take()).map(({ id }) => id)
  return { clock, requests, consumers, pull, deliver, say, ids }
}

test('records come in their order, and the server is asked again when a request is used up', async () => {
  const { requests, deliver, say, ids, consumers } = await opened()
  expect(consumers).toEqual(['from 1'])
  const first = ids()
  deliver(1)
  deliver(2)
  expect(await first).toEqual(['r1', 'r2'])
  say(408, 'Request Timeout')
  const none = ids()
  expect(requests).toHaveLength(2)
  say(408, 'Request Timeout')
  expect(await none).toEqual([])
})

test('no more is asked for while much waits to be taken', async () => {
  const { requests, deliver, say, ids } = await opened(1000)
  const first = ids()
  for (let i = 1; i <= 60; i++) deliver(i)
  say(409, 'Batch Completed')
  await first
  for (let i = 61; i <= 120; i++) deliver(i)
  // Those of before have been taken; what has come since is more than half of what may be kept.
  expect(await ids()).toHaveLength(60)
  expect(requests).toHaveLength(1)
  void ids()
  expect(requests).toHaveLength(2)
})

test('a delivery that is missing, or counted anew, ends it', async () => {
  for (const number of [3, 1]) {
    const { deliver, pull, ids } = await opened()
    const first = ids()
    deliver(1)
    await first
    deliver(2, number)
    await expect(pull.take()).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_TRANSPORT' }))
    expect(pull.hasFailed).toBe(true)
  }
})

test('a server that says nothing ends it, and one that says that nothing comes does not', async () => {
  const { clock, say, pull } = await opened()
  const taken = pull.take()
  for (let i = 0; i < 10; i++) {
    clock.advance(1000)
    say(100, 'Idle Heartbeat')
  }
  expect(pull.hasFailed).toBe(false)
  clock.advance(4000)
  expect(pull.hasFailed).toBe(true)
  await expect(taken).rejects.toThrow('has said nothing')
})

test.each([
  [409, 'Consumer Deleted'],
  [409, 'Leadership Change'],
  [409, 'Server Shutdown'],
  [409, 'Exceeded MaxWaiting'],
  [503, 'No Responders'],
  [400, 'Bad Request'],
])('%i %s ends it', async (code, description) => {
  const { say, pull } = await opened()
  const taken = pull.take()
  say(code, description)
  await expect(taken).rejects.toThrow(expect.objectContaining({ code: 'WARP_E_TRANSPORT' }))
})

test('what is said of a request that is over is not taken for the next one', async () => {
  const { requests, say, ids } = await opened()
  void ids()
  say(408, 'Request Timeout')
  void ids()
  expect(requests).toHaveLength(2)
  say(409, 'Batch Completed', requests[0])
  say(409, 'Consumer Deleted', requests[0])
  const taken = ids()
  expect(requests).toHaveLength(2)
  say(408, 'Request Timeout')
  expect(await taken).toEqual([])
})

test('a record that is larger than what is asked for is asked for with more', async () => {
  const { requests, say, ids } = await opened(1000)
  const taken = ids()
  say(409, 'Message Size Exceeds MaxBytes')
  await taken
  void ids()
  expect(requests.map(({ max_bytes }) => max_bytes)).toEqual([1000, 2000])
})

test('who waits when it is closed is told', async () => {
  const { pull } = await opened()
  const taken = pull.take()
  pull.close()
  await expect(taken).rejects.toThrow('closed')
})
