/** `warp verify`: of folders that a running replica left, and of prepared ones. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { counter, register, set } from '../../../crdt/index.ts'
import { warp, warpJson } from '../../support/cli.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { forgeFolder } from './forged-folder.ts'
import { commandFolder, KEYS } from './command-folder.ts'

const SEGMENT = 'segment-0000000001'

let made: string

/** Two replicas' folders, `a` and `b`, of the same operations. */
beforeAll(async () => {
  made = temporaryFolder(afterAll)
  const network = memoryNetwork({ seed: 1 })
  const keys = { 'user:*': register<unknown>(), 'visits:*': counter(), 'cart:*': set<string>() }
  const open = (name: string) =>
    openWarp({ keys, log: fileLog({ path: path.join(made, name) }), transports: [network.transport(name)] })
  const [a, b] = [await open('a'), await open('b')]
  for (let i = 0; i < 20; i++) {
    await a.set(`user:${i % 5}`, { i })
    await b.key('visits:home').increment(i + 1)
    await b.key('cart:7').add(`sku-${i}`)
  }
  await seen(b, 'user:4', (value) => (value as { i?: number } | undefined)?.i === 19)
  await seen(a, 'cart:7', (value) => (value as Set<string> | undefined)?.size === 20)
  await a.close()
  await b.close()
})

interface Watched {
  get(key: string): Promise<unknown>
  watch(pattern: string): AsyncIterable<unknown>
}

async function seen(replica: object, key: string, holds: (value: unknown) => boolean): Promise<void> {
  const watched = replica as Watched
  const changes = watched.watch(key)[Symbol.asyncIterator]()
  while (!holds(await watched.get(key))) await changes.next()
  await changes.return?.()
}

/** A copy of a folder, in a current folder with a configuration. */
function prepared(name: 'a' | 'b' = 'a'): { readonly cwd: string } {
  const here = commandFolder({ keys: KEYS })
  cpSync(path.join(made, name), path.join(here.cwd, 'data'), { recursive: true })
  return here
}

function contents(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(path.join(folder, name), 'base64')]))
}

describe('a sound log', () => {
  test('is called sound, and stays as it is', async () => {
    const here = prepared()
    const folder = path.join(here.cwd, 'data')
    const before = contents(folder)
    const { code, stdout, stderr } = await warp(['verify', './data'], here)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^ {2}log +replica +bytes +operations/)
    expect(stdout).toMatch(/\.\/data +[0-9a-f]{16} +\d+ +60 +7 +0 +7\n/)
    expect(stdout.endsWith('sound\n')).toBe(true)
    expect(contents(folder)).toEqual(before)
  })

  test('is compared with another one', async () => {
    const here = prepared()
    cpSync(path.join(made, 'b'), path.join(here.cwd, 'other'), { recursive: true })
    const [report] = await warpJson(['verify', 'data', 'other'], here)
    expect(report).toMatchObject({
      kind: 'report',
      isSound: true,
      damageCount: 0,
      logs: [{ name: 'data' }, { name: 'other' }],
    })
  })

  test('is read without a configuration, as far as that goes', async () => {
    const { cwd } = prepared()
    const { code, stdout } = await warp(['verify', path.join(cwd, 'data')], { cwd: temporaryFolder() })
    expect(code).toBe(0)
    expect(stdout).toContain('sound; values were not folded, since nothing says what the keys mean')
  })
})

test('a flipped bit is found, with its place and the operation that it cost', async () => {
  const here = prepared()
  const file = path.join(here.cwd, 'data', SEGMENT)
  const bytes = readFileSync(file)
  const at = bytes.indexOf('sku-7')
  bytes[at] = (bytes[at] as number) ^ 4
  writeFileSync(file, bytes)
  const { code, stdout } = await warp(['verify', './data'], here)
  expect(code).toBe(1)
  expect(stdout).toMatch(/^damage: damaged in \.\/data: .*segment-0000000001, offset \d+\)/)
  expect(stdout).toMatch(/damage: missing in \.\/data: [0-9a-f]{16}:16 is missing/)
  expect(stdout).toMatch(/damaged: 2 findings/)
})

test('a missing operation is found, although every checksum is good', async () => {
  const here = prepared()
  const dot = await forgeFolder(path.join(here.cwd, 'data'), 'cart:7', 3, () => undefined)
  const { code, stdout } = await warp(['verify', './data', '--json'], here)
  expect(code).toBe(1)
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.find(({ kind }) => kind === 'missing')).toMatchObject({
    dot,
    count: 1,
    severity: 'damage',
    log: './data',
  })
  expect(lines.at(-1)).toMatchObject({ kind: 'report', isSound: false, first: { kind: lines[0]?.['kind'] } })
})

test('a forged operation is found by comparing with another replica', async () => {
  const here = prepared()
  cpSync(path.join(made, 'b'), path.join(here.cwd, 'other'), { recursive: true })
  const dot = await forgeFolder(path.join(here.cwd, 'data'), 'cart:7', 3, (body) => {
    body[body.length - 1] = (body.at(-1) as number) ^ 1
    return body
  })
  expect((await warp(['verify', 'data'], here)).code).toBe(0)
  const { code, stdout } = await warp(['verify', 'data', 'other'], here)
  expect(code).toBe(1)
  expect(stdout).toContain(`difference in data: ${dot.replica}:${dot.sequence} is another operation in other`)
})

describe('what cannot be checked', () => {
  test('a folder that is not there is a wrong command line', async () => {
    const { code, stderr } = await warp(['verify', './none'], prepared())
    expect([code, stderr]).toEqual([2, 'warp: USAGE: there is no folder ./none\n'])
  })

  test('a folder without a log is refused', async () => {
    const { code, stderr } = await warp(['verify', temporaryFolder()], prepared())
    expect(code).toBe(3)
    expect(stderr).toContain('WARP_E_LOG_FOREIGN')
  })

  test('a folder that is held cannot be reached', async () => {
    const here = prepared()
    const files = await fileLog({ path: path.join(here.cwd, 'data') }).open()
    const { code, stderr } = await warp(['verify', './data'], here)
    await files.close()
    expect(code).toBe(4)
    expect(stderr).toMatch(/^warp: UNREACHABLE: .* is held by process \d+ .* stop that process, or verify a copy\n$/)
  })
})
