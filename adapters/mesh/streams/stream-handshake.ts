/**
 * The two parts in the beginning of a stream, as values: who waits for how many bytes, and what it
 * makes of them. No I/O.
 */
import type { KeyObject } from 'node:crypto'
import type { Contact } from '../contacts/contact.ts'
import type { RefusalKind } from '../contacts/refusals.ts'
import {
  ANSWER_BYTES,
  NONCE_BYTES,
  PREAMBLE_BYTES,
  answerTo,
  indexIn,
  isAnswerAuthentic,
  isPreambleAuthentic,
  preambleOf,
  streamKeys,
} from './stream-preamble.ts'

export interface Handshake {
  /** Sent as soon as there is a connection. */
  readonly opening: Uint8Array | undefined
  /** Bytes of what the other end says first. */
  readonly awaitedBytes: number
  take(bytes: Uint8Array): HandshakeOutcome
}

export type HandshakeOutcome = { readonly kind: 'refused'; readonly why: RefusalKind } | Agreement

export interface Agreement {
  readonly kind: 'agreed'
  readonly contact: Contact
  readonly reply: Uint8Array | undefined
  readonly sending: KeyObject
  readonly receiving: KeyObject
}

export interface SessionSecret {
  readonly index: number
  readonly secret: Uint8Array
}

export type RandomBytes = (count: number) => Uint8Array

export function openerHandshake(contact: Contact, session: SessionSecret, random: RandomBytes): Handshake {
  const preamble = preambleOf(session, random(NONCE_BYTES))
  return {
    opening: preamble,
    awaitedBytes: ANSWER_BYTES,
    take: (answer) => {
      if (!isAnswerAuthentic({ preamble, answer }, session.secret)) return { kind: 'refused', why: 'forged' }
      const { opener, answerer } = streamKeys({ preamble, answer }, session.secret)
      return { kind: 'agreed', contact, reply: undefined, sending: opener, receiving: answerer }
    },
  }
}

/**
 * `find` looks a session up by our own index of it, if it is one with somebody at the stream's
 * other end.
 */
export type FindSession = (index: number) => { readonly contact: Contact; readonly secret: Uint8Array } | undefined

export function answererHandshake(find: FindSession, random: RandomBytes): Handshake {
  return {
    opening: undefined,
    awaitedBytes: PREAMBLE_BYTES,
    take: (preamble) => {
      const index = indexIn(preamble)
      if (index === undefined) return { kind: 'refused', why: 'malformed' }
      const session = find(index)
      if (session === undefined || !isPreambleAuthentic(preamble, session.secret))
        return { kind: 'refused', why: 'forged' }
      const answer = answerTo(preamble, session.secret, random(NONCE_BYTES))
      const { opener, answerer } = streamKeys({ preamble, answer }, session.secret)
      return { kind: 'agreed', contact: session.contact, reply: answer, sending: answerer, receiving: opener }
    },
  }
}
