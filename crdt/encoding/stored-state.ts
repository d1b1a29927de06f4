/**
 * Pieces of encoded states. A state may hold more entries than the codec takes in one array, and
 * values that are nested as deep as the codec goes; so long lists are cut into chunks, and values
 * that are containers become bytes of their own.
 *
 * Equal states give equal pieces. What is read back is checked: a snapshot may come from another
 * replica.
 */
import type { Encodable } from './encodable.ts'
import type { ReplicaId } from '../time/replica-id.ts'
import { decode, encode } from './encoding.ts'
import { parseReplicaId } from '../time/replica-id.ts'
import { WarpError } from '../warp-error.ts'

const CHUNK_ENTRIES = 4096
/** A step may end behind a value of more bytes, or characters. */
const LARGE_VALUE = 65_536

/** The items of a list that is made in steps, see `Strategy.encodeStateSteps`. */
export function inOneGo(steps: Iterable<Encodable | undefined>): Encodable {
  const items: Encodable[] = []
  for (const item of steps) if (item !== undefined) items.push(item)
  return items
}

/** What steps come to that are done in one go. */
export function finished<Result>(steps: Generator<undefined, Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** The chunks of a list of any length, whose entries are made one at a time. */
export function* chunksOf<Entry>(
  entries: Iterable<Entry | undefined>,
  encodeEntry: (entry: Entry) => Encodable,
): Generator<Encodable | undefined, void> {
  let chunk: Encodable[] = []
  for (const entry of entries) {
    if (entry === undefined) yield undefined
    else {
      const encoded = encodeEntry(entry)
      chunk.push(encoded)
      if (isLarge(encoded)) yield undefined
    }
    if (chunk.length < CHUNK_ENTRIES) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

/** Whether it begins with a value that takes a while to seal, or to find in a table. */
export function isLarge(entry: Encodable): boolean {
  const [first] = Array.isArray(entry) ? (entry as readonly Encodable[]) : []
  return (first instanceof Uint8Array || typeof first === 'string') && first.length > LARGE_VALUE
}

/** A list of any length. */
export function toChunks(entries: readonly Encodable[]): Encodable {
  const chunks: Encodable[] = []
  for (let i = 0; i < entries.length; i += CHUNK_ENTRIES) chunks.push(entries.slice(i, i + CHUNK_ENTRIES))
  return chunks
}

export function fromChunks(encoded: Encodable): Encodable[] {
  return expectArray(encoded).flatMap((chunk) => expectArray(chunk))
}

/** A value at any depth. */
export function seal(value: unknown): Encodable {
  return typeof value === 'object' && value !== null ? encode(value) : (value as Encodable)
}

export function unseal(sealed: Encodable | undefined): Encodable {
  if (sealed === undefined) throw malformedState('a value is missing')
  return sealed instanceof Uint8Array ? decode(sealed) : sealed
}

export function expectArray(encoded: Encodable | undefined): readonly Encodable[] {
  if (!Array.isArray(encoded)) throw malformedState('not a list')
  return encoded as readonly Encodable[]
}

export function expectText(encoded: Encodable | undefined): string {
  if (typeof encoded !== 'string') throw malformedState('not a text')
  return encoded
}

export function expectReplica(encoded: Encodable | undefined): ReplicaId {
  return parseReplicaId(expectText(encoded))
}

/** A sequence or a stamp: an integer from 0. */
export function expectCount(encoded: Encodable | undefined): number {
  if (!Number.isSafeInteger(encoded) || (encoded as number) < 0) throw malformedState('not a count')
  return encoded as number
}

export function malformedState(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed snapshot: ${what}; fold the key from its log instead`)
}
