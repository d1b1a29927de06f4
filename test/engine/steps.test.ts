import { describe, expect, test } from 'vitest'
import { listKeys } from '../../src/api/key-listing.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { TOO_LONG } from '../../src/cache/values.ts'
import { STEP } from '../../src/operation/budget.ts'
import { readInSteps } from '../../src/store/read-steadily.ts'
import { counter, map, register } from '../../crdt/index.ts'
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { type VirtualEnv, virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, keysRetaining, TestEngine, type FixtureOptions } from './engine-fixture.ts'

/** Counts the records that are looked at between two turns of the event loop, and their bytes: the work, whatever a budget says of it. */
class Work {
  readonly env: VirtualEnv
  /** Of each turn. */
  readonly records: number[] = [0]
  readonly bytes: number[] = [0]
  /** Called in each turn. */
  onTurn: (turn: number) => void = () => undefined

  constructor() {
    const env = virtualEnv()
    this.env = {
      ...env,
      yield: async () => {
        await env.yield()
        this.records.push(0)
        this.bytes.push(0)
        this.onTurn(this.records.length - 1)
      },
    }
  }

  watch({ engine: { log } }: TestEngine): void {
    const record = log.record.bind(log)
    const discard = log.discard.bind(log)
    log.record = (position) => {
      const found = record(position)
      this.#count(found.end - found.start)
      return found
    }
    log.discard = (position) => {
      this.#count(0)
      discard(position)
    }
  }

  begin(): void {
    this.records.splice(0, Infinity, 0)
    this.bytes.splice(0, Infinity, 0)
  }

  #count(bytes: number): void {
    this.records[this.records.length - 1]!++
    this.bytes[this.bytes.length - 1]! += bytes
  }
}

async function watched(options: FixtureOptions = {}) {
  const work = new Work()
  const replica = await TestEngine.open({ ...options, env: work.env })
  work.watch(replica)
  return { work, replica }
}

/** The base and the operation with which a step ends. */
const SLACK = 3

describe('compaction takes steps that are bounded in operations and bytes', () => {
  test('one key with many operations is compacted in steps', async () => {
    const { work, replica } = await watched()
    for (let i = 0; i < 20_000; i++) void replica.write('count:1', 'increment', [1])
    work.begin()
    await replica.engine.compact()
    expect(Math.max(...work.records)).toBeLessThanOrEqual(STEP.operations + SLACK)
    expect(work.records.length).toBeGreaterThan(40)
    expect(replica.engine.operationsCount).toBe(0)
    expect(replica.get('count:1')).toBe(20_000)
  })

  test('so is one with deletes, and one of which the end is retained', async () => {
    const { work, replica } = await watched({ retain: { versions: 3000 } })
    for (let i = 0; i < 6000; i++) {
      void replica.write('count:1', 'increment', [1])
      if (i % 10 === 9) void replica.write('count:1', 'delete')
    }
    void replica.write('count:1', 'increment', [7])
    work.begin()
    await replica.engine.compact()
    expect(Math.max(...work.records)).toBeLessThanOrEqual(STEP.operations + SLACK)
    expect(replica.engine.operationsCount).toBe(3000)
    expect(replica.get('count:1')).toBe(7)
  })

  test('large operations end a step sooner', async () => {
    const { work, replica } = await watched()
    for (let i = 0; i < 200; i++) void replica.write('set:1', 'add', [`${i}`.padEnd(20_000, '.')])
    work.begin()
    await replica.engine.compact()
    expect(Math.max(...work.bytes)).toBeLessThanOrEqual(STEP.bytes + 2 * 21_000)
    expect(replica.get('set:1')).toHaveLength(200)
  })

  test('a large state is compacted and read in steps', async () => {
    const { work, replica } = await watched()
    for (let i = 0; i < 20_000; i++) void replica.write('set:1', 'add', [`element ${i}`.padEnd(30, '.')])
    const folding = Math.ceil(20_000 / STEP.operations) * 4
    work.begin()
    await replica.engine.compact()
    // A turn for some of the elements at most, beside those for the operations.
    expect(work.records.length).toBeGreaterThan(folding + 15)
    const { store } = replica.engine
    const slot = store.keys.find('set:1') ?? -1
    store.values.drop(slot)
    expect(store.values.readShort(slot)).toBe(TOO_LONG)
    expect(store.values.peek(slot)).toBeUndefined()
    work.begin()
    expect(await readInSteps(store, slot, () => undefined)).toHaveLength(20_000)
    expect(work.records.length).toBeGreaterThanOrEqual(4)
    expect(store.values.peek(slot)).toHaveLength(20_000)
  })

  test('a run that is given up while a state is encoded leaves the key as it was', async () => {
    const { work, replica } = await watched()
    const add = (i: number) => replica.write('set:1', 'add', [`element ${i}`])
    for (let i = 0; i < 9000; i++) void add(i)
    const turns = await turnsOfCompaction()
    const DISCARDING = Math.ceil(9000 / STEP.operations)
    const REWRITING = Math.ceil(9000 / 1024)
    const controller = new AbortController()
    work.begin()
    work.onTurn = (turn) => {
      if (turn === turns - DISCARDING - REWRITING - 4) controller.abort()
    }
    await expect(replica.engine.compact(controller.signal)).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
    expect(replica.engine.operationsCount).toBe(9000)
    work.onTurn = () => void add(9000)
    await replica.engine.compact()
    expect(replica.get('set:1')).toHaveLength(9001)
    replica.engine.store.values.drop(replica.engine.store.keys.find('set:1') ?? -1)
    expect(replica.get('set:1')).toHaveLength(9001)

    /** Of the same key elsewhere. */
    async function turnsOfCompaction(): Promise<number> {
      const other = await watched()
      for (let i = 0; i < 9000; i++) void other.replica.write('set:1', 'add', [`element ${i}`])
      other.work.begin()
      await other.replica.engine.compact()
      return other.work.records.length
    }
  })

  test('many small keys share a step', async () => {
    const { work, replica } = await watched()
    for (let i = 0; i < 3000; i++) for (let j = 0; j < 2; j++) void replica.set(`reg:${i}`, j)
    work.begin()
    await replica.engine.compact()
    expect(Math.max(...work.records)).toBeLessThanOrEqual(STEP.operations + 20)
    expect(work.records.length).toBeLessThan(100)
    expect(replica.engine.operationsCount).toBe(0)
  })
})

describe('a key that is hot while a peer lags', () => {
  /** A replica that writes to one key all the time, of which others have the first half. */
  async function hotKey() {
    const { work, replica } = await watched({ isReplicated: true })
    const { engine, env } = replica
    const write = (count: number) => {
      for (let i = 0; i < count; i++) void replica.write('count:1', 'increment', [1])
    }
    write(20_000)
    const stabilise = (sequence: number) => {
      engine.metOthers()
      engine.stabilise(VersionVector.from([[engine.replica, sequence]]))
    }
    return { work, replica, engine, env, write, stabilise }
  }

  test('is walked over as often as its length allows, not as often as it is written', async () => {
    const { work, replica, engine, env, write, stabilise } = await hotKey()
    stabilise(10_000)
    work.begin()
    for (let round = 0; round < 20; round++) {
      write(500)
      stabilise(10_000 + 500 * round)
      await env.advance(110)
    }
    const looked = work.records.reduce((sum, records) => sum + records)
    // A walk takes three looks at each of some 20,000, and is worth a rest of 400 ms.
    expect(looked).toBeLessThan(600_000)
    expect(replica.get('count:1')).toBe(30_000)
    // What was stable at the end goes also if nobody writes any more.
    await env.advance(2000)
    stabilise(20_000)
    await env.advance(110)
    expect(engine.operationsCount).toBe(10_000)
    stabilise(21_000)
    await env.advance(110)
    expect(engine.operationsCount).toBe(10_000)
    await env.advance(2000)
    expect(engine.operationsCount).toBe(9000)
  })

  test('is compacted as a whole when that is asked for', async () => {
    const { engine, write, stabilise } = await hotKey()
    stabilise(10_000)
    await engine.compact()
    write(100)
    stabilise(20_000)
    await engine.compact()
    expect(engine.operationsCount).toBe(100)
  })
})

describe('what happens to a key while it is compacted', () => {
  test('operations that come meanwhile stay behind the snapshot', async () => {
    const { work, replica } = await watched()
    for (let i = 0; i < 5000; i++) void replica.write('count:1', 'increment', [1])
    work.onTurn = () => void replica.write('count:1', 'increment', [1])
    await replica.engine.compact()
    work.onTurn = () => undefined
    const expected = replica.version('count:1')
    expect(expected).toBeGreaterThan(5005)
    expect(replica.get('count:1')).toBe(expected)
    expect(replica.engine.operationsCount).toBe(expected - 5000)
    expect(await replica.history.getAt('count:1', { version: 5001 })).toBe(5001)
  })

  test('a key that was gone when it was looked at and is written meanwhile is not forgotten', async () => {
    const { work, replica } = await watched()
    for (let i = 0; i < 3000; i++) void replica.write('count:1', 'increment', [1])
    void replica.write('count:1', 'delete')
    let isWritten = false
    work.onTurn = () => {
      if (!isWritten) void replica.write('count:1', 'increment', [5])
      isWritten = true
    }
    await replica.engine.compact()
    expect(replica.get('count:1')).toBe(5)
    expect(replica.version('count:1')).toBe(3002)
  })

  test('a key whose chain is replaced while it is compacted keeps what replaced it', async () => {
    const other = await TestEngine.open({ env: virtualEnv({ seed: 2 }) })
    for (let i = 0; i < 3000; i++) void other.write('count:1', 'increment', [1])
    const { work, replica } = await watched({ isReplicated: true })
    await exchange(other, replica)
    replica.engine.stabilise(replica.engine.applied)
    void other.write('count:1', 'increment', [40])
    await other.engine.compact()
    let isReplaced = false
    work.onTurn = () => {
      if (!isReplaced) replica.install(other)
      isReplaced = true
    }
    await replica.engine.compact()
    expect(isReplaced).toBe(true)
    expect(replica.get('count:1')).toBe(3040)
    expect(replica.state()).toEqual(other.state())
  })

  test('a run that is given up leaves the rest for the next one', async () => {
    const { work, replica } = await watched()
    for (let i = 0; i < 5000; i++) void replica.write('count:1', 'increment', [1])
    const controller = new AbortController()
    work.onTurn = (turn) => {
      if (turn === 2) controller.abort()
    }
    await expect(replica.engine.compact(controller.signal)).rejects.toMatchObject({ code: 'WARP_E_ABORTED' })
    expect(replica.engine.operationsCount).toBe(5000)
    await replica.engine.compact()
    expect(replica.engine.operationsCount).toBe(0)
    expect(replica.get('count:1')).toBe(5000)
  })
})

describe('one key does not stop the others', () => {
  /** Its state has no encoding. */
  const broken = {
    ...register<string>(),
    encodeState: (): never => {
      throw new Error('this state has no encoding')
    },
  }

  test('a key that cannot be compacted is named and set aside, and the others are compacted', async () => {
    const keys = { ...keysRetaining('latest'), 'broken:*': { strategy: broken, retain: 'latest' as const } }
    const replica = await TestEngine.open({ keyspaces: new Keyspaces(keys) })
    for (let i = 0; i < 3; i++) await replica.set('broken:1', `${i}`)
    for (let i = 0; i < 17; i++) await replica.write('set:large', 'add', [`${i}`.padEnd(1_000_000, '.')])
    for (let i = 0; i < 100; i++) await replica.write('count:1', 'increment', [1])
    await replica.engine.compact()
    const refusals = () => replica.events.filter(({ kind }) => kind === 'compaction:refused')
    const error = expect.objectContaining({ message: 'this state has no encoding' }) as unknown
    expect(refusals()).toMatchObject([{ key: 'broken:1', error }])
    expect(replica.engine.operationsCount).toBe(3)
    // It is not folded again for each operation more.
    await replica.set('broken:1', '3')
    await replica.write('set:large', 'add', ['17'])
    await replica.engine.compact()
    expect(refusals()).toHaveLength(1)
    expect(replica.engine.operationsCount).toBe(4)
    expect([replica.get('broken:1'), replica.get('count:1')]).toEqual(['3', 100])
    expect(replica.get('set:large')).toHaveLength(18)
  })
})

describe('listing and opening take steps', () => {
  test('keys with many operations are listed in steps', async () => {
    const { work, replica } = await watched({ retain: 'all' })
    for (const key of ['count:1', 'count:2']) for (let i = 0; i < 4000; i++) void replica.write(key, 'increment', [1])
    for (let i = 0; i < 400; i++) for (let j = 0; j < 10; j++) void replica.write(`count:s${i}`, 'increment', [1])
    void replica.write('count:2', 'delete')
    work.begin()
    const { store } = replica.engine
    for (const slot of store.keys.occupied()) store.values.drop(slot)
    const listed: string[] = []
    for await (const key of listKeys('count:*', { store, env: work.env, check: () => undefined })) listed.push(key)
    expect(listed).toHaveLength(401)
    // A short key is folded in one go, and reads its records twice.
    expect(Math.max(...work.records)).toBeLessThanOrEqual(2 * STEP.operations + SLACK)
  })

  test.each([true, false])('a log is opened in steps (with a checkpoint: %s)', async (isClosed) => {
    const files = faultyFiles()
    const first = await TestEngine.open({ files, retain: 'all' })
    for (let i = 0; i < 5000; i++) void first.set(`reg:${i}`, i)
    await first.engine.log.settled('durable')
    if (isClosed) await first.close()
    const { work, replica } = await watched({ files: files.kill(), retain: 'all' })
    expect(replica.engine.log.recovery.checkpointUsed).toBe(isClosed)
    expect(work.records.length).toBeGreaterThanOrEqual(5)
    expect(replica.get('reg:4999')).toBe(4999)
  })
})

describe('a long key is read in steps', () => {
  const LENGTH = 20_000

  /** A counter, and a list that is folded in order, neither of which is in memory. */
  async function longKeys() {
    const { work, replica } = await watched({ retain: 'all' })
    for (let i = 0; i < LENGTH; i++) void replica.write('count:1', 'increment', [1])
    for (let i = 0; i < LENGTH / 10; i++) void replica.write('list:1', 'set', [[`${i}`]])
    const { store } = replica.engine
    for (const slot of store.keys.occupied()) store.values.drop(slot)
    work.begin()
    const slotOf = (key: string) => store.keys.find(key) ?? -1
    return { work, replica, store, slotOf }
  }

  test('its value is', async () => {
    const { work, store, slotOf } = await longKeys()
    expect(store.values.readShort(slotOf('count:1'))).toBe(TOO_LONG)
    expect(store.values.peek(slotOf('count:1'))).toBeUndefined()
    work.begin()
    expect(await readInSteps(store, slotOf('count:1'), () => undefined)).toBe(LENGTH)
    expect(await readInSteps(store, slotOf('list:1'), () => undefined)).toHaveLength(LENGTH / 10)
    // One that is folded in order is read three times.
    expect(Math.max(...work.records)).toBeLessThanOrEqual(3 * STEP.operations + SLACK)
    expect(work.records.reduce((sum, records) => sum + records)).toBeLessThan(3 * 1.1 * LENGTH)
    expect(store.values.peek(slotOf('count:1'))).toBe(LENGTH)
  })

  test('what is written and read meanwhile counts', async () => {
    const { work, replica, store, slotOf } = await longKeys()
    const keyspace = store.keyspaceOf('count:1')
    work.onTurn = (turn) => {
      void replica.write('set:1', 'add', [`${turn}`])
      if (turn === 20) store.append({ key: 'count:1', keyspace, slot: slotOf('count:1'), kind: 1, payload: 5 })
      if (turn === 25) expect(replica.get('count:1')).toBe(LENGTH + 5)
    }
    expect(await readInSteps(store, slotOf('count:1'), () => undefined)).toBe(LENGTH + 5)
  })

  test('reading it can be given up, and leaves no hold', async () => {
    const { work, replica } = await longKeys()
    const controller = new AbortController()
    work.onTurn = (turn) => {
      if (turn === 3) controller.abort()
    }
    await expect(replica.history.getAt('count:1', { version: LENGTH }, controller.signal)).rejects.toMatchObject({
      code: 'WARP_E_ABORTED',
    })
    expect(replica.engine.holds.list()).toEqual([])
  })

  test('its past is: a moment, the audit trail, the reasons', async () => {
    const { work, replica } = await longKeys()
    expect(await replica.history.getAt('count:1', { version: LENGTH - 1 })).toBe(LENGTH - 1)
    expect(Math.max(...work.records)).toBeLessThanOrEqual(STEP.operations + SLACK)
    work.begin()
    let count = 0
    for await (const { version } of replica.history.log('count:1')) if (version === count + 1) count++
    expect(count).toBe(LENGTH)
    // Where they lie is found first, and each is read again when it is handed out.
    expect(Math.max(...work.records)).toBeLessThanOrEqual(2 * STEP.operations + SLACK)
    work.begin()
    const { operations, earlier } = await replica.history.explain('count:1', { limit: 5000 })
    expect([operations.length, earlier?.operationsCount]).toEqual([5000, LENGTH - 5000])
    expect(Math.max(...work.records)).toBeLessThanOrEqual(2 * STEP.operations + SLACK)
  })

  test('compaction waits for who reads the past of a key', async () => {
    const { work, replica } = await watched({ retain: 'latest' })
    for (let i = 0; i < 5000; i++) void replica.write('count:1', 'increment', [1])
    let compacted: Promise<unknown> = Promise.resolve()
    work.onTurn = (turn) => {
      if (turn === 2) compacted = replica.engine.compact()
    }
    expect(await replica.history.getAt('count:1', { version: 4000 })).toBe(4000)
    await compacted
    expect(replica.engine.operationsCount).toBe(5000)
  })
})

test('a key with as many removals as updates is folded with comparisons in proportion to its operations', async () => {
  let comparisons = 0
  const entries = map(counter())
  const strategy: typeof entries = {
    ...entries,
    cancels: (payload) => {
      const covers = entries.cancels?.(payload)
      if (covers === undefined) return undefined
      return (earlier) => {
        comparisons++
        return covers(earlier)
      }
    },
  }
  const keyspaces = new Keyspaces({ 'map:*': { strategy, retain: 'latest' as const } })
  const replica = await TestEngine.open({ keyspaces })
  for (let i = 0; i < 2000; i++) {
    void replica.write('map:1', 'update', [`e${i % 1000}`, 'increment', 1])
    void replica.write('map:1', 'remove', [`e${i % 1000}`])
  }
  void replica.write('map:1', 'update', ['e7', 'increment', 3])
  await replica.engine.compact()
  expect(comparisons).toBeLessThan(3 * 4000)
  expect(replica.get('map:1')).toEqual({ e7: 3 })
})
