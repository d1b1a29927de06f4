/**
 * What clients and servers say about one document, after the name that Hocuspocus puts in front. Types 0,
 * 1 and 3 are the same in both protocols.
 */
import { ByteReader, bytesOfNumber, bytesOfText, concatenated, withLength } from './bytes.ts'

const SYNC = 0
const AWARENESS = 1
const AUTH = 2
const QUERY_AWARENESS = 3
const CLOSE = 7
const SYNC_STATUS = 8

const STEP_1 = 0
const STEP_2 = 1
const UPDATE = 2

/** What a client says. `vector` and `update` are Yjs's own encodings, not yet looked at. */
export type ClientFrame =
  | { readonly kind: 'step1'; readonly vector: Uint8Array }
  | { readonly kind: 'update'; readonly update: Uint8Array }
  | { readonly kind: 'awareness'; readonly states: readonly ClientState[] }
  | { readonly kind: 'query' }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'leave' }
  /** Of a type that this server does not know, or that clients have no business to send. */
  | { readonly kind: 'other' }

/** What is known of one client of a document: its cursor, its name. `json` is `null` when it has gone. */
export interface ClientState {
  readonly id: number
  readonly clock: number
  readonly json: string
}

/** Throws `WARP_E_PROTOCOL`. */
export function readFrame(reader: ByteReader, isHocuspocus: boolean): ClientFrame {
  const type = reader.number()
  if (type === SYNC) return readSync(reader)
  if (type === AWARENESS) return { kind: 'awareness', states: readStates(new ByteReader(reader.bytes())) }
  if (type === QUERY_AWARENESS) return { kind: 'query' }
  if (!isHocuspocus) return { kind: 'other' }
  if (type === AUTH && reader.number() === 0) return { kind: 'token', token: reader.text() }
  return { kind: type === CLOSE ? 'leave' : 'other' }
}

function readSync(reader: ByteReader): ClientFrame {
  const step = reader.number()
  if (step === STEP_1) return { kind: 'step1', vector: reader.bytes() }
  return step === STEP_2 || step === UPDATE ? { kind: 'update', update: reader.bytes() } : { kind: 'other' }
}

function readStates(reader: ByteReader): ClientState[] {
  const states: ClientState[] = []
  for (let left = reader.number(); left > 0; left--)
    states.push({ id: reader.number(), clock: reader.number(), json: reader.text() })
  return states
}

export function step1(vector: Uint8Array): Uint8Array {
  return concatenated([Uint8Array.of(SYNC, STEP_1), withLength(vector)])
}

export function step2(update: Uint8Array): Uint8Array {
  return concatenated([Uint8Array.of(SYNC, STEP_2), withLength(update)])
}

export function updateFrame(update: Uint8Array): Uint8Array {
  return concatenated([Uint8Array.of(SYNC, UPDATE), withLength(update)])
}

/** Of no states: nobody answers it, and every client takes it for a sign of life. */
export function awarenessFrame(states: readonly ClientState[]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.from(bytesOfNumber(states.length))]
  for (const { id, clock, json } of states)
    parts.push(Uint8Array.from([...bytesOfNumber(id), ...bytesOfNumber(clock)]), bytesOfText(json))
  return concatenated([Uint8Array.of(AWARENESS), withLength(concatenated(parts))])
}

/** Denied, with a reason: a provider of Hocuspocus stops, one of y-websocket warns. */
export function deniedFrame(reason: string, isHocuspocus: boolean): Uint8Array {
  return concatenated([Uint8Array.of(AUTH, isHocuspocus ? 1 : 0), bytesOfText(reason)])
}

export function authenticatedFrame(isReadOnly: boolean): Uint8Array {
  return concatenated([Uint8Array.of(AUTH, 2), bytesOfText(isReadOnly ? 'readonly' : 'read-write')])
}

/** Whether an update of this client has been written. */
export function statusFrame(isWritten: boolean): Uint8Array {
  return Uint8Array.of(SYNC_STATUS, isWritten ? 1 : 0)
}

export function closeFrame(reason: string): Uint8Array {
  return concatenated([Uint8Array.of(CLOSE), bytesOfText(reason)])
}

/** One frame for many clients: encoded once for each name that they know the document by. */
export class SharedFrame {
  readonly #body: Uint8Array
  readonly #named = new Map<Uint8Array, Uint8Array>()

  constructor(body: Uint8Array) {
    this.#body = body
  }

  /** `name` as it stands in front; `undefined`: none does. */
  for(name: Uint8Array | undefined): Uint8Array {
    if (name === undefined) return this.#body
    let frame = this.#named.get(name)
    if (frame === undefined) this.#named.set(name, (frame = concatenated([name, this.#body])))
    return frame
  }
}
