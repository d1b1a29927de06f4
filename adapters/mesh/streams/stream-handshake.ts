/**
 * The two parts in the beginning of a stream, as values: who waits for how many bytes, and what it
 * makes of them. No I/O.
 */
import { type KeyObject, createSecretKey } from 'node:crypto'
import type { Contact } from '../contacts/contact.ts'
import type { StreamSecret } from '../contacts/contacts.ts'
import type { RefusalKind } from '../contacts/refusals.ts'
import { ANSWER_BYTES, Opening, PREAMBLE_BYTES, type RandomBytes, answerTo, indexIn } from './stream-preamble.ts'

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

export function openerHandshake(contact: Contact, session: StreamSecret, random: RandomBytes): Handshake {
  const opening = new Opening(session, random)
  return {
    opening: opening.preamble,
    awaitedBytes: ANSWER_BYTES,
    take: (answer) => {
      const secrets = opening.takeAnswer(answer)
      if (secrets === undefined) return { kind: 'refused', why: 'forged' }
      const [sending, receiving] = [createSecretKey(secrets.initiator), createSecretKey(secrets.responder)]
      return { kind: 'agreed', contact, reply: undefined, sending, receiving }
    },
  }
}

/**
 * `find` looks a session up by our own index of it, if it is one with somebody at the stream's
 * other end.
 */
export type FindSession = (index: number) => (StreamSecret & { readonly contact: Contact }) | undefined

export function answererHandshake(find: FindSession, random: RandomBytes): Handshake {
  return {
    opening: undefined,
    awaitedBytes: PREAMBLE_BYTES,
    take: (preamble) => {
      const index = indexIn(preamble)
      if (index === undefined) return { kind: 'refused', why: 'malformed' }
      const session = find(index)
      const answered = session && answerTo(preamble, session, random)
      if (session === undefined || answered === undefined) return { kind: 'refused', why: 'forged' }
      const { answer, secrets } = answered
      const [sending, receiving] = [createSecretKey(secrets.responder), createSecretKey(secrets.initiator)]
      return { kind: 'agreed', contact: session.contact, reply: answer, sending, receiving }
    },
  }
}
