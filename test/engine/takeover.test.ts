/** A state is taken over in steps, beside the present one, and takes its place at once. */
import { expect, test } from 'vitest'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { finishNow, Step, STEP, UNBOUNDED } from '../../src/operation/budget.ts'
import type { SnapshotImport } from '../../src/membership/snapshot-ports.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine, type FixtureOptions } from './engine-fixture.ts'

const KEYS = 3000
const OWN = 5000

function open(label: string, options: FixtureOptions = {}): Promise<TestEngine> {
  return TestEngine.open({ env: virtualEnv({ seed: label }), ...options })
}

/** `a` has compacted what `b` has not seen, and `b` has written what `a` has not. */
async function behind(own = OWN, options: FixtureOptions = {}) {
  const a = await open('a')
  const b = await open('b', options)
  await a.set('reg:0', 'old')
  await exchange(a, b)
  for (let round = 0; round < 2; round++) for (let i = 0; i < KEYS; i++) await a.set(`reg:${i}`, i + round)
  await a.engine.compact()
  for (let i = 0; i < own; i++) await b.write('count:1', 'increment', [1])
  await b.write('own:1', 'increment', [7])
  return { a, b }
}

/** Hands over all chunks, and does not finish. */
function received(a: TestEngine, b: TestEngine, chunkBytes = 65_536): SnapshotImport {
  const source = a.engine.exportSnapshot(chunkBytes)
  const target = b.engine.beginSnapshot(source.vector)
  for (let chunk = source.next(); chunk !== undefined; chunk = source.next()) target.chunk(chunk)
  return target
}

/** Counts the records that are looked at or written, whatever a meter says of it. */
function counted({ engine: { log } }: TestEngine) {
  const work = { records: 0, bytes: 0 }
  const [record, scan, commit] = [log.record.bind(log), log.scan.bind(log), log.commit.bind(log)]
  const beginGroup = log.beginGroup.bind(log)
  log.record = (position) => {
    const found = record(position)
    work.records++
    work.bytes += found.end - found.start
    return found
  }
  log.scan = (from, visit) =>
    scan(from, (found) => {
      work.records++
      work.bytes += found.end - found.start
      return visit(found)
    })
  log.commit = (...given) => {
    work.records++
    return commit(...given)
  }
  log.beginGroup = (freeNumbers) => {
    const group = beginGroup(freeNumbers)
    const commitInGroup = group.commit.bind(group)
    group.commit = (...given) => {
      work.records++
      return commitInGroup(...given)
    }
    return group
  }
  return work
}

/** Does the steps one by one, with `between` in the turns between. Returns how many there were. */
async function inSteps(target: SnapshotImport, between: (step: number) => Promise<void> | void): Promise<number> {
  const meter = new Step()
  const steps = target.steps(meter)
  for (let step = 1; ; step++) {
    if (steps.next().done === true) return step
    await between(step)
    meter.begin()
  }
}

test('a state is built in steps of bounded work', async () => {
  const { a, b } = await behind()
  const target = received(a, b)
  const work = counted(b)
  let [records, bytes] = [0, 0]
  const look = (): void => {
    records = Math.max(records, work.records)
    bytes = Math.max(bytes, work.bytes)
    work.records = work.bytes = 0
  }
  const steps = await inSteps(target, look)
  look()
  expect(steps).toBeGreaterThan(15)
  expect(records).toBeGreaterThan(0)
  // What is read of a chunk, and what ends the group, is beside that.
  expect(records).toBeLessThanOrEqual(STEP.operations + 4)
  expect(bytes).toBeLessThanOrEqual(STEP.bytes + 65_536)
  expect([b.get('reg:7'), b.get('count:1'), b.get('own:1')]).toEqual([8, OWN, 7])
})

test('a chunk is checked, and its keys are put in their places, in steps, however many are in it', async () => {
  const { a, b } = await behind(0)
  const source = a.engine.exportSnapshot(16_777_216)
  const target = b.engine.beginSnapshot(source.vector)
  const chunk = source.next() as Uint8Array
  expect(source.next()).toBe(undefined)
  const meter = new Step()
  const spent: number[] = []
  for (const steps of [target.chunkSteps(chunk, meter), target.steps(meter)]) {
    const before = spent.length
    for (let isDone = false; !isDone;) {
      isDone = steps.next().done === true
      spent.push(meter.operationsSpent)
      meter.begin()
    }
    expect(spent.length - before).toBeGreaterThan(KEYS / STEP.operations)
  }
  expect(Math.max(...spent)).toBeLessThanOrEqual(STEP.operations)
  expect(b.get('reg:7')).toBe(8)
})

test('until the last step reads find the present state, and then all of the new one', async () => {
  const { a, b } = await behind()
  const before = b.state()
  await inSteps(received(a, b), () => {
    expect(b.state()).toEqual(before)
    expect(b.engine.applied.get(a.engine.replica)).toBe(1)
  })
  expect(b.state().values).toMatchObject({ ...a.state().values, 'count:1': [OWN, OWN], 'own:1': [7, 1] })
})

test('what is written while a state is taken over is neither lost nor counted twice', async () => {
  const { a, b } = await behind()
  let written = 0
  await inSteps(received(a, b), async (step) => {
    await b.write('count:1', 'increment', [1000])
    await b.set(`reg:${step}`, 'mine')
    await b.write('set:1', 'add', [`w${step}`])
    await b.write('own:1', 'increment', [1])
    written = step
    expect(b.get('count:1')).toBe(OWN + 1000 * step)
  })
  expect(written).toBeGreaterThan(5)
  for (const replica of [b, a]) {
    expect(replica.get('count:1')).toBe(OWN + 1000 * written)
    expect(replica.get('reg:1')).toBe('mine')
    expect((replica.get('set:1') as Set<string>).size).toBe(written)
    await exchange(a, b)
  }
  expect(b.get('own:1')).toBe(7 + written)
  expect(a.state().values).toEqual({ ...b.state().values, 'own:1': undefined })
})

test('a write in the last turn before the new state comes is part of it', async () => {
  const { a, b } = await behind()
  const steps = await inSteps(received(a, b), () => void b.write('count:1', 'increment', [1000]))
  const total = OWN + 1000 * (steps - 1)
  expect(b.get('count:1')).toBe(total)
  await exchange(a, b)
  expect([a.get('count:1'), b.get('count:1')]).toEqual([total, total])
})

/** Does so many steps, and one more. Returns whether that was all. */
async function isDoneWithin(target: SnapshotImport, count: number): Promise<boolean> {
  const meter = new Step()
  const steps = target.steps(meter)
  for (let left = count; left >= 0; left--) {
    if (steps.next().done === true) return true
    await Promise.resolve()
    meter.begin()
  }
  return false
}

test('taking over that is given up at any step leaves the present state, and a later one succeeds', async () => {
  const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
  const { a, b } = await behind(1000, { files })
  const before = b.state()
  const areThere = { groups: 0 }
  for (let round = 0; ; round++) {
    const target = received(a, b)
    if (await isDoneWithin(target, 5 * round)) break
    areThere.groups += files.list().filter((name) => name.endsWith('.new')).length
    target.abandon()
    expect(b.state()).toEqual(before)
    expect(files.list().filter((name) => name.endsWith('.new'))).toEqual([])
    expect(() => finishNow(target.steps(UNBOUNDED))).toThrow(expect.objectContaining({ code: 'WARP_E_PROTOCOL' }))
  }
  expect(areThere.groups).toBeGreaterThan(0)
  expect([b.get('reg:7'), b.get('count:1')]).toEqual([8, 1000])
  expect((await b.engine.compact()).droppedOperationsCount).toBeGreaterThan(0)
})

test('after a restart the state that was taken over is there, from the log and from a checkpoint', async () => {
  const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
  const { a, b } = await behind(20, { files })
  b.install(a)
  const { values } = b.state()
  await b.engine.log.settled('durable')
  const killed = await open('c', { files: files.copy({ persistent: true, home: 'b', bootId: '1' }) })
  expect(killed.state().values).toEqual(values)
  // Whoever had followed the log before has a gap.
  expect(killed.engine.store.keys.forgottenThrough).toBeGreaterThan(0)
  await b.engine.checkpoint()
  await b.write('count:1', 'increment', [1])
  await b.close()
  const again = await open('d', { files })
  expect(again.engine.log.recovery.checkpointUsed).toBe(true)
  expect(again.state().values).toEqual({ ...values, 'count:1': [21, 21] })
  await again.engine.compact()
  await again.close()
  const compacted = await open('e', { files })
  expect(compacted.get('count:1')).toBe(21)
  expect(compacted.get('reg:7')).toBe(8)
})

test('what a state replaces is garbage: compaction drops it, one state after the other', async () => {
  const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
  const a = await open('a')
  const b = await open('b', { files, segmentBytes: 4096 })
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 100; i++) await a.set(`reg:${i}`, `round ${round}`)
    await a.engine.compact()
    b.install(a)
    await b.write('own:1', 'increment', [1])
    await b.engine.compact()
    expect(b.state().values).toEqual({ ...a.state().values, 'own:1': [round + 1, round + 1] })
  }
  expect(b.engine.log.stats().bytes).toBeLessThan(30_000)
  await b.close()
  const again = await open('c', { files })
  expect(again.state().values).toEqual({ ...a.state().values, 'own:1': [4, 4] })
})

test('a checkpoint that is being written when the new state comes is of the old one', async () => {
  const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
  const { a, b } = await behind(STEP.operations * 3, { files })
  for (let i = 0; i < STEP.operations * 2; i++) await b.set(`kept:${i}`, i)
  await b.write('own:2', 'increment', [3])
  const target = received(a, b)
  const written = b.engine.checkpoint()
  await b.env.yield()
  target.finish()
  await written
  await b.engine.log.settled('durable')
  const { values } = b.state()
  const again = await open('c', { files: files.copy({ persistent: true, home: 'b', bootId: '1' }) })
  expect(again.engine.log.recovery.checkpointUsed).toBe(true)
  expect(again.state().values).toEqual(values)
})

test('all of a state but its last step is in the files before it comes, and is read from there', async () => {
  const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
  const { a, b } = await behind(200, { files })
  await b.engine.log.settled('durable')
  const stored = (): number => files.list().reduce((sum, name) => sum + files.bytes(name).findLastIndex(Boolean) + 1, 0)
  let before = 0
  await inSteps(received(a, b), async () => {
    await b.engine.log.settled('durable')
    before = stored()
  })
  await b.engine.log.settled('durable')
  expect(before).toBeGreaterThan(KEYS * 50)
  expect(stored() - before).toBeLessThan(STEP.bytes)
  const { values } = b.state()
  const again = await open('c', { files: files.copy({ persistent: true, home: 'b', bootId: '1' }) })
  expect(again.state().values).toEqual(values)
})

test('who writes more in each turn than a step carries over does not keep the state away', async () => {
  const { a, b } = await behind(100)
  let written = 0
  const steps = await inSteps(received(a, b), async (step) => {
    for (let i = 0; i < 400 && step < 100; i++, written++) await b.write('count:1', 'increment', [1])
  })
  expect(steps).toBeLessThan(100)
  expect([b.get('count:1'), b.get('reg:7')]).toEqual([100 + written, 8])
})

test('a state that more is written meanwhile than room was left for is written again, and nothing is lost', async () => {
  const files = memoryFiles({ persistent: true, home: 'b', bootId: '1' })
  const { a, b } = await behind(100, { files, segmentBytes: 4096 })
  let [begun, written] = [0, 0]
  const { log } = b.engine
  const beginGroup = log.beginGroup.bind(log)
  log.beginGroup = (freeNumbers) => {
    begun++
    return beginGroup(freeNumbers)
  }
  await inSteps(received(a, b), async () => {
    for (let i = 0; i < 200 && begun < 3; i++, written++) await b.write('count:1', 'increment', [1000])
  })
  expect(begun).toBe(3)
  expect([b.get('count:1'), b.get('reg:7')]).toEqual([100 + 1000 * written, 8])
  const { values } = b.state()
  await log.settled('durable')
  expect(files.list().filter((name) => name.endsWith('.new'))).toEqual([])
  const again = await open('c', { files: files.copy({ persistent: true, home: 'b', bootId: '1' }) })
  expect(again.state().values).toEqual(values)
})

test('one key with a state of 10 MB is taken over without a look at it', async () => {
  const [a, b] = [await open('a'), await open('b')]
  const large = 'x'.repeat(900_000)
  for (let i = 0; i < 11; i++) await a.set('list:1', [large])
  await a.engine.compact()
  const target = received(a, b, 262_144)
  const work = counted(b)
  let bytes = 0
  await inSteps(target, () => {
    bytes = Math.max(bytes, work.bytes)
    work.bytes = 0
  })
  expect(bytes).toBeLessThan(11_000_000)
  expect((b.get('list:1') as string[]).length).toBe(11)
})
