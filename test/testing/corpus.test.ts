/**
 * Histories of which it is known what is wrong with them, and ones of which it is known that nothing is. Each file of
 * `test/fixtures/histories` says in its header by which model it is to be judged, and what a checker must find.
 */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { formatHistory, parseHistory } from '../../testing/history/history-text.ts'
import type { History } from '../../testing/history/history.ts'
import { checkIsolation } from '../../testing/isolation/check-isolation.ts'
import { checkLinearizability } from '../../testing/linearizability/check-linearizability.ts'
import type { SequentialModel } from '../../testing/linearizability/model.ts'
import {
  counterModel,
  fencedRegisterModel,
  lockModel,
  queueModel,
  registerModel,
  setModel,
} from '../../testing/linearizability/models.ts'
import { naiveVerdict } from '../support/naive-linearizability.ts'
import { isSerializable } from '../support/naive-serializability.ts'
import { ROOT } from '../support/tidy/source-tree.ts'

const MODELS: readonly SequentialModel<unknown>[] = [
  registerModel,
  counterModel,
  setModel,
  queueModel,
  lockModel,
  fencedRegisterModel,
]

interface Case {
  readonly name: string
  readonly text: string
  readonly history: History
}

function corpus(...folders: string[]): Case[] {
  return folders.flatMap((folder) => {
    const at = path.join(ROOT, 'test/fixtures/histories', folder)
    return readdirSync(at).map((file) => {
      const text = readFileSync(path.join(at, file), 'utf8')
      return { name: `${folder}/${file}`, text, history: parseHistory(text) }
    })
  })
}

function modelOf({ header }: History): SequentialModel<unknown> {
  const model = MODELS.find(({ name }) => name === header?.['model'])
  if (model === undefined) throw new Error('no such model')
  return model
}

/** Vitest cuts what it takes from objects short. */
function named(cases: readonly Case[]): (readonly [string, Case])[] {
  return cases.map((one) => [one.name, one])
}

const objects = corpus('linearizable', 'not-linearizable')
const transactions = corpus('strict-serializable', 'serializable-only', 'not-serializable')

test('the corpus has at least thirty histories of objects and of transactions each, good and bad ones', () => {
  expect(objects.length).toBeGreaterThanOrEqual(30)
  expect(transactions.length).toBeGreaterThanOrEqual(30)
})

describe.each(named(objects))('%s', (_, { text, history }) => {
  test('is judged as its header says, and so by trying all orders', () => {
    const model = modelOf(history)
    const verdict = checkLinearizability(history, model)
    expect(verdict.kind).toBe(history.header?.['expect'])
    expect(naiveVerdict(history, model)).toBe(verdict.kind)
    expect(naiveVerdict(history, model, { isPartitioned: true })).toBe(verdict.kind)
    if (verdict.kind === 'violation') expect(verdict.text).toMatchSnapshot()
  })

  test('is written as it was read', () => {
    expect(formatHistory(history)).toBe(text)
  })
})

describe.each(named(transactions))('%s', (name, { history }) => {
  test('has the anomalies that its header says, and so no level that they rule out', () => {
    const { anomalies, broken, ruledOut, text } = checkIsolation(history)
    expect([...new Set(anomalies.map((anomaly) => anomaly.name))].sort()).toEqual(history.header?.['expect'])
    expect(broken).toEqual(history.header?.['broken'])
    expect(isSerializable(history, { within: 'nothing' })).toBe(!ruledOut.includes('serializable'))
    expect(isSerializable(history, { within: 'real time' })).toBe(!ruledOut.includes('strict-serializable'))
    expect(name.startsWith('not-')).toBe(ruledOut.includes('serializable'))
    if (text !== '') expect(text).toMatchSnapshot()
  })
})
