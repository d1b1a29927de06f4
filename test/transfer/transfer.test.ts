import { describe, expect, test } from 'vitest'
import { counter } from '../../crdt/counter.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { exportLines } from '../../src/transfer/export-lines.ts'
import { importLines } from '../../src/transfer/import-lines.ts'
import type { Imported } from '../../src/transfer/imported.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { checkLogOn } from '../../src/audit/check-log.ts'
import { exchange, keysRetaining, TestEngine, type FixtureOptions } from '../engine/engine-fixture.ts'
import { disk, openPair, storeOf, writeRounds, type Pair } from '../audit/prepared-logs.ts'

async function exported({ engine, env }: TestEngine): Promise<string> {
  let text = ''
  for await (const piece of exportLines(engine, { env, check: () => undefined })) text += piece
  return text
}

/** In pieces that are cut anywhere, as bytes. */
async function* pieces(text: string, bytesEach = 777): AsyncGenerator<Uint8Array, void, undefined> {
  const bytes = new TextEncoder().encode(text)
  for (let at = 0; at < bytes.length; at += bytesEach) yield bytes.subarray(at, at + bytesEach)
}

function imported({ engine, env }: TestEngine, text: string): Promise<Imported> {
  return importLines(engine, pieces(text), { env, check: () => undefined })
}

async function emptyOne({ env }: Pick<Pair, 'env'>, options: FixtureOptions = {}): Promise<TestEngine> {
  return TestEngine.open({ retain: 'all', ...options, env: env.fork({ label: `import ${++opened}` }) })
}

let opened = 0

function withoutLocal({ values, applied }: ReturnType<TestEngine['state']>): object {
  return { applied, values: Object.fromEntries(Object.entries(values).filter(([key]) => !key.startsWith('own:'))) }
}

function explained(replica: TestEngine): Promise<unknown> {
  const reasons = ['reg:1', 'set:1', 'list:1', 'count:1', 'text:1'].map((key) => replica.history.explain(key))
  return Promise.all(reasons)
}

describe('an export taken into an empty log', () => {
  test('gives the same values, versions and explanations', async () => {
    const pair = await openPair()
    await writeRounds(pair)
    const other = await emptyOne(pair)
    const report = await imported(other, await exported(pair.a))
    expect(withoutLocal(other.state())).toEqual(withoutLocal(pair.a.state()))
    expect(await explained(other)).toEqual(await explained(pair.a))
    expect(report).toEqual({ operationsCount: other.envelopes().length, duplicatesCount: 0, snapshotsCount: 0 })
  })

  test('brings along what was compacted', async () => {
    const pair = await openPair({ retain: { versions: 2 }, segmentBytes: 4096 })
    await writeRounds(pair)
    await pair.a.engine.compact()
    await writeRounds(pair, 1)
    const other = await emptyOne(pair, { retain: { versions: 2 } })
    const report = await imported(other, await exported(pair.a))
    expect(report.snapshotsCount).toBeGreaterThan(3)
    expect(withoutLocal(other.state())).toEqual(withoutLocal(pair.a.state()))
    expect(await explained(other)).toEqual(await explained(pair.a))
    expect(other.engine.floor.sorted()).toEqual(pair.a.engine.floor.sorted())
  })

  test('leaves local keys out', async () => {
    const pair = await openPair()
    await pair.a.write('own:1', 'increment', [4])
    const text = await exported(pair.a)
    expect(text.split('\n').map((line) => (line === '' ? '' : (JSON.parse(line) as { kind: string }).kind))).toEqual([
      'warp-export',
      'end',
      '',
    ])
  })

  test('makes a log that an audit finds nothing wrong with', async () => {
    const pair = await openPair({ retain: { versions: 2 } })
    await writeRounds(pair)
    await pair.a.engine.compact()
    const files = disk()
    const other = await emptyOne(pair, { retain: { versions: 2 }, files })
    await imported(other, await exported(pair.a))
    await other.set('reg:1', 'after')
    await other.close()
    await pair.b.close()
    const report = await checkLogOn(
      { env: pair.env },
      { logs: [storeOf(files), storeOf(pair.filesB)], keys: keysRetaining({ versions: 2 }) },
    )
    expect(report).toMatchObject({ isSound: true, notesCount: 0 })
  })
})

describe('an export taken into a log that holds something', () => {
  test('adds what is not there, and nothing the second time', async () => {
    const pair = await openPair()
    await writeRounds(pair, 1)
    const other = await emptyOne(pair)
    await other.pull(pair.b)
    const before = other.envelopes().length
    await writeRounds(pair, 1)
    const text = await exported(pair.a)
    await other.set('reg:own', 'mine')
    const first = await imported(other, text)
    expect(first).toMatchObject({ duplicatesCount: before, snapshotsCount: 0 })
    const state = other.state()
    expect(await imported(other, text)).toEqual({
      operationsCount: 0,
      duplicatesCount: before + first.operationsCount,
      snapshotsCount: 0,
    })
    expect(other.state()).toEqual(state)
    expect(other.get('reg:own')).toBe('mine')
  })

  test('keeps what is there beside a state that is taken over', async () => {
    const pair = await openPair({ retain: 'latest' })
    await writeRounds(pair)
    await pair.a.engine.compact()
    const other = await emptyOne(pair, { retain: 'latest' })
    await other.set('reg:own', 'mine')
    await other.write('count:1', 'increment', [1000])
    const expected = Number(pair.a.get('count:1') ?? 0) + 1000
    expect((await imported(other, await exported(pair.a))).snapshotsCount).toBeGreaterThan(0)
    expect(other.get('reg:own')).toBe('mine')
    expect(other.get('count:1')).toBe(expected)
    const state = other.state()
    expect(await imported(other, await exported(pair.a))).toMatchObject({ operationsCount: 0, snapshotsCount: 0 })
    expect(other.state()).toEqual(state)
  })

  test('is refused if both have compacted what the other lacks', async () => {
    const pair = await openPair({ retain: 'latest' })
    await writeRounds(pair)
    await pair.a.engine.compact()
    const other = await emptyOne(pair, { retain: 'latest' })
    await other.set('reg:1', 1)
    await other.set('reg:1', 2)
    await other.engine.compact()
    const state = other.state()
    await expect(imported(other, await exported(pair.a))).rejects.toMatchObject({ code: 'WARP_E_RESYNC_REQUIRED' })
    expect(other.state()).toEqual(state)
  })

  test('gives back what a replica has lost of its own', async () => {
    const pair = await openPair()
    await writeRounds(pair, 1)
    const files = pair.filesA.copy()
    await writeRounds(pair, 1)
    const text = await exported(pair.b)
    const restored = await TestEngine.open({ retain: 'all', files, env: pair.env.fork({ label: 'restored' }) })
    await imported(restored, text)
    expect(withoutLocal(restored.state())).toEqual(withoutLocal(pair.b.state()))
    expect(restored.engine.replica).not.toBe(pair.a.engine.replica)
  })
})

test('what was imported survives a power failure', async () => {
  const pair = await openPair()
  await writeRounds(pair, 1)
  const files = faultyFiles()
  const other = await emptyOne(pair, { files })
  await imported(other, await exported(pair.a))
  const { values } = other.state()
  const again = await emptyOne(pair, { files: files.crash() })
  expect(again.state().values).toEqual(values)
})

test('an export is settled when it begins', async () => {
  const pair = await openPair()
  await pair.a.set('reg:1', 'before')
  let text = ''
  for await (const piece of exportLines(pair.a.engine, { env: pair.env, check: () => undefined })) {
    text += piece
    await pair.a.set('reg:1', 'meanwhile')
  }
  const other = await emptyOne(pair)
  await imported(other, text)
  expect(other.get('reg:1')).toBe('before')
})

test('lines are for people too', async () => {
  const pair = await openPair()
  await pair.a.set('reg:1', { n: 12n, bytes: new Uint8Array([1, 2]), at: new Date(0), no: Number.NaN })
  await pair.a.write('reg:1', 'delete')
  const lines = (await exported(pair.a))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object)
  const { replica } = pair.a.engine
  expect(lines).toMatchObject([
    { kind: 'warp-export', version: 2, replica, applied: { [replica]: 2 }, floor: {} },
    {
      kind: 'operation',
      key: 'reg:1',
      replica,
      sequence: 1,
      does: 'update',
      strategy: 'register',
      payload: {
        n: { $bigint: '12' },
        bytes: { $bytes: 'AQI=' },
        at: { $date: '1970-01-01T00:00:00.000Z' },
        no: { $number: 'NaN' },
      },
    },
    { kind: 'operation', key: 'reg:1', sequence: 2, does: 'delete' },
    { kind: 'end', snapshotsCount: 0, operationsCount: 2 },
  ])
})

describe('what is no whole export is refused, with the line', () => {
  const edits: Readonly<Record<string, readonly [(lines: string[]) => unknown, number]>> = {
    'another file': [(lines) => lines.splice(0, 1, '{"kind":"other"}'), 1],
    'no JSON': [(lines) => lines.splice(2, 1, 'hello'), 3],
    'a later version': [(lines) => lines.splice(0, 1, (lines[0] as string).replace('"version":2', '"version":3')), 1],
    'a line that is missing': [(lines) => lines.splice(2, 1), 3],
    'a last line that is missing': [(lines) => lines.splice(-1, 1), 4],
    'another key beside the bytes': [(lines) => edit(lines, 2, 'reg:2', 'reg:9'), 3],
    'another dot beside the bytes': [(lines) => edit(lines, 2, '"sequence":2', '"sequence":3'), 3],
    'bytes that are no base64': [(lines) => edit(lines, 2, '"envelope":"', '"envelope":"*'), 3],
    'bytes that are no operation': [(lines) => edit(lines, 2, '"envelope":"', '"envelope":"AAAA'), 3],
    'a line behind the end': [(lines) => lines.push(lines[1] as string), 6],
  }

  function edit(lines: string[], index: number, from: string, to: string): void {
    lines[index] = (lines[index] as string).replace(from, to)
  }

  test.each(Object.keys(edits))('%s', async (what) => {
    const pair = await openPair()
    for (const key of ['reg:1', 'reg:2', 'reg:3']) await pair.a.set(key, key)
    const lines = (await exported(pair.a)).trimEnd().split('\n')
    const [change, line] = edits[what] as (typeof edits)[string]
    change(lines)
    const other = await emptyOne(pair)
    await expect(imported(other, lines.join('\n'))).rejects.toMatchObject({
      code: expect.stringMatching(/^WARP_E_(PROTOCOL|LOG_VERSION)$/) as string,
      message: expect.stringContaining(`line ${line}: `) as string,
      details: { line },
    })
  })

  test('and a state that was not read to its end is not taken over', async () => {
    const pair = await openPair({ retain: 'latest' })
    await writeRounds(pair)
    await pair.a.engine.compact()
    const lines = (await exported(pair.a)).trimEnd().split('\n')
    const other = await emptyOne(pair, { retain: 'latest' })
    await other.set('reg:own', 'mine')
    const state = other.state()
    await expect(imported(other, lines.slice(0, -2).join('\n'))).rejects.toMatchObject({ code: 'WARP_E_PROTOCOL' })
    expect(other.state()).toEqual(state)
    await imported(other, lines.join('\n'))
    expect(withoutLocal(other.state())).toMatchObject({ values: { 'reg:own': ['mine', 1] } })
  })

  test('text that is not UTF-8', async () => {
    const pair = await openPair()
    const bytes = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
      yield new Uint8Array([0x7b, 0xff, 0x0a])
    }
    const importing = importLines(pair.a.engine, bytes(), { env: pair.env, check: () => undefined })
    await expect(importing).rejects.toMatchObject({ code: 'WARP_E_PROTOCOL' })
  })

  test('a line without an end', async () => {
    const pair = await openPair()
    const text = async function* (): AsyncGenerator<string, void, undefined> {
      for (;;) yield 'x'.repeat(1024 * 1024)
    }
    const importing = importLines(pair.a.engine, text(), { env: pair.env, check: () => undefined })
    await expect(importing).rejects.toMatchObject({ code: 'WARP_E_LIMIT' })
  })
})

test('both are given up when their caller does', async () => {
  const pair = await openPair()
  for (let i = 0; i < 2000; i++) void pair.a.set('reg:1', i)
  const text = await exported(pair.a)
  const stop = (): void => {
    throw new Error('stopped')
  }
  await expect(exportLines(pair.a.engine, { env: pair.env, check: stop }).next()).rejects.toThrow('stopped')
  const other = await emptyOne(pair)
  await expect(importLines(other.engine, pieces(text), { env: pair.env, check: stop })).rejects.toThrow('stopped')
  await exchange(pair.a, pair.b)
})

test('an import that waits for more ends when it is given up', async () => {
  const { a } = await openPair()
  const giveUp = new AbortController()
  let isLeft = false
  const input: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: () => {
        giveUp.abort()
        return new Promise(() => undefined)
      },
      return: () => {
        isLeft = true
        return new Promise(() => undefined)
      },
    }),
  }
  const options = { env: a.env, check: () => giveUp.signal.throwIfAborted(), signal: giveUp.signal }
  await expect(importLines(a.engine, input, options)).rejects.toThrow('aborted')
  expect(isLeft).toBe(true)
})

test('a key that was local is in no export, also when no pattern matches it any more', async () => {
  const files = disk()
  const before = await TestEngine.open({ files })
  await before.set('reg:1', 'shared')
  await before.write('own:1', 'increment', [1])
  await before.close()
  const after = await TestEngine.open({ files, keyspaces: new Keyspaces({ 'count:*': counter() }) })
  const text = await exported(after)
  expect(text).toContain('reg:1')
  expect(text).not.toContain('own:1')
})
