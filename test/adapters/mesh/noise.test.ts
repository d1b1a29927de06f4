/** The handshake against published vectors, and what a forged, foreign or repeated message does to it. */
import { createHash, createPrivateKey, createPublicKey, diffieHellman, hkdfSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  CipherState,
  NOISE_OVERHEAD_BYTES,
  NOISE_PROTOCOL,
  NoiseHandshake,
  type NoiseHandshakeOptions,
  Nonces,
} from '../../../adapters/mesh/handshake/noise.ts'
import vector from '../../fixtures/noise/nnpsk0-25519-aesgcm-sha256.json' with { type: 'json' }
import { fromHex, toHex } from '../../support/hex.ts'

const NOTHING = new Uint8Array(0)
const TEXT = new TextEncoder().encode('of no importance')
const PSK = new Uint8Array(32).fill(7)
/** Points of which every multiple is the same: RFC 7748, 6.1. */
const LOW_ORDER = [
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
]

function end(isInitiator: boolean, options: Partial<NoiseHandshakeOptions> = {}): NoiseHandshake {
  const privateKey = new Uint8Array(32).fill(isInitiator ? 1 : 2)
  return new NoiseHandshake({ isInitiator, prologue: TEXT, psk: PSK, privateKey, ...options })
}

function written(from: NoiseHandshake, text: Uint8Array = TEXT): Uint8Array {
  const message = from.write(text)
  if (message === undefined) throw new Error('there is no message')
  return message
}

describe('the published vector', () => {
  const [first, second, ...transport] = vector.messages
  const initiator = (): NoiseHandshake =>
    end(true, {
      prologue: fromHex(vector.init_prologue),
      psk: fromHex(vector.init_psks[0] ?? ''),
      privateKey: fromHex(vector.init_ephemeral),
    })
  const responder = (): NoiseHandshake =>
    end(false, {
      prologue: fromHex(vector.resp_prologue),
      psk: fromHex(vector.resp_psks[0] ?? ''),
      privateKey: fromHex(vector.resp_ephemeral),
    })
  const say = (from: NoiseHandshake, to: NoiseHandshake, message: typeof first): void => {
    const { payload = '', ciphertext = '' } = message ?? {}
    expect(toHex(written(from, fromHex(payload)))).toBe(ciphertext)
    expect(toHex(to.read(fromHex(ciphertext)) ?? NOTHING)).toBe(payload)
  }

  test('is of our protocol, and its handshake is ours, byte for byte', () => {
    expect(vector.protocol_name).toBe(NOISE_PROTOCOL)
    const [one, other] = [initiator(), responder()]
    say(one, other, first)
    // The hash of this file was taken before the last message of the handshake; that one is checked by what it seals.
    expect([one, other].map(({ hash }) => toHex(hash))).toEqual([vector.handshake_hash, vector.handshake_hash])
    say(other, one, second)
    expect(one.hash).toEqual(other.hash)
  })

  test('and so are the keys that come of it', () => {
    const [one, other] = [initiator(), responder()]
    say(one, other, first)
    say(other, one, second)
    const keys = one.split()
    expect(other.split()).toEqual(keys)
    const ciphers = [new CipherState(keys.initiator), new CipherState(keys.responder)]
    const openers = [new CipherState(keys.initiator), new CipherState(keys.responder)]
    for (const [i, { payload, ciphertext }] of transport.entries()) {
      expect(toHex(ciphers[i % 2]?.encryptWithAd(NOTHING, fromHex(payload)) ?? NOTHING)).toBe(ciphertext)
      expect(toHex(openers[i % 2]?.decryptWithAd(NOTHING, fromHex(ciphertext)) ?? NOTHING)).toBe(payload)
    }
    expect(new Set(Object.values(keys).map(toHex)).size).toBe(3)
  })
})

test('another psk or another prologue is not read', () => {
  const message = written(end(true))
  expect(end(false).read(message)).toEqual(TEXT)
  expect(end(false, { psk: new Uint8Array(32).fill(8) }).read(message)).toBeUndefined()
  expect(end(false, { prologue: NOTHING }).read(message)).toBeUndefined()
})

test('a message with any bit changed, or cut off, is not read, and the genuine one is read after it', () => {
  const [initiator, responder] = [end(true), end(false)]
  for (const [from, to] of [
    [initiator, responder],
    [responder, initiator],
  ] as const) {
    const message = written(from)
    for (let at = 0; at < message.length; at++) {
      const forged = message.slice()
      forged[at]! ^= 1 << (at & 7)
      // The highest bit of a public key is none of it, but it is of the transcript.
      expect(to.read(forged), `byte ${at}`).toBeUndefined()
    }
    for (const length of [0, 1, NOISE_OVERHEAD_BYTES - 1, message.length - 1]) {
      expect(to.read(message.subarray(0, length)), `${length} bytes`).toBeUndefined()
    }
    expect(to.read(message)).toEqual(TEXT)
  }
  expect(responder.split()).toEqual(initiator.split())
})

test('the answer to another handshake is not read', () => {
  const [one, two] = [end(true), end(true, { privateKey: new Uint8Array(32).fill(3) })]
  const responder = end(false)
  responder.read(written(one))
  written(two)
  expect(two.read(written(responder))).toBeUndefined()
})

function hash(...parts: readonly Uint8Array[]): Uint8Array {
  return createHash('sha256').update(Buffer.concat(parts)).digest()
}

function keys(salt: Uint8Array, secret: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const all = Buffer.from(hkdfSync('sha256', secret, salt, '', 96))
  return [all.subarray(0, 32), all.subarray(32, 64), all.subarray(64)]
}

/** What somebody who holds the psk computes of the first public key, from the document. */
function afterFirst(publicKey: Uint8Array): Record<'chainingKey' | 'transcript' | 'key', Uint8Array> {
  const name = new TextEncoder().encode(NOISE_PROTOCOL)
  const [ofPsk, pskHash] = keys(name, PSK)
  const [chainingKey, key] = keys(ofPsk, publicKey)
  return { chainingKey, key, transcript: hash(hash(hash(name, TEXT), pskHash), publicKey) }
}

/** Message 1 of somebody who has no private key to the public one. */
function messageOf(publicKey: Uint8Array): Uint8Array {
  const { key, transcript } = afterFirst(publicKey)
  return Buffer.concat([publicKey, new CipherState(key).encryptWithAd(transcript, TEXT)])
}

/** What somebody who holds the psk and has heard both messages reads of the second one, with a guess at the secret. */
function overheard(first: Uint8Array, second: Uint8Array, secret: Uint8Array): Uint8Array | undefined {
  const { chainingKey, transcript } = afterFirst(first.slice(0, 32))
  const remote = second.slice(0, 32)
  const [, key] = keys(keys(chainingKey, remote)[0], secret)
  return new CipherState(key).decryptWithAd(hash(hash(transcript, first.slice(32)), remote), second.slice(32))
}

test('the document, followed by hand, gives the same message', () => {
  const message = written(end(true))
  expect(Buffer.compare(messageOf(message.slice(0, 32)), message)).toBe(0)
})

test.each(LOW_ORDER)('with a public key of low order nobody comes to a secret: %s', (point) => {
  const responder = end(false)
  expect(responder.read(messageOf(fromHex(point)))).toEqual(TEXT)
  expect(responder.write(TEXT)).toBeUndefined()
})

test('whoever learns the psk and all that was said still lacks what the two private keys give', () => {
  const [initiator, responder] = [end(true), end(false)]
  const first = written(initiator)
  responder.read(first)
  const second = written(responder)
  for (const guess of [NOTHING, new Uint8Array(32), PSK, first.slice(0, 32), second.slice(0, 32)]) {
    expect(overheard(first, second, guess)).toBeUndefined()
  }
  // That it is only this which is missing.
  const [privateKey, publicKey] = [new Uint8Array(32).fill(1), second.slice(0, 32)].map((bytes, i) =>
    Buffer.concat([fromHex(i === 0 ? '302e020100300506032b656e04220420' : '302a300506032b656e032100'), bytes]),
  ) as [Buffer, Buffer]
  const secret = diffieHellman({
    privateKey: createPrivateKey({ key: privateKey, format: 'der', type: 'pkcs8' }),
    publicKey: createPublicKey({ key: publicKey, format: 'der', type: 'spki' }),
  })
  expect(overheard(first, second, secret)).toEqual(TEXT)
})

test('a stranger’s message costs no private key; one that has been used is wiped', () => {
  const privateKey = new Uint8Array(32).fill(2)
  const responder = end(false, { privateKey })
  expect(responder.read(new Uint8Array(NOISE_OVERHEAD_BYTES))).toBeUndefined()
  responder.read(written(end(true)))
  expect(privateKey).toEqual(new Uint8Array(32).fill(2))
  written(responder)
  expect(privateKey).toEqual(new Uint8Array(32))
})

test('messages are written and read in turns', () => {
  expect(() => end(false).write(TEXT)).toThrow('is not ours to write')
  expect(() => end(true).read(new Uint8Array(64))).toThrow('is not ours to read')
  expect(() => end(true).split()).toThrow('after its last message')
})

test('a nonce is given out once, and never beyond the last one', () => {
  const nonces = new Nonces(2 ** 32 - 1)
  expect([toHex(nonces.next()), toHex(nonces.next())]).toEqual(['0000000000000000ffffffff', '000000000000000100000000'])
  const spent = new Nonces(2 ** 48 - 1)
  expect([toHex(spent.next()), spent.isSpent]).toEqual(['000000000000ffffffffffff', true])
  expect(() => spent.next()).toThrow('all that it may')
})
