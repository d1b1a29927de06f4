/** What a replica holds beyond the state that it takes over is issued again by whoever holds it, and counts once. */
import { expect, test } from 'vitest'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { FIRST_NAMES_MAX } from '../../src/limits.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { RECORD_KIND } from '../../src/log/log.ts'
import { OperationReader } from '../../src/operation/envelope/operation-reader.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { cutLog, exchange, TestEngine, type FixtureOptions } from './engine-fixture.ts'

const env = virtualEnv({ seed: 29 })

function open(name: string, options: FixtureOptions = {}): Promise<TestEngine> {
  return TestEngine.open({ env: env.fork({ label: name }), ...options })
}

function lostAt({ events }: TestEngine): unknown[] {
  return events.flatMap((event) => (event.kind === 'rejoin:lost' ? [[event.key, event.reason, event.names]] : []))
}

/** The first names of what has been issued again, by their present names. */
function issuedAt({ engine }: TestEngine): string[] {
  const issued = new Map<string, string>()
  const reader = new OperationReader(engine.table)
  engine.log.scan(0, (record) => {
    if (record.kind !== RECORD_KIND.operation) return true
    const { replica, sequence } = reader.load(record.bytes, record.start, record.end)
    const origin = reader.origin()
    if (origin !== undefined && engine.applied.includes(replica, sequence))
      issued.set(`${replica}:${sequence}`, `${origin.replica}:${origin.sequence}`)
    return true
  })
  return [...issued.values()]
}

/** `c` has written what `b` has and `a` has not, for which c's id has come to its end. */
async function voidAtA(write: (c: TestEngine) => Promise<unknown>) {
  const [a, b, c] = [await open('a'), await open('b'), await open('c')]
  await a.write('count:1', 'increment', [1])
  for (const other of [b, c]) await other.pull(a)
  await write(c)
  await b.pull(c)
  a.engine.retire([[c.engine.replica, 0]])
  return { a, b, c }
}

test('operations of others whose ids have ended are issued again by who holds them, and count once', async () => {
  const { a, b, c } = await voidAtA(async (c) => {
    await c.write('count:1', 'increment', [10])
    await c.write('set:1', 'add', ['x'])
    await c.set('reg:1', 'by c')
  })
  const former = c.engine.replica
  b.install(a)
  expect([b.get('count:1'), b.get('set:1'), b.get('reg:1')]).toEqual([11, new Set(['x']), 'by c'])
  expect(issuedAt(b)).toEqual([`${former}:1`, `${former}:2`, `${former}:3`])
  await a.pull(b)
  expect(a.state()).toEqual(b.state())
  // Their writer comes back, with more.
  await c.write('count:1', 'increment', [100])
  c.install(a)
  expect(c.get('count:1')).toBe(111)
  for (let i = 0; i < 2; i++) for (const other of [a, b]) await exchange(other, c)
  for (const one of [a, b, c]) expect([one.get('count:1'), one.get('set:1')]).toEqual([111, new Set(['x'])])
  expect([a, b, c].flatMap(lostAt)).toEqual([])
})

test('two that issue the same again at the same time make one operation of it, also folded', async () => {
  const { a, b, c } = await voidAtA((c) => c.write('count:1', 'increment', [10]))
  const d = await open('d')
  await d.pull(c)
  b.install(a)
  d.install(a)
  for (let i = 0; i < 2; i++) for (const other of [a, b]) await exchange(other, d)
  for (const one of [a, b, d]) {
    expect(issuedAt(one)).toHaveLength(2)
    expect(one.get('count:1')).toBe(11)
    await one.engine.compact()
    expect(one.get('count:1')).toBe(11)
  }
})

test('what one has under its first name and another one as it was issued again counts once at both', async () => {
  const { a, b, c } = await voidAtA((c) => c.write('count:1', 'increment', [10]))
  const d = await open('d')
  await d.pull(c)
  b.install(a)
  expect((await d.pull(b)).filter((verdict) => verdict === 'applied')).toHaveLength(1)
  expect(d.get('count:1')).toBe(11)
  // It is void for the others: with their state it goes, and is there all the same.
  d.install(b)
  expect([d.get('count:1'), issuedAt(d).length]).toEqual([11, 1])
})

test('one that is held under two names is issued again once', async () => {
  const { a, b, c } = await voidAtA((c) => c.write('count:1', 'increment', [10]))
  const [d, empty] = [await open('d'), await open('empty')]
  await d.pull(c)
  b.install(a)
  await d.pull(b)
  expect(issuedAt(d)).toHaveLength(1)
  empty.engine.retire([
    [c.engine.replica, 0],
    [b.engine.replica, 0],
  ])
  d.install(empty)
  expect([d.get('count:1'), issuedAt(d)]).toEqual([11, [`${c.engine.replica}:1`]])
})

test('operations that their writers wrote concurrently stay concurrent', async () => {
  const [a, b, c, d] = [await open('a'), await open('b'), await open('c'), await open('d')]
  await c.set('mv:1', 'by c')
  await c.write('set:1', 'add', ['x'])
  await d.set('mv:1', 'by d')
  await d.write('set:1', 'add', ['x'])
  await c.write('set:1', 'remove', ['x'])
  for (const other of [c, d]) await b.pull(other)
  expect([b.get('mv:1'), b.get('set:1')]).toEqual([expect.arrayContaining(['by c', 'by d']), new Set(['x'])])
  a.engine.retire([
    [c.engine.replica, 0],
    [d.engine.replica, 0],
  ])
  b.install(a)
  await exchange(a, b)
  for (const one of [a, b])
    expect([[...(one.get('mv:1') as string[])].sort(), one.get('set:1')]).toEqual([['by c', 'by d'], new Set(['x'])])
})

test('what followed another operation that is issued again still follows it', async () => {
  const { a, b } = await voidAtA(async (c) => {
    await c.write('text:1', 'insert', [0, 'hello'])
    await c.write('text:1', 'insert', [5, ' world'])
    await c.write('text:1', 'remove', [0, 1])
    await c.set('mv:1', 'one')
    await c.set('mv:1', 'two')
  })
  b.install(a)
  await exchange(a, b)
  for (const one of [a, b]) expect([one.get('text:1'), one.get('mv:1')]).toEqual(['ello world', ['two']])
})

test('a delete that had seen all that there is is issued again; another one is reported, and takes nothing', async () => {
  for (const isConcurrent of [false, true]) {
    const [a, b] = [await open('a'), await open('b')]
    await a.write('count:1', 'increment', [1])
    await exchange(a, b)
    await b.write('count:1', 'increment', [10])
    await b.write('count:1', 'delete')
    const former = b.engine.replica
    if (isConcurrent) await a.write('count:1', 'increment', [100])
    a.engine.retire([[former, 0]])
    b.install(a)
    await a.pull(b)
    const expected = isConcurrent ? 111 : undefined
    expect([a.get('count:1'), b.get('count:1')]).toEqual([expected, expected])
    const lost = [['count:1', 'delete', [{ replica: former, sequence: 2 }]]]
    expect(lostAt(b)).toEqual(isConcurrent ? lost : [])
  }
})

test('a delete had seen what somebody has issued again meanwhile', async () => {
  const { a, b, c } = await voidAtA((c) => c.write('count:1', 'increment', [10]))
  b.install(a)
  await a.pull(b)
  await c.write('count:1', 'delete')
  c.install(a)
  expect([c.get('count:1'), lostAt(c)]).toEqual([undefined, []])
  await exchange(a, c)
  expect(a.get('count:1')).toBe(undefined)
})

test('what has been folded here and never there is reported, and no delete of that key is issued again', async () => {
  const [a, b, c] = [await open('a'), await open('b'), await open('c')]
  await a.write('count:1', 'increment', [1])
  for (const other of [b, c]) await other.pull(a)
  for (const amount of [10, 20]) await c.write('count:1', 'increment', [amount])
  await b.pull(c)
  const former = b.engine.replica
  await b.engine.compact()
  await b.write('count:1', 'delete')
  await b.set('reg:1', 'x')
  b.install(a)
  expect(lostAt(b)).toEqual([
    ['count:1', 'folded', [{ replica: c.engine.replica, sequence: 2 }]],
    ['count:1', 'delete', [{ replica: former, sequence: 1 }]],
  ])
  expect([b.get('count:1'), b.get('reg:1')]).toEqual([1, 'x'])
})

test('what has been issued again is known from the log, from a checkpoint and from a state that is taken over', async () => {
  const files = memoryFiles({ persistent: true, home: 'a', bootId: '1' })
  const { b, c } = await voidAtA((c) => c.write('count:1', 'increment', [10]))
  const first = { replica: c.engine.replica, sequence: 1 }
  const a = await open('a', { files })
  a.engine.retire([[c.engine.replica, 0]])
  b.install(a)
  await a.pull(b)
  await a.set('reg:1', 'x')
  await a.write('count:1', 'delete')
  await a.engine.compact()
  await a.engine.log.settled('durable')
  const [byLog, byCheckpoint] = [files.copy(), files]
  await a.engine.checkpoint()
  await a.close()
  const taken = await open('taken')
  taken.install(b)
  const opened = [await open('a', { files: byLog }), await open('a', { files: byCheckpoint }), b, taken]
  for (const one of opened) expect(one.engine.identity.reissued.has(first)).toBe(true)
  // So nobody issues it again who has it still, though it is deleted and forgotten.
  c.install(opened[0] as TestEngine)
  expect([c.get('count:1'), issuedAt(c)]).toEqual([undefined, []])
})

test('what may have been issued again and forgotten is reported; what is newer is issued again', async () => {
  const { a, b, c } = await voidAtA((c) => c.write('count:1', 'increment', [10]))
  const { reissued } = a.engine.identity
  for (let i = 0; i <= FIRST_NAMES_MAX; i++) {
    const replica = (i % 2 === 0 ? '00000000000000ee' : '00000000000000ff') as ReplicaId
    reissued.add({ replica, sequence: i * 2 + 1 }, c.engine.store.clock.last)
  }
  const written = c.engine.store.clock.last
  expect([reissued.mayBeForgotten(written), reissued.mayBeForgotten(written + 1)]).toEqual([true, false])
  b.env.setWall(b.env.now() + 100)
  await b.write('count:1', 'increment', [100])
  const former = b.engine.replica
  a.engine.retire([[former, 0]])
  b.install(a)
  const lost = [['count:1', 'forgotten', [{ replica: c.engine.replica, sequence: 1 }]]]
  expect([b.get('count:1'), issuedAt(b), lostAt(b)]).toEqual([101, [`${former}:1`], lost])
})

test('who was evicted, comes back and loses its end in a power failure issues again, and all counts once', async () => {
  const files = memoryFiles({ persistent: true, home: 'r', bootId: '1' })
  const [a, r] = [await open('a'), await open('r', { files })]
  await a.write('count:1', 'increment', [1])
  await exchange(a, r)
  for (let i = 0; i < 5; i++) await r.write('count:1', 'increment', [10])
  const evicted = r.engine.replica
  a.engine.evict([evicted])
  expect(a.engine.departures.of(evicted)).toBe('evicted')
  await a.write('count:1', 'increment', [100])
  await a.engine.compact()
  const from = r.engine.log.end
  r.install(a)
  await r.engine.log.settled('durable')
  expect(r.get('count:1')).toBe(151)
  // The others have got it before the power failed.
  await a.pull(r)
  const ends: number[] = []
  r.engine.log.scan(from, ({ position }) => ends.push(position) > 0)
  for (const end of ends) {
    const cut = files.copy()
    cutLog(cut, end)
    const again = await open(`r ${end}`, { files: cut })
    const other = await open(`other ${end}`)
    other.install(a)
    if (again.engine.needsSnapshot || !again.engine.applied.dominates(other.engine.floor)) again.install(other)
    for (let i = 0; i < 2; i++) await exchange(other, again)
    expect([other.get('count:1'), again.get('count:1')]).toEqual([151, 151])
  }
})
