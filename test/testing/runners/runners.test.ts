/** `checkStrategy` takes nothing of a test runner: what vitest shows everywhere else is shown here in node:test and in a plain script. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

/** Under plain Node, from `dist`. */
function run(program: string): { status: number | null; said: string } {
  const script = fileURLToPath(new URL(`../../../dist/test/testing/runners/${program}-process.js`, import.meta.url))
  const env = { ...process.env }
  delete env['NODE_TEST_CONTEXT']
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: 'utf8', env })
  return { status, said: `${stdout}\n${stderr}` }
}

const COUNTEREXAMPLE = /breaks the law of order[^]*a1 {2}set\("[xyz]"\)[^]*delivered in the order/

test('under node:test a broken law fails its test and no other one', () => {
  const { status, said } = run('node-test')
  expect(status).toBe(1)
  expect(said).toMatch(COUNTEREXAMPLE)
  expect(said).toMatch(/pass 1\b/)
  expect(said).toMatch(/fail 1\b/)
})

test('in a plain script a broken law is an error like any other', () => {
  const { status, said } = run('script')
  expect(said).toContain('100 histories')
  expect(said).toMatch(COUNTEREXAMPLE)
  expect(said).toContain("code: 'WARP_E_LAW'")
  expect(status).toBe(1)
})
