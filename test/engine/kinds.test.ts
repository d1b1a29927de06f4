/** Operations of kinds whose rooms come later: kept, forwarded, and in nobody's way. */
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { hlcFromMs } from '../../crdt/time/hlc.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { KIND_RULES } from '../../src/operation/envelope/kinds.ts'
import type { OperationFields } from '../../src/operation/envelope/operation-fields.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { toHex } from '../support/hex.ts'
import { refused } from '../support/refused.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { TestEngine } from './engine-fixture.ts'

const LATER = parseReplicaId('00000000000000f0')
const table = new ReplicaTable()

interface Made {
  readonly kind: number
  readonly key: string
  readonly sequence?: number
  readonly nowMs: number
  readonly fields?: OperationFields
}

function made({ kind, key, sequence = 1, nowMs, fields }: Made): Uint8Array {
  const writer = new ByteWriter()
  const header = { kind, strategy: 1, replicaBytes: table.bytes(LATER), sequence, hlc: hlcFromMs(nowMs), key, fields }
  writeEnvelopeHeader(writer, { ...header, context: undefined, dependencies: undefined }, table)
  writer.raw(Uint8Array.of(0xc3))
  return writer.take()
}

const others = KIND_RULES.filter(({ isApplied }) => !isApplied)

describe.each(others)('an operation of kind $name', ({ code, target, isOfKey }) => {
  const key = target === 'nothing' ? '' : 'reg:1'

  async function taken() {
    const env = virtualEnv()
    const files = memoryFiles({ persistent: true, home: 'a', bootId: '1' })
    const engine = await TestEngine.open({ env, files, segmentBytes: 4096 })
    await engine.set('reg:1', 'before')
    await engine.set('reg:2', 'other')
    const envelope = made({ kind: code, key, nowMs: env.now() + 1 })
    expect(engine.admit(envelope)).toBe('applied')
    expect(engine.admit(envelope)).toBe('duplicate')
    return { env, files, engine, envelope }
  }

  function valueOf(engine: TestEngine, name: string): unknown {
    try {
      return engine.get(name)
    } catch (error) {
      return (error as { code: string }).code
    }
  }

  test('is forwarded as it came, and told', async () => {
    const { engine, envelope } = await taken()
    const other = await TestEngine.open()
    await other.pull(engine)
    expect(other.envelopes().map(toHex)).toContain(toHex(envelope))
    const dot = { replica: LATER, sequence: 1 }
    expect(engine.events).toContainEqual({ kind: 'operation:unknown', key, dot })
  })

  test(`blocks ${isOfKey ? 'its key and no other' : 'nothing'}`, async () => {
    const { engine } = await taken()
    expect(valueOf(engine, 'reg:1')).toBe(isOfKey ? 'WARP_E_UNKNOWN_OP' : 'before')
    expect(engine.get('reg:2')).toBe('other')
    await engine.set('reg:2', 'after')
    expect(engine.get('reg:2')).toBe('after')
    if (!isOfKey) expect(engine.version('reg:1')).toBe(1)
  })

  test('outlives compaction, rewriting, reopening and the taking over of a state', async () => {
    const { env, files, engine, envelope } = await taken()
    for (let i = 0; i < 200; i++) await engine.set('reg:2', 'x'.repeat(100))
    await engine.engine.compact()
    expect(engine.envelopes().map(toHex)).toContain(toHex(envelope))
    await engine.close()
    const again = await TestEngine.open({ env, files, segmentBytes: 4096 })
    expect(again.envelopes().map(toHex)).toContain(toHex(envelope))
    expect(again.admit(envelope)).toBe('duplicate')
    expect(valueOf(again, 'reg:1')).toBe(isOfKey ? 'WARP_E_UNKNOWN_OP' : 'before')
    const other = await TestEngine.open()
    other.install(again)
    expect(other.engine.applied.get(LATER)).toBe(1)
    expect(
      other
        .envelopes()
        .map(toHex)
        .filter((hex) => hex === toHex(envelope)),
    ).toHaveLength(1)
    expect([valueOf(other, 'reg:1'), other.get('reg:2')]).toEqual([valueOf(again, 'reg:1'), again.get('reg:2')])
    other.install(again)
    expect(
      other
        .envelopes()
        .map(toHex)
        .filter((hex) => hex === toHex(envelope)),
    ).not.toHaveLength(0)
  })
})

test('an operation of a key needs a key', async () => {
  const engine = await TestEngine.open()
  const envelope = made({ kind: 1, key: '', nowMs: engine.env.now() })
  expect(refused(() => engine.admit(envelope)).code).toBe('WARP_E_PROTOCOL')
})

test('an update with a condition, which this build cannot decide, blocks its key; one with a field that may be left unread does not', async () => {
  const engine = await TestEngine.open()
  const nowMs = engine.env.now()
  engine.admit(made({ kind: 1, key: 'reg:1', nowMs, fields: { others: Uint8Array.of(90, 1, 7) } }))
  expect(engine.get('reg:1')).toBe(true)
  engine.admit(made({ kind: 1, key: 'reg:1', sequence: 2, nowMs: nowMs + 1, fields: { condition: { version: 0 } } }))
  expect(refused(() => engine.get('reg:1')).code).toBe('WARP_E_UNKNOWN_OP')
})

test('an operation with a malformed field is refused at the border', async () => {
  const engine = await TestEngine.open()
  const fields = { others: Uint8Array.of(3, 1, 0) }
  const envelope = made({ kind: 1, key: 'reg:1', nowMs: engine.env.now(), fields })
  expect(refused(() => engine.admit(envelope)).code).toBe('WARP_E_PROTOCOL')
  expect(engine.get('reg:1')).toBeUndefined()
})
