import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { withTable } from '../tools/guarantees/table.mjs'
import { capabilityRows } from './support/docs/capability-rows.ts'

describe('docs/guarantees.md', () => {
  const document = readFileSync('docs/guarantees.md', 'utf8')

  test('shows what engines say of themselves (npm run docs:guarantees)', async () => {
    const rows = await capabilityRows()
    expect(rows.length).toBeGreaterThan(5)
    expect(document).toBe(withTable(document, rows))
  })

  test('names tests that are there', () => {
    const named = [...document.matchAll(/`((?:test|property-tests)\/[^`]+)`/g)].map(([, file = '']) => file)
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((file) => !existsSync(file))).toEqual([])
  })
})
