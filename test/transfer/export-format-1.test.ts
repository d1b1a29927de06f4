/**
 * The way out of format 1, which was never released: what its last build exported is imported with equal values. Two replicas had written to keys of
 * all strategies, one of them had compacted, and both had written on. The values are what that build read.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fromBase64 } from '../../crdt/encoding/base64.ts'
import { presentOperation, presentSnapshot } from '../../src/transfer/format-1.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { exportLines } from '../../src/transfer/export-lines.ts'
import { importLines } from '../../src/transfer/import-lines.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { TestEngine } from '../engine/engine-fixture.ts'
import { everyStrategy, plain } from '../support/every-strategy.ts'
import { refused } from '../support/refused.ts'

const LINES = fixture('jsonl')
const VALUES = JSON.parse(fixture('values.json')) as Record<string, unknown>
/** Later than anything in the fixture, and before anything in it has expired. */
const NOW_MS = Date.UTC(2027, 0, 1)

function fixture(ending: string): string {
  return readFileSync(new URL(`../fixtures/export-format-1.${ending}`, import.meta.url), 'utf8')
}

function open(): Promise<TestEngine> {
  return TestEngine.open({ env: virtualEnv({ wallMs: NOW_MS }), keyspaces: new Keyspaces(everyStrategy()) })
}

async function* pieces(text: string): AsyncGenerator<string, void, undefined> {
  yield text
}

async function imported(text: string): Promise<TestEngine> {
  const engine = await open()
  await importLines(engine.engine, pieces(text), { env: engine.env, check: () => undefined })
  return engine
}

function valuesOf(engine: TestEngine): Record<string, unknown> {
  return Object.fromEntries(Object.keys(VALUES).map((key) => [key, plain(engine.get(key))]))
}

test('an export of format 1 is imported with equal values, in keys of every strategy', async () => {
  const engine = await imported(LINES)
  expect(valuesOf(engine)).toEqual(VALUES)
  const patterns = Object.keys(everyStrategy()).map((pattern) => pattern.split(':')[0])
  expect(new Set(Object.keys(VALUES).map((key) => key.split(':')[0]))).toEqual(new Set(patterns))
})

test('what has been imported is of format 2, and can be written to, compacted and exported again', async () => {
  const engine = await imported(LINES)
  for (const envelope of engine.envelopes()) expect(envelope[0]).toBe(2)
  await engine.engine.compact()
  expect(valuesOf(engine)).toEqual(VALUES)
  let text = ''
  for await (const piece of exportLines(engine.engine, { env: engine.env, check: () => undefined })) text += piece
  expect(text).toContain('"version":2')
  const other = await imported(text)
  expect(valuesOf(other)).toEqual(VALUES)
  await other.write('counter:1', 'increment', [1])
  expect(other.get('counter:1')).toBe((VALUES['counter:1'] as number) + 1)
})

test('bytes of format 1 are read only where the export says that they are', () => {
  const table = new ReplicaTable()
  const records = LINES.split('\n')
    .filter((line) => line.includes('"record"'))
    .map((line) => fromBase64((JSON.parse(line) as { record: string }).record))
  for (const record of records) {
    expect(presentSnapshot(record, 2, table)).toBe(record)
    expect(refused(() => presentSnapshot(record.subarray(0, 12), 1, table)).code).toBe('WARP_E_PROTOCOL')
  }
  expect(presentOperation(Uint8Array.of(1, 2), 2)).toEqual(Uint8Array.of(1, 2))
  expect(presentOperation(Uint8Array.of(1, 2), 1)).toEqual(Uint8Array.of(2, 2))
})

test('an export of format 3 is refused', async () => {
  const lines = LINES.replace('"version":1', '"version":3')
  await expect(imported(lines)).rejects.toMatchObject({ code: 'WARP_E_LOG_VERSION' })
})
