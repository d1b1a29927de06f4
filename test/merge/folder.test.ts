import { expect, test } from 'vitest'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { Fleet, payloadBytes, type Member } from '../../property-tests/engine-fleet.ts'
import { refused } from '../support/refused.ts'
import { seededRandom } from '../../testing/world/random.ts'

const MALFORMED = Uint8Array.of(0xc1)

async function fleetOf(
  make: () => AnyStrategy,
  options: Parameters<typeof Fleet.open>[1] = {},
): Promise<{ fleet: Fleet; a: Member; b: Member; c: Member }> {
  const fleet = await Fleet.open(make, options)
  fleet.begin()
  const [a, b, c] = fleet.members as [Member, Member, Member]
  return { fleet, a, b, c }
}

/** What `from` has and `to` lacks. */
function send(from: Member, to: Member): void {
  for (const sent of from.held) to.take(sent)
}

test('an operation of an unknown kind blocks its own key, and is kept and handed on', async () => {
  const { fleet, a, b } = await fleetOf(counter)
  const future = fleet.strange(a, 1, { kind: 77, strategy: 3, payload: MALFORMED, isSound: true })
  expect(a.take(future).verdict).toBe('applied')
  expect(refused(() => a.value).code).toBe('WARP_E_UNKNOWN_OP')
  await a.env.runUntilIdle()
  expect(a.events.filter(({ kind }) => kind === 'operation:unknown')).toHaveLength(1)
  const seen: number[] = []
  a.engine.scanOperations(0, (operation) => seen.push(operation.kind) > 0)
  expect(seen).toContain(77)
  for (const sent of a.held) expect(b.take(sent).verdict).toBe('applied')
  expect(b.engine.store.keys.version[b.slot as number]).toBe(1)
  fleet.begin()
  a.write('increment', [5])
  expect(a.value).toBe(5)
})

test('an operation of an unknown kind blocks its key even where a later delete had seen it', async () => {
  const { fleet, a, b } = await fleetOf(counter)
  a.take(fleet.strange(a, 1, { kind: 77, strategy: 3, payload: MALFORMED, isSound: true }))
  a.write(undefined, [])
  b.write('increment', [1])
  send(b, a)
  expect(refused(() => a.value).code).toBe('WARP_E_UNKNOWN_OP')
})

test('an operation by another strategy blocks its own key if it is the first, and is set aside behind others', async () => {
  const { fleet, a } = await fleetOf(() => map(counter()))
  a.write('update', ['x', 'increment', 1])
  expect(a.value).toEqual({ x: 1 })
  a.take(fleet.strange(a, 1, { kind: 1, strategy: 1, payload: payloadBytes(['x']), isSound: true }))
  expect(a.value).toEqual({ x: 1 })
  fleet.begin()
  a.take(fleet.strange(a, 1, { kind: 1, strategy: 1, payload: payloadBytes(['x']), isSound: true }))
  expect(refused(() => a.value)).toMatchObject({
    code: 'WARP_E_UNKNOWN_OP',
    message: expect.stringContaining(
      `'${a.key}' was written by the strategy 'register', and '*' is registered as 'map'`,
    ) as string,
    details: { key: a.key, strategy: 'map', code: 6, written: 'register' },
  })
})

test('reading a blocked key again and again keeps nothing in memory', async () => {
  const { fleet, a, b } = await fleetOf(() => custom<number>((old, next) => old + next))
  for (let i = 0; i < 20; i++) a.write('set', [i])
  b.take(fleet.strange(b, 0, { kind: 77, strategy: 9, payload: MALFORMED, isSound: true }))
  send(a, b)
  for (let i = 0; i < 3; i++) expect(refused(() => b.value).code).toBe('WARP_E_UNKNOWN_OP')
  expect(b.engine.store.values.residency.isListed(b.slot as number)).toBe(false)
})

test('a field that this replica has no strategy for blocks the key instead of being dropped from it', async () => {
  const { fleet, a } = await fleetOf(() => map({ known: counter() }))
  a.write('update', ['known', 'increment', 1])
  a.take(fleet.strange(a, 1, { kind: 1, strategy: 6, payload: payloadBytes(['unknown', 1]), isSound: true }))
  expect(refused(() => a.value).code).toBe('WARP_E_UNKNOWN_OP')
})

test.each([
  ['counter', counter, ['increment', 2], 2],
  ['register', () => register(), ['set', 2], 2],
  ['set', () => set(), ['add', 2], new Set([2])],
  ['map', () => map(counter()), ['update', 'x', 'increment', 2], { x: 2 }],
] as const)(
  'bytes that are no payload are skipped, and reported once: %s',
  async (_name, make, [verb, ...parameters], value) => {
    const { fleet, a, b } = await fleetOf(make)
    a.write(verb, parameters)
    const forged = fleet.strange(a, 50, { kind: 1, strategy: fleet.strategy.code, payload: MALFORMED, isSound: false })
    for (const member of [a, b]) {
      send(a, member)
      member.take(forged)
      expect(member.value).toEqual(value)
      member.drop()
      expect(member.value).toEqual(value)
      await member.env.runUntilIdle()
      const rejected = member.events.filter(({ kind }) => kind === 'operation:rejected')
      expect(rejected).toHaveLength(1)
      expect(rejected[0]).toMatchObject({
        key: member.key,
        dot: { replica: forged.replica, sequence: forged.sequence },
      })
    }
  },
)

// set 1 (a) ── forged (stranger, greatest stamp, no payload)
//    └── set 2 (b, stamped in between, arrives last)
test('below a greatest operation that is skipped, the greatest of the others counts, also when it comes late', async () => {
  const { fleet, a, b, c } = await fleetOf(() => register())
  fleet.at(a, 1)
  a.write('set', [1])
  send(a, b)
  fleet.at(b, 5)
  b.write('set', [2])
  const forged = fleet.strange(a, 90, { kind: 1, strategy: 1, payload: MALFORMED, isSound: false })
  send(a, c)
  c.take(forged)
  expect(c.engine.store.values.resident(c.slot as number).state).toBe(1)
  expect(c.value).toBe(1)
  send(b, c)
  expect(c.engine.store.values.resident(c.slot as number).state).toBe(2)
  expect(c.value).toBe(2)
})

test('a register folded as operations arrive keeps the greatest, not the latest to arrive', async () => {
  const { fleet, a, b, c } = await fleetOf(() => register())
  fleet.at(a, 1)
  a.write('set', ['early'])
  fleet.at(b, 9)
  b.write('set', ['late'])
  send(b, c)
  expect(c.engine.store.values.resident(c.slot as number).state).toBe('late')
  send(a, c)
  expect(c.engine.store.values.resident(c.slot as number).state).toBe('late')
})

test('a merge function that throws skips the same operations on every replica, and they stay in the log', async () => {
  const unique = (): AnyStrategy =>
    custom<string>((old, next) => {
      if (old.includes(next)) throw new Error(`${next} again`)
      return old + next
    })
  const { fleet, a, b, c } = await fleetOf(unique)
  fleet.at(a, 1)
  a.write('set', ['x'])
  fleet.at(b, 2)
  b.write('set', ['x'])
  fleet.at(c, 3)
  c.write('set', ['y'])
  for (const to of [a, b, c]) for (const from of [c, b, a]) send(from, to)
  for (const member of [a, b, c]) {
    expect(member.value).toBe('xy')
    expect(member.engine.store.keys.version[member.slot as number]).toBe(3)
    await member.env.runUntilIdle()
    const rejected = member.events.filter(({ kind }) => kind === 'operation:rejected')
    expect(rejected).toMatchObject([
      { dot: { replica: b.engine.replica }, error: { code: 'WARP_E_MERGE', cause: { message: 'x again' } } },
    ])
  }
})

test('an observer that reads while it is told of a rejection disturbs nothing', async () => {
  const { fleet, a } = await fleetOf(counter)
  a.write('increment', [1])
  a.take(fleet.strange(a, 1, { kind: 1, strategy: fleet.strategy.code, payload: payloadBytes('x'), isSound: true }))
  a.write('increment', [2])
  const push = a.events.push.bind(a.events)
  let told: unknown
  a.events.push = (...events) => {
    told = a.value
    return push(...events)
  }
  expect(a.value).toBe(3)
  await a.env.runUntilIdle()
  expect(told).toBe(3)
})

test('what is delivered again changes no state, version, count or memory', async () => {
  const { a, b } = await fleetOf(counter)
  for (let i = 0; i < 5; i++) a.write('increment', [1])
  send(a, b)
  expect(b.value).toBe(5)
  const { store, log } = b.engine
  const before = {
    end: log.end,
    version: store.keys.version[b.slot as number],
    count: b.engine.operationsCount,
    misses: store.values.misses,
  }
  const entered: number[] = []
  store.subscribe(({ position }) => entered.push(position))
  for (let round = 0; round < 3; round++) for (const sent of a.held) expect(b.take(sent).verdict).toBe('duplicate')
  for (const sent of a.held) expect(a.take(sent).verdict).toBe('duplicate')
  expect(b.value).toBe(5)
  expect({
    end: log.end,
    version: store.keys.version[b.slot as number],
    count: b.engine.operationsCount,
    misses: store.values.misses,
  }).toEqual(before)
  expect(entered).toEqual([])
  expect(b.engine.admission.duplicatesCount).toBe(15)
})

test('operations that are late by any distance end where they belong, in a merge that does not commute', async () => {
  const random = seededRandom('late operations')
  const { fleet, a, b, c } = await fleetOf(() => custom<string>((old, next) => (old + next).slice(-2000)))
  for (let i = 0; i < 300; i++) {
    const writer = random.pick([a, b])
    fleet.at(writer, i)
    writer.write('set', [`${i},`])
  }
  // c takes in what a wrote, and what b wrote in handfuls in between: each is late by another distance.
  const late = [...b.held]
  for (const [i, sent] of a.held.entries()) {
    c.take(sent)
    if (i % 7 === 0) void c.value
    if (random.chance(0.05)) for (const other of late.splice(0, random.between(1, 9))) c.take(other)
    if (i % 29 === 0) expect(fleet.actual(c)).toEqual(fleet.expected(c.held, c.env.now()))
  }
  for (const sent of late) {
    c.take(sent)
    if (random.chance(0.1)) expect(fleet.actual(c)).toEqual(fleet.expected(c.held, c.env.now()))
  }
  expect(c.held).toHaveLength(300)
  expect(fleet.actual(c)).toEqual(fleet.expected(c.held, c.env.now()))
})

test.each([10, 100])(
  'an operation that is %i places late costs merges by its lateness, not by the length of the log',
  async (lateness) => {
    const length = 1000
    let calls = 0
    const { fleet, a, b } = await fleetOf(() =>
      custom<number>((old, next) => {
        calls++
        return (old * 31 + next) % 1009
      }),
    )
    for (let i = 0; i < length; i++) {
      fleet.at(a, i)
      a.write('set', [i])
    }
    fleet.at(b, length - lateness)
    b.write('set', [7])
    void a.value
    calls = 0
    send(b, a)
    void a.value
    expect(calls).toBeGreaterThanOrEqual(lateness)
    expect(calls).toBeLessThanOrEqual(2 * lateness + 32)
    expect(fleet.actual(a)).toEqual(fleet.expected(a.held, a.env.now()))
  },
)

// x +1 (a), compacted everywhere ── remove x, or delete (a)
//                               └── y +1 (b)
test.each([
  ['the removal of an entry', 'remove', ['x']],
  ['a delete', undefined, []],
] as const)(
  'what is in a snapshot is taken away by %s that is concurrent with something behind it',
  async (_name, verb, parameters) => {
    const { fleet, a, b } = await fleetOf(() => map(counter()), { retain: 'latest' })
    a.write('update', ['x', 'increment', 1])
    a.write('update', ['x', 'increment', 1])
    send(a, b)
    b.engine.stabilise(b.engine.applied)
    expect((await b.engine.compact()).droppedOperationsCount).toBe(2)
    b.write('update', ['y', 'increment', 1])
    a.write(verb, parameters)
    expect(b.value).toEqual({ x: 2, y: 1 })
    send(a, b)
    send(b, a)
    for (const member of [a, b]) {
      expect(member.value).toEqual({ y: 1 })
      expect(fleet.actual(member)).toEqual(fleet.expected(member.held, member.env.now()))
    }
  },
)

// A reads between an update and the removal that takes it away, B only after both: A applies one after the other, B leaves both out.
test('whether a key whose entries were all removed has a value does not depend on when it was read', async () => {
  const entries = map(counter())
  const visible = { ...entries, read: (state: Parameters<typeof entries.read>[0]) => entries.read(state) ?? {} }
  const { a, b } = await fleetOf(() => visible)
  a.write('update', ['x', 'increment', 1])
  expect(a.value).toEqual({ x: 1 })
  a.write('remove', ['x'])
  send(a, b)
  expect([a.value, b.value]).toEqual([undefined, undefined])
})
