import { describe, expect, test } from 'vitest'
import type { History, HistoryEvent } from '../../../testing/history/history.ts'
import type { Json } from '../../../testing/history/json.ts'
import { checkIsolation } from '../../../testing/isolation/check-isolation.ts'
import { LEVELS, includes, ruledOut } from '../../../testing/isolation/levels.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { simulatedTransactions } from '../../support/simulated-transactions.ts'

type Operation = readonly [string, string, Json]

function transaction(process: number, ...operations: readonly Operation[]): HistoryEvent[] {
  const invoked = operations.map(([f, key, value]) => [f, key, f === 'r' ? null : value])
  return [
    { type: 'invoke', process, f: 'txn', value: invoked },
    { type: 'ok', process, f: 'txn', value: operations },
  ]
}

const history = (...events: readonly HistoryEvent[][]): History => ({ events: events.flat() })

const STALE = history(transaction(0, ['append', 'x', 1]), transaction(1, ['r', 'x', []]))

describe('the promised level', () => {
  test('decides whether a history is valid', () => {
    expect(checkIsolation(STALE).isValid).toBe(false)
    expect(checkIsolation(STALE, { level: 'serializable' }).isValid).toBe(true)
    expect(checkIsolation(STALE, { level: 'strong-session-serializable' }).isValid).toBe(true)
  })

  test('is ruled out with every weaker one that it includes', () => {
    const all = Object.keys(LEVELS)
    expect(ruledOut(['G0'])).toEqual(all)
    expect(ruledOut(['G2-item-realtime'])).toEqual(['strict-serializable'])
    expect(ruledOut(['G-nonadjacent'])).not.toContain('parallel-snapshot-isolation')
    expect(ruledOut([])).toEqual([])
    expect(includes('strict-serializable', 'read-uncommitted')).toBe(true)
    expect(includes('snapshot-isolation', 'repeatable-read')).toBe(false)
  })
})

test('a cycle is printed with the reason of each of its edges, and with its transactions', () => {
  const { text } = checkIsolation(STALE)
  expect(text).toContain('T1 -rw-> T0  T1 read x as [], without 1, which T0 appended')
  expect(text).toContain('T0 -realtime-> T1  T0 had returned before T1 was invoked')
  expect(text).toContain('T1 (process 1): read x -> []')
})

test('what a process does after an unknown outcome does not come behind it', () => {
  const lost: HistoryEvent[] = [
    { type: 'invoke', process: 0, f: 'txn', value: [['append', 'x', 1]] },
    { type: 'info', process: 0, f: 'txn' },
  ]
  const late = history(lost, transaction(0, ['r', 'x', []]), transaction(1, ['r', 'x', [1]]))
  expect(checkIsolation(late).text).toBe('')
})

test('anomalies of one name are reported up to a bound', () => {
  const events = Array.from({ length: 50 }, (_, i) => transaction(i, ['r', 'x', [`nobody ${i}`]]))
  const { anomalies } = checkIsolation(history(...events))
  expect(anomalies.filter(({ name }) => name === 'garbage-read')).toHaveLength(8)
})

test('a history of two thousand transactions is judged, also where nothing is isolated', () => {
  const shape = { transactions: 2000, processes: 10, keys: 20, kind: 'list-append' } as const
  const serial = simulatedTransactions(seededRandom(1), { ...shape, isolation: 'serial', indeterminate: 0.05 })
  expect(checkIsolation(serial).text).toBe('')
  const broken = simulatedTransactions(seededRandom(1), { ...shape, isolation: 'uncommitted' })
  expect(checkIsolation(broken).ruledOut).toContain('read-committed')
})

describe('a history that cannot be judged is refused', () => {
  test.each<[string, HistoryEvent[]]>([
    ['a value that is written twice', transaction(0, ['append', 'x', 1], ['append', 'x', 1])],
    ['null that is written', transaction(0, ['w', 'x', null])],
    ['a list of appends and writes', transaction(0, ['append', 'x', 1], ['w', 'x', 2])],
    ['a read of no list among appends', transaction(0, ['append', 'x', 1], ['r', 'x', 1])],
    ['a call that is no transaction', [{ type: 'invoke', process: 0, f: 'read' }]],
    ['a transaction without micro-operations', [{ type: 'invoke', process: 0, f: 'txn', value: 1 }]],
    ['a key that is no text', [{ type: 'invoke', process: 0, f: 'txn', value: [['r', null, null]] }]],
    [
      'a return with other micro-operations',
      [
        { type: 'invoke', process: 0, f: 'txn', value: [['w', 'x', 1]] },
        { type: 'ok', process: 0, f: 'txn', value: [['w', 'x', 2]] },
      ],
    ],
  ])('%s', (_, events) => {
    expect(() => checkIsolation({ events })).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  })
})
