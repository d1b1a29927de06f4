/** Operations of one first name are one operation, whoever issued it again, in every way to fold a key. */
import { describe, expect, test } from 'vitest'
import { formatDot } from '../../crdt/time/dot.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { encode } from '../../crdt/encoding/encoding.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { KeyOperations, type StoredOperation } from '../../src/audit/key-operations.ts'
import { emptyBase, naiveFold, type KeyOperation } from '../../src/audit/naive-fold.ts'
import { finishNow, UNBOUNDED } from '../../src/operation/budget.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { seededRandom, type Random } from '../../testing/world/random.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { exchange, TestEngine } from '../engine/engine-fixture.ts'

const env = virtualEnv({ seed: 17 })

function open(name: string): Promise<TestEngine> {
  return TestEngine.open({ env: env.fork({ label: name }) })
}

function operationsOf({ engine: { store, log, table } }: TestEngine, key: string): StoredOperation[] {
  const slot = store.keys.find(key)
  if (slot === undefined) return []
  return finishNow(new KeyOperations(log, table).ofChain({ ...store.chain(slot) }, UNBOUNDED))
}

function observed(later: KeyOperation, { replica, sequence }: Dot): boolean {
  if (later.replica === replica && later.isExact !== true) return sequence < later.sequence
  if (sequence <= (later.context.get(replica) ?? 0)) return true
  return later.dots?.some(([of, at]) => of === replica && at === sequence) === true
}

/** Issues an operation again at a replica that does not hold it, as `leftovers.ts` does. */
function issueAgain({ engine: { store } }: TestEngine, key: string, operation: StoredOperation): void {
  store.clock.observe(operation.hlc)
  const { replica, sequence, kind, payload, strategy, lifeMs } = operation
  const seen = new Map(operation.context)
  if (operation.isExact !== true) seen.set(replica, sequence - 1)
  const context = [...seen].map(([of, at]) => [of, Math.min(at, store.applied.get(of))] as const)
  store.append({
    ...{ key, keyspace: store.keyspaceOf(key), slot: store.keys.find(key), kind, payload, strategy, lifeMs },
    context: context.filter(([, at]) => at > 0),
    isExact: true,
    dots: operation.dots?.filter(([of, at]) => store.applied.includes(of, at)) ?? [],
    ...(kind === OPERATION_KIND.update ? {} : { opaque: new Uint8Array(0) }),
    fields: { origin: operation.origin ?? { replica, sequence } },
  })
}

/** The same history as if nothing had been issued again: who had seen a copy had seen the original. */
function withoutCopies(strategy: AnyStrategy, operations: readonly StoredOperation[]): KeyOperation[] {
  const copies = operations.filter(({ origin }) => origin !== undefined)
  const rename = (replica: string, sequence: number): readonly [string, number] => {
    const name = copies.find((copy) => copy.replica === replica && copy.sequence === sequence)?.origin
    return name === undefined ? [replica, sequence] : [name.replica, name.sequence]
  }
  return operations
    .filter(({ origin }) => origin === undefined)
    .map((operation) => {
      const seen = copies.filter((copy) => observed(operation, copy))
      const dots = seen.map(({ origin }) => [origin!.replica, origin!.sequence] as const)
      const { payload } = operation
      const renamed =
        payload === undefined ? undefined : ((strategy.rebase?.(payload, rename as never) ?? payload) as Encodable)
      return { ...operation, payload: renamed, dots: [...(operation.dots ?? []), ...dots] }
    })
}

const WRITES: Readonly<Record<string, (random: Random) => readonly [verb: string, ...parameters: unknown[]]>> = {
  'count:1': (random) => ['increment', 10 ** random.below(6)],
  'set:1': (random) => [random.below(3) === 0 ? 'remove' : 'add', [`${random.below(4)}`]],
  'mv:1': (random) => ['set', `${random.below(1000)}`],
  'text:1': (random) => (random.below(3) === 0 ? ['remove', 0, 1] : ['insert', 0, `${random.below(10)}`]),
  'reg:1': (random) => ['set', random.below(1000)],
  'list:1': (random) => ['set', [`${random.below(1000)}`]],
}

interface History {
  readonly engines: readonly TestEngine[]
  readonly copiesCount: number
}

/** A history of some replicas in which operations are issued again by those who do not hold them. */
async function history(key: string, seed: string): Promise<History> {
  const random = seededRandom(seed)
  const engines = await Promise.all(['a', 'b', 'c'].map((name) => open(`${seed} ${name}`)))
  const pick = (): TestEngine => engines[random.below(engines.length)] as TestEngine
  let copiesCount = 0
  const copy = (at: TestEngine): void => {
    const all = engines.flatMap((engine) => operationsOf(engine, key)).filter(({ origin }) => origin === undefined)
    const held = new Set(operationsOf(at, key).map((one) => formatDot(one.origin ?? one)))
    const missing = all.filter((one) => !held.has(formatDot(one)))
    const chosen = missing[random.below(Math.max(1, missing.length))]
    if (chosen === undefined) return
    issueAgain(at, key, chosen)
    copiesCount++
  }
  for (let step = 0; step < 30; step++) {
    const at = pick()
    const choice = random.below(10)
    if (choice < 4) {
      const [verb, ...parameters] = (WRITES[key] as (random: Random) => readonly [string, ...unknown[]])(random)
      await at.write(key, verb, parameters).catch(() => undefined)
    } else if (choice === 4) await at.write(key, 'delete').catch(() => undefined)
    else if (choice < 7) copy(at)
    else if (choice === 7) void at.get(key)
    else if (choice === 8 && at.engine.store.keys.find(key) !== undefined) at.engine.store.values.drop(0)
    else await at.pull(pick())
  }
  for (const engine of engines) for (const other of engines) await exchange(engine, other)
  return { engines, copiesCount }
}

describe.each(Object.keys(WRITES))('%s', (key) => {
  test('histories with copies fold to what they fold to without, in every way', async () => {
    let copiesCount = 0
    for (let i = 0; i < 40; i++) {
      const { engines, copiesCount: count } = await history(key, `${key} ${i}`)
      copiesCount += count
      const [first] = engines as [TestEngine]
      const strategy = first.engine.store.keyspaceOf(key).strategy
      const operations = operationsOf(first, key)
      const stateOf = ({ state }: { readonly state: unknown }): string => String(encode(strategy.encodeState(state)))
      const fold = (folded: readonly KeyOperation[]) =>
        finishNow(naiveFold({ strategy, base: emptyBase(strategy), operations: folded, lifeMs: 0 }, UNBOUNDED))
      const expected = fold(withoutCopies(strategy, operations))
      const value = expected.present ? strategy.read(expected.state) : undefined
      expect(stateOf(fold(operations)), `naive ${key} ${i}`).toBe(stateOf(expected))
      for (const engine of engines) {
        const { store } = engine.engine
        const slot = store.keys.find(key)
        if (slot === undefined) continue
        expect(engine.get(key), `forward ${key} ${i}`).toEqual(value)
        expect(stateOf(store.values.resident(slot)), `forward state ${key} ${i}`).toBe(stateOf(expected))
        const chain = { ...store.chain(slot) }
        const whole = store.folder.whole.foldOf(strategy, chain, store.folder.chains.operations(chain))
        expect(stateOf(whole), `whole ${key} ${i}`).toBe(stateOf(expected))
        const steps = store.folder.foldSteps({ strategy, chain, resident: undefined }, UNBOUNDED)
        expect(stateOf(finishNow(steps)), `in steps ${key} ${i}`).toBe(stateOf(expected))
        expect(await engine.history.getAt(key, { version: engine.version(key) })).toEqual(value)
        const { operations: explained } = await engine.history.explain(key, { limit: Infinity })
        const firsts = new Set(operations.map((one) => formatDot(one.origin ?? one)))
        const counted = explained.filter(({ effect }) => effect !== 'repeated' && effect !== 'cancelled')
        expect(counted.length).toBeLessThanOrEqual(firsts.size)
        await engine.engine.compact()
        expect(engine.get(key), `compacted ${key} ${i}`).toEqual(value)
      }
      for (const engine of engines) await engine.close()
    }
    expect(copiesCount).toBeGreaterThan(40)
  })
})

/** Of two replicas that know each other the second has issued again, later, what the first wrote. */
async function issued(
  key: string,
  verb: string,
  parameters: readonly unknown[],
  meanwhile: (a: TestEngine) => Promise<unknown> = () => Promise.resolve(),
) {
  const [a, b] = [await open('a'), await open('b')]
  await a.set('reg:0', 'known')
  await b.pull(a)
  await a.write(key, verb, parameters)
  const [operation] = operationsOf(a, key) as [StoredOperation]
  await meanwhile(a)
  b.env.setWall(b.env.now() + 10)
  issueAgain(b, key, operation)
  return { a, b, first: { replica: operation.replica, sequence: operation.sequence } }
}

test('a snapshot remembers under which first names it holds operations: their originals do not count again', async () => {
  const { a, b, first } = await issued('count:1', 'increment', [7])
  await b.write('count:1', 'increment', [10])
  await b.engine.compact()
  expect(operationsOf(b, 'count:1')).toEqual([])
  await b.pull(a)
  expect(b.get('count:1')).toBe(17)
  const { operations } = await b.history.explain('count:1')
  expect(operations.map(({ operation, effect }) => [operation.dot, effect])).toEqual([[first, 'repeated']])
  await b.write('count:1', 'increment', [100])
  await b.engine.compact()
  expect(b.get('count:1')).toBe(117)
})

test('a snapshot that holds an original counts no copy of it', async () => {
  const { a, b } = await issued('count:1', 'increment', [7])
  await a.write('count:1', 'increment', [10])
  await a.engine.compact()
  await a.pull(b)
  expect(a.get('count:1')).toBe(17)
})

test('a value that was issued again has its first place, before what was written between', async () => {
  const { a, b, first } = await issued('reg:1', 'set', ['old'], (writer) => writer.set('reg:1', 'new'))
  expect(b.get('reg:1')).toBe('old')
  await exchange(a, b)
  expect([a.get('reg:1'), b.get('reg:1')]).toEqual(['new', 'new'])
  const { operations } = await b.history.explain('reg:1')
  expect(operations.map(({ operation, effect }) => [operation.origin, effect])).toEqual([
    [undefined, 'superseded'],
    [undefined, 'won'],
    [first, 'repeated'],
  ])
  await b.set('reg:1', 'newest')
  const { operations: before } = await b.history.explain('reg:1', { before: first })
  expect(before).toEqual([])
})

test('an operation is found by its first name too', async () => {
  const { b, first } = await issued('count:1', 'increment', [7])
  const { operations } = await b.history.explain('count:1', { before: first })
  expect(operations).toEqual([])
})

test('who had seen a copy takes the original away, and who had seen the original the copy', async () => {
  for (const [deleter, other] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    const pair = await issued('count:1', 'increment', [7])
    await pair[deleter].write('count:1', 'delete')
    await pair[other].write('count:1', 'increment', [1])
    await exchange(pair.a, pair.b)
    expect([pair.a.get('count:1'), pair.b.get('count:1')]).toEqual([1, 1])
    expect(pair.a.state()).toEqual(pair.b.state())
  }
})

test('a state that is kept beside the log knows the first names that it holds', async () => {
  const { a, b } = await issued('count:1', 'increment', [7])
  await b.write('count:1', 'increment', [10])
  const { store } = b.engine
  const slot = store.keys.find('count:1') as number
  store.values.resident(slot)
  expect(store.values.kept.keep(slot)).toBe(true)
  store.values.drop(slot)
  await b.pull(a)
  expect(b.get('count:1')).toBe(17)
  // Now it is here twice: the key is folded from all of it, and nothing is kept.
  store.values.resident(slot)
  expect(store.values.kept.keep(slot)).toBe(false)
})

test('watches are told of a copy as of any operation, with the first name; the value stays', async () => {
  const { a, b, first } = await issued('count:1', 'increment', [7])
  await a.pull(b)
  const records = []
  for await (const record of a.history.log('count:1')) records.push(record)
  expect(records.map(({ origin }) => origin)).toEqual([undefined, first])
  expect(a.get('count:1')).toBe(7)
})
