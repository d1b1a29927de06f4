/**
 * Cuts an update into parts, each of which can be taken in as soon as those before it are there. A long
 * text is cut within, between two characters and never between the halves of one: Yjs would put U+FFFD
 * there.
 */
import * as Y from 'yjs'
import { WarpError } from '../../../crdt/warp-error.ts'
import { bytesOfNumber, concatenated } from '../frames/bytes.ts'
import { CausalOrder, type DecodedUpdate, type KnownUpTo, type Struct } from './causal-order.ts'

/** What the head of a part and of a client's run in it may take. */
const HEAD_BYTES = 64
/** What stands around the content of an item. */
const ITEM_BYTES = 64
/** A character takes at most three bytes, its half of four included. */
const BYTES_OF_A_UNIT = 3

interface Run {
  readonly client: number
  readonly clock: number
  count: number
  readonly structs: Uint8Array[]
}

/**
 * The parts of a decoded update whose causes are known, in order. `undefined` between two parts: a place
 * to let others work. Throws `WARP_E_LIMIT` for a value that is longer than a part and cannot be cut.
 */
export function* partsOf(
  decoded: DecodedUpdate,
  known: KnownUpTo,
  partBytesMax: number,
): Generator<Uint8Array | undefined, void> {
  const order = new CausalOrder(decoded, known)
  let part = new Part()
  let sinceBreak = 0
  for (const whole of order.structs()) {
    // Runs have no gaps: what is known already may lie before one.
    if (whole.id.clock + whole.length <= known(whole.id.client)) continue
    for (const struct of piecesOf(whole, partBytesMax)) {
      const bytes = encoded(struct)
      if (bytes.length + HEAD_BYTES > partBytesMax) throw tooLong(bytes.length, partBytesMax)
      if (part.bytesCount + bytes.length > partBytesMax) {
        yield part.encode()
        part = new Part()
      }
      part.add(struct, bytes)
    }
    if (++sinceBreak < STRUCTS_PER_STEP) continue
    sinceBreak = 0
    yield undefined
  }
  yield* withDeletes(part, decoded, partBytesMax)
}

const STRUCTS_PER_STEP = 2000

/** What is deleted may be long as well: it is cut anywhere, since everything that it names is there by now. */
function* withDeletes(last: Part, { ds }: DecodedUpdate, partBytesMax: number): Generator<Uint8Array, void> {
  let part = last
  for (const [client, ranges] of ds.clients)
    for (const range of ranges) {
      const bytes = Uint8Array.from([...bytesOfNumber(range.clock), ...bytesOfNumber(range.len)])
      if (part.bytesCount + bytes.length > partBytesMax) {
        yield part.encode()
        part = new Part()
      }
      part.delete(client, bytes)
    }
  yield part.encode()
}

class Part {
  bytesCount = HEAD_BYTES
  readonly #runs = new Map<number, Run>()
  readonly #deleted = new Map<number, Uint8Array[]>()

  add(struct: Struct, bytes: Uint8Array): void {
    const { client, clock } = struct.id
    let run = this.#runs.get(client)
    if (run === undefined) {
      this.#runs.set(client, (run = { client, clock, count: 0, structs: [] }))
      this.bytesCount += HEAD_BYTES
    }
    run.count++
    run.structs.push(bytes)
    this.bytesCount += bytes.length
  }

  delete(client: number, bytes: Uint8Array): void {
    const ranges = this.#deleted.get(client)
    if (ranges === undefined) {
      this.#deleted.set(client, [bytes])
      this.bytesCount += HEAD_BYTES
    } else ranges.push(bytes)
    this.bytesCount += bytes.length
  }

  encode(): Uint8Array {
    // Greater clients first, as Yjs writes them.
    const runs = [...this.#runs.values()].sort((a, b) => b.client - a.client)
    const parts: Uint8Array[] = [Uint8Array.from(bytesOfNumber(runs.length))]
    for (const { client, clock, count, structs } of runs)
      parts.push(Uint8Array.from([count, client, clock].flatMap(bytesOfNumber)), ...structs)
    parts.push(Uint8Array.from(bytesOfNumber(this.#deleted.size)))
    for (const [client, ranges] of this.#deleted)
      parts.push(Uint8Array.from([client, ranges.length].flatMap(bytesOfNumber)), ...ranges)
    return concatenated(parts)
  }
}

/** The struct itself, or an item cut into pieces that fit. */
function* piecesOf(struct: Struct, partBytesMax: number): Generator<Struct, void> {
  const unitsMax = Math.floor((partBytesMax - HEAD_BYTES - ITEM_BYTES) / BYTES_OF_A_UNIT)
  if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentString) || struct.length <= unitsMax) {
    yield struct
    return
  }
  const { str } = struct.content
  const { id, origin, rightOrigin, parent, parentSub } = struct
  for (let at = 0; at < str.length;) {
    const end = cutOf(str, at + unitsMax)
    const content = new Y.ContentString(str.slice(at, end))
    const pieceId = Y.createID(id.client, id.clock + at)
    // What stands left of a piece says where it lies.
    const left = at === 0 ? origin : Y.createID(id.client, id.clock + at - 1)
    const place = at === 0 ? ([parent, parentSub] as const) : ([null, null] as const)
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- Yjs's types hide that it extends it
    yield new Y.Item(pieceId, null, left, null, rightOrigin, ...place, content)
    at = end
  }
}

function cutOf(str: string, end: number): number {
  return isHighSurrogate(str.charCodeAt(end - 1)) ? end + 1 : end
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff
}

function encoded(struct: Struct): Uint8Array {
  const encoder = new Y.UpdateEncoderV1()
  struct.write(encoder, 0)
  return encoder.toUint8Array()
}

function tooLong(length: number, limit: number): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `one value in a Yjs update has ${length} bytes and cannot be cut, more than ${limit}; ` +
      'keep pictures and files elsewhere, and their address in the document',
    { details: { length, limit } },
  )
}
