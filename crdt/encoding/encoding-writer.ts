/**
 * The writing half of `encoding.ts`. On the hot path of every write: no closures, no allocation per
 * value, and nothing is spent on error messages. A value that is refused makes the writers return
 * `false`; `encoding-refusal.ts` then walks the value again to say where and why.
 *
 * Objects are written with sorted keys. Sorting costs more than everything else, so key lists that
 * have been seen are remembered as paths through a tree of {@link Shape}s, one node per key in
 * insertion order, and the last node of a path knows the sorted order and the encoded keys. Walking
 * the tree is one pointer comparison per key while a program writes objects of the same shape.
 * {name, age, email, active}: 185 ns, against 370 ns for msgpackr (which does not sort) on the same
 * core.
 */
import { ByteWriter } from './byte-writer.ts'
import {
  isDate,
  isUint8Array,
  isWellFormed,
  writeBigint,
  writeBytes,
  writeDate,
  writeNumber,
  writeText,
} from './encoding-scalars.ts'
import { ENCODED_DEPTH_MAX, ENCODED_ENTRIES_MAX } from './encoding-limits.ts'

export { isDate, isUint8Array, isWellFormed } from './encoding-scalars.ts'

const SHAPE_KEYS_MAX = 32
const SHAPE_KEY_CHARS_MAX = 64
const SHAPES_MAX = 1024

/** A plain object, also one of another realm (a `vm` context, a frame). */
export function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return true
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
}

/**
 * Values of the objects under way, innermost last, in insertion order. A stack, because a getter
 * may encode, too.
 */
const pending: unknown[] = []
let pendingCount = 0

/** Whether for-in sees own properties only: true unless somebody has added to Object.prototype. */
let isPrototypeBare = true

function hasNoEnumerable(object: object): boolean {
  for (const _ in object) return false
  return true
}

/** Writes `value` and returns whether all of it can be carried. */
export function writeEncodable(writer: ByteWriter, value: unknown): boolean {
  const base = pendingCount
  if (typeof value === 'object') isPrototypeBare = hasNoEnumerable(Object.prototype)
  try {
    return writeValue(writer, value, 0)
  } finally {
    if (pendingCount !== base) pending.length = pendingCount = base
  }
}

function writeValue(writer: ByteWriter, value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      return writeText(writer, value)
    case 'number':
      writeNumber(writer, value)
      return true
    case 'boolean':
      writer.u8(value ? 0xc3 : 0xc2)
      return true
    case 'object':
      if (value !== null) return writeReference(writer, value, depth)
      writer.u8(0xc0)
      return true
    case 'bigint':
      return writeBigint(writer, value)
    default:
      return false
  }
}

function writeReference(writer: ByteWriter, value: object, depth: number): boolean {
  if (Array.isArray(value)) return depth < ENCODED_DEPTH_MAX && writeArray(writer, value, depth + 1)
  const prototype: unknown = Object.getPrototypeOf(value)
  if ((prototype === Object.prototype && isPrototypeBare) || prototype === null) {
    return depth < ENCODED_DEPTH_MAX && writeObject(writer, value as Record<string, unknown>, depth + 1)
  }
  if (isUint8Array(value)) {
    writeBytes(writer, value)
    return true
  }
  if (isDate(value)) return writeDate(writer, value)
  if (!isPlainObject(value) || depth >= ENCODED_DEPTH_MAX) return false
  return writeSorting(writer, value as Record<string, unknown>, depth + 1)
}

export const LIST = 0x90

/** The header of an array (`fixed` 0x90, `wide` 0xdc) or a map (0x80, 0xde). */
export function writeCount(writer: ByteWriter, count: number, fixed: 0x80 | typeof LIST): void {
  if (count < 16) {
    writer.u8(fixed | count)
    return
  }
  const wide = fixed === 0x90 ? 0xdc : 0xde
  writer.ensure(5)
  if (count <= 0xffff) {
    writer.u8(wide)
    writer.view.setUint16(writer.at, count)
    writer.at += 2
  } else {
    writer.u8(wide + 1)
    writer.u32(count)
  }
}

function writeArray(writer: ByteWriter, array: readonly unknown[], depth: number): boolean {
  const count = array.length
  if (count > ENCODED_ENTRIES_MAX) return false
  writeCount(writer, count, 0x90)
  for (let i = 0; i < count; i++) if (!writeValue(writer, array[i], depth)) return false
  return true
}

/** A key, having come along a path of keys before it. */
class Shape {
  readonly key: string
  readonly count: number
  readonly parent: Shape | undefined
  /** The child last taken. */
  hot: Shape | undefined
  children: Map<string, Shape> | undefined
  /** By sorted place: where the value lies in insertion order. */
  order: number[] | undefined
  /** By sorted place: the key as bytes. */
  keys: Uint8Array[] | undefined

  constructor(key: string, parent: Shape | undefined) {
    this.key = key
    this.count = parent === undefined ? 0 : parent.count + 1
    this.parent = parent
    this.hot = undefined
    this.children = undefined
    this.order = undefined
    this.keys = undefined
  }
}

let root = new Shape('', undefined)
let shapeCount = 0

/** The shape after `key`, or `undefined` if it is not worth remembering. */
function nextShape(shape: Shape, key: string): Shape | undefined {
  let next = shape.children?.get(key)
  if (next === undefined) {
    if (shape.count === SHAPE_KEYS_MAX || key.length > SHAPE_KEY_CHARS_MAX || !isWellFormed(key)) return undefined
    if (shapeCount === SHAPES_MAX) {
      root = new Shape('', undefined)
      shapeCount = 0
    }
    shapeCount++
    next = new Shape(key, shape)
    shape.children ??= new Map<string, Shape>()
    shape.children.set(key, next)
  }
  shape.hot = next
  return next
}

/** Works out the sorted order of a shape. */
function sortShape(shape: Shape): number[] {
  const entries: { key: string; place: number }[] = []
  for (let node = shape; node.parent !== undefined; node = node.parent) {
    entries.push({ key: node.key, place: node.count - 1 })
  }
  entries.sort((a, b) => (a.key < b.key ? -1 : 1))
  shape.keys = entries.map(({ key }) => {
    const writer = new ByteWriter(2 + key.length * 3)
    writeText(writer, key)
    return writer.take()
  })
  return (shape.order = entries.map(({ place }) => place))
}

function writeObject(writer: ByteWriter, object: Record<string, unknown>, depth: number): boolean {
  const base = pendingCount
  let shape = root
  // for-in is several times quicker than Object.keys, but walks the prototype, too: see
  // `isPrototypeBare`.
  for (const key in object) {
    const value = object[key]
    if (value === undefined) continue
    const hot = shape.hot
    const next = hot !== undefined && hot.key === key ? hot : nextShape(shape, key)
    if (next === undefined) {
      pendingCount = base
      return writeSorting(writer, object, depth)
    }
    shape = next
    pending[pendingCount++] = value
  }
  return writeShaped(writer, shape, base, depth)
}

function writeShaped(writer: ByteWriter, shape: Shape, base: number, depth: number): boolean {
  const order = shape.order ?? sortShape(shape)
  const keys = shape.keys as Uint8Array[]
  const count = order.length
  writeCount(writer, count, 0x80)
  for (let i = 0; i < count; i++) {
    writer.raw(keys[i]!)
    const place = base + order[i]!
    const value = pending[place]
    pending[place] = undefined
    if (!writeValue(writer, value, depth)) return false
  }
  pendingCount = base
  return true
}

/** For objects used as dictionaries, and unusual ones. */
function writeSorting(writer: ByteWriter, object: Record<string, unknown>, depth: number): boolean {
  const keys = Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort()
  if (keys.length > ENCODED_ENTRIES_MAX) return false
  writeCount(writer, keys.length, 0x80)
  for (const key of keys) {
    if (!writeText(writer, key) || !writeValue(writer, object[key], depth)) return false
  }
  return true
}
