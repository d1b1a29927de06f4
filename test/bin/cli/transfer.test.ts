/** `warp export` and `warp import`, of folders that nobody holds and through running replicas. */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileLog } from '../../../adapters/file/index.ts'
import { openWarp, type Retention, type Warp } from '../../../adapters/node/index.ts'
import { counter, register, set } from '../../../crdt/index.ts'
import { startWarp, WARP, warp, warpJson, warpOk } from '../../support/cli.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { commandFolder, type CommandFolder } from './command-folder.ts'

async function written(): Promise<CommandFolder> {
  const here = commandFolder()
  await writing(here, {}, async (warp) => {
    await warp.set('user:1', { name: 'Alice' })
    await warp.set('user:1', { name: 'Bob' })
    await warp.key('visits:home').increment(3)
    await warp.key('cart:7').add('apples', 'pears')
  })
  return here
}

async function writing(
  { cwd }: CommandFolder,
  { retain = 'all', data = 'data' }: { readonly retain?: Retention; readonly data?: string },
  use: (warp: Warp<ReturnType<typeof keysRetaining>>) => Promise<unknown>,
): Promise<void> {
  const warp = await openWarp({ keys: keysRetaining(retain), log: fileLog({ path: path.join(cwd, data) }) })
  await use(warp)
  await warp.close()
}

function keysRetaining(retain: Retention) {
  const user = { strategy: register<unknown>(), retain }
  return { 'user:*': user, 'visits:*': counter(), 'cart:*': set<string>() }
}

async function told(here: CommandFolder, data: string, retain: Retention = 'all'): Promise<unknown> {
  let all: unknown
  await writing(here, { data, retain }, async (warp) => {
    all = [await warp.explain('user:1'), await warp.get('visits:home'), await warp.get('cart:7')]
  })
  return all
}

test('what is exported from one folder and imported into another is the same there', async () => {
  const here = await written()
  const text = await warpOk(['export'], here)
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines.map(({ kind }) => kind)).toEqual(['warp-export', ...Array<string>(4).fill('operation'), 'end'])
  expect(lines[1]).toMatchObject({ key: 'user:1', sequence: 1, strategy: 'register', payload: { name: 'Alice' } })
  const other = { ...here, input: text }
  expect(await warpOk(['import', '--data', 'other'], other)).toBe('imported 4 operations; 0 were here already\n')
  expect(await told(here, 'other')).toEqual(await told(here, 'data'))
  expect(await warpJson(['import', '--data', 'other'], other)).toEqual([
    { operationsCount: 0, duplicatesCount: 4, snapshotsCount: 0 },
  ])
  expect((await warp(['verify', 'data', 'other'], here)).code).toBe(0)
})

test('a log that was compacted is exported whole', async () => {
  const here = commandFolder({ keys: { 'user:*': { strategy: 'register', retain: 'latest' }, 'visits:*': 'counter' } })
  await writing(here, { retain: 'latest' }, async (warp) => {
    for (const name of ['a', 'b', 'c']) await warp.set('user:1', name)
    await warp.key('visits:home').increment(3)
    await warp.compact()
  })
  const text = await warpOk(['export'], here)
  expect(text).toContain('"kind":"snapshot","key":"user:1","strategy":"register","operationsCount":3')
  expect(await warpOk(['import', '--data', 'other'], { ...here, input: text })).toBe(
    'imported 1 operations, the compacted state of 1 keys; 0 were here already\n',
  )
  expect(await told(here, 'other', 'latest')).toEqual(await told(here, 'data', 'latest'))
})

test('a running replica exports and imports as a folder does', async () => {
  const here = await written()
  const direct = await warpOk(['export'], here)
  const running = startWarp(['start', '--host', '127.0.0.1', '--port', '0', '--no-multicast', '--insecure'], here)
  await running.line(/./)
  const asked = await warpOk(['export'], here)
  expect(withoutTime(asked)).toEqual(withoutTime(direct))
  expect(await warpOk(['import'], { ...here, input: asked })).toBe('imported 0 operations; 4 were here already\n')
  expect(await warpOk(['compact'], here)).toMatch(/^folded 0 operations away and freed 0 bytes/)
  running.signal('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

function withoutTime(text: string): string {
  return text.replace(/"timeMs":\d+/, '')
}

test('export, stats and peers need not be told what keys mean, and keys that are local stay at home', async () => {
  const cwd = temporaryFolder()
  const keys = { 'user:*': register<string>(), 'own:*': { strategy: register<string>(), mode: 'local' } } as const
  const log = fileLog({ path: path.join(cwd, 'data') })
  const written = await openWarp({ keys, log })
  await written.set('user:1', 'Alice')
  await written.set('own:1', 'secret')
  await written.close()
  const exported = await warp(['export'], { cwd })
  expect([exported.code, exported.stderr]).toEqual([0, ''])
  expect(exported.stdout).toContain('"key":"user:1"')
  expect(exported.stdout).not.toContain('own:1')
  for (const command of ['stats', 'peers']) {
    const { code, stderr } = await warp([command], { cwd })
    expect(code).toBe(0)
    expect(stderr).not.toContain('keys:unregistered')
  }
  // What needs to know it says so, and nothing has been changed.
  expect((await warp(['get', 'user:1'], { cwd })).stderr).toContain('nothing says what the keys mean')
  expect(await warpOk(['get', 'user:1', '--key', 'user:*=register'], { cwd })).toBe('Alice\n')
})

test('an import of what was cut short says that the whole may be imported again', async () => {
  const here = await written()
  const text = await warpOk(['export'], here)
  const cut = { ...here, input: text.split('\n').slice(0, 3).join('\n') }
  const { code, stderr } = await warp(['import', '--data', 'other'], cut)
  expect(code).toBe(3)
  expect(stderr).toContain('it was cut short; the operations before the cut have been imported, so import the whole')
  expect(await warpOk(['import', '--data', 'other'], { ...here, input: text })).toContain('were here already')
})

describe('an import that is refused', () => {
  test('names the line', async () => {
    const here = await written()
    const text = await warpOk(['export'], here)
    const lines = text.split('\n')
    lines[2] = (lines[2] as string).replace('user:1', 'user:2')
    const { code, stderr } = await warp(['import', '--data', 'other'], { ...here, input: lines.join('\n') })
    expect(code).toBe(3)
    expect(stderr).toMatch(/^warp: WARP_E_PROTOCOL: line 3: its key and its bytes say different things/)
    const json = await warp(['import', '--data', 'other', '--json'], { ...here, input: 'hello\n' })
    expect(JSON.parse(json.stderr)).toMatchObject({ error: { code: 'WARP_E_PROTOCOL', details: { line: 1 } } })
  })

  test('of nothing says that there was nothing', async () => {
    const { code, stderr } = await warp(['import'], commandFolder())
    expect(code).toBe(3)
    expect(stderr).toContain('the export ends without its last line')
  })
})

test('an export that nobody reads to its end ends without a word', async () => {
  const here = await written()
  const out = execFileSync(
    'sh',
    ['-c', `"${process.execPath}" "${WARP}" export --data "${path.join(here.cwd, 'data')}" | head -n 1`],
    {
      ...here,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  expect(out).toMatch(/^\{"kind":"warp-export"/)
})

describe('an import whose input goes on for ever', () => {
  test.each(['folder', 'replica'])('ends with its error, and when it is interrupted (into a %s)', async (into) => {
    const here = await written()
    if (into === 'replica') await startWarp(['start', '--no-mesh'], here).line(/^ready/)
    const wrong = startWarp(['import'], { ...here, input: 'garbage\n', inputStays: true })
    expect(await wrong.ended).toMatchObject({ code: 3, stderr: expect.stringContaining('line 1: it is not JSON') })
    const interrupted = startWarp(['import'], { ...here, input: '', inputStays: true })
    // On its way by then: it has something to show for longer than a second.
    await interrupted.errorLine(/^importing into .*: 1 s/)
    interrupted.signal('SIGINT')
    expect((await interrupted.ended).code).toBe(130)
  })
})
