/**
 * The frames between a guest and its gateway: each is a list in canonical MessagePack, whose first
 * item says what it is. docs/guests.md has the grammar.
 *
 * What comes in is checked here, field by field; behind it the types hold. Throws `WARP_E_PROTOCOL`.
 */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { decode, encode } from '../../crdt/encoding/encoding.ts'
import { isWholeFrom } from '../../crdt/checked-options.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { isReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { VECTOR_ENTRIES_MAX } from '../limits.ts'
import type { VectorEntries } from '../operation/envelope/vector-entries.ts'

/** Of this protocol. Another one is refused. */
export const GUEST_PROTOCOL = 1

const FRAME = {
  ...{ hello: 1, push: 2, auth: 3, ping: 4 },
  ...{ welcome: 16, states: 17, watermark: 18, answers: 19, pong: 20, refused: 21 },
} as const

/** Lets itself be let in. */
export interface Hello {
  readonly kind: 'hello'
  readonly guest: ReplicaId
  readonly token: string
  readonly patterns: readonly string[]
  /** Up to here the guest has everything of its patterns; empty: nothing. */
  readonly seen: VectorEntries
  /** Where its unanswered writes may have been taken in; `''`: nowhere. */
  readonly pinned: ReplicaId | ''
}

/** One write of a guest. */
export interface PushedOperation {
  /** The guest's own count, from 1. */
  readonly sequence: number
  readonly key: string
  readonly kind: number
  /** The code of the strategy that made the payload. */
  readonly strategy: number
  /** `undefined` for a delete. */
  readonly payload: Encodable | undefined
  /** What the guest had seen of the key, by members. */
  readonly context: VectorEntries
  /** Own writes that it had seen beyond that, by the names that they have got. */
  readonly dots: VectorEntries
  /** Its own writes of the key from this one on, which had no name yet, it had seen as well. */
  readonly ownFrom: number
  /** How long what it writes lives, ms; 0: as the key's pattern says. */
  readonly lifeMs: number
}

export interface Push {
  readonly kind: 'push'
  /** Up to where the guest had everything when it wrote these. */
  readonly seen: VectorEntries
  /** All of its writes before this one have been answered. */
  readonly unansweredFrom: number
  readonly operations: readonly PushedOperation[]
}

export interface Auth {
  readonly kind: 'auth'
  readonly token: string
}

export type GuestFrame = Hello | Push | Auth | { readonly kind: 'ping' }

export interface Welcome {
  readonly kind: 'welcome'
  readonly gateway: ReplicaId
  /** The guest's writes up to this one are here. */
  readonly last: number
  /** What the guest holds is worth nothing: the states that follow are all there is. */
  readonly isReset: boolean
  /** What was pinned will never be here if it is not by now: it may be sent again. */
  readonly isFree: boolean
  readonly nowMs: number
  readonly heartbeatMs: number
}

export interface KeyState {
  readonly key: string
  readonly strategy: number
  readonly vector: VectorEntries
  /** The guest's own writes up to this one are in it, or refused. */
  readonly included: number
  /** When its value ends, ms; 0: never. */
  readonly expiresAt: number
  /** `undefined`: the key has no value. */
  readonly state: Uint8Array | undefined
}

export interface Answer {
  readonly sequence: number
  /** The name that the write has got. */
  readonly dot?: Dot
  /** The write had seen all that its gateway had written to the key before: the dot is the end of a prefix. */
  readonly isPrefix?: boolean
  /** The guest is not sent this key: it need not wait for a state that holds the write. */
  readonly isUnsent?: boolean
  readonly refusal?: { readonly code: string; readonly message: string }
}

export type GatewayFrame =
  | Welcome
  | { readonly kind: 'states'; readonly states: readonly KeyState[] }
  | { readonly kind: 'watermark'; readonly seen: VectorEntries }
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }
  | { readonly kind: 'pong'; readonly nowMs: number }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }

export function encodeGuestFrame(frame: GuestFrame): Uint8Array {
  switch (frame.kind) {
    case 'hello': {
      const { guest, token, patterns, seen, pinned } = frame
      return encode([FRAME.hello, GUEST_PROTOCOL, guest, token, patterns, flat(seen), pinned])
    }
    case 'push':
      return encode([FRAME.push, flat(frame.seen), frame.unansweredFrom, frame.operations.map(operationItems)])
    case 'auth':
      return encode([FRAME.auth, frame.token])
    case 'ping':
      return encode([FRAME.ping])
  }
}

function operationItems(operation: PushedOperation): readonly Encodable[] {
  const { sequence, key, kind, strategy, payload, context, dots, ownFrom, lifeMs } = operation
  return [sequence, key, kind, strategy, flat(context), flat(dots), ownFrom, lifeMs, payload ?? null]
}

export function encodeGatewayFrame(frame: GatewayFrame): Uint8Array {
  switch (frame.kind) {
    case 'welcome': {
      const { gateway, last, isReset, isFree, nowMs, heartbeatMs } = frame
      return encode([FRAME.welcome, GUEST_PROTOCOL, gateway, last, isReset, isFree, nowMs, heartbeatMs])
    }
    case 'states':
      return encode([FRAME.states, frame.states.map(stateItems)])
    case 'watermark':
      return encode([FRAME.watermark, flat(frame.seen)])
    case 'answers':
      return encode([FRAME.answers, frame.answers.map(answerItems)])
    case 'pong':
      return encode([FRAME.pong, frame.nowMs])
    case 'refused':
      return encode([FRAME.refused, frame.code, frame.message])
  }
}

function stateItems({ key, strategy, vector, included, expiresAt, state }: KeyState): readonly Encodable[] {
  return [key, strategy, flat(vector), included, expiresAt, state ?? null]
}

const ANSWER = { prefix: 1, unsent: 2 } as const

function answerItems({ sequence, dot, isPrefix, isUnsent, refusal }: Answer): readonly Encodable[] {
  if (refusal !== undefined) return [sequence, refusal.code, refusal.message]
  const flags = (isPrefix === true ? ANSWER.prefix : 0) | (isUnsent === true ? ANSWER.unsent : 0)
  return dot === undefined ? [sequence] : [sequence, dot.replica, dot.sequence, flags]
}

export function decodeGuestFrame(bytes: Uint8Array): GuestFrame {
  const [kind, ...items] = listOf(decode(bytes))
  switch (kind) {
    case FRAME.hello: {
      checkProtocol(items[0])
      return {
        kind: 'hello',
        guest: idOf(items[1]),
        token: textOf(items[2]),
        patterns: listOf(items[3]).map(textOf),
        seen: vectorOf(items[4]),
        pinned: items[5] === '' ? '' : idOf(items[5]),
      }
    }
    case FRAME.push: {
      const operations = listOf(items[2]).map(operationOf)
      return { kind: 'push', seen: vectorOf(items[0]), unansweredFrom: countOf(items[1]), operations }
    }
    case FRAME.auth:
      return { kind: 'auth', token: textOf(items[0]) }
    case FRAME.ping:
      return { kind: 'ping' }
    default:
      throw malformed('a kind of frame that no guest sends')
  }
}

function operationOf(item: Encodable): PushedOperation {
  const [sequence, key, kind, strategy, context, dots, ownFrom, lifeMs, payload] = listOf(item)
  return {
    sequence: countOf(sequence, 1),
    key: textOf(key),
    kind: countOf(kind),
    strategy: countOf(strategy),
    payload,
    context: vectorOf(context),
    dots: vectorOf(dots),
    ownFrom: countOf(ownFrom),
    lifeMs: countOf(lifeMs),
  }
}

export function decodeGatewayFrame(bytes: Uint8Array): GatewayFrame {
  const [kind, ...items] = listOf(decode(bytes))
  switch (kind) {
    case FRAME.welcome: {
      checkProtocol(items[0])
      return {
        kind: 'welcome',
        gateway: idOf(items[1]),
        last: countOf(items[2]),
        isReset: items[3] === true,
        isFree: items[4] === true,
        nowMs: countOf(items[5]),
        heartbeatMs: countOf(items[6], 1),
      }
    }
    case FRAME.states:
      return { kind: 'states', states: listOf(items[0]).map(stateOf) }
    case FRAME.watermark:
      return { kind: 'watermark', seen: vectorOf(items[0]) }
    case FRAME.answers:
      return { kind: 'answers', answers: listOf(items[0]).map(answerOf) }
    case FRAME.pong:
      return { kind: 'pong', nowMs: countOf(items[0]) }
    case FRAME.refused:
      return { kind: 'refused', code: textOf(items[0]), message: textOf(items[1]) }
    default:
      throw malformed('a kind of frame that no gateway sends')
  }
}

function stateOf(item: Encodable): KeyState {
  const [key, strategy, vector, included, expiresAt, state] = listOf(item)
  if (state !== null && !(state instanceof Uint8Array)) throw malformed('a state that is no bytes')
  return {
    key: textOf(key),
    strategy: countOf(strategy),
    vector: vectorOf(vector),
    included: countOf(included),
    expiresAt: countOf(expiresAt),
    state: state ?? undefined,
  }
}

function answerOf(item: Encodable): Answer {
  const [first, second, third, fourth] = listOf(item)
  const sequence = countOf(first, 1)
  if (second === undefined) return { sequence }
  if (typeof third === 'string') return { sequence, refusal: { code: textOf(second), message: third } }
  const [dot, flags] = [{ replica: idOf(second), sequence: countOf(third, 1) }, countOf(fourth)]
  return { sequence, dot, isPrefix: (flags & ANSWER.prefix) !== 0, isUnsent: (flags & ANSWER.unsent) !== 0 }
}

function checkProtocol(version: Encodable | undefined): void {
  if (version === GUEST_PROTOCOL) return
  throw malformed(`another protocol where ${GUEST_PROTOCOL} is spoken; use builds of one version`)
}

/** A vector as one list: `[replica, sequence, replica, sequence, …]`. */
function flat(entries: VectorEntries): readonly Encodable[] {
  return entries.flat()
}

function vectorOf(item: Encodable | undefined): VectorEntries {
  const items = listOf(item)
  if (items.length % 2 !== 0 || items.length / 2 > VECTOR_ENTRIES_MAX) throw malformed('a vector')
  const entries: (readonly [ReplicaId, number])[] = []
  for (let i = 0; i < items.length; i += 2) entries.push([idOf(items[i]), countOf(items[i + 1], 1)])
  return entries
}

function listOf(item: Encodable | undefined): readonly Encodable[] {
  if (Array.isArray(item)) return item as readonly Encodable[]
  throw malformed('something else than a list')
}

function textOf(item: Encodable | undefined): string {
  if (typeof item === 'string') return item
  throw malformed('something else than a text')
}

function countOf(item: Encodable | undefined, min = 0): number {
  if (isWholeFrom(item, min)) return item
  throw malformed('something else than a whole number')
}

function idOf(item: Encodable | undefined): ReplicaId {
  if (isReplicaId(item)) return item
  throw malformed('something else than an id')
}

function malformed(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed frame of a guest or gateway: ${what}`)
}
