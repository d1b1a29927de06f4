/** States are encoded and decoded in steps of bounded work, and the bytes are those of one go. */
import { expect, test } from 'vitest'
import { counter } from '../../crdt/counter.ts'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { decode, decodeItems, decodeItemsSteps, encode } from '../../crdt/encoding/encoding.ts'
import { map } from '../../crdt/map.ts'
import { list } from '../../crdt/sequence/list.ts'
import { text } from '../../crdt/sequence/text.ts'
import { set } from '../../crdt/set.ts'
import { sortedSteps } from '../../crdt/sorted-steps.ts'
import type { AnyStrategy, Applied } from '../../crdt/strategy.ts'
import { parseReplicaId, type ReplicaId } from '../../crdt/time/replica-id.ts'
import { STEP, type Meter } from '../../src/operation/budget.ts'
import { decodeStateSteps, encodeStateSteps } from '../../src/merge/state-encoding.ts'
import { seededRandom, type Random } from '../../testing/world/random.ts'
import { refused } from '../support/refused.ts'

const REPLICAS: readonly ReplicaId[] = ['a', 'b', 'c'].map((letter) => parseReplicaId(letter.repeat(16)))

/** Counts what a step spends, in operations and in bytes. */
class Counted implements Meter {
  steps = 1
  mostBytes = 0
  mostOperations = 0
  #operations = 0
  #bytes = 0

  spend(operations: number, bytes: number): void {
    this.#operations += operations
    this.#bytes += bytes
    this.mostBytes = Math.max(this.mostBytes, this.#bytes)
    this.mostOperations = Math.max(this.mostOperations, this.#operations)
  }

  get isSpent(): boolean {
    return this.#operations >= STEP.operations || this.#bytes >= STEP.bytes
  }

  finish<Result>(work: Generator<void, Result>): Result {
    for (;;) {
      const step = work.next()
      if (step.done === true) return step.value
      this.steps++
      this.#operations = 0
      this.#bytes = 0
    }
  }
}

/** A state that some replicas have made with this strategy's verbs, each having seen everything. */
function stateOf(strategy: AnyStrategy, count: number, intent: (i: number, random: Random) => [string, unknown[]]) {
  const random = seededRandom(`${strategy.kind} ${count}`)
  let state: unknown = strategy.initial()
  for (let i = 1; i <= count; i++) {
    const replica = REPLICAS[random.below(3)] as ReplicaId
    const [verb, parameters] = intent(i, random)
    const before = state
    const prepare = { replica, sequence: i, state: (): unknown => before }
    const payload = strategy.verbs[verb]?.(prepare, ...parameters)
    if (payload === undefined) continue
    // Half of the adds have seen nothing, so that elements have several dots.
    const observed = (): boolean => i % 2 === 0
    const operation: Applied<never> = { hlc: i, replica, sequence: i, payload: payload as never, observed }
    state = strategy.apply(state, operation)
  }
  return state
}

/** With lists in the place of sets: sets of objects take long to compare. */
function plain(value: unknown): unknown {
  if (value instanceof Set) return [...(value as Set<unknown>)]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.entries(value).map(([name, entry]) => [name, plain(entry)])
}

const COUNT = 12_000

const STATES: readonly [string, AnyStrategy, (i: number, random: Random) => [string, unknown[]]][] = [
  ['set', set(), (i, random) => [i % 9 === 0 ? 'remove' : 'add', [`element ${random.below(9000)}`]]],
  ['set of objects', set(), (_i, random) => ['add', [{ of: random.below(9000), at: new Date(random.below(9)) }]]],
  [
    'map',
    map(counter()),
    (_i, random) => ['update', [`an entry with a long name ${random.below(9000)}`, 'increment', 1]],
  ],
  ['map of sets', map(set()), (i, random) => ['update', [`e${random.below(7)}`, 'add', i]]],
  [
    'list',
    list(),
    (i, random) => [i % 3 === 0 || i < 9 ? 'push' : 'insert', i % 3 === 0 || i < 9 ? [i] : [random.below(2), i]],
  ],
  ['list of long runs', list(), (i) => ['insert', [0, ...Array.from({ length: i % 100 === 0 ? 5000 : 1 }, () => i)]]],
  ['text', text(), (i) => ['insert', [0, i % 50 === 0 ? 'a long run of text' : 'ö']]],
]

test.each(STATES)(
  'what is encoded in steps are the bytes of one go, and so is what is decoded: %s',
  (name, strategy, intent) => {
    const state = stateOf(strategy, name === 'list of long runs' ? 1500 : COUNT, intent)
    const whole = encode(strategy.encodeState(state))
    const encoding = new Counted()
    const encoded = encoding.finish(encodeStateSteps(strategy, state, { meter: encoding }))
    const writer = new ByteWriter(16)
    encoded?.writeTo(writer)
    expect(Buffer.compare(writer.take(), whole)).toBe(0)
    expect(encoding.steps).toBeGreaterThan(2)
    expect(encoding.mostBytes).toBeLessThan(STEP.bytes + 70_000)
    expect(encoding.mostOperations).toBeLessThan(STEP.operations * 2)

    const decoding = new Counted()
    const decoded = decoding.finish(decodeStateSteps(strategy, whole, decoding))
    expect(decoding.steps).toBeGreaterThan(1)
    expect(Buffer.compare(encode(strategy.encodeState(decoded)), whole)).toBe(0)
    const inOneGo: unknown = strategy.decodeState(decode(whole))
    expect(plain(strategy.read(decoded))).toEqual(plain(strategy.read(inOneGo)))
  },
)

test('a state that takes more than it may is given up on the way', () => {
  const state = stateOf(set(), COUNT, (i) => ['add', [`element ${i}`]])
  const meter = new Counted()
  expect(meter.finish(encodeStateSteps(set(), state, { meter, bytesMax: 100_000 }))).toBeUndefined()
  const all = new Counted()
  all.finish(encodeStateSteps(set(), state, { meter: all }))
  expect(meter.steps).toBeLessThan(all.steps)
})

test.each(STATES)('a state that is handed on in pieces is what it is in one: %s', (_, strategy, intent) => {
  const state = stateOf(strategy, 3000, intent)
  const whole = encode(strategy.encodeState(state))
  const inPieces = (undividedMax: number, weight = 0): Uint8Array[] => {
    const taken: Uint8Array[] = []
    const take = (bytes: Uint8Array, start: number, end: number): void => void taken.push(bytes.slice(start, end))
    const meter = new Counted()
    const pieces = { undividedMax, bytes: 1000, take }
    const encoded = meter.finish(encodeStateSteps(strategy, state, { meter, pieces, weight }))
    const writer = new ByteWriter(16)
    encoded?.writeTo(writer)
    return [writer.take(), ...taken]
  }
  for (const weight of [0, STEP.bytes]) {
    const [first = whole, ...pieces] = inPieces(2000, weight)
    expect(Buffer.compare(Buffer.concat([first, ...pieces]), whole)).toBe(0)
    expect(first.length).toBeLessThan(10)
    expect(new Set(pieces.slice(0, -1).map(({ length }) => length))).toEqual(new Set([1000]))
  }
  expect(inPieces(whole.length)).toHaveLength(1)
})

const LARGE = '.'.repeat(200_000)

test.each<[string, AnyStrategy, (i: number) => [string, unknown[]]]>([
  ['set', set(), (i) => ['add', [`${i}${LARGE}`]]],
  ['set of objects', set(), (i) => ['add', [{ i, of: LARGE }]]],
  ['list that is one run', list(), (i) => ['push', [`${i}${LARGE}`]]],
  ['map of sets', map(set()), (i) => ['update', [`e${i % 3}`, 'add', `${i}${LARGE}`]]],
  ['text', text(), (i) => ['insert', [0, `${i}${LARGE}`]]],
])('a state of few large elements is encoded and decoded in steps: %s', (_, strategy, intent) => {
  const state = stateOf(strategy, 40, intent)
  const whole = encode(strategy.encodeState(state))
  const encoding = new Counted()
  const encoded = encoding.finish(encodeStateSteps(strategy, state, { meter: encoding, weight: whole.length }))
  const writer = new ByteWriter(16)
  encoded?.writeTo(writer)
  expect(Buffer.compare(writer.take(), whole)).toBe(0)
  expect(encoding.mostBytes).toBeLessThan(STEP.bytes + LARGE.length + 100)
  const decoding = new Counted()
  const decoded = decoding.finish(decodeStateSteps(strategy, whole, decoding))
  expect(Buffer.compare(encode(strategy.encodeState(decoded)), whole)).toBe(0)
  expect(decoding.steps).toBeGreaterThan(whole.length / STEP.bytes / 4)
})

test('items that are decoded in steps are those of one go, and checked alike', () => {
  const long = ['.'.repeat(70_000), new Uint8Array(70_000), new Date(7), ['.'.repeat(70_000), 1], {}]
  const items = [1, 'two', [], long, ['three', null], { four: long }]
  const bytes = encode(items)
  const read: unknown[] = []
  let pauses = 0
  for (const item of decodeItemsSteps(bytes)) {
    // Whatever is decoded in between.
    decode(encode([9]))
    if (item === undefined) pauses++
    else read.push(item)
  }
  expect(read).toEqual(items)
  expect(read).toEqual([...decodeItems(bytes)])
  expect(pauses).toBeGreaterThan(2)
  expect(read.filter(Array.isArray).every((item) => Object.isFrozen(item))).toBe(true)
  for (const cut of [bytes.length - 1, bytes.length - 70_500, 3, 1])
    expect(refused(() => [...decodeItemsSteps(bytes.subarray(0, cut))]).code).toBe('WARP_E_PROTOCOL')
  for (const other of [Buffer.concat([bytes, bytes]), encode('no list'), new Uint8Array(0)])
    expect(refused(() => [...decodeItemsSteps(other)]).code).toBe('WARP_E_PROTOCOL')
})

test('no piece of a state is handed on once it is known to be too large', () => {
  const state = stateOf(set(), 3000, (i) => ['add', [`${i}`]])
  const meter = new Counted()
  let handedOn = 0
  const take = (_bytes: Uint8Array, start: number, end: number): void => void (handedOn += end - start)
  const bounds = { meter, bytesMax: 10_000, pieces: { undividedMax: 2000, bytes: 1000, take } }
  expect(meter.finish(encodeStateSteps(set(), state, bounds))).toBeUndefined()
  expect(handedOn).toBeLessThanOrEqual(10_000)
})

test('items are decoded one at a time, whatever is decoded in between, and checked like a list', () => {
  const items = [1, 'two', ['three'], { four: 4 }]
  const bytes = encode(items)
  const read: unknown[] = []
  for (const item of decodeItems(bytes)) {
    read.push(item)
    expect(decode(encode({ other: [1, 2, 3] }))).toEqual({ other: [1, 2, 3] })
  }
  expect(read).toEqual(items)
  const all = (given: Uint8Array) => () => [...decodeItems(given)]
  expect(all(encode([]))()).toEqual([])
  for (const wrong of [encode(1), encode('x'), new Uint8Array(), bytes.subarray(0, 5), Uint8Array.of(...bytes, 0)])
    expect(refused(all(wrong)).code).toBe('WARP_E_PROTOCOL')
})

test.each([0, 1, 2, 4095, 4096, 4097, 20_000])('%i items are sorted in steps', (count) => {
  const random = seededRandom(`sorted ${count}`)
  const items = Array.from({ length: count }, (_, i) => i).sort(() => random.below(3) - 1)
  const expected = [...items].sort((a, b) => a - b)
  const steps = sortedSteps(items, (a, b) => a < b)
  let turns = 0
  let step = steps.next()
  while (step.done !== true) {
    turns++
    step = steps.next()
  }
  expect(step.value).toEqual(expected)
  expect(turns).toBeGreaterThanOrEqual(Math.floor(count / 4097))
})

test('a set has its elements in order, whatever came and went', () => {
  const strategy = set<number>()
  const random = seededRandom('set order')
  let elements = strategy.initial()
  const model = new Set<number>()
  let sequence = 0
  const [replica] = REPLICAS as [ReplicaId]
  for (let round = 0; round < 30; round++) {
    for (let i = 0; i < 700; i++) {
      const value = random.below(4000)
      const isIn = random.below(5) > 0
      const payload = [isIn ? 1 : 0, value]
      elements = strategy.apply(elements, { hlc: ++sequence, replica, sequence, payload, observed: () => true })
      if (isIn) model.add(value)
      else model.delete(value)
    }
    const expected = [...model].sort((a, b) => (`n${a}` < `n${b}` ? -1 : 1))
    expect([...(strategy.read(elements) ?? [])]).toEqual(expected)
  }
})
