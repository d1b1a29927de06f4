/** Concurrent histories, replayed with the authors' own causality, end where they ended, whatever way operations travel. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type * as Y from 'yjs'
import type { AnyStrategy } from '../crdt/strategy.ts'
import type { Edit, Trace } from './trace-replay.ts'
import { TraceReplica, inRandomCausalOrder, readTrace, replay } from './trace-replay.ts'
import { makeConcurrentTrace } from '../test/fixtures/concurrent-trace.ts'
import { parseReplicaId } from '../crdt/time/replica-id.ts'
import { seededRandom } from '../testing/world/random.ts'
import { text } from '../crdt/sequence/text.ts'
import { yjs } from '../crdt/documents/yjs.ts'

const REAL = new URL('../test/fixtures/traces/friendsforever-start.json.gz', import.meta.url).pathname
const FIXTURE = new URL('../test/fixtures/concurrent-trace.json', import.meta.url).pathname
const IDS = ['1', '2', '3'].map((digit) => parseReplicaId(digit.repeat(16)))

const editText: Edit = (patch) => ({ verb: 'splice', parameters: patch })
const editYjs: Edit = ([position, deleted, inserted]) => ({
  verb: 'change',
  parameters: [
    (doc: Y.Doc): void => {
      const body = doc.getText('body')
      const units = Array.from(body.toJSON())
      const at = units.slice(0, position).join('').length
      if (deleted > 0) body.delete(at, units.slice(position, position + deleted).join('').length)
      if (inserted !== '') body.insert(at, inserted)
    },
  ],
})

const real = readTrace(REAL)
const made = readTrace(FIXTURE)

function bodyOf(value: unknown): string {
  return typeof value === 'string' ? value : (value as Y.Doc).getText('body').toJSON()
}

interface Case {
  readonly strategy: () => AnyStrategy
  readonly edit: Edit
  readonly orders: number
}

function check(trace: Trace, { strategy, edit, orders }: Case, ids = IDS.slice(0, trace.numAgents)): void {
  const { operations, authors } = replay(trace, strategy(), { edit, replicas: ids })
  for (const author of authors) expect(bodyOf(author.value) === trace.endContent).toBe(true)
  const bytes = authors[0]?.bytes
  expect(authors.every((author) => author.bytes === bytes)).toBe(true)
  const random = seededRandom(1)
  for (let round = 0; round < orders; round++) {
    const late = new TraceReplica(strategy(), ids)
    for (const operation of inRandomCausalOrder(operations, trace.numAgents, random)) late.deliver(operation)
    expect(late.bytes === bytes).toBe(true)
  }
}

test('the fixture is what its generator makes', () => {
  expect(JSON.parse(readFileSync(FIXTURE, 'utf8'))).toEqual(makeConcurrentTrace(1, 400))
})

describe.each([
  ['text', { strategy: text, edit: editText, orders: 20 }],
  ['yjs', { strategy: yjs, edit: editYjs, orders: 20 }],
] as const)('%s', (_, each) => {
  test('a made history ends where it ended, in every causal order', () => {
    check(made, each)
    check(made, each, IDS.slice(0, made.numAgents).reverse())
  })

  test('made histories of other seeds do as well', () => {
    for (let seed = 2; seed < 12; seed++) check(makeConcurrentTrace(seed, 120), { ...each, orders: 2 })
  })
})

describe('a real history of two people', () => {
  test('a text ends where it ended, in every causal order', () => {
    check(real, { strategy: text, edit: editText, orders: 20 })
  })

  test('which author has the lower replica id does not matter', () => {
    check(real, { strategy: text, edit: editText, orders: 0 }, IDS.slice(0, 2).reverse())
  })
})
