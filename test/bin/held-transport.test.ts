import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { HeldTransport } from '../../bin/demo/held-transport.ts'

/** A sender, and a receiver that writes down what it is given. */
async function pair() {
  const network = memoryNetwork()
  const held = new HeldTransport(network.transport('b'))
  const received: number[] = []
  await held.open({ receive: (_, bytes) => void received.push(bytes[0] ?? -1) })
  const link = await network.transport('a').open({ receive: () => undefined })
  held.hold()
  const send = async (...numbers: readonly number[]): Promise<void> => {
    for (const number of numbers) link.broadcast(Uint8Array.of(number))
    await network.idle()
  }
  return { held, received, send }
}

test('frames wait until they are let through, in order and up to the mark', async () => {
  const { held, received, send } = await pair()
  await send(1, 2)
  const mark = held.arrivedCount('a')
  await send(3)
  expect(received).toEqual([])
  held.letThrough('a', mark)
  expect(received).toEqual([1, 2])
  held.letThrough('a', mark)
  expect(received).toEqual([1, 2])
})

test('once everything is let through, nothing waits any more', async () => {
  const { held, received, send } = await pair()
  await send(1)
  held.letAllThrough()
  await send(2)
  expect(received).toEqual([1, 2])
})
