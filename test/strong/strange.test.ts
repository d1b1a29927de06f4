/** What should not come: values beyond all bounds, records that make no sense, peers that speak for the ordered log, clocks that are wrong. */
import { describe, expect, it } from 'vitest'
import { counter, custom, register, set } from '../../crdt/index.ts'
import { ByteWriter } from '../../crdt/encoding/byte-writer.ts'
import { encodeInto } from '../../crdt/encoding/encoding.ts'
import { Engine } from '../../src/engine.ts'
import { DOMAINS } from '../../src/keys/domain.ts'
import { DomainWriter } from '../../src/keys/domain-writer.ts'
import { Keyspaces } from '../../src/keys/keyspace.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { writeEnvelopeHeader } from '../../src/operation/envelope/envelope-writer.ts'
import { OPERATION_KIND } from '../../src/operation/envelope/kinds.ts'
import { orderedIdOf } from '../../src/operation/names/ordered-id.ts'
import type { Change, Command } from '../../src/strong/commands.ts'
import { faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { codeOfError, StrongWorld } from '../support/strong-world.ts'

const KEYS = {
  'stock:*': { strategy: register<unknown>(), mode: 'strong' },
  'hits:*': { strategy: counter(), mode: 'strong' },
  'tags:*': { strategy: set<unknown>(), mode: 'strong' },
  'notes:*': {
    strategy: custom<number>((old, next) => {
      if (next === 13) throw new Error('no')
      return old + next
    }),
    mode: 'strong',
  },
  'plain:*': register<number>(),
} as const

function write(change: Partial<Change>, of: object = {}): Command {
  const whole = { key: 'stock:1', strategy: register().code, verb: 'set', parameters: [1], lifeMs: 0, ...change }
  return { kind: 'write', expected: [], changes: [whole], ...of }
}

describe('a strong write beyond all bounds', () => {
  it.each([
    ['a value of 1.5 MiB', 'stock:1', 'x'.repeat(1_500_000)],
    ['a value of 3.9 MiB', 'stock:1', 'x'.repeat(4_080_000)],
    ['a value of 5 MiB', 'stock:1', 'x'.repeat(5_000_000)],
    ['a key of 2000 characters', `stock:${'k'.repeat(2000)}`, 1],
    ['a function', 'stock:1', () => 1],
    ['undefined', 'stock:1', undefined],
    ['a value nested too deeply', 'stock:1', nested(100)],
    ['half a character in a key', 'stock:\ud800', 1],
    ['half a character in a value', 'stock:1', '\udfff'],
    ['a line break in a key', 'stock:\n', 1],
    ['-0', 'stock:1', -0],
    ['NaN', 'stock:1', NaN],
  ])('%s is refused or done, alike on all, and the next one goes on', async (_, key, value) => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS)
    const { warp: b } = await world.open('b', KEYS)
    const outcome = await codeOfError(world.drive(a.set(key as 'stock:1', value)))
    expect(outcome).not.toMatch(/INDETERMINATE|TRANSPORT|Error/)
    // What is refused has not been sent to anybody.
    if (outcome !== 'none') expect(world.order.records(0)).toEqual([])
    await world.drive(a.set('stock:next', 1))
    expect(await world.drive(b.get('stock:next'))).toBe(1)
    expect(await codeOfError(world.drive(a.get(key as 'stock:1')))).toBe(
      await codeOfError(world.drive(b.get(key as 'stock:1'))),
    )
    if (outcome === 'none')
      expect(await world.drive(b.get(key as 'stock:1'))).toEqual(await world.drive(a.get(key as 'stock:1')))
  })
})

describe('a record that makes no sense', () => {
  it.each([
    ['a key beyond its bound', write({ key: `stock:${'k'.repeat(2000)}` })],
    ['an empty key', write({ key: '' })],
    ['a value beyond its bound', write({ parameters: ['x'.repeat(1_500_000)] })],
    ['no value', write({ parameters: [] })],
    ['a verb that does not exist', write({ verb: 'sett' })],
    ['a verb of all objects', write({ verb: 'constructor' })],
    ['the prototype', write({ verb: '__proto__' })],
    [
      'parameters of the wrong kind',
      write({ key: 'hits:1', strategy: counter().code, verb: 'increment', parameters: ['x'] }),
    ],
    ['a life beyond its bound', write({ lifeMs: Number.MAX_SAFE_INTEGER })],
    ['a life of half a millisecond', write({ lifeMs: 0.5 })],
    [
      'a merge that throws',
      write({ key: 'notes:1', strategy: custom<number>((a) => a).code, verb: 'set', parameters: [13] }),
    ],
    [
      'an expectation of a key beyond its bound',
      write({}, { expected: [{ key: `stock:${'k'.repeat(2000)}`, version: 0 }] }),
    ],
    ['an expectation of an empty key', write({}, { expected: [{ key: '', version: 0 }] })],
    ['a fence that is no number', write({}, { fence: 'x' })],
    ['a number of another author that none can be', { kind: 'void', author: 'x', sequence: 1, sinceMs: 0 }],
    ['a lock without a name', { kind: 'lock', name: '', act: 'acquire', parameters: [1, 1, 1000, 1000, ''] }],
    ['a snapshot of less than nothing', { kind: 'saved', recordsCount: -1, recordsBytes: 0 }],
  ])('with %s counts for nothing, and the next one goes on', async (_, command) => {
    const world = new StrongWorld()
    const { warp, events } = await world.open('a', KEYS)
    await world.write([command as Command])
    await world.env.advance(5000)
    expect(events.filter(({ kind }) => kind === 'order:stopped')).toEqual([])
    await world.drive(warp.set('stock:next', 1))
    expect(await world.drive(warp.getVersioned('stock:next'))).toMatchObject({ value: 1 })
  })

  it('is counted and told, and no replica stops at it', async () => {
    const world = new StrongWorld()
    const { warp, events } = await world.open('a', KEYS)
    for (const bytes of [[], [0], [0xc1], [0x96, 1, 2, 3, 4, 5, 6], [...new Uint8Array(1000).fill(0xff)]])
      await world.put(Uint8Array.from(bytes))
    await world.drive(warp.set('stock:1', 1))
    expect(events.filter(({ kind }) => kind === 'order:malformed')).toHaveLength(4)
    expect(events.filter(({ kind }) => kind === 'order:stopped')).toEqual([])
  })
})

describe('a peer that speaks for the ordered log', () => {
  it('is refused, and is not taken for a copy of this replica', async () => {
    const { envelope, engine } = await engineOf()
    const { replica } = engine.identity
    expect(() => engine.admit(envelope, 0, envelope.length)).toThrow('only an ordered log can give')
    expect(engine.identity.replica).toBe(replica)
    expect(engine.admission.admittedCount).toBe(0)
  })
})

/** An engine with a partition of an ordered log, and an operation under the id of that. */
async function engineOf(): Promise<{ readonly engine: Engine; readonly envelope: Uint8Array }> {
  const engine = await Engine.open({
    files: memoryFiles(),
    env: virtualEnv(),
    keyspaces: new Keyspaces(KEYS, true),
    cache: { entriesMax: Infinity, bytesMax: Infinity },
    clockDriftMsMax: Infinity,
    isReplicated: true,
    observe: () => undefined,
  })
  const replica = orderedIdOf('0123456789abcdef', 0)
  engine.store.writers.order(new DomainWriter(DOMAINS.ordered, { replica, sequence: 0 }, engine.table))
  const writer = new ByteWriter()
  writeEnvelopeHeader(
    writer,
    {
      ...{ kind: OPERATION_KIND.update, strategy: register().code, replicaBytes: engine.table.bytes(replica) },
      ...{ sequence: 1, hlc: 1, key: 'plain:1', context: undefined, dependencies: undefined },
    },
    engine.table,
  )
  encodeInto(writer, 7)
  return { engine, envelope: writer.take() }
}

describe('the clock of the ordered log', () => {
  it('moves no clock of a replica: what that writes to other keys is stamped by its own', async () => {
    const world = new StrongWorld()
    let disk = faultyFiles()
    const open = () => world.open('a', KEYS, { aheadMs: -3_600_000, log: disk.store() })
    const { warp } = await open()
    const before = await world.drive(warp.set('plain:1', 1))
    expect(before.aheadMs).toBeUndefined()
    await world.drive(warp.set('stock:1', 1, { ack: 'durable' }))
    world.order.abandon('a')
    disk = disk.kill()
    const { warp: again } = await open()
    const after = await world.drive(again.set('plain:1', 2))
    expect(after.aheadMs).toBeUndefined()
  })
})

function nested(depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = [value]
  return value
}
