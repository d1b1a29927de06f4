/** What is wrong is refused with a typed error that names the thing, the value and the remedy. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { memoryNetwork, memoryOrderedLog } from '../../adapters/memory/index.ts'
import { meshTransport } from '../../adapters/mesh/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { boundedCounter } from '../../crdt/bounded-counter.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { list } from '../../crdt/sequence/list.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { refusalOf } from '../support/refusal-of.ts'

const KEYS = { 'r:*': { strategy: register<unknown>(), retain: 'latest' }, 'c:*': counter(), 'l:*': list() } as const
/** As a caller writes it that no compiler checks. */
const any = (value: unknown): never => value as never
/** For functions that take nothing. */
const strange = (value: unknown): [] => [value] as unknown as []
const open = (options: object = {}) => openWarp({ keys: KEYS, env: virtualEnv(), ...options })
type Open = Awaited<ReturnType<typeof open>>

const OPENINGS: readonly (readonly [string, () => unknown, string])[] = [
  ['no options', () => openWarp(any(undefined)), 'keys is undefined; give key patterns'],
  ['null', () => openWarp(any(null)), 'keys is undefined; give key patterns'],
  [
    'no keys',
    () => openWarp(any({})),
    "keys is undefined; give key patterns with their strategies, such as { 'user:*'",
  ],
  ['a list of keys', () => openWarp(any({ keys: [] })), 'keys is an array'],
  [
    'a strategy that is not called',
    () => open({ keys: { 'a:*': register } }),
    "'a:*' has a function (register); call it: register()",
  ],
  ['one in options', () => open({ keys: { 'a:*': { strategy: counter } } }), 'call it: counter()'],
  ['a text as log', () => open({ log: './data' }), 'log is the string "./data"; give fileLog({ path: "./data" })'],
  [
    'fileLog that is not called',
    () => open({ log: fileLog }),
    'log is a function (fileLog); call it: fileLog({ path })',
  ],
  ['one transport', () => open({ transports: memoryNetwork().transport('a') }), 'give a list of transports'],
  ['a transport by name', () => open({ transports: ['mesh'] }), 'transports[0] is the string "mesh"; give a transport'],
  ['a transport not called', () => open({ transports: [meshTransport] }), 'call it: meshTransport(...)'],
  [
    'an ordered log as transport',
    () => open({ transports: [memoryOrderedLog()] }),
    'this is an ordered log; give it as order',
  ],
  [
    'a transport as ordered log',
    () => open({ order: memoryNetwork().transport('a') }),
    'a transport brings messages to others and puts nothing in order; give it in transports, and here give an ordered log: natsOrderedLog(...)',
  ],
  ['an ordered log not called', () => open({ order: memoryOrderedLog }), 'call it: memoryOrderedLog(...)'],
  ['an ordered log by name', () => open({ order: 'nats' }), 'order is the string "nats"; give an ordered log'],
  ['observe', () => open({ observe: 5 }), 'observe is the number 5; give a function'],
  ['no env', () => open({ env: {} }), 'env is an object; give an Env'],
  ['instruments', () => open({ instruments: {} }), 'give an object with add, record and begin'],
  ['ack', () => open({ ack: null }), 'ack is null; give a string'],
  ['a bound as text', () => open({ cache: { entriesMax: '10' } }), 'entriesMax is the string "10"; give a number'],
  ['half a millisecond', () => open({ keys: { a: { strategy: register(), ttlMs: 0.5 } } }), 'has ttlMs 0.5'],
  [
    'no life at all',
    () => open({ keys: { a: { strategy: register(), ttlMs: 0 } } }),
    'has ttlMs 0; use milliseconds from 1',
  ],
  [
    'a bound of a counter',
    () => counter(...strange({ min: 0 })),
    'counter() takes nothing, and got an object; use boundedCounter()',
  ],
  ['a type given to a register', () => register(...strange('x')), 'register() takes nothing, and got the string "x"'],
  ['a list of a list', () => list(...strange([])), 'list() takes nothing, and got an array'],
  ['room that nobody holds', () => boundedCounter(any({ max: 5 })), 'holder is undefined; with max, name the replica'],
  ['retain null', () => open({ keys: { a: { strategy: register(), retain: null } } }), 'retains null'],
  [
    'half a version',
    () => open({ keys: { a: { strategy: register(), retain: { versions: 1.5 } } } }),
    'a whole number',
  ],
  [
    'map of a function',
    () => map(any(counter)),
    'map takes strategies, and got a function (counter); call it: counter()',
  ],
  ['map of nothing', () => map(any(undefined)), 'map takes strategies, and got undefined'],
  ['map with a function', () => map(any({ a: counter })), 'call it: counter()'],
  ['custom of nothing', () => custom(any(undefined)), 'custom takes a function (old, next) => merged, not undefined'],
  [
    'peers as text',
    () => meshTransport(any({ insecure: true, peers: '1.2.3.4' })),
    'peers is the string "1.2.3.4"; give a list',
  ],
  [
    'a peer as number',
    () => meshTransport(any({ insecure: true, peers: [5] })),
    'peers is an array; give a list of texts',
  ],
  ['insecure as text', () => meshTransport(any({ insecure: 'yes' })), 'insecure is the string "yes"; give a boolean'],
  [
    'fileLog of nothing',
    () => fileLog(any(undefined)),
    "fileLog needs options, and got undefined; give { path: './data' }",
  ],
  [
    'readOnly as text',
    () => fileLog(any({ path: 'x', readOnly: 'yes' })),
    'readOnly is the string "yes"; give a boolean',
  ],
]

test.each(OPENINGS)('opening with %s is refused', async (_what, call, text) => {
  expect(await refusalOf(call)).toContain(text)
})

const cyclic: Record<string, unknown> = { a: {} }
cyclic['a'] = { b: cyclic }
const projection = { name: 'p', initial: () => 0, apply: (state: number) => state }

const CALLS: readonly (readonly [string, (warp: Open) => unknown, string])[] = [
  [
    'set with an ack as options',
    (warp) => warp.set('r:1', 1, any('durable')),
    'write: the options are the string "durable"',
  ],
  [
    'set with a signal that is none',
    (warp) => warp.set('r:1', 1, any({ signal: {} })),
    'write: signal is an object; give an AbortSignal',
  ],
  [
    'set with an inherited ack',
    (warp) => warp.set('r:1', 1, any({ ack: 'toString' })),
    'ack is the string "toString"; use \'memory\'',
  ],
  ['get with a signal that is none', (warp) => warp.get('r:1', any({ signal: {} })), 'get: signal is an object'],
  ['getMany of a text', (warp) => warp.getMany(any('r:1')), 'getMany takes a list of keys, and got the string "r:1"'],
  [
    'setMany of an object',
    (warp) => warp.setMany(any({ 'r:1': 1 })),
    'setMany takes a list of [key, value], and got an object',
  ],
  [
    'entries of a number',
    (warp) => warp.entries(any(5)),
    "a key pattern is a text, such as 'user:*', and not the number 5",
  ],
  ['keys of nothing', (warp) => warp.keys(any(undefined)), 'a key pattern is a text'],
  ['watch of nothing', (warp) => warp.watch(any(undefined)), 'a key pattern is a text'],
  [
    'watch from a number',
    (warp) => warp.watch('a:1', any({ from: 7 })),
    'watch: from is the number 7; give the cursor',
  ],
  ['watch from nothing', (warp) => warp.watch('a:1', any({ from: null })), 'watch: from is null'],
  [
    'watch from a misspelt version',
    (warp) => warp.watch('a:1', any({ from: { versoin: 1 } })),
    "there is no option 'versoin'; did you mean 'version'?",
  ],
  [
    'watch from half a version',
    (warp) => warp.watch('a:1', { from: { version: 1.5 } }),
    'from.version is the number 1.5; give a whole number',
  ],
  ['watch with a signal that is none', (warp) => warp.watch('*', any({ signal: 5 })), 'watch: signal is the number 5'],
  ['unregister of nothing', (warp) => warp.unregister(any(undefined)), ''],
  [
    'getAt null',
    (warp) => warp.getAt('r:1', any(null)),
    'getAt: the moment is null; give either { timeMs } or { version }',
  ],
  ['getAt a date', (warp) => warp.getAt('r:1', any(new Date(0))), 'getAt: the moment is a Date'],
  ['getAt both', (warp) => warp.getAt('r:1', any({ timeMs: 1, version: 1 })), 'the moment is { timeMs, version }'],
  ['getAt of a handle', (warp) => warp.key('r:1').getAt(any(undefined)), 'the moment is undefined'],
  ['project nothing', (warp) => warp.project(any(undefined)), 'project needs options, and got undefined'],
  ['project without a name', (warp) => warp.project(any({ ...projection, name: undefined })), 'name is undefined'],
  [
    'project without apply',
    (warp) => warp.project(any({ ...projection, apply: undefined })),
    'apply is undefined; give a function',
  ],
  [
    'project misspelt',
    (warp) => warp.project(any({ ...projection, key: 'a' })),
    "no option 'key'; did you mean 'keys'?",
  ],
  [
    'project a checkpoint that cannot be read',
    (warp) => warp.project(any({ ...projection, checkpoint: { every: 3 } })),
    'encode is undefined',
  ],
  ['import a text', (warp) => warp.import(any('abc')), 'import takes warp.export()'],
  ['compact with a signal that is none', (warp) => warp.compact(any({ signal: {} })), 'compact: signal is an object'],
  [
    'increment a text',
    (warp) => warp.key('c:1').increment(any('4')),
    'increment takes a whole number, not the string "4"',
  ],
  ['increment a symbol', (warp) => warp.key('c:1').increment(any(Symbol('x'))), 'not a symbol'],
  [
    'insert at a text',
    (warp) => warp.key('l:1').insert(any('0'), 1),
    'the index is the string "0"; give a whole number',
  ],
  ['a cycle', (warp) => warp.set('r:1', cyclic), 'value.a.b is value again, a cycle'],
]

test.each(CALLS)('%s is refused', async (_what, call, text) => {
  const warp = await open()
  await warp.set('r:1', 1)
  const message = await refusalOf(() => call(warp))
  expect(message).toContain(text)
  expect(message).not.toMatch(/^(TypeError|accepted)/)
})

function throwNow(): never {
  throw new Error('now')
}

test('an observer that throws, now or later, changes nothing and is reported once', async () => {
  const warnings: unknown[] = []
  const spy = vi.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(warning))
  onTestFinished(() => spy.mockRestore())
  for (const fail of [() => Promise.reject(new Error('later')), throwNow]) {
    const observed = vi.fn(fail)
    const warp = await open({ observe: observed })
    for (let i = 0; i < 15; i++) {
      await warp.set('r:1', i)
      if (i % 5 === 4) expect((await warp.compact()).droppedOperationsCount).toBeGreaterThan(0)
    }
    await warp.close()
    await new Promise((resolve) => setImmediate(resolve))
    expect(observed.mock.calls.length).toBeGreaterThan(1)
  }
  expect(warnings).toEqual([expect.stringContaining('later'), expect.stringContaining('now')])
})

test('fifty watches and fifty writes that wait for one signal are no leak', async () => {
  const warnings: unknown[] = []
  const note = (warning: unknown): number => warnings.push(warning)
  process.on('warning', note)
  const ended = new AbortController()
  const warp = await open()
  const watches = Array.from({ length: 50 }, () => warp.watch('*', { signal: ended.signal })[Symbol.asyncIterator]())
  const waiting = watches.map((watch) => watch.next())
  await Promise.all(Array.from({ length: 50 }, (_, i) => warp.set(`r:${i}`, i, { signal: ended.signal })))
  await Promise.all(waiting)
  for (const watch of watches) await watch.return?.()
  ended.abort()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', note)
  expect(warnings).toEqual([])
  expect(warp.stats().watchesCount).toBe(0)
})
