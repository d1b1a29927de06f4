import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { Unpackr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import type { Encodable } from '../crdt/encoding/encodable.ts'
import { decode, encode, identityOf } from '../crdt/encoding/encoding.ts'
import { isWarpError } from '../crdt/warp-error.ts'
import { encodables, propertyNames, scalars } from '../testing/arbitraries.ts'
import { runs } from './seed.ts'

type Entries = Readonly<Record<string, Encodable>>

/** More properties than the codec remembers of a shape. */
function wide(leaf: Encodable, count: number): Encodable {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${(i * 7) % count}${'x'.repeat(i % 3)}`, leaf]))
}

function withWideOnes(leaves: fc.Arbitrary<Encodable>): fc.Arbitrary<Encodable> {
  const wideOnes = fc.tuple(leaves, fc.integer({ min: 30, max: 40 })).map(([leaf, count]) => wide(leaf, count))
  return fc.oneof({ weight: 4, arbitrary: leaves }, { weight: 1, arbitrary: wideOnes })
}

const anything = encodables({ leaves: withWideOnes(scalars()) })

/** The value as encoding makes it: -0 is 0, bytes are plain. */
function normalized(value: Encodable): Encodable {
  if (typeof value === 'number') return value + 0
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return (value as readonly Encodable[]).map(normalized)
  return Object.fromEntries(Object.entries(value as Entries).map(([key, inner]) => [key, normalized(inner)]))
}

/** The same entries in another order, all the way down. */
function shuffled(value: Encodable, order: (count: number) => number): Encodable {
  if (typeof value !== 'object' || value === null || value instanceof Date || value instanceof Uint8Array) return value
  if (Array.isArray(value)) return (value as readonly Encodable[]).map((inner) => shuffled(inner, order))
  const entries = Object.entries(value as Entries)
  for (let i = entries.length - 1; i > 0; i--) {
    const j = order(i + 1)
    const moved = entries[i] as [string, Encodable]
    entries[i] = entries[j] as [string, Encodable]
    entries[j] = moved
  }
  return Object.fromEntries(entries.map(([key, inner]) => [key, shuffled(inner, order)]))
}

/** Not toStrictEqual: a property named `constructor` misleads it. fast-check prints the value. */
function expectSame(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) throw new Error('not the same')
}

/** A value, or WARP_E_PROTOCOL that says nothing but where. Anything else is thrown on. */
function decodeOrRefuse(bytes: Uint8Array): Encodable | undefined {
  try {
    return decode(bytes)
  } catch (error) {
    if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
    if (!/^malformed payload: [a-zA-Z0-9 ,-]+, at byte \d+$/.test(error.message)) throw error
    if (Object.keys(error.details).join() !== 'offset') throw error
    return undefined
  }
}

const prototypeNames = Object.getOwnPropertyNames(Object.prototype).join()

describe('encoding, over many values', () => {
  test('what was encoded is decoded to the same, and encoded again to the same bytes', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = encode(value)
        const decoded = decode(bytes)
        expectSame(decoded, normalized(value))
        expect(Buffer.compare(encode(decoded), bytes)).toBe(0)
      }),
      runs(),
    )
  })

  test('the order of properties does not show in the bytes', () => {
    fc.assert(
      fc.property(anything, fc.infiniteStream(fc.nat()), (value, numbers) => {
        const other = shuffled(value, (count) => (numbers.next().value as number) % count)
        expect(Buffer.compare(encode(other), encode(value))).toBe(0)
      }),
      runs(),
    )
  })

  test('identities are equal exactly when values are', () => {
    const close = encodables({
      leaves: fc.constantFrom<Encodable>(0, -0, 1, 1n, '1', '', null, false, new Date(1)),
      names: fc.constantFrom('a', 'b'),
    })
    fc.assert(
      fc.property(close, close, (a, b) => {
        const isEqual = Buffer.compare(encode(a), encode(b)) === 0
        expect(identityOf(a) === identityOf(b)).toBe(isEqual)
        expect(identityOf(decode(encode(a)))).toBe(identityOf(a))
      }),
      runs(),
    )
  })

  test('msgpackr reads what we write', () => {
    // It renames __proto__, has the key order of its own, and -0 is our own matter; all else must agree.
    const shared = encodables({
      leaves: withWideOnes(scalars().filter((value) => typeof value !== 'bigint')),
      names: propertyNames().filter((name) => name !== '__proto__'),
    })
    const oracle = new Unpackr({ useRecords: false, mapsAsObjects: true })
    fc.assert(
      fc.property(shared, (value) => {
        expectSame(plain(oracle.unpack(encode(value)) as Encodable), normalized(value))
      }),
      runs(),
    )
  })

  test('msgpackr reads our bigints', () => {
    const oracle = new Unpackr({ useRecords: false, int64AsType: 'bigint' })
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        expect(oracle.unpack(encode(value))).toBe(value)
      }),
      runs(),
    )
  })
})

/** msgpackr gives Buffers. */
function plain(value: Encodable): Encodable {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (typeof value !== 'object' || value === null || value instanceof Date) return value
  if (Array.isArray(value)) return (value as readonly Encodable[]).map(plain)
  return Object.fromEntries(Object.entries(value as Entries).map(([key, inner]) => [key, plain(inner)]))
}

describe('decoding hostile bytes', () => {
  const typeBytes = fc.constantFrom(
    ...[0x80, 0x81, 0x82, 0x91, 0xa0, 0xa1, 0xc0, 0xc4, 0xc7, 0xcb, 0xd3, 0xd9, 0xdc, 0xdd, 0xde, 0xdf],
  )

  test('random bytes give a value or WARP_E_PROTOCOL', () => {
    const bytes = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), typeBytes), { maxLength: 64 })
    fc.assert(
      fc.property(bytes, (list) => {
        const value = decodeOrRefuse(Uint8Array.from(list))
        if (value !== undefined) expectSame(decode(encode(value)), value)
      }),
      runs(),
    )
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(prototypeNames)
  })

  test('valid bytes with a few changed give a value or WARP_E_PROTOCOL', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.oneof(fc.integer({ min: 0, max: 255 }), typeBytes)), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(anything, changes, (value, list) => {
        const bytes = encode(value)
        for (const [at, byte] of list) bytes[at % bytes.length] = byte
        const read = decodeOrRefuse(bytes)
        if (read !== undefined) expectSame(decode(encode(read)), read)
      }),
      runs(),
    )
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(prototypeNames)
  })

  test('valid bytes cut short are refused', () => {
    fc.assert(
      fc.property(anything, fc.nat(), (value, cut) => {
        const bytes = encode(value)
        expect(decodeOrRefuse(bytes.subarray(0, cut % bytes.length))).toBeUndefined()
      }),
      runs(),
    )
  })
})
