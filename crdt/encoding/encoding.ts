/**
 * Payloads as bytes: canonical MessagePack, so that equal values have equal bytes whoever wrote
 * them. Digests, compare-and-set and sets of values rest on that. The types are those of
 * {@link Encodable}; docs/wire-format.md has the grammar and vectors.
 *
 * Canonical means: keys sorted by UTF-16 code units, `undefined` properties left out, numbers in
 * the shortest integer form or else as a double, -0 as 0, one NaN, bigints always 64 bit (so that
 * they come back as bigints), dates always 96 bit, headers as short as possible. A reader is laxer
 * in that it takes any form of a number and any length of a header, but strict in everything that
 * could hurt: see `encoding-reader.ts`.
 *
 * Our own instead of msgpackr, because msgpackr cannot be canonical, renames the key `__proto__`,
 * puts payload into error messages, and takes about twice the time to encode. Tests use it as an
 * oracle.
 */
import { ByteWriter } from './byte-writer.ts'
import type { Encodable } from './encodable.ts'
import { readEncodable, readItems, readItemsSteps } from './encoding-reader.ts'
import { refusalOf } from './encoding-refusal.ts'
import { LIST, writeCount, writeEncodable } from './encoding-writer.ts'

export { ENCODED_DEPTH_MAX, ENCODED_ENTRIES_MAX } from './encoding-limits.ts'

const SPARE_BYTES_MAX = 65_536
const LATIN1_CHUNK_BYTES = 4096

/** Lent to one caller at a time: a getter inside a value may encode, too. */
let spare: ByteWriter | undefined

/**
 * Appends `value`. Throws `WARP_E_UNENCODABLE` or `WARP_E_LIMIT`, naming the path, and then leaves
 * anything behind the writer's position.
 */
export function encodeInto(writer: ByteWriter, value: unknown): void {
  if (!writeEncodable(writer, value)) throw refusalOf(value)
}

/**
 * Begins a list of `count` items: what follows are their encodings. Together the bytes are those of
 * the list, for whoever encodes it in steps.
 */
export function encodeListHeader(writer: ByteWriter, count: number): void {
  writeCount(writer, count, LIST)
}

/** The bytes of `value`, the caller's to keep. Throws as {@link encodeInto}. */
export function encode(value: unknown): Uint8Array<ArrayBuffer> {
  const writer = borrowSpare()
  encodeInto(writer, value)
  const bytes = writer.take()
  returnSpare(writer)
  return bytes
}

/**
 * The one value in `bytes[start, end)`. Arrays and objects in it are frozen, byte arrays are
 * copies, and every key is an own property whatever its name. Throws `WARP_E_PROTOCOL` with an
 * offset from `start`, and never the content.
 */
export function decode(bytes: Uint8Array, start = 0, end: number = bytes.length): Encodable {
  return readEncodable(bytes, start, end)
}

/**
 * The items of the list in `bytes[start, end)`, each decoded when it is asked for. `bytes` must stay
 * what they are until then. Throws as {@link decode}, and for what is no list.
 */
export function decodeItems(bytes: Uint8Array, start = 0, end: number = bytes.length): Generator<Encodable, void> {
  return readItems(bytes, start, end)
}

/**
 * As {@link decodeItems}, for items that take longer than a step to decode: `undefined` stands where a
 * step may end though no item is ready.
 */
export function decodeItemsSteps(bytes: Uint8Array): Generator<Encodable | undefined, void> {
  return readItemsSteps(bytes, 0, bytes.length)
}

/**
 * A string that is the same for equal values and for no others: the key for a Map or Set of values.
 * Throws as {@link encodeInto}.
 */
export function identityOf(value: Encodable): string {
  if (typeof value === 'string') return `s${value}`
  if (typeof value === 'number') return `n${value}`
  const writer = borrowSpare()
  encodeInto(writer, value)
  const identity = `b${latin1(writer.bytes, writer.start, writer.at)}`
  returnSpare(writer)
  return identity
}

/** One character for each byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at += LATIN1_CHUNK_BYTES) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + LATIN1_CHUNK_BYTES)))
  }
  return text
}

function borrowSpare(): ByteWriter {
  const writer = spare ?? new ByteWriter(1024)
  spare = undefined
  writer.reset()
  return writer
}

/** Not called when something throws: the next caller makes a new one. */
function returnSpare(writer: ByteWriter): void {
  if (writer.bytes.length <= SPARE_BYTES_MAX) spare = writer
}
