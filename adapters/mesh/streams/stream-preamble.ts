/**
 * How two members begin a stream: `Noise_NNpsk0_25519_AESGCM_SHA256` (`../handshake/noise.ts`) with
 * the secret of their session as its psk, so each stream has keys of its own, which neither the
 * cluster key nor the session's keys lead to once the stream is over.
 *
 * ```
 * preamble = 'Ws' version:u8 0:u8 index:u32 message-1     opener -> answerer, 56 bytes; index: the answerer's of the session
 * answer   = message-2                                    answerer -> opener, 48 bytes: less than it has received
 * ```
 *
 * Both texts are empty. The first eight bytes are the prologue; `version` is the session's. An
 * answer is never sent to a preamble that is not authentic. A preamble can be played again, and
 * yields no record that opens: the opener counts as genuine only from its first record on.
 */
import type { StreamSecret } from '../contacts/contacts.ts'
import { NOISE_KEY_BYTES, NOISE_OVERHEAD_BYTES, NoiseHandshake, type NoiseSecrets } from '../handshake/noise.ts'
import { readU32, writeU32 } from '../handshake/packets.ts'

const HEAD_BYTES = 8
export const PREAMBLE_BYTES: number = HEAD_BYTES + NOISE_OVERHEAD_BYTES
export const ANSWER_BYTES: number = NOISE_OVERHEAD_BYTES

const MAGIC_0 = 0x57
const MAGIC_1 = 0x73
const INDEX_AT = 4
const NOTHING = new Uint8Array(0)

export type RandomBytes = (count: number) => Uint8Array

/** The opener's side. */
export class Opening {
  readonly preamble: Uint8Array
  readonly #noise: NoiseHandshake

  constructor(session: StreamSecret, random: RandomBytes) {
    this.preamble = new Uint8Array(PREAMBLE_BYTES)
    this.preamble.set([MAGIC_0, MAGIC_1, session.version, 0])
    writeU32(this.preamble, INDEX_AT, session.index)
    this.#noise = handshakeOf(true, { preamble: this.preamble, secret: session.secret, random })
    this.preamble.set(this.#noise.write(NOTHING) ?? NOTHING, HEAD_BYTES)
  }

  /** `undefined`: not authentic. */
  takeAnswer(answer: Uint8Array): NoiseSecrets | undefined {
    return this.#noise.read(answer)?.length === 0 ? this.#noise.split() : undefined
  }
}

/** The session that a preamble names, or `undefined` if it is none of the mesh's. */
export function indexIn(preamble: Uint8Array): number | undefined {
  const isOurs = preamble[0] === MAGIC_0 && preamble[1] === MAGIC_1 && preamble[3] === 0
  return isOurs && preamble.length === PREAMBLE_BYTES ? readU32(preamble, INDEX_AT) : undefined
}

/** The answerer's side. `undefined`: not authentic, or not of the version agreed on. */
export function answerTo(
  preamble: Uint8Array,
  { secret, version }: Pick<StreamSecret, 'secret' | 'version'>,
  random: RandomBytes,
): { readonly answer: Uint8Array; readonly secrets: NoiseSecrets } | undefined {
  if (preamble[2] !== version) return undefined
  const noise = handshakeOf(false, { preamble, secret, random })
  const text = noise.read(preamble.subarray(HEAD_BYTES))
  const answer = text?.length === 0 ? noise.write(NOTHING) : undefined
  return answer && { answer, secrets: noise.split() }
}

function handshakeOf(
  isInitiator: boolean,
  parts: { readonly preamble: Uint8Array; readonly secret: Uint8Array; readonly random: RandomBytes },
): NoiseHandshake {
  const prologue = parts.preamble.slice(0, HEAD_BYTES)
  return new NoiseHandshake({ isInitiator, prologue, psk: parts.secret, privateKey: parts.random(NOISE_KEY_BYTES) })
}
