/** The judge of a chaos run sees each kind of loss that it is there for. */
import { expect, test } from 'vitest'
import { Ledger } from './ledger.ts'

function ledgerOf(...lines: readonly string[]): Ledger {
  const ledger = new Ledger()
  for (const line of lines) expect(ledger.take(line)).toBe(true)
  return ledger
}

const SAID = [
  'tried note:1 a',
  'acked note:1 a',
  'tried note:1 b',
  'tried note:1 c',
  'refused note:1 c WARP_E_STORAGE_FULL',
  'tried count:x 0',
  'acked count:x 0',
  'tried count:x 1',
  'tried count:x 2',
  'refused count:x 2 WARP_E_STORAGE_FULL',
]

test.each([[['a'], 1] as const, [['a', 'b'], 2] as const])('%j and a count of %d are what may be', (note, count) => {
  const values = [['note:1', note] as const, ['count:x', count] as const]
  expect(ledgerOf(...SAID).violations(values)).toEqual([])
})

test.each([
  ['an acknowledged write that is gone', ['b'], 1, 'note:1 lacks a, which was acknowledged'],
  ['a write that is there twice', ['a', 'a'], 1, 'note:1 holds 1 writes twice'],
  ['a write that was refused and is there', ['a', 'c'], 1, 'note:1 holds c, which was refused'],
  ['a write that nobody tried', ['a', 'z'], 1, 'note:1 holds z, which nobody tried'],
  ['an increment that is gone', ['a'], 0, 'count:x is 0, and 1 increments were acknowledged'],
  ['an increment that counts twice', ['a'], 3, 'count:x is 3, and only 2 increments were tried and not refused'],
])('%s is said', (_, note, count, message) => {
  const values = [['note:1', note] as const, ['count:x', count] as const]
  expect(ledgerOf(...SAID).violations(values)).toEqual([message])
})

test('a key that nobody wrote is said, a line that is none of the ledger is left alone', () => {
  const ledger = ledgerOf()
  expect(ledger.take('a warning of Node')).toBe(false)
  expect(ledger.violations([['cart:1', ['x']]])).toEqual(['cart:1 holds a value that nobody wrote'])
})
