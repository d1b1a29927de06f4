/** The demo as users run it: `warp demo`, in a process of its own, with processes of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { WARP } from '../support/cli.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const FIXTURE = fileURLToPath(new URL('../fixtures/concurrent-trace.json', import.meta.url))
const REAL = fileURLToPath(new URL('../fixtures/traces/friendsforever-start.json.gz', import.meta.url))
const ENDS_EQUAL = 'Every replica ends where the history ended.'

interface Outcome {
  readonly code: number | null
  readonly output: string
  readonly errors: string
  /** What it left behind. */
  readonly leftovers: readonly string[]
}

interface Running {
  /** What it has printed so far; settles once that contains `text`, and rejects if it ends before. */
  printed(text: string): Promise<string>
  readonly signal: (signal: NodeJS.Signals) => boolean
  readonly ended: Promise<Outcome>
}

/** `nodeOptions`: for it and its children alike. */
function start(parameters: readonly string[], nodeOptions = ''): Running {
  const folder = temporaryFolder()
  const env = { ...process.env, TMPDIR: folder, NODE_OPTIONS: nodeOptions }
  const demo = spawn(process.execPath, [WARP, 'demo', ...parameters], { env, detached: true })
  onTestFinished(() => void demo.kill('SIGKILL')) // whatever it makes of other signals; its children notice
  const texts = { output: '', errors: '' }
  demo.stdout.setEncoding('utf8').on('data', (text: string) => (texts.output += text))
  demo.stderr.setEncoding('utf8').on('data', (text: string) => (texts.errors += text))
  const ended = once(demo, 'close').then(([code]) => ({ code, ...texts, leftovers: readdirSync(folder) }))
  const hasEnded = ended.then(() => true)
  const printed = async (text: string): Promise<string> => {
    while (!texts.output.includes(text)) {
      if ((await Promise.race([once(demo.stdout, 'data'), hasEnded])) === true) {
        throw new Error(`ended without printing ${text}: ${texts.errors}`)
      }
    }
    return texts.output
  }
  // Ctrl-C in a terminal reaches every process of the group.
  const signal = (name: NodeJS.Signals): boolean => process.kill(name === 'SIGINT' ? -demo.pid! : demo.pid!, name)
  return { printed, signal, ended }
}

function demo(...parameters: readonly string[]): Promise<Outcome> {
  return start(parameters).ended
}

/** The processes that it says it has started. */
function pidsIn(output: string): number[] {
  return [...output.matchAll(/ process (\d+),/g)].map(([, pid]) => Number(pid))
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Options that make a process of the demo run `program` first. */
function preloaded(program: string): string {
  const file = path.join(temporaryFolder(), 'preloaded.mjs')
  writeFileSync(file, program)
  return `--import=${pathToFileURL(file).href}`
}

/** The fixture with something changed, in a file. */
function alteredTrace(change: (trace: { endContent: string; txns: unknown[] }) => void): string {
  const trace = JSON.parse(readFileSync(FIXTURE, 'utf8'))
  change(trace)
  const file = path.join(temporaryFolder(), 'trace.json')
  writeFileSync(file, JSON.stringify(trace))
  return file
}

test('replicas that were cut off and killed end in the same state', async () => {
  const { code, output, errors, leftovers } = await demo()
  expect(errors).toBe('')
  expect(new Set(pidsIn(output)).size).toBe(3)
  expect(output).toMatch(/^ {2}met in \d+ ms$/m)
  expect(output).toMatch(/^ {2}login-code:7 +4711 +4711 +4711$/m)
  // ann is cut off: the two sides differ, and each sees that the other one is gone.
  expect(output).toMatch(/^ {2}visits:home +13 +7 +7$/m)
  expect(output).toMatch(/^ {2}cart:7 +- +\{apples, bread, pears\} +\{apples, bread, pears\}$/m)
  expect(output).toMatch(/^ {2}ann +ben +(suspect|down) /m)
  expect(output).toMatch(/^ {2}ben +ann +(suspect|down) /m)
  expect(output).toMatch(/^ {2}eve +ben +up +\d+\.\d\d ms /m)
  // eve is killed, and comes back from her disk.
  expect(output).toMatch(/^ {2}ben +eve +down /m)
  const [, acknowledged, found, inLog] = /eve had (\d+) writes acknowledged; (\d+) of .* has (\d+) of hers/.exec(
    output,
  )!
  expect(Number(acknowledged)).toBeGreaterThan(250)
  expect(found).toBe(acknowledged)
  expect(Number(inLog)).toBeGreaterThanOrEqual(Number(acknowledged))
  // The network is healed. Of eve's operations, three are others than visits of one.
  const visits = 2 + 1 + 10 + 4 + 1 + Number(inLog) - 4
  expect(output).toMatch(new RegExp(`^ {2}visits:home +${visits} +${visits} +${visits}$`, 'm'))
  expect(output).toMatch(/^ {2}cart:7 +\{apples, pears\} +\{apples, pears\} +\{apples, pears\}$/m)
  expect(output).toMatch(/^ {2}login-code:7 +- +- +-$/m)
  expect(output.match(/^ {2}converged in \d+ ms$/gm)).toHaveLength(2)
  expect(output).toMatch(/(cart|payment), user: Ada +superseded +(ann|ben):\d+$/m)
  expect(output).toMatch(/(cart|payment), user: Ada +won +(ann|ben):\d+$/m)
  expect(output).toMatch(/^notes:7 is ring twice, .* \(custom\)$/m)
  expect(output).not.toContain('FAILED')
  const [, seconds] = /the same state, byte for byte, and every write .* \((\d+\.\d) s in all\)$/m.exec(output)!
  expect(Number(seconds)).toBeLessThan(30)
  expect(output).not.toContain('\x1b')
  expect(code).toBe(0)
  expect(leftovers).toEqual([])
})

test('a difference and a lost write are found', async () => {
  // On their way from ben's process, one value is changed and one operation is left out.
  const planted = preloaded(`
    const { send } = process
    if (process.argv[2] === 'ben') process.send = (message, ...others) => {
      const first = Array.isArray(message.answer) ? message.answer[0] : undefined
      if (first?.bytes !== undefined) first.bytes[1] ^= 1
      if (first?.replica !== undefined) message.answer.pop()
      return send.call(process, message, ...others)
    }`)
  const { code, output, leftovers } = await start([], planted).ended
  expect(output).toContain('FAILED: the replicas differ in session:7.')
  expect(output).toMatch(/FAILED: ben does not have [0-9a-f]{16}:\d+, which had been acknowledged\.$/m)
  expect(output.match(/FAILED/g)).toHaveLength(2)
  expect(output).not.toContain('Every replica holds the same state')
  expect(code).toBe(1)
  expect(leftovers).toEqual([])
})

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('after %s nothing is left behind', async (signal, exitCode) => {
  const running = start([])
  const pids = pidsIn(await running.printed('Each writes'))
  expect(pids.map(isRunning)).toEqual([true, true, true])
  running.signal(signal)
  const { code, errors, leftovers } = await running.ended
  expect(errors).toBe('')
  expect(code).toBe(exitCode)
  expect(leftovers).toEqual([])
  expect(pids.map(isRunning)).toEqual([false, false, false])
})

test('a replica that ends by itself ends the demo, which says so and leaves nothing behind', async () => {
  const running = start([])
  const pids = pidsIn(await running.printed('Each writes'))
  process.kill(pids[1]!, 'SIGKILL')
  const { code, errors, leftovers } = await running.ended
  expect(errors).toMatch(/ben (ended \(SIGKILL\) while asked to|has ended and cannot) /)
  expect(code).toBe(1)
  expect(leftovers).toEqual([])
  expect(pids.map(isRunning)).toEqual([false, false, false])
})

test.each(['text', 'yjs'])(
  'a history written again with %s ends where it ended, on every replica',
  async (strategy) => {
    const { code, output, errors, leftovers } = await demo('--trace', FIXTURE, '--strategy', strategy)
    expect(errors).toBe('')
    expect(output).toContain('401 operations')
    expect(output.match(/ 401 .* equal$/gm)).toHaveLength(3)
    expect(output).toContain(ENDS_EQUAL)
    expect(code).toBe(0)
    expect(leftovers).toEqual([])
  },
)

test('a history that ended otherwise is said to differ', async () => {
  const file = alteredTrace((trace) => (trace.endContent += '!'))
  const { code, output } = await demo('--trace', file)
  expect(output.match(/DIFFERENT$/gm)).toHaveLength(3)
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

test.each(['text', 'yjs'])(
  'a real history of two people ends where it ended, on every replica (%s)',
  async (strategy) => {
    const { code, output, errors } = await demo('--trace', REAL, '--strategy', strategy)
    expect(errors).toBe('')
    expect(output).toContain('4,978 transactions of 2 authors, 643 merges')
    expect(output.match(/ 4,978 .* equal$/gm)).toHaveLength(2)
    expect(code).toBe(0)
  },
)
