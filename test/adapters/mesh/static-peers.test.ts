import { expect, test } from 'vitest'
import { parsePeer, STATIC_PEERS_MAX, StaticPeers } from '../../../adapters/mesh/discovery/static-peers.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

test.each([
  ['10.0.0.2', '10.0.0.2', 7946],
  ['10.0.0.2:80', '10.0.0.2', 80],
  ['cache-1.default.svc', 'cache-1.default.svc', 7946],
  ['localhost:65535', 'localhost', 65_535],
  ['::1', '::1', 7946],
  ['2001:db8::1', '2001:db8::1', 7946],
  ['[2001:db8::1]:80', '2001:db8::1', 80],
  ['[::1]', '::1', 7946],
  ['[fe80::1%eth0]:80', 'fe80::1%eth0', 80],
])('%s is %s, port %i', (text, host, port) => {
  expect(parsePeer(text, 7946)).toEqual({ host, port })
})

test.each([
  '',
  ':80',
  'a:b',
  'host:0',
  'host:65536',
  'host:-1',
  '[host]:80',
  '[::1]80',
  '1::2::3',
  'http://host',
  'a b',
  '[]:1',
])('%j is refused, saying what would do', (text) => {
  expect(() => parsePeer(text, 7946)).toThrow(
    expect.objectContaining({ code: 'WARP_E_CONFIG', message: expect.stringContaining("'host:port'") as string }),
  )
})

test('more peers than anybody needs to name are refused', () => {
  const peers = Array.from({ length: STATIC_PEERS_MAX + 1 }, (_, i) => `host-${i}`)
  const nothing = (): void => undefined
  const network = { resolve: () => Promise.resolve([]) }
  const rest = { onFound: nothing, onGone: nothing, isReached: () => false, report: nothing }
  expect(() => new StaticPeers({ network, clock: virtualEnv(), peers, defaultPort: 7946, ...rest })).toThrow(
    expect.objectContaining({ code: 'WARP_E_CONFIG' }),
  )
})

test('a name that resolves slowly is asked once', async () => {
  const env = virtualEnv()
  let askedCount = 0
  const nothing = (): void => undefined
  const peers = new StaticPeers({
    network: { resolve: () => (askedCount++, new Promise(() => undefined)) },
    clock: env,
    peers: ['slow.local'],
    defaultPort: 7946,
    onFound: nothing,
    onGone: nothing,
    isReached: () => false,
    report: nothing,
  })
  for (let i = 0; i < 100; i++) {
    peers.look()
    await env.advance(1000)
  }
  expect(askedCount).toBe(1)
})
