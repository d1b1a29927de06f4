import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  isApplied,
  isOfKey,
  KIND_RULES,
  OPERATION_KIND,
  ruleOf,
  UNDERSTOOD_NOT,
} from '../../src/operation/envelope/kinds.ts'

function documented(): string[][] {
  const text = readFileSync(new URL('../../docs/wire-format.md', import.meta.url), 'utf8')
  const section = text.split('\n### Kinds\n')[1]?.split('\n#')[0] ?? ''
  const rows = section.split('\n').filter((line) => line.startsWith('|'))
  return rows.slice(2).map((line) => line.slice(2, -2).split(' | '))
}

test('the table of kinds in the document is the table of kinds', () => {
  const rows = KIND_RULES.map(({ code, name, target, isOfKey: ofKey, payload, isApplied: applied, what, room }) => [
    ...[String(code), name, target, payload, applied ? 'applied' : ofKey ? 'blocks its key' : 'kept'],
    ...[what, room],
  ])
  expect(documented()).toEqual(rows)
})

test('the codes are fixed, without gaps, and each has a rule', () => {
  const codes = Object.values(OPERATION_KIND)
  expect(codes).toEqual(Array.from({ length: 18 }, (_, i) => i + 1))
  for (const code of codes) expect(ruleOf(code)?.code).toBe(code)
  expect([ruleOf(0), ruleOf(19), ruleOf(255)]).toEqual([undefined, undefined, undefined])
})

test('only updates and deletes are applied to keys, and the rules say so', () => {
  for (const { code, isApplied: applied, isOfKey: ofKey } of KIND_RULES) {
    expect([code, isApplied(code), isOfKey(code)]).toEqual([code, applied && ofKey, ofKey])
  }
  expect(isApplied(OPERATION_KIND.update | UNDERSTOOD_NOT)).toBe(false)
})

test('what no table names is taken to be of a key', () => {
  expect([isOfKey(19), isOfKey(99), isOfKey(99 | UNDERSTOOD_NOT), isApplied(99)]).toEqual([true, true, true, false])
  expect(isOfKey(OPERATION_KIND.join | UNDERSTOOD_NOT)).toBe(false)
})
