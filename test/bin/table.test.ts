/** Tables fit the terminal. */
import { expect, test } from 'vitest'
import { formatTable } from '../../bin/table.ts'

const ROWS = [
  ['a', 'short', 'x'.repeat(30)],
  ['b', '', 'y'],
]

test('columns are as wide as what is in them', () => {
  expect(formatTable(['k', 'value', 'long'], ROWS).split('\n')).toEqual([
    '  k  value  long',
    `  -  -----  ${'-'.repeat(30)}`,
    `  a  short  ${'x'.repeat(30)}`,
    '  b         y',
  ])
})

test('where the width is known, the widest columns give way', () => {
  const lines = formatTable(['k', 'value', 'long'], ROWS, 24).split('\n')
  expect(lines[2]).toBe(`  a  short  ${'x'.repeat(11)}…`)
  expect(Math.max(...lines.map((line) => line.length))).toBe(24)
})

test('a table that cannot fit is left readable', () => {
  expect(formatTable(['key'], [['k'.repeat(20)]], 4).split('\n')[2]).toBe(`  ${'k'.repeat(7)}…`)
})

test('colours take no room', () => {
  expect(formatTable(['\x1b[1mk\x1b[0m', 'v'], [['key', 'w']])).toBe('  \x1b[1mk\x1b[0m    v\n  ---  -\n  key  w')
})

test('columns stay aligned beside wide, joined and combining characters', () => {
  const rows = [
    ['日本', 'x'],
    ['e\u0301', 'x'],
    ['👩\u200d👩\u200d👧', 'x'],
    ['abcd', 'x'],
  ]
  expect(formatTable(['k', 'v'], rows).split('\n').slice(1)).toEqual([
    '  ----  -',
    '  日本  x',
    '  e\u0301     x',
    '  👩\u200d👩\u200d👧    x',
    '  abcd  x',
  ])
})

test('a cell is never cut within a character, and keeps its width', () => {
  expect(formatTable(['key', 'v'], [['日本語日本語日本語', 'x']], 13).split('\n')[2]).toBe('  日本語…   x')
})
