import { expect, test } from 'vitest'
import { CipherState } from '../../../adapters/mesh/handshake/noise.ts'
import { Session, type SessionSecrets } from '../../../adapters/mesh/contacts/session.ts'

const [ONE, TWO, THREE] = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)) as [Uint8Array, Uint8Array, Uint8Array]
const HELLO = new TextEncoder().encode('hello')

function session(secrets: SessionSecrets, sentCount = 0): Session {
  const profile = { member: '0123456789abcdef', zone: '', roles: [] }
  const endpoint = { host: '10.0.0.1', port: 7946 }
  const ends = { localIndex: 1, remoteIndex: 1, keyId: 1, version: 2, isInitiator: true }
  return new Session({ ...ends, secrets, endpoint, profile, bornMs: 0 }, sentCount)
}

function ends(): { from: Session; to: Session } {
  return {
    from: session({ sending: ONE, receiving: TWO, stream: THREE }),
    to: session({ sending: TWO, receiving: ONE, stream: THREE }),
  }
}

test('what is sealed is opened, once', () => {
  const { from, to } = ends()
  const packet = from.seal(HELLO)
  expect(to.open(packet)).toEqual(HELLO)
  expect(to.open(packet)).toBe('replayed')
})

test('a packet with any bit changed is forged, and does not stand in the way of the genuine one', () => {
  const { from, to } = ends()
  const packet = from.seal(HELLO)
  for (let bit = 0; bit < packet.length * 8; bit++) {
    const forged = new Uint8Array(packet)
    forged[bit >> 3]! ^= 1 << (bit & 7)
    expect(to.open(forged)).toBe('forged')
  }
  expect(to.hasHeard).toBe(false)
  expect(to.open(packet)).toEqual(HELLO)
})

test('no two packets are sealed alike', () => {
  const { from } = ends()
  const bodies = Array.from({ length: 100 }, () => Buffer.from(from.seal(HELLO).subarray(16, -16)).toString('hex'))
  expect(new Set(bodies).size).toBe(100)
})

test('packets are those of Noise: the counter is the nonce, the head the associated data', () => {
  const { from, to } = ends()
  const cipher = new CipherState(ONE)
  for (let i = 0; i < 3; i++) {
    const packet = from.seal(HELLO)
    expect(packet.subarray(16)).toEqual(Buffer.from(cipher.encryptWithAd(packet.subarray(0, 16), HELLO)))
    expect(to.open(packet)).toEqual(HELLO)
  }
})

test('a key that has sealed as much as it may seals nothing more', () => {
  const from = session({ sending: ONE, receiving: TWO, stream: THREE }, 2 ** 48 - 1)
  const { to } = ends()
  expect(to.open(from.seal(HELLO))).toEqual(HELLO)
  expect(from.isSpent).toBe(true)
  expect(() => from.seal(HELLO)).toThrow('all that it may')
})
