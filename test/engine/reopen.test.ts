import { describe, expect, test } from 'vitest'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { seededRandom } from '../../testing/world/random.ts'
import { VIRTUAL_START_MS, virtualEnv } from '../../testing/world/virtual-env.ts'
import type { LogFiles } from '../../src/ports/files.ts'
import { memoryFiles, type MemoryFiles } from '../../src/log/files/memory-files.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { forgetKey } from '../../src/compaction/forgotten.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { cutLog, exchange, TestEngine, usedBytes, type FixtureOptions } from './engine-fixture.ts'

async function writeSome(replica: TestEngine): Promise<void> {
  await replica.set('reg:1', 'a')
  await replica.set('reg:1', 'b')
  await replica.write('count:1', 'increment', [3])
  await replica.write('set:1', 'add', ['x', 'y'])
  await replica.write('set:1', 'remove', ['x'])
  await replica.write('text:1', 'insert', [0, 'hello'])
  await replica.set('list:1', ['1'])
  await replica.set('list:1', ['2'])
  await replica.set('mv:1', 'one')
  await replica.write('own:1', 'increment', [7])
  await replica.set('reg:gone', 1)
  await replica.write('reg:gone', 'delete')
}

function lastHlc(replica: TestEngine): number {
  return replica.engine.store.clock.last
}

/** What is on the disk after a power failure that took back the newest `left` operations. */
async function afterPowerFailure(
  replica: TestEngine,
  files: MemoryFiles,
  { boot, left }: { boot: number; left: number },
): Promise<MemoryFiles> {
  await replica.engine.log.settled('durable')
  const starts: number[] = []
  replica.engine.log.scan(0, ({ position, kind }) =>
    kind === RECORD_KIND.operation ? starts.push(position) > 0 : true,
  )
  const disk = files.copy({ persistent: true, home: 'b', bootId: `${boot}` })
  cutLog(disk, starts.at(-left) as number)
  return disk
}

const open = (files: FaultyFiles, options: FixtureOptions = {}): Promise<TestEngine> =>
  TestEngine.open({ files, retain: 'all', segmentBytes: 1024, ...options })

test.each(['closed', 'closed twice', 'killed', 'killed with a checkpoint'])(
  'a log that was %s is read as it was',
  async (how) => {
    const files = faultyFiles()
    const replica = await open(files)
    await writeSome(replica)
    const before = replica.state()
    const history = (await replica.history.explain('list:1')).operations
    if (how === 'killed with a checkpoint') {
      await replica.engine.checkpoint()
      await replica.set('reg:2', 'behind it')
      await replica.write('own:1', 'increment', [1])
    }
    const expected = replica.state()
    if (how.startsWith('closed')) await replica.close()
    let again = await open(files.kill())
    if (how === 'closed twice') {
      await again.close()
      again = await open(files.kill())
    }
    expect(again.state()).toEqual(expected)
    if (how.startsWith('closed')) expect(again.state()).toEqual(before)
    expect(again.engine.replica).toBe(replica.engine.replica)
    expect(again.events.filter(({ kind }) => kind === 'identity:changed')).toEqual([])
    expect((await again.history.explain('list:1')).operations).toEqual(history)
    expect(await again.history.getAt('reg:1', { version: 1 })).toBe('a')
    const shared = again.engine.applied.get(again.engine.replica)
    expect((await again.set('reg:1', 'c')).dot).toEqual({ replica: again.engine.replica, sequence: shared + 1 })
    const own = await again.write('own:1', 'increment', [1])
    expect(own.dot?.sequence).toBe(how === 'killed with a checkpoint' ? 3 : 2)
  },
)

test('opening with a checkpoint does not read again what it covers', async () => {
  const files = faultyFiles()
  const replica = await open(files)
  for (let i = 0; i < 500; i++) void replica.set(`reg:${i % 50}`, i)
  await replica.engine.checkpoint()
  for (let i = 0; i < 7; i++) await replica.set('reg:1', i)
  const again = await open(files.kill())
  expect(again.engine.log.recovery).toMatchObject({ checkpointUsed: true, replayed: 7 })
  expect(again.state()).toEqual(replica.state())
})

test('stamps go up over restarts, whatever the clock does meanwhile', async () => {
  const files = faultyFiles()
  const dayMs = 86_400_000
  let hlc = 0
  let disk: FaultyFiles = files
  for (const offsetMs of [0, -dayMs, dayMs, -365 * dayMs, 0]) {
    const replica = await open(disk, { retain: 'latest', env: virtualEnv({ wallMs: VIRTUAL_START_MS + offsetMs }) })
    expect(lastHlc(replica)).toBeGreaterThanOrEqual(hlc)
    for (const key of ['reg:1', 'own:1', 'reg:gone']) {
      if (key === 'own:1') await replica.write(key, 'increment', [1])
      else await replica.set(key, offsetMs)
      expect(lastHlc(replica)).toBeGreaterThan(hlc)
      hlc = lastHlc(replica)
    }
    await replica.write('reg:gone', 'delete')
    await replica.write('own:1', 'delete')
    hlc = lastHlc(replica)
    for (let i = 0; i < 30; i++) await replica.set('kept:1', 'x'.repeat(100))
    hlc = lastHlc(replica)
    await replica.engine.compact()
    await replica.engine.log.settled('durable')
    disk = disk.kill()
  }
})

test('the clock of a key of mode local survives that all its records are gone', async () => {
  const files = faultyFiles()
  const ahead = await open(files, { retain: 'latest', env: virtualEnv({ wallMs: VIRTUAL_START_MS + 1e9 }) })
  await ahead.write('own:1', 'increment', [1])
  await ahead.write('own:1', 'delete')
  const hlc = lastHlc(ahead)
  await ahead.engine.compact()
  const again = await open(files.kill(), { retain: 'latest' })
  expect(lastHlc(again)).toBeGreaterThanOrEqual(hlc)
})

test('sequences of the local lane are not used twice after their records are gone', async () => {
  const files = faultyFiles()
  const replica = await open(files, { retain: 'latest' })
  for (let i = 0; i < 60; i++) await replica.write('own:1', 'increment', [1])
  await replica.engine.compact()
  await replica.engine.compact()
  await replica.engine.log.settled('durable')
  const again = await open(files.kill(), { retain: 'latest' })
  expect(again.get('own:1')).toBe(60)
  const receipt = await again.write('own:1', 'increment', [1])
  expect(receipt.dot?.sequence).toBe(61)
})

/** What was acknowledged at each level before the lights went out. */
async function powerFailure(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const files = faultyFiles({ seed })
  const replica = await open(files, { retain: 'latest' })
  const dots = new Map<string, string>()
  let isOver = false
  const durable = new Map<string, number>()
  for (let i = 1; i <= 60 && !isOver; i++) {
    const key = `kept:${random.below(5)}`
    const promise = replica.write(key, 'set', [i], { ack: random.chance(0.3) ? 'durable' : 'logged' })
    void promise.then(
      ({ dot, ack }) => {
        if (!isOver && ack === 'durable') durable.set(key, i)
        dots.set(`${dot?.replica}:${dot?.sequence}`, `${key}=${i}`)
      },
      () => undefined,
    )
    if (random.chance(0.1)) await replica.engine.compact()
    else if (random.chance(0.3)) await replica.env.advance(random.below(30))
  }
  isOver = true
  const survived = await open(files.crash(), { retain: 'latest', env: virtualEnv({ seed: seed + 1000 }) })
  for (const [key, value] of durable) expect(survived.get(key), `seed ${seed}: ${key}`).toBeGreaterThanOrEqual(value)
  // No dot is used for something else.
  expect(survived.engine.replica).not.toBe(replica.engine.replica)
  const { dot } = await survived.set('kept:1', 'new')
  expect(dots.has(`${dot?.replica}:${dot?.sequence}`)).toBe(false)
}

test('a power failure loses nothing that was acknowledged as durable, and no dot is used again', async () => {
  for (let seed = 1; seed <= 40; seed++) await powerFailure(seed)
})

test('a process that is killed loses nothing that was acknowledged as logged', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed)
    const files = faultyFiles({ seed })
    const replica = await open(files, { retain: 'latest' })
    const acknowledged = new Map<string, number>()
    for (let i = 1; i <= 50; i++) {
      const key = `kept:${random.below(5)}`
      void replica.set(key, i).then(
        () => acknowledged.set(key, i),
        () => undefined,
      )
      if (random.chance(0.2)) await replica.env.yield()
    }
    const known = new Map(acknowledged)
    const survived = await open(files.kill(), { retain: 'latest' })
    for (const [key, value] of known) expect(survived.get(key)).toBeGreaterThanOrEqual(value)
    expect(survived.engine.replica).toBe(replica.engine.replica)
  }
})

describe('the installation of a snapshot', () => {
  async function behind(files: LogFiles, segmentBytes = 1024) {
    const env = virtualEnv({ seed: 9 })
    const a = await TestEngine.open({ env: env.fork({ label: 'a' }) })
    const b = await TestEngine.open({ files, env: env.fork({ label: 'b' }), segmentBytes })
    for (let i = 0; i < 5; i++) await a.set(`reg:${i}`, 'old')
    await a.write('count:1', 'increment', [1])
    await b.pull(a)
    for (let i = 0; i < 5; i++) await a.set(`reg:${i}`, 'new')
    await a.write('reg:4', 'delete')
    await a.write('count:1', 'increment', [10])
    await a.engine.compact()
    await b.write('count:1', 'increment', [100])
    await b.set('reg:own', 'b')
    await b.engine.log.settled('durable')
    return { a, b }
  }

  /** Dies at a step of an installation. Returns `false` if there is no such step. */
  async function installAndCrash(seed: number, step: number): Promise<boolean> {
    const files = faultyFiles({ seed })
    const { a, b } = await behind(files)
    files.crashAtStep(files.steps + step)
    try {
      b.install(a, 200)
      await b.engine.log.settled('durable')
      await b.engine.checkpoint()
    } catch {
      expect(files.crashed).toBe(true)
    }
    const hasCrashed = files.crashed
    // Every other time only the process dies: then all that was written is there.
    const after = seed % 2 === 0 ? files.kill() : files.crash()
    const again = await TestEngine.open({ files: after, env: virtualEnv({ seed: step + 77 }), segmentBytes: 1024 })
    await expectOneState(a, again)
    return hasCrashed
  }

  const BEFORE = { 'count:1': 101, 'reg:own': 'b', 'reg:3': 'old', 'reg:4': 'old' }
  const EXPECTED = { 'count:1': 111, 'reg:own': 'b', 'reg:3': 'new', 'reg:4': undefined }

  function read(replica: TestEngine): unknown {
    return Object.fromEntries(Object.keys(EXPECTED).map((key) => [key, replica.get(key)]))
  }

  /** The state of before or the one that was taken over, and nothing between. Returns whether it is the new one. */
  async function expectOneState(a: TestEngine, b: TestEngine): Promise<boolean> {
    expect(b.engine.needsSnapshot).toBe(false)
    expect(b.events.some(({ kind }) => kind === 'resync:interrupted')).toBe(false)
    const isNew = b.engine.applied.dominates(a.engine.applied)
    expect(read(b)).toEqual(isNew ? EXPECTED : BEFORE)
    if (!isNew) b.install(a, 200)
    await expectMerged(a, b)
    return isNew
  }

  async function expectMerged(a: TestEngine, b: TestEngine): Promise<void> {
    expect(read(b)).toEqual(EXPECTED)
    await exchange(a, b)
    expect(read(a)).toEqual(EXPECTED)
    expect(read(b)).toEqual(EXPECTED)
  }

  test('may die at every step: the old state is there or the new one, and own operations count once in the end', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      let step = 0
      while (await installAndCrash(seed, step)) step++
      expect(step).toBeGreaterThan(5)
    }
  })

  test('a log that ends at any record of it holds the old state or the new one, whole', async () => {
    const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
    const { b } = await behind(files, 65_536)
    const from = b.engine.log.end
    b.install((await behind(faultyFiles())).a, 200)
    await b.engine.log.settled('durable')
    const ends: number[] = []
    b.engine.log.scan(from, ({ position, next }) => ends.push(position, next) > 0)
    const found = { old: 0, new: 0 }
    for (const end of new Set(ends)) {
      const cut = files.copy()
      cutLog(cut, end)
      const { a } = await behind(faultyFiles())
      const again = await TestEngine.open({ files: cut, env: virtualEnv({ seed: 3 }) })
      found[(await expectOneState(a, again)) ? 'new' : 'old']++
    }
    expect(found.old).toBeGreaterThan(10)
    expect(found.new).toBeGreaterThan(0)
  })

  test('operations that an earlier build was issuing again when its process died go on from there', async () => {
    const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
    const { engine, ...b } = await TestEngine.open({ files })
    const former = engine.replica
    const target = { keyspace: engine.store.keyspaceOf('count:1'), key: 'count:1', kind: OPERATION_KIND.update }
    for (let i = 0; i < 10; i++)
      engine.store.append({ ...target, slot: engine.store.keys.find('count:1'), payload: 100 })
    // It has taken over an empty state, and issued three of ten operations again.
    forgetKey(engine.store, engine.store.keys.find('count:1') as number)
    const { identity } = engine
    identity.formers.raise(former, 10)
    identity.reissuing.raise(former, 10)
    engine.applied.assign(new VersionVector())
    identity.takeNew()
    for (let i = 1; i <= 3; i++) {
      const fields = { former: [[former, i] as const], origin: { replica: former, sequence: i } }
      engine.store.append({ ...target, slot: engine.store.keys.find('count:1'), payload: 100, fields })
    }
    await engine.log.settled('durable')
    expect(b.events.at(-1)).toMatchObject({ kind: 'identity:changed', from: former })
    const again = await TestEngine.open({ files: files.copy(), env: virtualEnv({ seed: 3 }) })
    expect(again.get('count:1')).toBe(1000)
    expect(again.engine.applied.get(again.engine.replica)).toBe(10)
  })

  test('own operations count once though the machine goes down twice while they are issued again', async () => {
    const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
    const a = await TestEngine.open({ env: virtualEnv({ seed: 1 }) })
    let b = await TestEngine.open({ files, env: virtualEnv({ seed: 2 }) })
    await a.write('count:1', 'increment', [1])
    for (let i = 0; i < 10; i++) await b.write('count:1', 'increment', [100])
    let disk = files
    for (const [boot, left] of [
      [2, 7],
      [3, 4],
    ] as const) {
      b.install(a)
      expect(b.get('count:1')).toBe(1001)
      disk = await afterPowerFailure(b, disk, { boot, left })
      b = await TestEngine.open({ files: disk, env: virtualEnv({ seed: boot }) })
      expect(b.get('count:1')).toBe(1000)
    }
    b.install(a)
    await b.engine.outlet.settled()
    expect(b.get('count:1')).toBe(1001)
    await exchange(a, b)
    expect([a.get('count:1'), b.get('count:1')]).toEqual([1001, 1001])
  })

  test('an own operation that a power failure took and a peer gave back is issued again though the machine goes down meanwhile', async () => {
    const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
    const [a, fresh] = [await TestEngine.open(), await TestEngine.open({ env: virtualEnv({ seed: 9 }) })]
    let b = await TestEngine.open({ files, env: virtualEnv({ seed: 2 }) })
    for (let i = 0; i < 6; i++) await b.write('count:1', 'increment', [100])
    await a.pull(b)
    let disk = await afterPowerFailure(b, files, { boot: 2, left: 1 })
    b = await TestEngine.open({ files: disk, env: virtualEnv({ seed: 3 }) })
    expect(b.get('count:1')).toBe(500)
    await b.pull(a)
    expect(b.get('count:1')).toBe(600)
    await fresh.set('reg:1', 1)
    b.install(fresh)
    expect(b.get('count:1')).toBe(600)
    // Two of six have been issued again.
    disk = await afterPowerFailure(b, disk, { boot: 3, left: 4 })
    b = await TestEngine.open({ files: disk, env: virtualEnv({ seed: 4 }) })
    expect(b.get('count:1')).toBe(600)
  })

  test.each(['restart', 'go on'])(
    'a disk that is full in the middle loses nothing of what follows: %s',
    async (how) => {
      let failures = 0
      for (let spaceBytes = 0, isFull = true; isFull; spaceBytes += 100) {
        const files = faultyFiles()
        const { a, b } = await behind(files)
        for (let i = 0; i < 20; i++) await b.write('set:1', 'add', [`${i}`])
        files.spaceBytes = usedBytes(files) + spaceBytes
        try {
          b.install(a, 200)
          isFull = false
        } catch (error) {
          expect(error).toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
          expect(read(b)).toEqual(BEFORE)
          failures++
        }
        files.spaceBytes = Infinity
        await b.set('reg:meanwhile', 1)
        await b.engine.log.settled('durable')
        const after = how === 'go on' ? b : await TestEngine.open({ files: files.kill(), env: virtualEnv({ seed: 7 }) })
        if (!after.engine.applied.dominates(a.engine.applied) || after.engine.needsSnapshot) after.install(a, 200)
        await after.engine.outlet.settled()
        expect(after.engine.outlet.through).toBe(after.engine.end)
        expect(after.get('reg:meanwhile')).toBe(1)
        await expectMerged(a, after)
      }
      expect(failures).toBeGreaterThan(3)
    },
  )
})
