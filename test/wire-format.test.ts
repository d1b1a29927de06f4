import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../crdt/encoding/byte-writer.ts'
import { decode, encode } from '../crdt/encoding/encoding.ts'
import { hlcFromMs } from '../crdt/time/hlc.ts'
import { parseReplicaId } from '../crdt/time/replica-id.ts'
import { isApplied, OPERATION_KIND } from '../src/operation/envelope/kinds.ts'
import { OperationReader } from '../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../src/operation/replica-table.ts'
import { writeEnvelopeHeader, type EnvelopeHeader } from '../src/operation/envelope/envelope-writer.ts'
import { fromHex, toHex } from './support/hex.ts'
import { refused } from './support/refused.ts'

type Row = readonly [string, string]

/** The tables of a section, as their first two cells, without the backticks around what is code. */
function tablesOf(heading: string): Row[][] {
  const text = readFileSync(new URL('../docs/wire-format.md', import.meta.url), 'utf8')
  const section = text.split(`\n### ${heading}\n`)[1]?.split('\n#')[0]
  if (section === undefined) throw new Error(`docs/wire-format.md has no section "${heading}"`)
  return section
    .trim()
    .split(/\n\n/)
    .filter((block) => block.startsWith('|'))
    .map((block) => block.trim().split('\n').slice(2).map(cellsOf))
}

function cellsOf(line: string): Row {
  const [first = '', second = ''] = line.split(' | ').map((cell) => cell.replaceAll(/^\| | \|$/g, ''))
  return [first.replaceAll('`', ''), second.replaceAll(/^`|`$/g, '')]
}

const [payloads = [], refusedPayloads = []] = tablesOf('Payload vectors')
const [update = [], deletion = [], later = [], issuedAgain = [], forGuest = [], refusedEnvelopes = []] =
  tablesOf('Envelope vectors')

const REPLICA = parseReplicaId('00000000000000aa')
const HLC = hlcFromMs(1_700_000_000_000) + 5

function joined(rows: readonly Row[]): string {
  return rows.map(([bytes]) => bytes).join('')
}

function read(hex: string): OperationReader {
  const bytes = fromHex(hex)
  return new OperationReader(new ReplicaTable()).load(bytes, 0, bytes.length)
}

function written(header: Partial<EnvelopeHeader>, payload = new Uint8Array(0)): string {
  const table = new ReplicaTable()
  const full: EnvelopeHeader = {
    kind: OPERATION_KIND.update,
    strategy: 1,
    replicaBytes: table.bytes(REPLICA),
    sequence: 7,
    hlc: HLC,
    key: 'user:1',
    context: undefined,
    dependencies: undefined,
    ...header,
  }
  const writer = new ByteWriter()
  writeEnvelopeHeader(writer, full, table)
  writer.raw(payload)
  return toHex(writer.take())
}

describe('the payload vectors in the document', () => {
  test('are all found', () => {
    expect([payloads.length, refusedPayloads.length]).toEqual([36, 10])
  })

  test.each(payloads)('%s is written as %s', (expression, hex) => {
    expect(toHex(encode(runInNewContext(`(${expression})`)))).toBe(hex)
  })

  test.each(payloads)('%s is read from %s', (expression, hex) => {
    const value = decode(fromHex(hex))
    expect(toHex(encode(value))).toBe(hex)
    expect(typeof value).toBe(typeof runInNewContext(`(${expression})`))
  })

  test.each(refusedPayloads)('%s is refused: %s', (hex) => {
    expect(refused(() => decode(fromHex(hex))).code).toBe('WARP_E_PROTOCOL')
  })
})

describe('the envelope vectors in the document', () => {
  test('are all found', () => {
    const lengths = [update, deletion, later, issuedAgain, forGuest, refusedEnvelopes].map(({ length }) => length)
    expect(lengths).toEqual([10, 14, 12, 17, 28, 8])
  })

  test('the update is written so and read so', () => {
    const hex = joined(update)
    expect(written({}, encode({ name: 'Alice' }))).toBe(hex)
    const reader = read(hex)
    expect(reader).toMatchObject({ kind: 1, strategy: 1, replica: REPLICA, sequence: 7, hlc: HLC })
    expect(decode(reader.bytes, reader.payloadStart, reader.end)).toStrictEqual({ name: 'Alice' })
  })

  test('the delete is written so and read so', () => {
    const hex = joined(deletion)
    const context = [
      [parseReplicaId('00000000000000bb'), 300],
      [parseReplicaId('00000000000000cc'), 1],
    ] as const
    const dependencies = [[parseReplicaId('00000000000000cc'), 1]] as const
    expect(written({ kind: OPERATION_KIND.delete, sequence: 128, context, dependencies })).toBe(hex)
    const reader = read(hex)
    expect(reader).toMatchObject({ kind: 2, sequence: 128, hlc: HLC })
    expect([reader.context(), reader.dependencies()]).toEqual([context, dependencies])
    expect(reader.payloadStart).toBe(reader.end)
  })

  test('the later operation is read as far as it is known', () => {
    const reader = read(joined(later))
    expect(reader).toMatchObject({ kind: 99, replica: REPLICA, sequence: 9, hlc: HLC })
    expect(decode(reader.bytes, reader.payloadStart, reader.end)).toBeNull()
  })

  test('the operation that was issued again is written so and read so', () => {
    const hex = joined(issuedAgain)
    const former = [
      [parseReplicaId('00000000000000bb'), 3],
      [parseReplicaId('00000000000000cc'), 300],
    ] as const
    const origin = { replica: parseReplicaId('00000000000000bb'), sequence: 3 }
    const header = { kind: OPERATION_KIND.delete, strategy: 0, sequence: 9, key: 'k', fields: { former, origin } }
    expect(written(header)).toBe(hex)
    expect([read(hex).former(), read(hex).origin()]).toEqual([former, origin])
    expect(read(joined(later)).former()).toEqual([])
  })

  test('the write of a gateway is written so and read so', () => {
    const hex = joined(forGuest)
    const fields = {
      lifeMs: 100_000,
      graceMs: 100,
      provenance: { guest: parseReplicaId('0000000000000e1e'), sequence: 4, principal: 'alice' },
      condition: { version: 12, fence: 3, transaction: { id: { replica: REPLICA, sequence: 6 }, index: 0, count: 2 } },
    }
    const context = [
      [REPLICA, 2],
      [parseReplicaId('00000000000000bb'), 3],
    ] as const
    const dots = [[REPLICA, 5]] as const
    expect(written({ key: 'k', context, isExact: true, dots, fields }, encode(null))).toBe(hex)
    const reader = read(hex)
    reader.checkFields()
    const [provenance, condition] = [reader.provenance(), reader.condition()]
    expect({ lifeMs: reader.lifeMs, graceMs: reader.graceMs, provenance, condition }).toEqual(fields)
    expect([reader.context(), reader.dots(), reader.isExact]).toEqual([context, dots, true])
    // It has a condition, which this build cannot decide.
    expect(isApplied(reader.kind)).toBe(false)
    expect(decode(reader.bytes, reader.payloadStart, reader.end)).toBeNull()
  })

  test.each(refusedEnvelopes)('%s is refused: %s', (hex) => {
    expect(refused(() => read(hex)).code).toBe('WARP_E_PROTOCOL')
  })
})
