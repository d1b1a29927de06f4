/**
 * The acceptance cases between processes, before a store that the test holds in its hand. In one process and on virtual
 * time, and those that need no second process: stored/cases.test.ts.
 */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ChildProgram } from '../support/child-program.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import type { Between } from './plugged.ts'
import type { ReaderProgram } from './reader-process.ts'
import { StoreServer } from './remote-store.ts'

/** Starting processes takes as long as the machine likes. */
const TIMEOUT_MS = 240_000

type Replica = ChildProgram<ReaderProgram>
type Opening = Partial<Parameters<ReaderProgram['open']>[0]>

let server: StoreServer
const running: Replica[] = []

async function start(opening: Opening & { readonly between: Between }): Promise<Replica> {
  const program: Replica = new ChildProgram('test/data-layer/reader')
  running.push(program)
  await program.ask('open', { storeUrl: server.url, ...opening })
  return program
}

/** Waits until the row is that. */
async function rowIs(key: string, value: unknown): Promise<void> {
  while (server.value(key) !== value) await new Promise(setImmediate)
}

const KEY = 'k:1'

/** Where replicas meet. */
export interface Places {
  /** So many that can meet. */
  of(count: number): Promise<readonly Between[]>
  /** One more, for who need not meet anybody. */
  another(): Promise<Between>
}

export function casesBetweenProcesses(places: Places): void {
  /** Replicas that have met, each with options of its own. */
  async function replicas(...openings: readonly Opening[]): Promise<[Replica, Replica, ...Replica[]]> {
    const between = await places.of(openings.length)
    const all = await Promise.all(openings.map((opening, i) => start({ ...opening, between: between[i]! })))
    await Promise.all(all.map((program) => program.ask('meets', { count: openings.length - 1 })))
    return all as [Replica, Replica, ...Replica[]]
  }

  beforeEach(async () => {
    server = await StoreServer.open()
  })

  afterEach(async () => {
    server.release()
    await Promise.all(running.splice(0).map((program) => program.end('SIGKILL')))
    await server.close()
  })

  test(
    'A: an old answer of the store that arrives after a write does not take its place',
    { timeout: TIMEOUT_MS },
    async () => {
      const [a, b] = await replicas({}, {})
      server.put(KEY, 'old')
      server.hold()
      const slow = b.ask('get', { key: KEY })
      await server.holds(1)
      await a.ask('set', { key: KEY, value: 'new' })
      while ((await b.ask('peek', { key: KEY })) !== 'new');
      server.release()
      expect(await slow).toBe('new')
      expect(await b.ask('get', { key: KEY })).toBe('new')
      await rowIs(KEY, 'new')
      expect(await b.ask('get', { key: KEY })).toBe('new')
    },
  )

  test('B: a load that began before an invalidation is kept nowhere', { timeout: TIMEOUT_MS }, async () => {
    const [a, b] = await replicas({}, {})
    server.put(KEY, 'old')
    server.hold()
    const before = b.ask('get', { key: KEY })
    await server.holds(1)
    server.put(KEY, 'new')
    await b.ask('invalidate', { key: KEY })
    server.release()
    expect(await before).toBe('old')
    expect([await b.ask('get', { key: KEY }), await a.ask('get', { key: KEY })]).toEqual(['new', 'new'])
  })

  test('D: a replica that was cut off reads what was written meanwhile', { timeout: TIMEOUT_MS }, async () => {
    const [a, b] = await replicas({}, {})
    await a.ask('set', { key: KEY, value: 'old' })
    await b.ask('becomes', { key: KEY, value: 'old' })
    await b.ask('cut')
    await a.ask('set', { key: KEY, value: 'new' })
    await rowIs(KEY, 'new')
    expect(await b.ask('get', { key: KEY })).toBe('old')
    await b.ask('heal')
    await b.ask('becomes', { key: KEY, value: 'new' })
  })

  test(
    'I: an invalidation by tag reaches who was cut off, and who loads with its clock ahead',
    { timeout: TIMEOUT_MS },
    async () => {
      const [a, b, c] = await replicas({}, {}, { aheadMs: 400 })
      server.put(KEY, 'old')
      server.put('k:2', 'old')
      expect(await b.ask('get', { key: KEY })).toBe('old')
      await b.ask('cut')
      server.hold()
      const loading = c!.ask('get', { key: 'k:2' })
      await server.holds(1)
      server.put(KEY, 'new')
      server.put('k:2', 'new')
      await a.ask('invalidateTag', { tag: 'all' })
      server.release()
      await loading
      await b.ask('heal')
      for (const replica of [a, b, c!])
        for (const key of [KEY, 'k:2'] as const) await replica.ask('becomes', { key, value: 'new' })
    },
  )

  test('J: what both sides of a cut wrote and flushed is merged in the store', { timeout: TIMEOUT_MS }, async () => {
    const [a, b] = await replicas({}, {})
    await b.ask('cut')
    await a.ask('set', { key: KEY, value: 'a' })
    await a.ask('increment', { key: 'c:1', by: 1 })
    await rowIs('c:1', 1)
    await b.ask('set', { key: KEY, value: 'b' })
    await b.ask('increment', { key: 'c:1', by: 10 })
    await rowIs('c:1', 11)
    await rowIs(KEY, 'b')
    await b.ask('heal')
    for (const replica of [a, b]) await replica.ask('becomes', { key: KEY, value: 'b' })
    while ((await a.ask('count', { key: 'c:1' })) !== 11);
    expect([await b.ask('count', { key: 'c:1' }), server.value('c:1'), server.value(KEY)]).toEqual([11, 11, 'b'])
  })

  test('K: an early increment that arrives after the flush gets to the store', { timeout: TIMEOUT_MS }, async () => {
    const [a, b] = await replicas({}, { flushDelayMs: 3_600_000 })
    await b.ask('cut')
    await b.ask('increment', { key: 'c:1', by: 10 })
    await a.ask('increment', { key: 'c:1', by: 1 })
    await rowIs('c:1', 1)
    await b.ask('heal')
    await rowIs('c:1', 11)
  })

  test('L: what the store refuses is read by nobody, also not after a kill', { timeout: TIMEOUT_MS }, async () => {
    const refused = new Error('no bad rows')
    server.store.refuse((_key, value) => (new TextDecoder().decode(value) === '"bad"' ? refused : undefined))
    const folder = temporaryFolder()
    const [a, b] = await replicas({ folder }, { folder: temporaryFolder() })
    const key = 't:1'
    expect(await a.ask('set', { key, value: 'good' })).toBeUndefined()
    await b.ask('becomes', { key, value: 'good' })
    const writing = a.ask('set', { key, value: 'bad' })
    const seen = new Set<unknown>()
    let isWriting = true
    void writing.finally(() => (isWriting = false))
    while (isWriting) for (const replica of [a, b]) seen.add(await replica.ask('peek', { key }))
    expect(await writing).toBe('WARP_E_STORE')
    for (const replica of [a, b]) seen.add(await replica.ask('get', { key }))
    await a.end('SIGKILL')
    const again = await start({ folder, between: await places.another() })
    seen.add(await again.ask('get', { key }))
    expect(seen).not.toContain('bad')
    expect(server.value(key)).toBe('good')
  })
}
