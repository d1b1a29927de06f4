import type * as Y from 'yjs'
import { expect, test } from 'vitest'
import { fileLog } from '../../adapters/file/index.ts'
import { openWarp, type Encodable, type Receipt } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { list } from '../../crdt/sequence/list.ts'
import { map } from '../../crdt/map.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { yjs } from '../../crdt/documents/yjs.ts'
import { DOCUMENT_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX } from '../../src/limits.ts'
import { memoryFiles } from '../../src/log/files/memory-files.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

const keys = {
  'r:*': register<Encodable>(),
  'c:*': counter(),
  's:*': set<string>(),
  'l:*': list(),
  'm:*': map(register<Encodable>()),
  'n:*': custom<readonly Encodable[]>((old, next) => [...old, ...next]),
  'd:*': yjs(),
  '*': register<Encodable>(),
} as const

const open = () => openWarp({ keys, env: virtualEnv() })

/** For callers that the compiler does not stop. */
interface Unchecked {
  get(key: unknown): Promise<unknown>
  peek(key: unknown): unknown
  set(key: unknown, value: unknown, options?: unknown): Promise<Receipt>
  delete(key: unknown): Promise<unknown>
  explain(key: unknown): Promise<unknown>
  key(key: unknown): unknown
}

const unchecked = (warp: unknown): Unchecked => warp as Unchecked

const textOf = (doc: Y.Doc | undefined): string | undefined => doc?.getText('t').toJSON()

test("a receipt names the operation, counts the key's versions, and says how safe it is", async () => {
  const warp = await open()
  expect(await warp.set('r:1', 1)).toEqual({ dot: { replica: warp.replica, sequence: 1 }, version: 1, ack: 'memory' })
  expect(await warp.set('r:2', 1)).toEqual({ dot: { replica: warp.replica, sequence: 2 }, version: 1, ack: 'memory' })
  expect(await warp.delete('r:1')).toEqual({ dot: { replica: warp.replica, sequence: 3 }, version: 2, ack: 'memory' })
  await warp.close()
})

test('what has nothing to write writes nothing', async () => {
  const warp = await open()
  const { operationsCount } = warp.stats().log
  expect(await warp.key('s:1').remove('x')).toEqual({ dot: undefined, version: 0, ack: 'memory' })
  expect(await warp.delete('s:1')).toEqual({ dot: undefined, version: 0, ack: 'memory' })
  await warp.key('s:1').add('x')
  expect(await warp.key('s:1').remove('y')).toEqual({ dot: undefined, version: 1, ack: 'memory' })
  expect(warp.stats().log.operationsCount).toBe(operationsCount + 1)
  expect(warp.stats().keysCount).toBe(1)
  await warp.close()
})

test.each([
  ['a function', () => () => 1],
  ['undefined', () => undefined],
  ['a symbol', () => Symbol('x')],
  ['a Map', () => new Map()],
  ['an instance of a class', () => new URL('x:y')],
  ['half a surrogate pair', () => 'x\uD800'],
  ['a cycle', () => cycle()],
  ['a function deep inside', () => ({ a: [{ b: () => 1 }] })],
])('what cannot be encoded is refused before anything exists: %s', async (_name, makeAny) => {
  const warp = await open()
  const make = makeAny as () => Encodable
  for (const write of [
    () => warp.set('r:1', make()),
    () => warp.key('m:1').update('x', 'set', make()),
    () => warp.key('l:1').push(make()),
  ]) {
    await expect(write()).rejects.toMatchObject({ code: expect.stringMatching(/WARP_E_(UNENCODABLE|LIMIT)/) as string })
  }
  expect(warp.stats()).toMatchObject({ keysCount: 0, log: { operationsCount: 0 }, operations: { writtenCount: 0 } })
  await warp.set('r:1', 'next')
  expect((await warp.set('r:1', 'fine')).dot?.sequence).toBe(2)
  expect(warp.peek('r:1')).toBe('fine')
  await warp.close()
})

function cycle(): unknown {
  const value: { self?: unknown } = {}
  value.self = value
  return value
}

test.each([-1, 0, 1])('a key may take as many bytes as the limit: %i beyond', async (beyond) => {
  const warp = await open()
  const ascii = 'k'.repeat(KEY_BYTES_MAX + beyond)
  const wide = 'é'.repeat(Math.floor((KEY_BYTES_MAX + beyond) / 2)) + 'k'.repeat((KEY_BYTES_MAX + beyond) % 2)
  for (const key of [ascii, wide]) {
    if (beyond > 0)
      await expect(unchecked(warp).set(key, 1)).rejects.toMatchObject({
        code: 'WARP_E_LIMIT',
        details: { bytes: KEY_BYTES_MAX + 1 },
      })
    else {
      await unchecked(warp).set(key, 1)
      expect(unchecked(warp).peek(key)).toBe(1)
    }
  }
  await warp.close()
})

test.each([-1, 0, 1])('a value may take as many bytes as the limit: %i beyond', async (beyond) => {
  const warp = await open()
  // Bytes are headed by one byte of type and four of length.
  const value = new Uint8Array(VALUE_BYTES_MAX - 5 + beyond)
  const write = warp.set('r:1', value)
  if (beyond > 0)
    await expect(write).rejects.toMatchObject({
      code: 'WARP_E_LIMIT',
      details: { key: 'r:1', bytes: VALUE_BYTES_MAX + 1 },
    })
  else expect((await write).version).toBe(1)
  expect(warp.stats().keysCount).toBe(beyond > 0 ? 0 : 1)
  await warp.set('r:2', 'next')
  expect(warp.peek('r:2')).toBe('next')
  await warp.close()
})

test.each([
  ['', 'WARP_E_LIMIT'],
  ['r:\uD800', 'WARP_E_UNENCODABLE'],
  [7, 'WARP_E_LIMIT'],
])('what is no key is refused by every call: %o', async (key, code) => {
  const opened = await open()
  const warp = unchecked(opened)
  const refused = expect.objectContaining({ code }) as Error
  for (const call of [() => warp.get(key), () => warp.set(key, 1), () => warp.delete(key), () => warp.explain(key)]) {
    await expect(call()).rejects.toThrow(refused)
  }
  expect(() => warp.peek(key)).toThrow(refused)
  expect(() => warp.key(key)).toThrow(refused)
  await opened.close()
})

test('a key that no pattern matches is refused, and an acknowledgement that the log cannot give', async () => {
  const warp = await openWarp({ keys: { 'r:*': register<number>() }, env: virtualEnv() })
  const other = unchecked(warp)
  await expect(other.set('x:1', 1)).rejects.toMatchObject({ code: 'WARP_E_UNREGISTERED_KEY' })
  expect(() => other.peek('x:1')).toThrow(expect.objectContaining({ code: 'WARP_E_UNREGISTERED_KEY' }))
  for (const ack of ['logged', 'durable', 'carved in stone' as 'durable'] as const) {
    await expect(warp.set('r:1', 1, { ack })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    await expect(openWarp({ keys, ack, env: virtualEnv() })).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  }
  expect((await warp.set('r:1', 1, { ack: 'memory' })).ack).toBe('memory')
  await warp.close()
})

test('a log that outlives the process acknowledges as far as it is asked', async () => {
  const warp = await openWarp({ keys, env: virtualEnv(), log: fileLog({ path: temporaryFolder() }) })
  expect((await warp.set('r:1', 1)).ack).toBe('logged')
  for (const ack of ['memory', 'logged', 'durable'] as const) expect((await warp.set('r:1', 1, { ack })).ack).toBe(ack)
  await warp.close()
})

test('a signal aborted before the call stops the write, later only the waiting', async () => {
  const files = memoryFiles({ persistent: true })
  const warp = await openWarp({ keys, env: virtualEnv(), log: { name: 'memory', open: () => Promise.resolve(files) } })
  const reason = new Error('enough')
  await expect(warp.set('r:1', 1, { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
    code: 'WARP_E_ABORTED',
    outcome: 'failed',
    cause: reason,
  })
  await expect(warp.delete('r:1', { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({ outcome: 'failed' })
  expect(warp.stats().keysCount).toBe(0)
  const controller = new AbortController()
  const waiting = warp.set('r:1', 2, { ack: 'durable', signal: controller.signal })
  controller.abort(reason)
  await expect(waiting).rejects.toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'indeterminate', cause: reason })
  expect(await warp.get('r:1')).toBe(2)
  await expect(warp.get('r:1', { signal: AbortSignal.abort(reason) })).rejects.toMatchObject({
    code: 'WARP_E_ABORTED',
    cause: reason,
  })
  await warp.close()
})

test('what is written is what the caller meant then: changing it later changes nothing', async () => {
  const warp = await open()
  const value = { list: [1], bytes: Uint8Array.of(1) }
  await warp.set('r:1', value)
  await warp.set('n:1', [value])
  await warp.key('l:1').push(value)
  await warp.key('m:1').update('x', 'set', value)
  value.list.push(2)
  value.bytes[0] = 9
  const expected = { list: [1], bytes: Uint8Array.of(1) }
  expect(await warp.get('r:1')).toEqual(expected)
  expect(await warp.get('n:1')).toEqual([expected])
  expect(await warp.get('l:1')).toEqual([expected])
  expect(await warp.get('m:1')).toEqual({ x: expected })
  expect(Object.isFrozen(value)).toBe(false)
  await warp.close()
})

test('values handed out are frozen all the way down', async () => {
  const warp = await openWarp({
    keys: {
      'r:*': register<Encodable>(),
      'mm:*': map(map(counter())),
      'n:*': custom<Encodable>((_old, next) => [next, { x: [next] }]),
      'l:*': list(),
    },
    env: virtualEnv(),
  })
  await warp.set('r:1', { a: [{ b: [1] }] })
  await warp.key('mm:1').update('x', 'update', 'y', 'increment', 1)
  await warp.set('n:1', { a: [1] })
  await warp.set('n:1', { a: [2] })
  await warp.key('l:1').push({ a: [1] })
  for (const key of ['r:1', 'mm:1', 'n:1', 'l:1'] as const) {
    expect(unfrozen(await warp.get(key))).toEqual([])
    expect(unfrozen(warp.peek(key))).toEqual([])
    expect(unfrozen(await warp.getAt(key, { version: 1 }))).toEqual([])
  }
  await warp.close()
})

function unfrozen(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  const inside = Object.values(value).flatMap(unfrozen)
  return Object.isFrozen(value) ? inside : [value, ...inside]
}

test('a getter that writes while its value is being written is refused, and both keys stay whole', async () => {
  const warp = await open()
  const refusals: unknown[] = []
  const sly = {
    a: 1,
    get b() {
      warp.set('r:2', 'inner').catch((error: unknown) => refusals.push(error))
      return 2
    },
    c: 3,
  }
  await warp.set('r:1', sly).catch(() => undefined)
  await warp.set('r:3', 'after')
  expect([undefined, { a: 1, b: 2, c: 3 }]).toContainEqual(await warp.get('r:1'))
  expect(await warp.get('r:2')).toBeUndefined()
  expect(await warp.get('r:3')).toBe('after')
  await warp.close()
})

test('a getter that writes while an entry is being written is refused, whatever it writes to', async () => {
  const warp = await open()
  const refusals: unknown[] = []
  const nested: (() => Promise<unknown>)[] = [() => warp.key('c:1').increment(1), () => warp.set('r:2', 1)]
  const sly = {
    get b() {
      for (const write of nested) write().catch((error: unknown) => refusals.push(error))
      return 2
    },
  }
  await warp
    .key('m:1')
    .update('entry', 'set', sly)
    .catch(() => undefined)
  await warp.set('r:3', 'after')
  expect(await warp.getMany(['c:1', 'r:2', 'r:3'])).toEqual(new Map([['r:3', 'after']]))
  await warp.close()
})

test('a change of a document that throws halfway leaves it as it was, on every replica', async () => {
  const warp = await open()
  const document = warp.key('d:1')
  const write = (text: string) => (doc: Y.Doc) => doc.getText('t').insert(0, text)
  const halfway = (doc: Y.Doc): void => {
    doc.getText('t').insert(0, 'half')
    throw new Error('halfway')
  }
  await expect(document.change(halfway)).rejects.toThrow('halfway')
  expect([document.peek(), warp.stats().keysCount]).toEqual([undefined, 0])
  await document.change(write('a'))
  await expect(document.change(halfway)).rejects.toThrow('halfway')
  expect(textOf(await document.get())).toBe('a')
  await document.change(write('b'))
  expect(textOf(await document.get())).toBe('ba')
  expect(warp.stats().log.operationsCount).toBe(2)
  await warp.close()
})

test('a change of a document that is too large to append leaves it as it was', async () => {
  const warp = await open()
  const document = warp.key('d:1')
  await document.change((doc) => doc.getText('t').insert(0, 'a'))
  const tooMuch = document.change((doc) => doc.getText('t').insert(0, 'x'.repeat(DOCUMENT_BYTES_MAX + 1)))
  await expect(tooMuch).rejects.toMatchObject({
    code: 'WARP_E_LIMIT',
    message: expect.stringMatching(/more than 3145728; make several smaller changes/) as string,
  })
  expect(textOf(document.peek())).toBe('a')
  await warp.close()
})

test('a change of a document that writes elsewhere in the middle is refused whole', async () => {
  const warp = await open()
  const document = warp.key('d:1')
  await document.change((doc) => doc.getText('t').insert(0, 'a'))
  const nested = document.change((doc) => {
    doc.getText('t').insert(0, 'b')
    void warp.set('r:1', 1)
  })
  await expect(nested).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  expect(textOf(document.peek())).toBe('a')
  expect(warp.peek('r:1')).toBe(1)
  await warp.close()
})

test('a merge function that throws for the writer refuses the write, and nothing is in the log', async () => {
  const picky = custom<number>((old, next) => {
    if (next < old) throw new Error('smaller')
    return next
  })
  const warp = await openWarp({ keys: { '*': picky }, env: virtualEnv() })
  await warp.set('k', 5)
  const named = { details: { key: 'k' }, message: expect.stringMatching(/^'k': the merge function threw/) as unknown }
  await expect(warp.set('k', 4)).rejects.toMatchObject({ code: 'WARP_E_MERGE', ...named })
  expect(await warp.get('k')).toBe(5)
  expect(warp.stats().log.operationsCount).toBe(1)
  await warp.close()
})

test('what a strategy does not offer is refused: deleting, and setting as a whole', async () => {
  const warp = await open()
  await warp.key('d:1').change((doc) => doc.getText('t').insert(0, 'a'))
  await expect(warp.delete('d:1')).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  await expect(unchecked(warp).set('c:1', 1)).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  await warp.close()
})
