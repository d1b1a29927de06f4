/** What `meshTransport` refuses, and how it says so. */
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { clusterKeys } from '../../../adapters/mesh/handshake/cluster-keys.ts'
import { type MeshOptions, meshSettings } from '../../../adapters/mesh/options.ts'
import { meshTransport } from '../../../adapters/mesh/mesh-transport.ts'
import { KEY_TEXT, OTHER_KEY_TEXT } from './contact-fixture.ts'

function refusal(run: () => unknown): { code?: string; message: string } {
  try {
    run()
  } catch (error) {
    return error as { code?: string; message: string }
  }
  throw new Error('nothing was refused')
}

describe('keys', () => {
  const bytes = Buffer.from(KEY_TEXT, 'hex')

  test.each([
    ['bytes', Uint8Array.from(bytes)],
    ['hexadecimal', KEY_TEXT.toUpperCase()],
    ['base64', bytes.toString('base64')],
    ['base64url', bytes.toString('base64url')],
    ['text with a line end, as files have it', `${bytes.toString('base64')}\n`],
  ])('%s: the same key', (_, key) => {
    expect(clusterKeys(key, 'warp').primary.id).toBe(clusterKeys(bytes, 'warp').primary.id)
  })

  test.each([
    ['too short', 'c2VjcmV0LXNlY3JldA=='],
    ['a pass phrase', 'correct horse battery staple correct horse'],
    ['31 bytes', new Uint8Array(31).fill(1)],
    ['zeros', new Uint8Array(32)],
    ['an empty list', []],
    ['no text', 42 as unknown as string],
    ['too many', Array.from({ length: 9 }, () => KEY_TEXT)],
  ])('%s: refused, and not shown', (_, clusterKey) => {
    const { code, message } = refusal(() => meshTransport({ clusterKey }))
    expect(code).toBe('WARP_E_AUTH')
    expect(message).toContain('warp key')
    if (typeof clusterKey === 'string') expect(message).not.toContain(clusterKey)
  })

  test('never show themselves', () => {
    const settings = meshSettings({ clusterKey: KEY_TEXT })
    const { primary } = settings.keys
    for (const text of [
      inspect(settings, { depth: 9, showHidden: true }),
      JSON.stringify(settings.keys),
      String(primary),
    ]) {
      expect(text).toContain('redacted')
      expect(text).not.toContain(KEY_TEXT.slice(0, 8))
    }
  })

  test('are different ones under another cluster name', () => {
    expect(clusterKeys(KEY_TEXT, 'a').primary.id).not.toBe(clusterKeys(KEY_TEXT, 'b').primary.id)
  })

  test('that are replaced are checked too', () => {
    const transport = meshTransport({ clusterKey: KEY_TEXT })
    expect(refusal(() => transport.useKeys(['short'])).code).toBe('WARP_E_AUTH')
    expect(() => transport.useKeys([KEY_TEXT, OTHER_KEY_TEXT])).not.toThrow()
    expect(refusal(() => meshTransport({ insecure: true }).useKeys(KEY_TEXT)).code).toBe('WARP_E_AUTH')
  })
})

describe('without a key', () => {
  test.each<[string, MeshOptions]>([
    ['nothing said', {}],
    ['on all addresses', { host: '0.0.0.0' }],
    ['insecure on all addresses', { host: '0.0.0.0', insecure: true }],
    ['insecure on all addresses of IPv6', { host: '::', insecure: true }],
    ['insecure on a network', { host: '10.0.0.1', insecure: true }],
  ])('%s: refused', (_, options) => {
    expect(refusal(() => meshTransport(options)).code).toBe('WARP_E_AUTH')
  })

  test.each(['127.0.0.1', '127.0.0.2', '::1'])('insecure on %s: allowed', (host) => {
    expect(meshTransport({ host, insecure: true }).name).toBe('mesh')
  })
})

test('the default is loopback, one port, and multicast', () => {
  expect(meshSettings({ clusterKey: KEY_TEXT })).toMatchObject({
    bind: { host: '127.0.0.1', port: 7946 },
    multicast: { group: { host: '239.255.77.46', port: 7947 }, on: '127.0.0.1' },
    datagramBytesMax: 1200,
  })
})

test.each<[string, MeshOptions]>([
  ['host', { host: 'localhost' }],
  ['port', { port: 65_536 }],
  ['port', { port: 1.5 }],
  ['datagramBytesMax', { datagramBytesMax: 575 }],
  ['datagramBytesMax', { datagramBytesMax: 65_001 }],
  ['probeIntervalMs', { probeIntervalMs: 49 }],
  ['queueBytesMax', { queueBytesMax: 1024 }],
  ['zone', { zone: 'ä'.repeat(33) }],
  ['zone', { zone: 'a\u001b[2J' }],
  ['roles', { roles: Array.from({ length: 9 }, String) }],
  ['roles', { roles: ['a'.repeat(33)] }],
  ['multicast.group', { multicast: { group: '10.0.0.1' } }],
  ['multicast.group', { multicast: { group: 'ff02::1' } }],
  ['multicast.port', { multicast: { port: 0 } }],
  ['insecure', { insecure: true }],
  ['peer', { peers: ['http://a'] }],
])('%s out of bounds is refused by name: %j', (name, options) => {
  const { code, message } = refusal(() => meshTransport({ clusterKey: KEY_TEXT, ...options }))
  expect(code).toBe('WARP_E_CONFIG')
  expect(message).toContain(name)
})
