import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { encode } from '../../crdt/encoding/encoding.ts'
import { hlcFromMs } from '../../crdt/time/hlc.ts'
import { parseReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { runs } from '../../property-tests/seed.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { Formats } from '../../src/operation/envelope/formats.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { REPLICAS_INTERNED_MAX, ReplicaTable } from '../../src/operation/replica-table.ts'
import { writeEnvelopeHeader, type EnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { fromHex, toHex } from '../support/hex.ts'
import { refused } from '../support/refused.ts'

const A = parseReplicaId('00000000000000aa')
const B = parseReplicaId('00000000000000bb')
const C = parseReplicaId('00000000000000cc')

function envelope(
  table: ReplicaTable,
  header: Partial<EnvelopeHeader> = {},
  payload = encode({ name: 'Alice' }),
): Uint8Array {
  const writer = new ByteWriter()
  const full: EnvelopeHeader = {
    kind: OPERATION_KIND.update,
    strategy: 1,
    replicaBytes: table.bytes(A),
    sequence: 7,
    hlc: hlcFromMs(1_700_000_000_000) + 5,
    key: 'user:1',
    context: undefined,
    dependencies: undefined,
    ...header,
  }
  writeEnvelopeHeader(writer, full, table)
  writer.raw(payload)
  return writer.take()
}

function load(bytes: Uint8Array, table: ReplicaTable = new ReplicaTable()): OperationReader {
  return new OperationReader(table).load(bytes, 0, bytes.length)
}

function keyOf(reader: OperationReader): string {
  return new TextDecoder().decode(reader.bytes.subarray(reader.keyStart, reader.keyEnd))
}

function payloadOf(reader: OperationReader): string {
  return toHex(reader.bytes.subarray(reader.payloadStart, reader.end))
}

/** An envelope of a later version's writer: another kind, and bytes that only it understands. */
const EXTENDED = fromHex('02 63 2a 04 00000000000000aa 07 000c5e29bdb00005 01 6b 03 500103 c0')

describe('an envelope', () => {
  test('is read as it was written', () => {
    const table = new ReplicaTable()
    const reader = load(envelope(table))
    expect(reader).toMatchObject({
      kind: 1,
      strategy: 1,
      replica: A,
      sequence: 7,
      hlc: hlcFromMs(1_700_000_000_000) + 5,
    })
    expect(keyOf(reader)).toBe('user:1')
    expect(payloadOf(reader)).toBe(toHex(encode({ name: 'Alice' })))
    expect(reader.context()).toEqual([])
    expect(reader.dependencies()).toEqual([])
    expect(reader.hasDependencies).toBe(false)
  })

  test('carries the context and the dependencies', () => {
    const table = new ReplicaTable()
    const context = [
      [B, 300],
      [C, 1],
    ] as const
    const dependencies = [[C, 2 ** 40]] as const
    const reader = load(envelope(table, { context, dependencies }))
    expect(reader.context()).toEqual(context)
    expect(reader.dependencies()).toEqual(dependencies)
    expect(payloadOf(reader)).toBe(toHex(encode({ name: 'Alice' })))
  })

  test('carries dependencies without a context', () => {
    const reader = load(envelope(new ReplicaTable(), { context: [], dependencies: [[B, 1]] }))
    expect(reader.context()).toEqual([])
    expect(reader.dependencies()).toEqual([[B, 1]])
  })

  test('knows what its writer had seen', () => {
    const reader = load(
      envelope(new ReplicaTable(), {
        context: [
          [B, 3],
          [C, 1],
        ],
        dependencies: [[parseReplicaId('00000000000000dd'), 9]],
      }),
    )
    const seen = (replica: ReplicaId, sequence: number): boolean => reader.observed(replica, sequence)
    expect([seen(B, 1), seen(B, 3), seen(B, 4)]).toEqual([true, true, false])
    expect([seen(C, 1), seen(C, 2)]).toEqual([true, false])
    expect([seen(A, 6), seen(A, 7)]).toEqual([true, false])
    expect(seen(parseReplicaId('00000000000000dd'), 1)).toBe(false)
  })

  test('may lie anywhere in a buffer', () => {
    const table = new ReplicaTable()
    const bytes = envelope(table, { context: [[B, 3]] })
    const buffer = new Uint8Array(bytes.length + 20).fill(0xff)
    buffer.set(bytes, 7)
    const reader = new OperationReader(new ReplicaTable()).load(buffer, 7, 7 + bytes.length)
    expect(keyOf(reader)).toBe('user:1')
    expect(reader.context()).toEqual([[B, 3]])
    expect(payloadOf(reader)).toBe(toHex(encode({ name: 'Alice' })))
  })

  test('may have no payload and an empty key', () => {
    const reader = load(envelope(new ReplicaTable(), { kind: OPERATION_KIND.delete, key: '' }, new Uint8Array(0)))
    expect([reader.kind, keyOf(reader), payloadOf(reader)]).toEqual([2, '', ''])
  })

  test('keeps the extremes of its numbers', () => {
    const reader = load(
      envelope(new ReplicaTable(), { sequence: Number.MAX_SAFE_INTEGER, hlc: Number.MAX_SAFE_INTEGER }),
    )
    expect([reader.sequence, reader.hlc]).toEqual([Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER])
  })

  test('of an unknown kind and with an extension is read as far as it is known', () => {
    const reader = load(EXTENDED)
    expect([reader.kind, reader.strategy, reader.sequence, keyOf(reader), payloadOf(reader)]).toEqual([
      99,
      42,
      7,
      'k',
      'c0',
    ])
    expect(toHex(reader.bytes.subarray(reader.start, reader.end))).toBe(toHex(EXTENDED))
  })

  test('names at most 4,096 replicas in a vector, written or read', () => {
    const ids = Array.from(
      { length: 4097 },
      (_, i) => [parseReplicaId((i + 1).toString(16).padStart(16, '0')), 1] as const,
    )
    const table = new ReplicaTable()
    for (const count of [4095, 4096])
      expect(load(envelope(table, { context: ids.slice(0, count) })).context()).toHaveLength(count)
    expect(refused(() => envelope(table, { context: ids })).code).toBe('WARP_E_LIMIT')
    expect(refused(() => envelope(table, { dependencies: ids })).code).toBe('WARP_E_LIMIT')
    const hostile = fromHex(`02010101${A}07000c5e29bdb00005016b 8120 ${'00000000000000bb01'.repeat(4097)}`)
    expect(refused(() => load(hostile)).message).toContain('a vector of 4097 entries')
  })
})

describe('a malformed envelope', () => {
  const fixed = `${A}07000c5e29bdb00005`
  test.each([
    ['nothing', ''],
    ['20 bytes', `02010100${A}07000c5e29bdb00005`.slice(0, 40)],
    ['sequence 0', `02010100${A}00000c5e29bdb00005016b`],
    ['a sequence beyond 2^53', `02010100${A}ffffffffffffff1f000c5e29bdb00005016b`],
    ['a number that does not end', `02010100${A}${'80'.repeat(12)}`],
    ['a stamp beyond 2^53', `02010100${A}07 0020000000000000 016b`],
    ['a key beyond the end', `02010100${fixed}036b6b`],
    ['a key of 2^53 bytes', `02010100${fixed}ffffffffffffff0f6b`],
    ['a context that is not there', `02010101${fixed}016b`],
    ['a context beyond the end', `02010101${fixed}016b 02 ${B}01 ${C}`],
    ['a context of 2^53 entries', `02010101${fixed}016b ffffffffffffff0f ${B}01`],
    ['dependencies beyond the end', `02010102${fixed}016b 01 ${B}`],
    ['dots beyond the end', `02010110${fixed}016b 01 ${B}`],
    ['fields beyond the end', `02010104${fixed}016b 03 0102`],
    ['fields of 2^53 bytes', `02010104${fixed}016b ffffffffffffff0f`],
    ['a field beyond the fields', `02010104${fixed}016b 03 5002 03 c0`],
    ['fields that end in a tag', `02010104${fixed}016b 01 50`],
    ['a flag of another format', `02010120${fixed}016bc0`],
  ])('is refused: %s', (_, hex) => {
    const error = refused(() => load(fromHex(hex)))
    expect(error.code).toBe('WARP_E_PROTOCOL')
    expect(error.message).toMatch(/, at byte \d+$/)
  })

  test('of another version says what to do', () => {
    const bytes = envelope(new ReplicaTable())
    bytes[0] = 3
    const error = refused(() => load(bytes))
    expect(error.code).toBe('WARP_E_PROTOCOL')
    expect(error.message).toContain('an operation of format 3; this build reads format 2; upgrade this replica')
    bytes[0] = 1
    expect(refused(() => load(bytes)).message).toContain('with warp export and warp import')
  })

  test('that claims to go on behind its buffer is refused', () => {
    const bytes = envelope(new ReplicaTable())
    expect(refused(() => new OperationReader(new ReplicaTable()).load(bytes, 0, bytes.length + 1)).code).toBe(
      'WARP_E_PROTOCOL',
    )
  })

  test('cut anywhere is refused, or within the payload has a shorter payload', () => {
    const table = new ReplicaTable()
    const whole = envelope(table, {
      context: [[B, 300]],
      dependencies: [
        [C, 1],
        [B, 70_000],
      ],
    })
    const payloadStart = load(whole).payloadStart
    // What lies behind the end must not be read: the rest of the buffer would make the envelope whole.
    for (let end = 0; end < whole.length; end++) {
      const cut = (): OperationReader => new OperationReader(new ReplicaTable()).load(whole, 0, end)
      if (end < payloadStart) expect(refused(cut).code).toBe('WARP_E_PROTOCOL')
      else expect(cut().end - cut().payloadStart).toBe(end - payloadStart)
    }
  })

  test('extension cut anywhere is refused', () => {
    for (let end = 0; end < EXTENDED.length - 1; end++) {
      expect(refused(() => load(EXTENDED.subarray(0, end))).code).toBe('WARP_E_PROTOCOL')
    }
  })

  test('random bytes are read within bounds or refused', () => {
    const valid = envelope(new ReplicaTable(), { context: [[B, 300]], dependencies: [[C, 1]] })
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 })
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.uint8Array({ maxLength: 80 }).map((rest) => Uint8Array.of(2, 1, 1, rest.length & 31, ...rest)),
      changes.map((list) => {
        const copy = valid.slice()
        for (const [at, byte] of list) copy[at % copy.length] = byte
        return copy
      }),
    )
    const table = new ReplicaTable()
    fc.assert(
      fc.property(bytes, (list) => {
        try {
          readAll(load(list, table))
        } catch (error) {
          if (!isWarpError(error, 'WARP_E_PROTOCOL')) throw error
        }
      }),
      runs(),
    )
  })

  function readAll(reader: OperationReader): void {
    const { start, keyStart, keyEnd, payloadStart, end } = reader
    expect(start <= keyStart && keyStart <= keyEnd && keyEnd <= payloadStart && payloadStart <= end).toBe(true)
    for (const [replica, sequence] of [...reader.context(), ...reader.dependencies()]) {
      expect(replica).toMatch(/^[0-9a-f]{16}$/)
      expect(Number.isSafeInteger(sequence)).toBe(true)
    }
    const context = reader.context().find(([replica]) => replica !== reader.replica)
    if (context !== undefined) expect(reader.observed(context[0], context[1])).toBe(true)
  }
})

describe('a replica table', () => {
  const idOf = (n: number): Uint8Array => {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setFloat64(0, n)
    return bytes
  }

  test('turns bytes into ids and back', () => {
    const table = new ReplicaTable()
    const bytes = fromHex('00ff0123456789abcd00')
    expect(table.read(bytes, 1)).toBe('ff0123456789abcd')
    expect(toHex(table.bytes(parseReplicaId('ff0123456789abcd')))).toBe('ff0123456789abcd')
    expect(toHex(table.bytes(parseReplicaId('0123456789abcdef')))).toBe('0123456789abcdef')
    expect(table.intern(parseReplicaId('0123456789abcdef'))).toBe('0123456789abcdef')
    expect(table.size).toBe(2)
  })

  test('tells ids apart that share either half', () => {
    const table = new ReplicaTable()
    const ids = ['1111111122222222', '1111111133333333', '3333333322222222', '2222222211111111']
    expect(ids.map((id) => table.read(fromHex(id), 0))).toEqual(ids)
    expect(ids.map((id) => table.read(fromHex(id), 0))).toEqual(ids)
    expect(table.size).toBe(4)
  })

  test('keeps no view of the bytes it was given, not even of a Buffer', () => {
    const table = new ReplicaTable()
    const source = Buffer.from('00000000000000aa', 'hex')
    const replica = table.read(source, 0)
    source.fill(0xee)
    expect(toHex(table.bytes(replica))).toBe('00000000000000aa')
    expect(table.read(fromHex(A), 0)).toBe(A)
    expect(table.read(source, 0)).toBe('eeeeeeeeeeeeeeee')
  })

  test('stays bounded under a flood of made-up ids', () => {
    const table = new ReplicaTable()
    for (let n = 1; n <= 5 * REPLICAS_INTERNED_MAX; n++) table.read(idOf(n), 0)
    expect(table.size).toBeLessThanOrEqual(2 * REPLICAS_INTERNED_MAX)
    expect(table.size).toBeGreaterThan(REPLICAS_INTERNED_MAX)
  })

  test('keeps an id that is in use through a flood, and reads a forgotten one again', () => {
    const table = new ReplicaTable()
    const held = table.bytes(A)
    for (let n = 1; n <= 5 * REPLICAS_INTERNED_MAX; n++) {
      table.read(idOf(n), 0)
      if (n % 1000 === 0) expect(table.bytes(A)).toBe(held)
    }
    expect(table.read(idOf(1), 0)).toBe(toHex(idOf(1)))
  })
})

describe('formats', () => {
  const later = (): ReplicaTable => new ReplicaTable(new Formats(3))

  test('an operation is written in the format that is agreed, and a later build reads both', () => {
    const table = later()
    expect(envelope(table)[0]).toBe(3)
    table.formats.write(2)
    const older = envelope(table)
    expect(older[0]).toBe(2)
    expect(load(older, table).sequence).toBe(7)
    table.formats.write(3)
    expect(load(envelope(table), table).sequence).toBe(7)
  })

  test('what is written or read is known to be there, and from then on stored as such', () => {
    const stored: number[] = []
    const table = later()
    table.formats.write(2)
    table.formats.onStore = (format) => void stored.push(format)
    load(envelope(table), table)
    expect([table.formats.held, stored]).toEqual([2, []])
    load(envelope(later()), table)
    expect([table.formats.held, table.formats.seen, table.formats.written, stored]).toEqual([3, 3, 2, [3]])
    load(envelope(table), table)
    expect(table.formats.stored).toBe(3)
  })

  test('nothing of a refused operation has been read', () => {
    const reader = load(envelope(new ReplicaTable()))
    const newer = envelope(later(), { sequence: 99 })
    expect(refused(() => reader.load(newer, 0, newer.length)).message).toContain('format 3')
    expect(reader.sequence).toBe(7)
  })
})
