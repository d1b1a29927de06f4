/**
 * The reading half of `encoding.ts`. Trusts nothing: every count is checked against the bytes that
 * are left before anything is allocated for it, nesting is bounded, text must be valid UTF-8, keys
 * must ascend. Errors say where, never what.
 *
 * Like the writer it remembers key lists as paths through a tree, here of encoded keys. A
 * remembered key costs a comparison of bytes; only a new one is turned into a string and compared
 * with the one before it. That also makes all keys of a shape the same string objects.
 */
import type { Encodable } from './encodable.ts'
import { ENCODED_DEPTH_MAX, ENCODED_ENTRIES_MAX } from './encoding-limits.ts'
import { noteLoose } from './shared-value.ts'
import { WarpError } from '../warp-error.ts'

const SHORT_TEXT_BYTES_MAX = 48
const SHORT_BYTES_MAX = 48
const PATH_KEYS_MAX = 32
const PATH_KEY_BYTES_MAX = 64
const PATHS_MAX = 1024
const TIMESTAMP_BYTES = 12
const NANOS_PER_MS = 1_000_000
const DATE_MS_MAX = 8.64e15
const TWO_POW_32 = 4294967296
/** To read so many bytes takes a millisecond or so. */
const PAUSE_BYTES = 65_536
/** Of a list with longer entries, lists in it are read in steps as well. */
const LONG_ENTRY_BYTES = 4096
/** So many levels of lists. */
const LISTS_IN_STEPS_MAX = 4

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const scratch = new DataView(new ArrayBuffer(8))
const EMPTY_ARRAY: readonly Encodable[] = Object.freeze([])
const EMPTY_OBJECT: Readonly<Record<string, Encodable>> = Object.freeze({})

/**
 * Where the next byte comes from, and where the payload began. Not the bytes themselves: those
 * would be kept alive.
 */
let at = 0
let origin = 0
/** Bytes and dates read so far: what they lie in is noted as loose. */
let looseCount = 0

/** Reads `bytes[start, end)`, all of it. Throws `WARP_E_PROTOCOL`. */
export function readEncodable(bytes: Uint8Array, start: number, end: number): Encodable {
  at = start
  origin = start
  const value = readValue(bytes, end, 0)
  if (at !== end) throw malformed('bytes left over')
  return value
}

/**
 * The items of the list in `bytes[start, end)`, each read when it is asked for; whatever is read in
 * between. Throws `WARP_E_PROTOCOL`, also at the end if bytes are left over.
 */
export function* readItems(bytes: Uint8Array, start: number, end: number): Generator<Encodable, void> {
  at = start
  origin = start
  const count = readListCount(bytes, end)
  let next = at
  for (let left = count; left > 0; left--) {
    at = next
    origin = start
    const item = readValue(bytes, end, 1)
    next = at
    yield item
  }
  at = next
  origin = start
  if (at !== end) throw malformed('bytes left over')
}

/**
 * The same with `undefined` wherever a step may end though no item is ready: between the entries of an
 * item that is a list, behind some 64 KiB. Where they may be long, between those of lists in it too.
 */
export function* readItemsSteps(bytes: Uint8Array, start: number, end: number): Generator<Encodable | undefined, void> {
  at = start
  origin = start
  const reading: SteppedReading = { bytes, start, end, deepest: 0, pausedAt: at }
  const count = readListCount(bytes, end)
  let next = at
  for (let left = count; left > 0; left--) {
    at = next
    origin = start
    reading.deepest = LISTS_IN_STEPS_MAX
    const item = isListType(bytes[at]) ? yield* readListSteps(reading, 1) : readValue(bytes, end, 1)
    next = at
    yield item
  }
  at = next
  origin = start
  if (at !== end) throw malformed('bytes left over')
}

interface SteppedReading {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  /** Lists up to this depth are read one entry after the other. */
  deepest: number
  pausedAt: number
}

function* readListSteps(reading: SteppedReading, depth: number): Generator<undefined, readonly Encodable[]> {
  const { bytes, start, end } = reading
  const looseBefore = looseCount
  const list = new Array<Encodable>(readListCount(bytes, end))
  // Lists of short entries are read faster in one go.
  if (end - at < list.length * LONG_ENTRY_BYTES) reading.deepest = Math.min(reading.deepest, depth)
  for (let i = 0; i < list.length; i++) {
    const isInSteps = depth < reading.deepest && isListType(bytes[at])
    list[i] = isInSteps ? yield* readListSteps(reading, depth + 1) : readValue(bytes, end, depth + 1)
    if (at - reading.pausedAt < PAUSE_BYTES) continue
    const next = at
    reading.pausedAt = next
    yield undefined
    at = next
    origin = start
  }
  // What others have read meanwhile may count here: then a list is copied that need not be.
  if (looseCount !== looseBefore) noteLoose(list)
  return Object.freeze(list)
}

function isListType(type: number | undefined): boolean {
  return type !== undefined && ((type >= 0x90 && type < 0xa0) || type === 0xdc || type === 0xdd)
}

function readListCount(bytes: Uint8Array, end: number): number {
  if (at >= end) throw malformed('it ends early')
  const type = bytes[at++]!
  const isLong = type === 0xdc || type === 0xdd
  if (!isLong && (type < 0x90 || type >= 0xa0)) throw malformed('not a list')
  const count = isLong ? readUnsigned(bytes, end, 2 << (type - 0xdc)) : type & 0x0f
  checkCount(count, end, 1, 0)
  return count
}

function malformed(what: string): WarpError {
  const offset = at - origin
  return new WarpError('WARP_E_PROTOCOL', `malformed payload: ${what}, at byte ${offset}`, { details: { offset } })
}

function readValue(bytes: Uint8Array, end: number, depth: number): Encodable {
  if (at >= end) throw malformed('it ends early')
  const type = bytes[at++]!
  if (type < 0x80) return type
  if (type >= 0xe0) return type - 0x100
  if (type >= 0xa0 && type < 0xc0) return readText(bytes, end, type & 0x1f)
  if (type < 0x90) return readMap(bytes, end, type & 0x0f, depth)
  if (type < 0xa0) return readArray(bytes, end, type & 0x0f, depth)
  return readTagged(bytes, end, type, depth)
}

// eslint-disable-next-line complexity -- one line per type byte; a table of functions would not be easier to read
function readTagged(bytes: Uint8Array, end: number, type: number, depth: number): Encodable {
  switch (type) {
    case 0xc0:
      return null
    case 0xc2:
      return false
    case 0xc3:
      return true
    case 0xc4:
    case 0xc5:
    case 0xc6:
      return readBytes(bytes, end, readUnsigned(bytes, end, 1 << (type - 0xc4)))
    case 0xc7:
      return readDate(bytes, end)
    case 0xca:
      fill(bytes, end, 4)
      return scratch.getFloat32(0) + 0
    case 0xcb:
      fill(bytes, end, 8)
      return scratch.getFloat64(0) + 0
    case 0xcc:
    case 0xcd:
    case 0xce:
      return readUnsigned(bytes, end, 1 << (type - 0xcc))
    case 0xcf:
      fill(bytes, end, 8)
      return scratch.getBigUint64(0)
    case 0xd0:
      return (readUnsigned(bytes, end, 1) << 24) >> 24
    case 0xd1:
      return (readUnsigned(bytes, end, 2) << 16) >> 16
    case 0xd2:
      return readUnsigned(bytes, end, 4) | 0
    case 0xd3:
      fill(bytes, end, 8)
      return scratch.getBigInt64(0)
    case 0xd9:
    case 0xda:
    case 0xdb:
      return readText(bytes, end, readUnsigned(bytes, end, 1 << (type - 0xd9)))
    case 0xdc:
    case 0xdd:
      return readArray(bytes, end, readUnsigned(bytes, end, 2 << (type - 0xdc)), depth)
    case 0xde:
    case 0xdf:
      return readMap(bytes, end, readUnsigned(bytes, end, 2 << (type - 0xde)), depth)
    default:
      at--
      throw malformed('a type that payloads do not have')
  }
}

function need(count: number, end: number): void {
  if (count > end - at) throw malformed('it ends early')
}

/** A big-endian integer of 1, 2 or 4 bytes. */
function readUnsigned(bytes: Uint8Array, end: number, width: number): number {
  need(width, end)
  let value = 0
  for (let i = 0; i < width; i++) value = value * 256 + bytes[at++]!
  return value
}

/**
 * Copies the next bytes to where a DataView can read them; a DataView over the payload would be an
 * allocation.
 */
function fill(bytes: Uint8Array, end: number, count: number): void {
  need(count, end)
  for (let i = 0; i < count; i++) scratch.setUint8(i, bytes[at++]!)
}

function readBytes(bytes: Uint8Array, end: number, count: number): Uint8Array {
  need(count, end)
  looseCount++
  at += count
  return copyOf(bytes, at - count, at)
}

/** Not slice(): of a Buffer, that is neither a copy nor a plain Uint8Array. */
function copyOf(bytes: Uint8Array, begin: number, end: number): Uint8Array {
  const count = end - begin
  const copy = new Uint8Array(count)
  if (count > SHORT_BYTES_MAX) copy.set(bytes.subarray(begin, end))
  // A subarray would cost more than the copy.
  else for (let i = 0; i < count; i++) copy[i] = bytes[begin + i]!
  return copy
}

function readDate(bytes: Uint8Array, end: number): Date {
  if (readUnsigned(bytes, end, 1) !== TIMESTAMP_BYTES || readUnsigned(bytes, end, 1) !== 0xff) {
    throw malformed('an extension other than a 96-bit timestamp')
  }
  need(TIMESTAMP_BYTES, end)
  const nanos = readUnsigned(bytes, end, 4)
  const high = readUnsigned(bytes, end, 4) | 0
  const low = readUnsigned(bytes, end, 4)
  const ms = (high * TWO_POW_32 + low) * 1000 + nanos / NANOS_PER_MS
  if (nanos > 999 * NANOS_PER_MS || nanos % NANOS_PER_MS !== 0 || Math.abs(ms) > DATE_MS_MAX) {
    throw malformed('a timestamp that is not a whole millisecond within the range of Date')
  }
  looseCount++
  return new Date(ms)
}

function readText(bytes: Uint8Array, end: number, count: number): string {
  need(count, end)
  const begin = at
  at += count
  if (count > SHORT_TEXT_BYTES_MAX) return readLongText(bytes, begin, count)
  let text = ''
  let i = begin
  // Four at a time: fewer pieces to put together.
  for (; i + 4 <= at; i += 4) {
    const a = bytes[i]!
    const b = bytes[i + 1]!
    const c = bytes[i + 2]!
    const d = bytes[i + 3]!
    if ((a | b | c | d) > 0x7f) return readLongText(bytes, begin, count)
    text += String.fromCharCode(a, b, c, d)
  }
  for (; i < at; i++) {
    if (bytes[i]! > 0x7f) return readLongText(bytes, begin, count)
    text += String.fromCharCode(bytes[i]!)
  }
  return text
}

function readLongText(bytes: Uint8Array, begin: number, count: number): string {
  try {
    return decoder.decode(bytes.subarray(begin, begin + count))
  } catch {
    at = begin
    throw malformed('text that is not UTF-8')
  }
}

function readArray(bytes: Uint8Array, end: number, count: number, depth: number): readonly Encodable[] {
  checkCount(count, end, 1, depth)
  if (count === 0) return EMPTY_ARRAY
  const array = new Array<Encodable>(count)
  const looseBefore = looseCount
  for (let i = 0; i < count; i++) array[i] = readValue(bytes, end, depth + 1)
  if (looseCount !== looseBefore) noteLoose(array)
  return Object.freeze(array)
}

function checkCount(count: number, end: number, entryBytesMin: number, depth: number): void {
  if (depth >= ENCODED_DEPTH_MAX) throw malformed(`nested deeper than ${ENCODED_DEPTH_MAX} levels`)
  if (count > ENCODED_ENTRIES_MAX) throw malformed(`more than ${ENCODED_ENTRIES_MAX} entries`)
  if (count * entryBytesMin > end - at) throw malformed('it ends early')
}

/** A key, having come along a path of keys before it. */
class Path {
  readonly key: string
  /** The key as it was encoded, header and all. */
  readonly encoded: Uint8Array
  readonly length: number
  /** Whether assigning would not make an own property, as with `__proto__`. */
  readonly isInherited: boolean
  /** The child last taken. */
  hot: Path | undefined
  children: Map<string, Path> | undefined

  constructor(key: string, encoded: Uint8Array, length: number) {
    this.key = key
    this.encoded = encoded
    this.length = length
    this.isInherited = key in Object.prototype
    this.hot = undefined
    this.children = undefined
  }
}

const NO_BYTES = new Uint8Array(0)
let root = new Path('', NO_BYTES, 0)
let pathCount = 0

function isNext(path: Path, bytes: Uint8Array, end: number): boolean {
  const { encoded } = path
  const count = encoded.length
  if (count > end - at) return false
  for (let i = 0; i < count; i++) if (encoded[i] !== bytes[at + i]) return false
  return true
}

function readMap(bytes: Uint8Array, end: number, count: number, depth: number): Encodable {
  checkCount(count, end, 2, depth)
  if (count === 0) return EMPTY_OBJECT
  if (count > PATH_KEYS_MAX) return readDictionary(bytes, end, count, depth)
  const object: Record<string, Encodable> = {}
  const looseBefore = looseCount
  let path = root
  for (let i = 0; i < count; i++) {
    const hot = path.hot
    if (hot !== undefined && isNext(hot, bytes, end)) {
      at += hot.encoded.length
      path = hot
    } else path = nextPath(path, bytes, end)
    if (path.isInherited) define(object, path.key, readValue(bytes, end, depth + 1))
    else object[path.key] = readValue(bytes, end, depth + 1)
  }
  if (looseCount !== looseBefore) noteLoose(object)
  return Object.freeze(object)
}

function nextPath(path: Path, bytes: Uint8Array, end: number): Path {
  const begin = at
  const key = readKey(bytes, end)
  if (path.length > 0 && !(path.key < key)) {
    at = begin
    throw malformed('keys that do not ascend')
  }
  const known = path.children?.get(key)
  if (known !== undefined) return (path.hot = known)
  const next = new Path(key, copyOf(bytes, begin, at), path.length + 1)
  if (at - begin > PATH_KEY_BYTES_MAX) return next
  if (pathCount === PATHS_MAX) {
    root = new Path('', NO_BYTES, 0)
    pathCount = 0
  }
  pathCount++
  path.children ??= new Map<string, Path>()
  path.children.set(key, next)
  return (path.hot = next)
}

function readKey(bytes: Uint8Array, end: number): string {
  const type = at < end ? bytes[at]! : 0
  const isText = (type >= 0xa0 && type < 0xc0) || (type >= 0xd9 && type <= 0xdb)
  if (!isText) throw malformed('a key that is not text')
  return readValue(bytes, end, 0) as string
}

/** Too many keys for a shape: not remembered. */
function readDictionary(bytes: Uint8Array, end: number, count: number, depth: number): Encodable {
  const object: Record<string, Encodable> = {}
  const looseBefore = looseCount
  let previous = ''
  for (let i = 0; i < count; i++) {
    const begin = at
    const key = readKey(bytes, end)
    if (i > 0 && !(previous < key)) {
      at = begin
      throw malformed('keys that do not ascend')
    }
    previous = key
    if (key in Object.prototype) define(object, key, readValue(bytes, end, depth + 1))
    else object[key] = readValue(bytes, end, depth + 1)
  }
  if (looseCount !== looseBefore) noteLoose(object)
  return Object.freeze(object)
}

function define(object: object, key: string, value: Encodable): void {
  Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
}
