/**
 * The cluster's keys: who holds one is a member. The first one of the ring is used to greet; all of
 * them are accepted, which is how a key is replaced while everybody runs (see
 * `MeshTransport.useKeys`). Every use has a key of its own, derived by HKDF (Krawczyk 2010)
 * together with the cluster's name, so clusters of different names never mix even if they share a
 * key.
 *
 * Without a key there is still one, derived from the name alone and known to everybody: the same
 * protocol, and no secrecy. That is allowed on loopback only, and only if asked for.
 */
import { type KeyObject, createSecretKey, hkdfSync } from 'node:crypto'
import { inspect } from 'node:util'
import { WarpError } from '../../../crdt/warp-error.ts'

/** 32 bytes, or text: base64, base64url or 64 hexadecimal digits. `warp key` makes one. */
export type ClusterKeyInput = Uint8Array | string

const KEY_BYTES = 32
const SALT = new TextEncoder().encode('warp mesh 1')
const KEYS_MAX = 8
const REDACTED = 'ClusterKey(redacted)'

/** One key and what is derived from it. Never shows itself. */
export class ClusterKey {
  /** Names the key on the wire; tells nothing about it. */
  readonly id: number
  /** For the MACs of open packets. */
  readonly open: KeyObject
  readonly #psk: Uint8Array

  constructor(bytes: Uint8Array, cluster: string) {
    const derive = (purpose: string, count: number): Uint8Array =>
      new Uint8Array(hkdfSync('sha256', bytes, SALT, `${purpose}\0${cluster}\0`, count))
    Object.defineProperty(this, inspect.custom, { value: () => REDACTED })
    this.id = Buffer.from(derive('id', 4)).readUInt32BE(0)
    this.open = createSecretKey(derive('open packets', KEY_BYTES))
    this.#psk = derive('noise psk', KEY_BYTES)
  }

  /** The pre-shared key of handshakes, 32 bytes. */
  get psk(): Uint8Array {
    return this.#psk
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }
}

export interface ClusterKeys {
  readonly primary: ClusterKey
  /** All that are accepted, the primary one first. */
  readonly ring: readonly ClusterKey[]
  /** There is no secret: loopback only. */
  readonly isInsecure: boolean
}

/** Throws `WARP_E_AUTH`, never with the key in the message. */
export function clusterKeys(input: ClusterKeyInput | readonly ClusterKeyInput[], cluster: string): ClusterKeys {
  const inputs: unknown = typeof input === 'string' || input instanceof Uint8Array ? [input] : input
  if (!Array.isArray(inputs) || inputs.length > KEYS_MAX) throw refused(`a key, or a list of at most ${KEYS_MAX}`)
  const ring: ClusterKey[] = []
  for (let index = 0; index < inputs.length; index++) {
    const key = new ClusterKey(keyBytes(inputs[index], index), cluster)
    if (!ring.some(({ id }) => id === key.id)) ring.push(key)
  }
  const [primary] = ring
  if (primary === undefined) throw refused('at least one key; an empty list would shut everybody out')
  return { primary, ring, isInsecure: false }
}

/** For `insecure: true`: everybody can compute it. */
export function insecureKeys(cluster: string): ClusterKeys {
  const primary = new ClusterKey(new Uint8Array(KEY_BYTES), `insecure\0${cluster}`)
  return { primary, ring: [primary], isInsecure: true }
}

export function keyOfId({ ring }: ClusterKeys, id: number): ClusterKey | undefined {
  for (const key of ring) if (key.id === id) return key
  return undefined
}

function keyBytes(input: unknown, index: number): Uint8Array {
  const bytes = typeof input === 'string' ? bytesOfText(input.trim()) : input
  const place = index === 0 ? '' : ` (number ${index + 1} of the list)`
  if (!(bytes instanceof Uint8Array) || bytes.length !== KEY_BYTES) {
    throw refused(`32 bytes, or their 43 to 44 characters of base64 or 64 hexadecimal digits${place}`)
  }
  if (bytes.every((byte) => byte === bytes[0])) throw refused(`random; this one is a single byte repeated${place}`)
  return Uint8Array.from(bytes)
}

function bytesOfText(text: string): Uint8Array | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  // Node's base64 takes both alphabets.
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

function refused(what: string): WarpError {
  return new WarpError(
    'WARP_E_AUTH',
    `mesh: clusterKey (keyring of meshPreset) must be ${what}; "warp key" makes one`,
    {
      details: { option: 'clusterKey' },
    },
  )
}
