import { expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/memory-network.ts'
import { openWarp, type WarpEvent } from '../../adapters/node/index.ts'
import { register } from '../../crdt/register.ts'
import type { PeerAddress, Transport, TransportReceiver } from '../../src/ports/transport.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const keys = { '*': register<string>() }

/** A transport whose peers go down right behind a frame of theirs, when the test says so. */
function cutting(transport: Transport): Transport & { isCutting: boolean } {
  const cut = {
    kind: transport.kind,
    name: transport.name,
    isCutting: false,
    open: (receiver: TransportReceiver) =>
      transport.open({
        receive: (from: PeerAddress, bytes: Uint8Array) => {
          receiver.receive(from, bytes)
          if (cut.isCutting) receiver.peerDown?.(from)
        },
        peerUp: (peer) => receiver.peerUp?.(peer),
        peerDown: (peer) => receiver.peerDown?.(peer),
      }),
  }
  return cut
}

test('a frame that waits when its sender goes down is worked off, and does not bring the sender up again', async () => {
  const env = virtualEnv()
  const network = memoryNetwork({ env, seed: 1 })
  const transport = cutting(network.transport('b'))
  const events: WarpEvent[] = []
  const observe = (event: WarpEvent): void => void events.push(event)
  const a = await openWarp({ keys, env: env.fork({ label: 'a' }), transports: [network.transport('a')] })
  const b = await openWarp({ keys, env: env.fork({ label: 'b' }), transports: [transport], observe })
  await env.advance(5000)
  const ups = (): string[] => events.map(({ kind }) => kind).filter((kind) => /^peer:(up|down)$/.test(kind))
  expect(ups()).toEqual(['peer:up'])
  transport.isCutting = true
  await a.set('x', 'last words')
  await env.advance(200)
  expect(await b.get('x')).toBe('last words')
  expect(ups()).toEqual(['peer:up', 'peer:down'])
  transport.isCutting = false
  await env.advance(5000)
  expect(ups()).toEqual(['peer:up', 'peer:down', 'peer:up'])
  await closeAll(env, [a, b])
})
