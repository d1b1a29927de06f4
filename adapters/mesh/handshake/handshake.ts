/**
 * The packets by which two members agree on a session: `Noise_NNpsk0_25519_AESGCM_SHA256`
 * (`noise.ts`) with the cluster key as its psk, behind a cookie.
 *
 * ```
 * greeter                                     greeted
 *   knock                             ──►       keeps nothing
 *                                     ◄──     cookie
 *   greeting(cookie, -> psk, e)       ──►       cookie valid: session, unconfirmed
 *                                     ◄──     welcome(<- e, ee)
 *   sealed                            ──►       session confirmed
 * ```
 *
 * Both prove that they hold the cluster key and that they can be reached where they send from. The
 * session's keys rest on two private keys that are used once and never stored, so who gets the
 * cluster key later cannot compute them. An old packet played again leads nowhere.
 *
 * The prologue is the greeting up to its cookie (version agreed on, key, versions that the greeter
 * speaks, its index and nonce) and the versions that the greeted one has named in its cookie: both
 * have to have heard the same of each other. The cookie is not in it, since it may have to be
 * fetched again, and one e must not seal two texts.
 */
import { ByteReader } from '../../../src/operation/byte-reader.ts'
import type { MemberProfile } from '../contacts/contact.ts'
import type { SessionSecrets } from '../contacts/session.ts'
import type { ClusterKey } from './cluster-keys.ts'
import { COOKIE_BYTES } from './cookies.ts'
import { type Knock, NONCE_BYTES, indexIn, writeKnock } from './knock.ts'
import { NOISE_KEY_BYTES, NOISE_OVERHEAD_BYTES, NoiseHandshake } from './noise.ts'
import { GREETING_BYTES, HEAD_BYTES, MAC_BYTES, authenticate, openPacket, writeU32 } from './packets.ts'
import { encodeProfile, readProfile } from './profile.ts'
import type { Versions } from './versions.ts'

const MESSAGE_END = GREETING_BYTES - MAC_BYTES
const GREETING_AT = {
  cookie: HEAD_BYTES + 4 + NONCE_BYTES,
  message: HEAD_BYTES + 4 + NONCE_BYTES + COOKIE_BYTES,
} as const
const WELCOME_MESSAGE_AT = HEAD_BYTES + 4
const GREETING_TEXT_BYTES = MESSAGE_END - GREETING_AT.message - NOISE_OVERHEAD_BYTES
const WELCOME_TEXT_BYTES = MESSAGE_END - WELCOME_MESSAGE_AT - NOISE_OVERHEAD_BYTES

/** One side's part of a handshake. */
export interface Introduction {
  readonly profile: MemberProfile
  /** What the other side puts on sealed packets to this one. */
  readonly index: number
}

/** What both sides have agreed to speak, and what each of them could. */
export interface Agreed {
  readonly version: number
  readonly greeter: Versions
  readonly greeted: Versions
}

/** A handshake as one of its two sides sees it when it has come to its end. */
export interface Outcome {
  readonly other: Introduction
  readonly secrets: SessionSecrets
}

export interface GreetingParts {
  readonly key: ClusterKey
  readonly agreed: Agreed
  readonly knock: Knock
  readonly profile: MemberProfile
  /** 32 random bytes. */
  readonly privateKey: Uint8Array
}

/** The greeter's side, from the greeting on. */
export class OwnGreeting {
  readonly agreed: Agreed
  readonly #key: ClusterKey
  readonly #nonce: Uint8Array
  readonly #noise: NoiseHandshake
  readonly #packet: Uint8Array

  constructor({ key, agreed, knock, profile, privateKey }: GreetingParts) {
    this.agreed = agreed
    this.#key = key
    this.#nonce = knock.nonce
    this.#packet = openPacket({ type: 'greeting', version: agreed.version, versions: agreed.greeter, keyId: key.id })
    writeKnock(this.#packet, knock)
    const prologue = prologueOf(this.#packet, agreed.greeted)
    this.#noise = new NoiseHandshake({ isInitiator: true, prologue, psk: key.psk, privateKey })
    const message = this.#noise.write(encodeProfile(profile, GREETING_TEXT_BYTES))
    if (message !== undefined) this.#packet.set(message, GREETING_AT.message)
  }

  /** The same greeting with another cookie is the same greeting. */
  packet(cookie: Uint8Array): Uint8Array {
    const packet = this.#packet.slice()
    packet.set(cookie, GREETING_AT.cookie)
    return authenticate(this.#key, packet)
  }

  /**
   * `undefined`: not authentic; the genuine one may still come. Its length and its MAC
   * (`isAuthentic` with the knock's nonce) are right.
   */
  takeWelcome(packet: Uint8Array): Outcome | undefined {
    if (packet[2] !== this.agreed.version) return undefined
    const text = this.#noise.read(packet.subarray(WELCOME_MESSAGE_AT, MESSAGE_END))
    const other = text && introductionIn(text)
    if (other === undefined) return undefined
    const { initiator, responder, exported } = this.#noise.split()
    return { other, secrets: { sending: initiator, receiving: responder, stream: exported } }
  }

  get nonce(): Uint8Array {
    return this.#nonce
  }
}

/** The cookie in a greeting. */
export function greetingCookieIn(packet: Uint8Array): Uint8Array {
  return packet.subarray(GREETING_AT.cookie, GREETING_AT.cookie + COOKIE_BYTES)
}

/** What tells one greeting from another: its e. */
export function ephemeralIn(packet: Uint8Array): Uint8Array {
  return packet.subarray(GREETING_AT.message, GREETING_AT.message + NOISE_KEY_BYTES)
}

export interface WelcomeParts {
  readonly key: ClusterKey
  readonly agreed: Agreed
  readonly own: Introduction
  readonly knock: Knock
  /** 32 random bytes. */
  readonly privateKey: Uint8Array
}

/**
 * The greeted one's side. `undefined`: the greeting is not authentic. Its length and its MAC are
 * right.
 */
export function answerGreeting(
  greeting: Uint8Array,
  { key, agreed, own, knock, privateKey }: WelcomeParts,
): (Outcome & { readonly welcome: Uint8Array }) | undefined {
  const prologue = prologueOf(greeting, agreed.greeted)
  const noise = new NoiseHandshake({ isInitiator: false, prologue, psk: key.psk, privateKey })
  const text = noise.read(greeting.subarray(GREETING_AT.message, MESSAGE_END))
  const profile = text && profileIn(text)
  const message = profile && noise.write(encodeProfile(own.profile, WELCOME_TEXT_BYTES, own.index))
  if (profile === undefined || message === undefined) return undefined
  const welcome = openPacket({ type: 'welcome', version: agreed.version, versions: agreed.greeted, keyId: key.id })
  writeU32(welcome, HEAD_BYTES, knock.index)
  welcome.set(message, WELCOME_MESSAGE_AT)
  authenticate(key, welcome, knock.nonce)
  const { initiator, responder, exported } = noise.split()
  return {
    other: { profile, index: indexIn(greeting) },
    secrets: { sending: responder, receiving: initiator, stream: exported },
    welcome,
  }
}

function prologueOf(greeting: Uint8Array, { oldest, newest }: Versions): Uint8Array {
  return Uint8Array.from([...greeting.subarray(0, GREETING_AT.cookie), oldest, newest])
}

function introductionIn(text: Uint8Array): Introduction | undefined {
  try {
    const reader = new ByteReader(text)
    const index = reader.u32()
    return { index, profile: readProfile(reader) }
  } catch {
    // From somebody with the key who does not keep to the grammar: as if it were not authentic.
    return undefined
  }
}

function profileIn(text: Uint8Array): MemberProfile | undefined {
  try {
    return readProfile(new ByteReader(text))
  } catch {
    return undefined
  }
}
