import { describe, expect, test } from 'vitest'
import { checkLogOn } from '../../src/audit/check-log.ts'
import type { CheckLogOptions, CheckReport, Finding } from '../../src/audit/finding.ts'
import type { MemoryFiles } from '../../src/log/files/memory-files.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { custom } from '../../crdt/index.ts'
import { LeaseBook } from '../../src/store/aside/lease-book.ts'
import { encodeCheckpoint } from '../../src/store/checkpoint-body.ts'
import { Recovered } from '../../src/store/recovered.ts'
import { FORMAT_VERSION } from '../../src/operation/envelope/format.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { decodeCheckpoint, writeCheckpointFile, type Checkpoint } from '../../src/log/opening/checkpoint.ts'
import type { Meta } from '../../src/store/meta-record.ts'
import { readSnapshot } from '../../src/merge/snapshot-record.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { ReplicaTable } from '../../src/operation/replica-table.ts'
import { exchange, keysRetaining } from '../engine/engine-fixture.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { disk, forge, openPair, rewriteInPlace, storeOf, writeRounds, type Pair } from './prepared-logs.ts'

const KEYS: KeyMap = keysRetaining('all')

interface Checked {
  readonly report: CheckReport
  readonly findings: readonly Finding[]
  readonly kinds: readonly string[]
}

async function check(
  files: readonly MemoryFiles[],
  options: Omit<CheckLogOptions, 'logs' | 'onFinding'> = { keys: KEYS },
): Promise<Checked> {
  const findings: Finding[] = []
  const logs = files.map((one, i) => storeOf(one, `log ${i}`))
  const report = await checkLogOn({ env: virtualEnv() }, { ...options, logs, onFinding: (one) => findings.push(one) })
  return { report, findings, kinds: findings.map(({ kind }) => kind) }
}

async function closedPair(options: Parameters<typeof openPair>[0] = {}): Promise<Pair> {
  const pair = await openPair(options)
  await writeRounds(pair)
  await pair.a.close()
  await pair.b.close()
  return pair
}

function contents(files: MemoryFiles): Record<string, string> {
  return Object.fromEntries(files.list().map((name) => [name, Buffer.from(files.bytes(name)).toString('base64')]))
}

describe('nothing is found in a sound log', () => {
  test('closed, of two replicas with every strategy', async () => {
    const { filesA, filesB, a } = await closedPair()
    const { report, findings } = await check([filesA, filesB])
    expect(findings).toEqual([])
    expect(report).toMatchObject({ isSound: true, damageCount: 0, notesCount: 0, first: undefined })
    expect(report.logs[0]).toMatchObject({ name: 'log 0', replica: a.engine.replica, snapshotsCount: 0 })
    expect(report.logs[0]?.foldedKeysCount).toBe(report.logs[0]?.keysCount)
    expect(report.logs[0]?.operationsCount).toBeGreaterThan(60)
  })

  test('killed, in many segments, with a checkpoint in the middle', async () => {
    const pair = await openPair({ segmentBytes: 2048 })
    await writeRounds(pair)
    await pair.a.engine.checkpoint()
    await writeRounds(pair, 2)
    await pair.a.engine.log.settled('logged')
    const { findings } = await check([pair.filesA.copy(), pair.filesB.copy()])
    expect(findings.filter(({ severity }) => severity === 'damage')).toEqual([])
  })

  test('compacted, rewritten and written again', async () => {
    const pair = await openPair({ segmentBytes: 2048, retain: { versions: 2 } })
    await writeRounds(pair)
    await pair.a.engine.compact()
    await writeRounds(pair, 2)
    await pair.a.engine.checkpoint()
    await pair.a.engine.compact()
    await writeRounds(pair, 2)
    await pair.a.close()
    await pair.b.close()
    const { report, findings } = await check([pair.filesA, pair.filesB], { keys: keysRetaining({ versions: 2 }) })
    expect(findings).toEqual([])
    expect(report.logs[0]?.snapshotsCount).toBeGreaterThan(3)
  })

  test('of a replica that took over a state and issued again what it had written', async () => {
    const pair = await openPair({ retain: 'latest' })
    await writeRounds(pair, 2)
    await pair.a.set('reg:1', 'late')
    await pair.b.engine.compact()
    pair.a.install(pair.b)
    await exchange(pair.a, pair.b)
    await pair.a.set('reg:2', 'after')
    await pair.a.close()
    await pair.b.close()
    const { findings } = await check([pair.filesA, pair.filesB], { keys: keysRetaining('latest') })
    expect(findings).toEqual([])
  })

  test('whatever its keys mean, as far as that can be said without knowing it', async () => {
    const { filesA, filesB } = await closedPair()
    const { report, findings } = await check([filesA, filesB], {})
    expect(findings).toEqual([])
    expect(report.logs[0]?.foldedKeysCount).toBe(0)
  })
})

test('a check changes nothing', async () => {
  const { filesA } = await closedPair()
  const before = contents(filesA)
  const logs = [{ name: 'itself', open: () => Promise.resolve(filesA) }]
  await checkLogOn({ env: virtualEnv() }, { logs, keys: KEYS })
  expect(contents(filesA)).toEqual(before)
})

test('every flipped bit is found', async () => {
  const { filesA } = await closedPair()
  for (const name of filesA.list()) {
    const length = filesA.bytes(name).length
    for (let offset = 0; offset < length; offset += 97) {
      const damaged = filesA.copy()
      const bytes = damaged.bytes(name)
      bytes[offset] = (bytes[offset] as number) ^ (1 << (offset % 8))
      const findings: unknown[] = []
      const options = { logs: [storeOf(damaged)], onFinding: (finding: Finding) => findings.push(finding) }
      const thrown = await checkLogOn({ env: virtualEnv() }, options).then(
        () => [],
        (error: unknown) => [error],
      )
      expect([...findings, ...thrown], `${name}, offset ${offset}`).not.toEqual([])
    }
  }
})

test('the operations that damage has cost are named', async () => {
  const { filesA, a } = await closedPair()
  const damaged = filesA.copy()
  const bytes = damaged.bytes('segment-0000000001')
  const { replica } = a.engine
  const at = Buffer.from(bytes).indexOf(Buffer.from('reg:0.1'))
  bytes[at] = (bytes[at] as number) ^ 1
  const { report, findings } = await check([damaged])
  expect(report.isSound).toBe(false)
  expect(findings.map(({ kind }) => kind)).toEqual(['damaged', 'missing'])
  expect(findings[0]).toMatchObject({ file: 'segment-0000000001' })
  expect(findings[1]).toMatchObject({ count: 1, dot: { replica } })
})

describe('in a log whose checksums are all good', () => {
  test('a missing operation is found, by its dot', async () => {
    const { filesA, b } = await closedPair()
    const { replica } = b.engine
    const forged = await forge(filesA.copy(), ({ body, replica: writer, sequence }) =>
      writer === replica && sequence === 7 ? [] : [body],
    )
    const { report, findings } = await check([forged])
    expect(report.first).toMatchObject({ dot: { replica } })
    expect(findings.find(({ kind }) => kind === 'missing')).toMatchObject({ dot: { replica, sequence: 7 }, count: 1 })
  })

  test('operations that were cut off at the end are found by those who had seen them', async () => {
    const { filesA, a, b } = await closedPair()
    const { replica } = b.engine
    const through = a.engine.applied.get(replica)
    const forged = await forge(filesA.copy(), ({ body, replica: writer, sequence }) =>
      writer === replica && sequence > through - 12 ? [] : [body],
    )
    const { findings } = await check([forged])
    expect(findings.filter(({ kind }) => kind === 'cause').map(({ dot }) => dot?.replica)).toContain(a.engine.replica)
  })

  test('an operation that is not linked to the one before it is found', async () => {
    const { filesA, a } = await closedPair()
    const { replica } = a.engine
    const reader = new OperationReader(new ReplicaTable())
    const forged = filesA.copy()
    rewriteInPlace(forged, (kind, body) => {
      if (kind !== 1) return
      const operation = reader.load(body, 0, body.length)
      // In front of the body stands where the record before it of its key lies.
      if (operation.replica === replica && operation.sequence === 10)
        new DataView(body.buffer, body.byteOffset - 8, 8).setBigUint64(0, 0n)
    })
    const { findings } = await check([forged])
    expect(findings).toContainEqual(expect.objectContaining({ kind: 'chain', dot: { replica, sequence: 10 } }))
  })

  test('two operations under one dot are found', async () => {
    const { filesA, a } = await closedPair()
    const { replica } = a.engine
    const forged = await forge(filesA.copy(), ({ body, replica: writer, sequence }) => {
      if (writer !== replica || sequence !== 5) return [body]
      const other = body.slice()
      other[other.length - 1] = (other.at(-1) as number) ^ 1
      return [body, other]
    })
    const { findings } = await check([forged])
    expect(findings.find(({ kind }) => kind === 'duplicate')).toMatchObject({ dot: { replica, sequence: 5 } })
  })

  test('an operation stamped before its causes is found', async () => {
    const { filesA, a } = await closedPair()
    const forged = await forge(filesA.copy(), ({ body, replica, sequence }) => {
      if (replica !== a.engine.replica || sequence !== 9) return [body]
      // Version, kind, strategy, flags, replica, a sequence of one byte; then the stamp.
      const earlier = body.slice()
      earlier[15] = (earlier[15] as number) - 1
      return [earlier]
    })
    const { findings } = await check([forged])
    expect(findings[0]).toMatchObject({ kind: 'order', dot: { replica: a.engine.replica, sequence: 9 } })
  })

  /** Gives one operation a stamp that is days earlier, and says what is found. */
  async function stampedEarlier(files: MemoryFiles, dot: Dot): Promise<readonly Finding[]> {
    const forged = await forge(files.copy(), ({ body, replica, sequence }) => {
      if (replica !== dot.replica || sequence !== dot.sequence) return [body]
      const earlier = body.slice()
      earlier[15] = (earlier[15] as number) - 1
      return [earlier]
    })
    return (await check([forged])).findings
  }

  test('an operation stamped before the one before it of its writer is found, whatever it had seen', async () => {
    const { a, b, filesA } = await openPair()
    for (const key of ['reg:1', 'reg:2']) await a.set(key, key)
    await Promise.all([a.close(), b.close()])
    const dot = { replica: a.engine.replica, sequence: 2 }
    expect(await stampedEarlier(filesA, dot)).toMatchObject([{ kind: 'order', dot }])
  })

  test('an operation stamped before what its writer had seen of others is found, though it is their first', async () => {
    const { a, b, filesB } = await openPair()
    await a.set('reg:1', 'cause')
    await b.pull(a)
    await b.set('reg:1', 'effect')
    await Promise.all([a.close(), b.close()])
    const dot = { replica: b.engine.replica, sequence: 1 }
    expect((await stampedEarlier(filesB, dot))[0]).toMatchObject({ kind: 'order', dot })
  })

  test('an operation whose content was changed takes a second log to be found', async () => {
    const { filesA, filesB, a } = await closedPair()
    const { replica } = a.engine
    const forged = await forge(filesA.copy(), ({ body, replica: writer, sequence }) => {
      if (writer !== replica || sequence !== 1) return [body]
      const other = body.slice()
      other[other.length - 1] = (other.at(-1) as number) ^ 1
      return [other]
    })
    expect((await check([forged])).kinds).toEqual([])
    const { findings } = await check([forged, filesB])
    expect(findings[0]).toMatchObject({ kind: 'difference', dot: { replica, sequence: 1 }, log: 'log 0' })
  })

  test('an operation under the name of a replica that never wrote it is found by the replica itself', async () => {
    const { filesA, filesB, b } = await closedPair()
    const { replica } = b.engine
    let last: Uint8Array = new Uint8Array(0)
    const forged = await forge(filesA.copy(), ({ body, replica: writer, sequence }) => {
      if (writer === replica && sequence === 1) last = body
      return [body]
    })
    const invented = await forge(forged, ({ body, replica: writer, sequence }) => {
      if (writer !== replica || sequence !== 2) return [body]
      const other = last.slice()
      other[12] = 2
      return [other]
    })
    const { findings } = await check([invented, filesB])
    expect(findings.some(({ dot }) => dot?.replica === replica && dot.sequence === 2)).toBe(true)
  })

  test('a record that is not what its kind says is found', async () => {
    const { filesA } = await closedPair()
    let isFirst = true
    const forged = await forge(filesA.copy(), ({ kind, body }) => {
      if (kind !== 1 || !isFirst) return [body]
      isFirst = false
      return [body.subarray(0, 20)]
    })
    expect((await check([forged])).kinds).toContain('malformed')
  })
})

test('a strategy that does not fold alike twice is found, with the operation at which it shows', async () => {
  const { filesA, a } = await closedPair()
  let calls = 0
  const moody = custom<string[]>((old, next) => (++calls > 20 ? [...old] : [...old, ...next]))
  const { report, findings } = await check([filesA], { keys: { ...KEYS, 'list:*': moody } })
  expect(findings.map(({ kind, key }) => [kind, key])).toEqual([['value', 'list:1']])
  expect(report.first?.dot?.replica).toBeDefined()
  expect(a.engine.applied.includes(report.first!.dot!.replica, report.first!.dot!.sequence)).toBe(true)
})

test('a key that cannot be folded as configured is a note, not damage', async () => {
  const { filesA } = await closedPair()
  const { report, kinds } = await check([filesA], { keys: { ...KEYS, 'count:*': custom<number>((_, next) => next) } })
  expect(kinds).toEqual(['unreadable'])
  expect(report).toMatchObject({ isSound: true, notesCount: 1 })
})

test('a snapshot that is not the fold of the operations it stands for is found while they are still there', async () => {
  const pair = await openPair({ retain: 'latest' })
  await writeRounds(pair)
  await pair.a.engine.compact()
  await pair.a.close()
  const keys = keysRetaining('latest')
  expect((await check([pair.filesA], { keys })).findings).toEqual([])
  const table = new ReplicaTable()
  rewriteInPlace(pair.filesA, (kind, body) => {
    if (kind !== 2 || readSnapshot(body, 0, body.length, table).key !== 'reg:1') return
    body[body.length - 1] = (body.at(-1) as number) ^ 1
  })
  const { findings } = await check([pair.filesA], { keys })
  expect(findings.map(({ kind, key }) => [kind, key])).toEqual([['snapshot', 'reg:1']])
})

test('a state kept beside the log that is not the fold of its operations is found, and one that is, is not', async () => {
  const pair = await openPair()
  await writeRounds(pair)
  const { store } = pair.a.engine
  for (const key of ['count:1', 'set:1', 'mv:1', 'text:1', 'list:1', 'own:1']) {
    pair.a.get(key)
    expect(store.values.kept.keep(store.keys.find(key) as number), key).toBe(true)
  }
  await writeRounds(pair, 2)
  await pair.a.close()
  await pair.b.close()
  const forged = pair.filesA.copy()
  expect((await check([pair.filesA])).findings).toEqual([])
  rewriteInPlace(forged, (kind, body) => {
    if (kind === 7) body[body.length - 1] = (body.at(-1) as number) ^ 1
  })
  const { findings, report } = await check([forged])
  expect(report.isSound).toBe(false)
  // Of a merge function nobody else can say what it is.
  expect(findings.map(({ kind, key }) => `${kind} ${key}`).sort()).toEqual(
    ['count:1', 'mv:1', 'own:1', 'set:1', 'text:1'].map((key) => `kept ${key}`),
  )
})

test('an operation that is missing behind a snapshot is found by the count of versions', async () => {
  const pair = await openPair({ retain: { versions: 2 } })
  await writeRounds(pair)
  await pair.a.engine.compact()
  await pair.a.close()
  const table = new ReplicaTable()
  rewriteInPlace(pair.filesA, (kind, body) => {
    if (kind !== 2 || readSnapshot(body, 0, body.length, table).key !== 'reg:1') return
    // The key with its length, format, strategy, flags, through; then how many operations the snapshot stands for: one byte.
    const at = 1 + 'reg:1'.length + 3 + 8
    body[at] = (body[at] as number) - 1
  })
  const { findings } = await check([pair.filesA], { keys: keysRetaining({ versions: 2 }) })
  expect(findings.map(({ kind, key, count }) => [kind, key, count])).toContainEqual(['missing', 'reg:1', 1])
})

test('two logs whose snapshots of the same operations differ are found out', async () => {
  const pair = await openPair({ retain: 'latest' })
  await writeRounds(pair)
  await pair.a.engine.compact()
  await pair.a.close()
  await pair.b.close()
  const table = new ReplicaTable()
  rewriteInPlace(pair.filesA, (kind, body) => {
    if (kind !== 2 || readSnapshot(body, 0, body.length, table).key !== 'count:1') return
    body[body.length - 1] = (body.at(-1) as number) ^ 1
  })
  const { findings } = await check([pair.filesB, pair.filesA], { keys: keysRetaining('latest') })
  expect(findings.map(({ kind, key }) => [kind, key])).toContainEqual(['difference', 'count:1'])
})

test('a damaged checkpoint is found, though no opening needs it', async () => {
  const { filesA } = await closedPair()
  const damaged = filesA.copy()
  const bytes = damaged.bytes('checkpoint-0000000001')
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
  const { findings } = await check([damaged])
  expect(findings.map(({ kind, file }) => [kind, file])).toEqual([['checkpoint', 'checkpoint-0000000001']])
})

test('a checkpoint that the records contradict is found', async () => {
  const { filesA } = await closedPair()
  const forged = filesA.copy()
  const name = 'checkpoint-0000000001'
  const checkpoint = decodeCheckpoint(forged.bytes(name), name) as Checkpoint
  const table = new ReplicaTable()
  const known = new Recovered(new Keyspaces(KEYS), table)
  known.restoreNow(checkpoint.body)
  const { keys, dots, operationsCount, metaPosition, forgotten, feeds, meta } = known
  keys.version[keys.find('reg:1') as number]! += 1
  const body = encodeCheckpoint(
    { format: FORMAT_VERSION, keys, dots, operationsCount, metaPosition, forgotten, feeds, leases: new LeaseBook() },
    meta as Meta,
    table,
  )
  const head = { ...checkpoint, number: 2 }
  await writeCheckpointFile({ files: forged, env: virtualEnv(), head, body, check: () => undefined })
  const { findings } = await check([forged])
  expect(findings.map(({ kind, key }) => [kind, key])).toEqual([['checkpoint', 'reg:1']])
  expect(findings[0]?.message).toContain('version')
})

test('a folder without a log is refused, not called sound', async () => {
  await expect(check([disk()])).rejects.toMatchObject({ code: 'WARP_E_LOG_FOREIGN' })
})

test('a check is given up when its caller does', async () => {
  const { filesA } = await closedPair()
  const signal = AbortSignal.abort()
  await expect(check([filesA], { signal })).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
})

test('progress is told for each phase', async () => {
  const { filesA, filesB } = await closedPair()
  const phases = new Set<string>()
  await check([filesA, filesB], { keys: KEYS, onProgress: ({ phase }) => phases.add(phase) })
  expect([...phases]).toEqual(['opening', 'reading', 'folding', 'comparing'])
})
