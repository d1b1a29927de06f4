/** `warp log`, `at`, `explain` and `keys`: the past of two replicas that wrote without knowing of each other. */
import { beforeAll, afterAll, describe, expect, test } from 'vitest'
import path from 'node:path'
import { writeFileSync } from 'node:fs'
import { fileLog } from '../../../adapters/file/index.ts'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { register, set } from '../../../crdt/index.ts'
import { warp, warpJson, warpOk } from '../../support/cli.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

let cwd = ''
let ann = ''
let ben = ''

beforeAll(async () => {
  cwd = temporaryFolder(afterAll)
  const keys = { 'user:*': register<string>(), 'cart:*': set<string>() }
  writeFileSync(path.join(cwd, 'warp.config.json'), '{"keys":{"user:*":"register","cart:*":"set"}}')
  const network = memoryNetwork()
  const [a, b] = await Promise.all(
    ['data', 'other'].map((name) =>
      openWarp({ keys, log: fileLog({ path: path.join(cwd, name) }), transports: [network.transport(name)] }),
    ),
  )
  if (a === undefined || b === undefined) throw new Error('both are open')
  ;[ann, ben] = [a.replica, b.replica]
  // ann: Paris ───┬── Lyon         Oslo and Lyon know of Paris and not of each other; Oslo comes to ann after Lyon.
  // ben:          └── Oslo
  const seen = b.watch('user:1')
  await a.set('user:1', 'Paris')
  for await (const _ of seen) break
  network.cut('data', 'other')
  await a.set('user:1', 'Lyon')
  await b.set('user:1', 'Oslo')
  await b.set('user:gone', 'x')
  await b.delete('user:gone')
  const joined = a.watch('*')
  network.heal()
  let count = 0
  for await (const _ of joined) if (++count === 3) break
  await Promise.all([a.close(), b.close()])
})

/** Nothing is known of their names. */
const short = (id: string): string => id.slice(0, 8)

test('log lists who wrote what and when, and what that was concurrent with', async () => {
  const lines = (await warpOk(['log', 'user:1'], { cwd })).trimEnd().split('\n')
  expect(lines).toHaveLength(5)
  expect(lines[0]).toMatch(/^ {2}version +who:operation +when \(UTC\) +wrote +concurrent with$/)
  expect(lines[2]).toMatch(
    new RegExp(`^ {2}1 +${short(ann)}:1 +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z +"Paris" +-$`),
  )
  expect(lines[3]).toMatch(new RegExp(`^ {2}2 +${short(ann)}:2 .* "Lyon" +-$`))
  expect(lines[4]).toMatch(new RegExp(`^ {2}3 +${short(ben)}:1 .* "Oslo" +${short(ann)}:2$`))
})

test('log gives JSON lines, from a version on, or the last ones', async () => {
  const operations = await warpJson(['log', 'user:1', '--from', '3'], { cwd })
  expect(operations).toEqual([
    {
      dot: { replica: ben, sequence: 1 },
      timeMs: expect.any(Number),
      version: 3,
      kind: 'update',
      strategy: 'register',
      payload: 'Oslo',
      context: [[ann, 1]],
      concurrentWith: [{ replica: ann, from: 2, through: 2 }],
    },
  ])
  expect(await warpJson(['log', 'user:1', '--last', '1'], { cwd })).toEqual(operations)
  const { code, stderr } = await warp(['log', 'user:1', '--last', '0'], { cwd })
  expect([code, stderr]).toEqual([2, 'warp: USAGE: --last 0: it is a whole number of at least 1\n'])
})

test('a log that holds a delete says so; one of a key that never was is empty', async () => {
  expect(await warpOk(['log', 'user:gone'], { cwd })).toMatch(/^ {2}2 .* delete +-$/m)
  expect(await warpOk(['log', 'user:never'], { cwd })).toBe('')
})

describe('at', () => {
  test('a version counts the operations that this replica had taken in', async () => {
    expect(await warpOk(['at', 'user:1', '2'], { cwd })).toBe('Lyon\n')
    expect(await warpJson(['at', 'user:1', '1'], { cwd })).toEqual(['Paris'])
  })

  test('a time is the same for all replicas', async () => {
    const [first] = (await warpJson(['log', 'user:1'], { cwd })) as { timeMs: number }[]
    const timeMs = first?.timeMs ?? 0
    expect(await warp(['at', 'user:1', `@${timeMs - 1}`], { cwd })).toEqual({ code: 1, stdout: '', stderr: '' })
    const iso = new Date(timeMs + 3_600_000).toISOString()
    expect(await warpOk(['at', 'user:1', iso], { cwd })).toBe(await warpOk(['get', 'user:1'], { cwd }))
    expect((await warp(['at', 'user:1', '1d'], { cwd })).code).toBe(1)
  })

  test('what is no moment is refused', async () => {
    expect(await warp(['at', 'user:1', 'tomorrow'], { cwd })).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("'tomorrow' is no moment"),
    })
  })
})

test('explain says what became of each operation', async () => {
  const text = await warpOk(['explain', 'user:1'], { cwd })
  expect(text).toMatch(/^user:1 is "(Lyon|Oslo)" \(register\)$/m)
  expect(text).toMatch(new RegExp(`^ {2}${short(ann)}:1 .* "Paris" +superseded +-$`, 'm'))
  expect(text).toMatch(new RegExp(`^ {2}${short(ann)}:2 .* "Lyon" +(won|superseded) +${short(ben)}:1$`, 'm'))
  expect(text).toMatch(new RegExp(`^ {2}${short(ben)}:1 .* "Oslo" +(won|superseded) +${short(ann)}:2$`, 'm'))
  const [explanation] = await warpJson(['explain', 'user:1'], { cwd })
  expect(explanation).toMatchObject({ key: 'user:1', strategy: 'register', operations: [{ payload: 'Paris' }, {}, {}] })
})

test('keys lists what has a value, and with --dead what had one', async () => {
  expect(await warpOk(['keys'], { cwd })).toBe('user:1\n')
  expect(await warpJson(['keys', 'user:g*', '--dead'], { cwd })).toEqual(['user:gone'])
  expect(await warpOk(['keys', 'cart:*'], { cwd })).toBe('')
})
