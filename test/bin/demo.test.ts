/** The demo as users run it: the built one, in a process of its own. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { temporaryFolder } from '../support/temporary-folder.ts'

const DEMO = fileURLToPath(new URL('../../dist/bin/demo.js', import.meta.url))
const FIXTURE = fileURLToPath(new URL('../fixtures/concurrent-trace.json', import.meta.url))
const REAL = fileURLToPath(new URL('../../../shared/data/friendsforever.json.gz', import.meta.url))
const ENDS_EQUAL = 'Every replica ends where the history ended.'

interface Outcome {
  readonly code: number
  readonly output: string
  readonly errors: string
  /** What it left behind. */
  readonly leftovers: readonly string[]
}

function demo(...parameters: readonly string[]): Promise<Outcome> {
  const folder = temporaryFolder()
  const env = { ...process.env, TMPDIR: folder }
  return new Promise((resolve) => {
    execFile(process.execPath, [DEMO, ...parameters], { env }, (error, output, errors) => {
      const code = error === null ? 0 : (error.code as unknown as number)
      resolve({ code, output, errors, leftovers: readdirSync(folder) })
    })
  })
}

/** The fixture with something changed, in a file. */
function alteredTrace(change: (trace: { endContent: string; txns: unknown[] }) => void): string {
  const trace = JSON.parse(readFileSync(FIXTURE, 'utf8'))
  change(trace)
  const file = path.join(temporaryFolder(), 'trace.json')
  writeFileSync(file, JSON.stringify(trace))
  return file
}

test('replicas that were cut off from each other end in the same state', async () => {
  const { code, output, leftovers } = await demo()
  expect(output).toMatch(/^ {2}visits:home +13 +2 +2$/m)
  expect(output).toContain('the same state, byte for byte')
  expect(output).toMatch(/^ {2}visits:home +12 +12 +12$/m)
  expect(output).toMatch(/^ {2}cart:7 +\{apples, pears\} +\{apples, pears\} +\{apples, pears\}$/m)
  expect(output).toMatch(/(Lyon|Oslo) +superseded +(ann|ben):\d+$/m)
  expect(output).toMatch(/(Lyon|Oslo) +won +(ann|ben):\d+$/m)
  expect(output).toContain('Every replica holds the same state, byte for byte.')
  expect(code).toBe(0)
  expect(leftovers).toEqual([])
})

test.each(['text', 'yjs'])(
  'a history written again with %s ends where it ended, on every replica',
  async (strategy) => {
    const { code, output, leftovers } = await demo('--trace', FIXTURE, '--strategy', strategy)
    expect(output).toContain('401 operations')
    expect(output.match(/ 401 .* equal$/gm)).toHaveLength(4)
    expect(output).toContain(ENDS_EQUAL)
    expect(code).toBe(0)
    expect(leftovers).toEqual([])
  },
)

test('a history that ended otherwise is said to differ', async () => {
  const file = alteredTrace((trace) => (trace.endContent += '!'))
  const { code, output } = await demo('--trace', file)
  expect(output.match(/DIFFERENT$/gm)).toHaveLength(4)
  expect(output).toContain('FAILED')
  expect(code).toBe(1)
})

test.each(['text', 'yjs'])('a position beyond the end is said to be (%s)', async (strategy) => {
  const file = alteredTrace(({ txns }) => (txns[5] = { ...(txns[5] as object), patches: [[10_000, 0, 'x']] }))
  const { code, errors } = await demo('--trace', file, '--strategy', strategy)
  expect(errors).toContain('txns[5] cannot be written')
  expect(code).toBe(2)
})

test.each([
  ['an unknown option', ['--faster'], "Unknown option '--faster'"],
  ['a file that is not there', ['--trace', '/nowhere/trace.json'], 'cannot read /nowhere/trace.json: ENOENT'],
])('%s is refused with exit code 2', async (_, parameters, message) => {
  const { code, output, errors } = await demo(...parameters)
  expect(errors).toContain(message)
  expect(errors).not.toContain('    at ')
  expect(output).toBe('')
  expect(code).toBe(2)
})

test('--help says what there is', async () => {
  const { code, output } = await demo('--help')
  expect(output).toContain('--trace FILE')
  expect(code).toBe(0)
})

test.skipIf(!existsSync(REAL)).each(['text', 'yjs'])(
  'the real history of two people ends where it ended, on every replica (%s)',
  async (strategy) => {
    const { code, output } = await demo('--trace', REAL, '--strategy', strategy)
    expect(output).toContain('26,078 transactions of 2 authors, 2,258 merges')
    expect(output.match(/ 26,078 .* equal$/gm)).toHaveLength(3)
    expect(code).toBe(0)
  },
  240_000,
)
