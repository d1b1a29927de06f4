/** Tokens of sessions: whatever is written is read back, and whatever else comes is refused. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Seen } from '../../src/api/sessions/seen.ts'
import { decodeToken, encodeToken } from '../../src/api/sessions/session-token.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { replicaIdFromBytes } from '../../crdt/time/replica-id.ts'

const number = fc.maxSafeNat()
const replica = fc.uint8Array({ minLength: 8, maxLength: 8 }).map(replicaIdFromBytes)
const seen = fc
  .record({
    log: fc.nat(0xffffffff),
    counts: fc.array(fc.tuple(fc.nat(63), number), { maxLength: 64 }),
    vector: fc.array(fc.tuple(replica, number), { maxLength: 20 }),
  })
  .map(({ log, counts, vector }) => {
    const made = new Seen()
    for (const [partition, count] of counts) made.sawOrdered(log, partition, count)
    for (const [id, sequence] of vector) made.saw(id, sequence)
    return made
  })

function shown({ vector, order }: Seen): unknown {
  return { vector: vector.sorted(), log: order?.log, counts: [...(order?.counts ?? [])].sort(([a], [b]) => a - b) }
}

describe('a token', () => {
  it('is read as what was written, and is of URL characters', () => {
    fc.assert(
      fc.property(seen, (given) => {
        const token = encodeToken(given)
        expect(token).toMatch(/^[\w-]+$/)
        expect(shown(decodeToken(token))).toEqual(shown(given))
      }),
    )
  })

  it('with a character changed, cut or added is refused', () => {
    fc.assert(
      fc.property(seen, fc.nat(), fc.constantFrom('changed', 'cut', 'added'), (given, where, how) => {
        const token = encodeToken(given)
        const at = where % token.length
        const [before, after] = [token.slice(0, at), token.slice(at + 1)]
        const other = token[at] === 'A' ? 'B' : 'A'
        const bad = { changed: before + other + after, cut: before, added: token + 'AAAA' }[how]
        // The last digit of base64 may hold bits that mean nothing.
        if (how === 'changed' && at === token.length - 1) return
        expect(codeOf(bad)).toBe('WARP_E_PROTOCOL')
      }),
    )
  })

  it('that is any text whatever is refused with a typed error', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (text) => {
        expect(codeOf(text)).toBe('WARP_E_PROTOCOL')
      }),
    )
    expect(codeOf('A'.repeat(200_000))).toBe('WARP_E_LIMIT')
  })

  it('of a later version says so', () => {
    expect(() => decodeToken(checked([2, 0, 0]))).toThrow('made by a newer build')
  })

  it('ends with the CRC-32C of what stands before it', () => {
    expect(encodeToken(new Seen())).toBe(checked([1, 0, 0]))
  })
})

/** By the definition, a bit at a time (RFC 3720, B.4). */
function checked(bytes: readonly number[]): string {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  const check = [24, 16, 8, 0].map((shift) => (~crc >>> shift) & 255)
  return Buffer.from([...bytes, ...check]).toString('base64url')
}

function codeOf(text: string): string | undefined {
  try {
    decodeToken(text)
    return undefined
  } catch (error) {
    return isWarpError(error) ? error.code : `not typed: ${String(error)}`
  }
}
