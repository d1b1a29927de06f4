/**
 * `Noise_NNpsk0_25519_AESGCM_SHA256` of the Noise Protocol Framework, revision 34 (Perrin 2018,
 * https://noiseprotocol.org/noise.html), with the names of that document:
 *
 * ```
 * -> psk, e        message 1: only who has the psk can make it or read it
 * <- e, ee         message 2: from here on the keys hold a secret of X25519 that nobody keeps
 * ```
 *
 * Why this pattern. Members have one secret in common and no keys of their own, so there are no
 * static keys: NN. With `psk0`, whoever lacks the key is told by the first message, for the price
 * of some hashes and before any arithmetic on a curve; with `psk2` every stranger would cost two
 * multiplications, and what the opener says of itself would be readable. What `psk0` leaves out:
 * the text of message 1 is sealed with the psk alone, so it can be read by who gets the psk later,
 * and it can be played again. So it says little, and counts for nothing before a message comes that
 * needs message 2.
 *
 * The psk must be 32 random bytes. One e must never be used for two texts: key and nonce of message
 * 1 depend on psk and e alone.
 *
 * Cost at each end: two multiplications, two keys taken from bytes, 17 HMAC and 8 hashes; 0.6 ms
 * (Node 20), most of it OpenSSL reading a private key.
 */
import {
  type KeyObject,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
} from 'node:crypto'
import { WarpError } from '../../../crdt/warp-error.ts'

export const NOISE_PROTOCOL = 'Noise_NNpsk0_25519_AESGCM_SHA256'
/** Of the psk, a private key, a public key and a hash. */
export const NOISE_KEY_BYTES = 32
export const NOISE_TAG_BYTES = 16
/** What a message is longer than its payload. */
export const NOISE_OVERHEAD_BYTES: number = NOISE_KEY_BYTES + NOISE_TAG_BYTES

const CIPHER = 'aes-256-gcm'
const TAG = { authTagLength: NOISE_TAG_BYTES }
const PATTERN = [
  ['psk', 'e'],
  ['e', 'ee'],
] as const
/** Noise allows 2^64 - 1; counting in doubles is exact far beyond this. */
const NONCES_MAX = 2 ** 48
const NOTHING = new Uint8Array(0)
/** What stands in front of the 32 bytes of a private key of X25519 (RFC 8410). */
const PKCS8_HEAD = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20])

/**
 * Nonces of AESGCM: 32 bits of zero and a counter, big endian. The next one is written over the one
 * before. Throws rather than to give one out twice.
 */
export class Nonces {
  #count: number
  readonly #bytes = new Uint8Array(12)
  readonly #view = new DataView(this.#bytes.buffer)

  constructor(count = 0) {
    this.#count = count
  }

  /** How many have been given out. */
  get count(): number {
    return this.#count
  }

  get isSpent(): boolean {
    return this.#count >= NONCES_MAX
  }

  next(): Uint8Array {
    if (this.isSpent) {
      throw new WarpError('WARP_E_LIMIT', `mesh: a key has sealed ${NONCES_MAX} texts, which is all that it may`)
    }
    this.#view.setUint32(4, Math.floor(this.#count / 2 ** 32))
    this.#view.setUint32(8, this.#count >>> 0)
    this.#count++
    return this.#bytes
  }
}

/** One key, and the number of texts that have been sealed or opened with it. */
export class CipherState {
  readonly #key: KeyObject
  readonly #nonces: Nonces

  constructor(key: Uint8Array, count = 0) {
    this.#key = createSecretKey(key)
    this.#nonces = new Nonces(count)
  }

  encryptWithAd(ad: Uint8Array, text: Uint8Array): Uint8Array {
    const cipher = createCipheriv(CIPHER, this.#key, this.#nonces.next(), TAG)
    cipher.setAAD(ad)
    const sealed = new Uint8Array(text.length + NOISE_TAG_BYTES)
    sealed.set(cipher.update(text))
    cipher.final()
    sealed.set(cipher.getAuthTag(), text.length)
    return sealed
  }

  /** `undefined`: not authentic. */
  decryptWithAd(ad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const tagAt = sealed.length - NOISE_TAG_BYTES
    if (tagAt < 0) return undefined
    const decipher = createDecipheriv(CIPHER, this.#key, this.#nonces.next(), TAG)
    decipher.setAAD(ad)
    decipher.setAuthTag(sealed.subarray(tagAt))
    const text = decipher.update(sealed.subarray(0, tagAt))
    try {
      decipher.final()
    } catch {
      // The only thing that `final` has to say.
      return undefined
    }
    return new Uint8Array(text.buffer, text.byteOffset, text.length)
  }
}

/** Chaining key, transcript hash and the key of the moment. */
class SymmetricState {
  chainingKey: Uint8Array
  hash: Uint8Array
  cipher: CipherState | undefined

  private constructor({ chainingKey, hash }: Pick<SymmetricState, 'chainingKey' | 'hash'>) {
    this.chainingKey = chainingKey
    this.hash = hash
  }

  static begin(): SymmetricState {
    // The name has 32 bytes exactly, so it is the first hash as it stands.
    const name = new TextEncoder().encode(NOISE_PROTOCOL)
    return new SymmetricState({ chainingKey: name, hash: name })
  }

  /** Without the cipher: each message makes one of its own before it uses it. */
  copy(): SymmetricState {
    return new SymmetricState(this)
  }

  mixKey(secret: Uint8Array): void {
    const [chainingKey, key] = derived(this.chainingKey, secret)
    this.chainingKey = chainingKey
    this.cipher = new CipherState(key)
  }

  mixHash(bytes: Uint8Array): void {
    this.hash = createHash('sha256').update(this.hash).update(bytes).digest()
  }

  mixKeyAndHash(secret: Uint8Array): void {
    const [chainingKey, hash, key] = derived(this.chainingKey, secret)
    this.chainingKey = chainingKey
    this.mixHash(hash)
    this.cipher = new CipherState(key)
  }

  encryptAndHash(text: Uint8Array): Uint8Array {
    if (this.cipher === undefined) throw misused('there is no key yet')
    const sealed = this.cipher.encryptWithAd(this.hash, text)
    this.mixHash(sealed)
    return sealed
  }

  decryptAndHash(sealed: Uint8Array): Uint8Array | undefined {
    const text = this.cipher?.decryptWithAd(this.hash, sealed)
    this.mixHash(sealed)
    return text
  }
}

export interface NoiseHandshakeOptions {
  readonly isInitiator: boolean
  /** What both must know alike, though nobody says it under a key: not secret, of any length. */
  readonly prologue: Uint8Array
  /** 32 bytes. */
  readonly psk: Uint8Array
  /** 32 random bytes, for this handshake only: they are wiped as soon as they are used. */
  readonly privateKey: Uint8Array
}

/** What two ends have agreed on. */
export interface NoiseSecrets {
  /** Seals what the initiator sends. */
  readonly initiator: Uint8Array
  /** Seals what the responder sends. */
  readonly responder: Uint8Array
  /** A third secret, independent of both, for what the application derives. */
  readonly exported: Uint8Array
}

/** One end of one handshake: `write` and `read` in turns, then `split`. */
export class NoiseHandshake {
  readonly #psk: Uint8Array
  readonly #privateBytes: Uint8Array
  readonly #isInitiator: boolean
  /** Made when it is needed: a stranger's message is known for one before. */
  #private: KeyObject | undefined
  #symmetric: SymmetricState
  #remote: Uint8Array | undefined
  /** Messages that have been written or read. */
  #count = 0

  constructor({ isInitiator, prologue, psk, privateKey }: NoiseHandshakeOptions) {
    if (psk.length !== NOISE_KEY_BYTES || privateKey.length !== NOISE_KEY_BYTES) {
      throw misused(`psk and private key have ${NOISE_KEY_BYTES} bytes, not ${psk.length} and ${privateKey.length}`)
    }
    this.#isInitiator = isInitiator
    this.#psk = psk
    this.#privateBytes = privateKey
    this.#symmetric = SymmetricState.begin()
    this.#symmetric.mixHash(prologue)
  }

  /** The transcript so far: equal at both ends after each message. Not a secret to be used. */
  get hash(): Uint8Array {
    return this.#symmetric.hash
  }

  /** `undefined` if the other end's public key is none to calculate with. */
  write(payload: Uint8Array): Uint8Array | undefined {
    const tokens = this.#tokens(true)
    const state = this.#symmetric
    const own = publicKeyOf(this.#privateKey())
    for (const token of tokens) {
      if (token === 'e') mixPublicKey(state, own)
      else if (!this.#mix(state, token, this.#remote)) return undefined
    }
    const sealed = state.encryptAndHash(payload)
    this.#count++
    const message = new Uint8Array(own.length + sealed.length)
    message.set(own)
    message.set(sealed, own.length)
    return message
  }

  /**
   * The payload, or `undefined` if the message is not authentic: then everything is as if it had
   * never come, and the genuine one can still be read.
   */
  read(message: Uint8Array): Uint8Array | undefined {
    const tokens = this.#tokens(false)
    if (message.length < NOISE_OVERHEAD_BYTES) return undefined
    const state = this.#symmetric.copy()
    const remote = message.slice(0, NOISE_KEY_BYTES)
    for (const token of tokens) {
      if (token === 'e') mixPublicKey(state, remote)
      else if (!this.#mix(state, token, remote)) return undefined
    }
    const payload = state.decryptAndHash(message.subarray(NOISE_KEY_BYTES))
    if (payload === undefined) return undefined
    this.#symmetric = state
    this.#remote = remote
    this.#count++
    return payload
  }

  /** After the last message. */
  split(): NoiseSecrets {
    if (this.#count !== PATTERN.length) throw misused('a handshake is split after its last message')
    const [initiator, responder, exported] = derived(this.#symmetric.chainingKey, NOTHING)
    return { initiator, responder, exported }
  }

  #mix(state: SymmetricState, token: 'psk' | 'ee', remote: Uint8Array | undefined): boolean {
    if (token === 'psk') {
      state.mixKeyAndHash(this.#psk)
      return true
    }
    const shared = remote && sharedSecret(this.#privateKey(), remote)
    if (shared !== undefined) state.mixKey(shared)
    return shared !== undefined
  }

  #privateKey(): KeyObject {
    this.#private ??= privateKeyOf(this.#privateBytes)
    return this.#private
  }

  #tokens(isWriting: boolean): (typeof PATTERN)[number] {
    const tokens = PATTERN[this.#count]
    if (tokens === undefined || this.#isInitiator !== (isWriting === (this.#count === 0))) {
      throw misused(`message ${this.#count + 1} is not ours to ${isWriting ? 'write' : 'read'}`)
    }
    return tokens
  }
}

/** In patterns with a psk, an e goes into the key as well. */
function mixPublicKey(state: SymmetricState, key: Uint8Array): void {
  state.mixHash(key)
  state.mixKey(key)
}

/** HKDF of RFC 5869 without an info: three keys, of which the first two are what two would be. */
function derived(salt: Uint8Array, secret: Uint8Array): readonly [Uint8Array, Uint8Array, Uint8Array] {
  const key = hmac(salt, secret)
  const first = hmac(key, Uint8Array.of(1))
  const second = hmac(key, first, Uint8Array.of(2))
  return [first, second, hmac(key, second, Uint8Array.of(3))]
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

function privateKeyOf(bytes: Uint8Array): KeyObject {
  const der = Buffer.alloc(PKCS8_HEAD.length + NOISE_KEY_BYTES)
  der.set(PKCS8_HEAD)
  der.set(bytes, PKCS8_HEAD.length)
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  bytes.fill(0)
  return key
}

function publicKeyOf(key: KeyObject): Uint8Array {
  // The 32 bytes stand at the end.
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' })
  return Uint8Array.from(spki.subarray(spki.length - NOISE_KEY_BYTES))
}

/** `undefined` for a public key of low order, with which everybody gets the same secret. */
function sharedSecret(privateKey: KeyObject, remote: Uint8Array): Uint8Array | undefined {
  // As JWK: OpenSSL reads DER four times as slowly.
  const jwk = { kty: 'OKP', crv: 'X25519', x: Buffer.from(remote).toString('base64url') }
  try {
    const shared = diffieHellman({ privateKey, publicKey: createPublicKey({ key: jwk, format: 'jwk' }) })
    return shared.every((byte) => byte === 0) ? undefined : shared
  } catch {
    return undefined
  }
}

function misused(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `mesh: ${what}`)
}
