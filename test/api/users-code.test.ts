/**
 * Users' code that the engine calls may read the engine, fail, write or take its time: what it does
 * is refused or harmless, and what is folded stays the same on every replica.
 */
import * as Automerge from '@automerge/automerge'
import * as Y from 'yjs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
import { automerge } from '../../crdt/documents/automerge.ts'
import { yjs } from '../../crdt/documents/yjs.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { register } from '../../crdt/register.ts'
import type { Applied, Prepare, Strategy } from '../../crdt/strategy.ts'
import type { WarpEvent } from '../../src/api/public.ts'
import { DOCUMENT_BYTES_MAX } from '../../src/limits.ts'
import { virtualEnv, type VirtualEnv } from '../../testing/world/virtual-env.ts'

/** Rejections that nobody waits for: in Node they end the process. */
const unhandled: unknown[] = []
const note = (reason: unknown): number => unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

const later = async (): Promise<never> => {
  await Promise.resolve()
  throw new Error('too late')
}

/** What merge functions do beside merging. */
let aside: (() => unknown) | undefined

const keys = () => ({
  setting: register<string>(),
  'other:*': counter(),
  'notes:*': custom<readonly string[]>((old, next) => {
    aside?.()
    return [...old, ...next]
  }),
  'doc:*': yjs(),
  'auto:*': automerge<{ title?: string; list?: string[] }>(),
})
let seed = 0
const open = (env: VirtualEnv = virtualEnv({ seed: ++seed }), events: WarpEvent[] = []) =>
  openWarp({ keys: keys(), env, observe: (event) => events.push(event), cache: { entriesMax: 2 } })
type Open = Awaited<ReturnType<typeof open>>

async function equalise(...warps: readonly Open[]): Promise<void> {
  for (const to of warps) for (const from of warps) if (to !== from) await to.import(from.export())
}

describe('a merge function that reads the engine', () => {
  const ways: Readonly<Record<string, (warp: Open) => unknown>> = {
    'a cold key with peek': (warp) => warp.peek('setting'),
    'a cold key with get': (warp) => warp.get('setting'),
    'a cold key through a handle': (warp) => warp.key('setting').peek(),
    'a counter': (warp) => warp.peek('other:1'),
    'another key that merges': (warp) => warp.peek('notes:2'),
    'its own key with peek': (warp) => warp.peek('notes:1'),
    'its own key with get': (warp) => warp.get('notes:1'),
    'its own key at a moment': (warp) => warp.getAt('notes:1', { version: 1 }).catch(() => undefined),
    'the keys': (warp) =>
      warp
        .keys('*')
        [Symbol.asyncIterator]()
        .next()
        .catch(() => undefined),
    'the whole log, to compact it': (warp) => warp.compact(),
  }

  test.each(Object.keys(ways))('gives what one that does not read gives: %s', async (name) => {
    const replicas = [await open(), await open(), await open()] as const
    for (let round = 0; round < 20; round++) {
      for (const [i, warp] of replicas.entries()) {
        aside = () => ways[name]?.(warp)
        await warp.set('setting', `s${round}`)
        await warp.key('other:1').increment()
        await warp.set('notes:2', [`b${i}.${round}`])
        await warp.set('notes:1', [`a${i}.${round}`])
        for (const key of ['other:1', 'setting', 'notes:2'] as const) await warp.get(key)
      }
      aside = undefined
      await equalise(...replicas)
      for (const warp of replicas) {
        aside = () => ways[name]?.(warp)
        await warp.get('notes:1')
      }
    }
    aside = undefined
    const fresh = await open()
    await equalise(...replicas)
    await fresh.import(replicas[0].export())
    for (const key of ['notes:1', 'notes:2'] as const) {
      const right = await fresh.get(key)
      expect(right).toHaveLength(60)
      for (const warp of replicas) expect(await warp.get(key)).toEqual(right)
    }
  })

  test('sees the operation that it was given, also after it has read another key', async () => {
    const seen: unknown[] = []
    const watching = {
      ...failing(() => undefined),
      apply(state: Names, operation: Applied<string>) {
        aside?.()
        seen.push([
          operation.sequence,
          operation.payload,
          operation.observed(operation.replica, operation.sequence - 1),
        ])
        return [...state, operation.payload]
      },
    }
    const env = virtualEnv()
    const warp = await openWarp({ keys: { a: watching, b: { strategy: counter(), ttlMs: 60_000 } }, env })
    aside = () => warp.peek('b')
    for (const name of ['x', 'y', 'z']) {
      await env.advance(120_000)
      await warp.key('a').add(name)
      await warp.key('b').increment()
    }
    expect(await warp.get('a')).toEqual(['x', 'y', 'z'])
    aside = undefined
    expect(seen).toEqual([
      [1, 'x', true],
      [3, 'y', true],
      [5, 'z', true],
    ])
  })

  test('and writes is refused, on every replica alike', async () => {
    const events: WarpEvent[] = []
    const env = virtualEnv()
    const warp = await open(env, events)
    await warp.set('notes:1', ['a'])
    aside = () => void warp.key('other:1').increment()
    await expect(warp.set('notes:1', ['b'])).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
    aside = undefined
    await warp.set('notes:1', ['c'])
    await warp.set('notes:2', ['x'])
    await warp.get('other:1')
    await warp.get('setting')
    aside = () => warp.write('setting', 'nested')
    expect(await warp.get('notes:1')).toEqual(['a'])
    aside = undefined
    expect(await warp.get('setting')).toBeUndefined()
  })
})
type Names = string[]
/** A strategy whose apply fails in ways that say nothing about the operation. */
function failing(
  over: (payload: string, state: Names) => void,
): Strategy<readonly string[], Names, string, { add: (prepare: Prepare<Names>, name: string) => string }> {
  return {
    kind: 'failing',
    code: 70,
    fold: 'any',
    deletes: 'refused',
    initial: () => [],
    apply: (state, { payload }) => {
      state.push(payload)
      over(payload, state)
      return state
    },
    read: (state) => [...state].sort(),
    isEmpty: (state) => state.length === 0,
    encodeState: (state) => [...state].sort(),
    decodeState: (encoded) => [...(encoded as Names)],
    verbs: { add: (_prepare, name) => name },
  }
}

describe('an exception while folding', () => {
  test('that says nothing about the operation is tried again from the base, and harms nothing', async () => {
    const events: WarpEvent[] = []
    const env = virtualEnv()
    let left = 0
    const fail = (): void => {
      aside?.()
      if (left-- > 0) throw new TypeError('the moment')
    }
    const observe = (event: WarpEvent): unknown => events.push(event)
    const warp = await openWarp({ keys: { a: failing(fail), b: counter() }, env, observe })
    aside = () => warp.peek('b')
    for (const name of ['x', 'y', 'z']) {
      await warp.key('b').increment()
      await warp.key('a').add(name)
      left = name === 'y' ? 0 : 1
      await warp.get('a')
    }
    aside = undefined
    expect(await warp.get('a')).toEqual(['x', 'y', 'z'])
    await env.runUntilIdle()
    expect(events.filter(({ kind }) => kind === 'operation:rejected')).toEqual([])
  })

  test('that comes again is the fault of the operation, which is skipped and reported once', async () => {
    const events: WarpEvent[] = []
    const env = virtualEnv()
    const fail = (payload: string, state: Names): void => {
      if (payload !== 'bad') return
      state.pop()
      throw new TypeError('always')
    }
    const warp = await openWarp({ keys: { a: failing(fail) }, env, observe: (event) => events.push(event) })
    for (const name of ['x', 'bad', 'z']) {
      await warp.key('a').add(name)
      await warp.get('a')
    }
    expect(await warp.get('a')).toEqual(['x', 'z'])
    await env.runUntilIdle()
    expect(events.filter(({ kind }) => kind === 'operation:rejected')).toMatchObject([{ error: { message: 'always' } }])
  })
})

describe('a document that somebody has touched', () => {
  const touches: Readonly<Record<string, (doc: Y.Doc) => void>> = {
    'written to': (doc) => doc.getText('t').insert(0, 'stray'),
    destroyed: (doc) => doc.destroy(),
    'merged into': (doc) => {
      const other = new Y.Doc()
      other.getText('t').insert(0, 'stray')
      Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
    },
    'observed by one who writes': (doc) =>
      doc.getText('t').observe(({ transaction }) => {
        if (transaction.origin === 'warp') doc.getText('t').insert(0, '!')
      }),
    'observed by one who throws': (doc) => {
      doc.getText('t').observe(() => {
        throw new Error('an observer')
      })
    },
  }

  test.each(Object.keys(touches))('is folded again from its operations: a Yjs document that was %s', async (name) => {
    const events: WarpEvent[] = []
    const env = virtualEnv()
    const [warp, other] = [await open(env, events), await open()]
    await warp.key('doc:1').change((doc) => doc.getText('t').insert(0, 'a'))
    await other.import(warp.export())
    const doc = (await warp.get('doc:1')) as Y.Doc
    try {
      touches[name]?.(doc)
    } catch {
      // Whoever wrote outside of change is told.
    }
    await other.key('doc:1').change((mine) => mine.getText('t').insert(1, 'b'))
    await warp.import(other.export())
    const text = async (from: Open): Promise<string> => ((await from.get('doc:1')) as Y.Doc).getText('t').toJSON()
    expect(await text(warp)).toBe('ab')
    await warp.key('doc:1').change((mine) => mine.getText('t').insert(2, 'c'))
    await other.import(warp.export())
    expect([await text(warp), await text(other)]).toEqual(['abc', 'abc'])
    await env.runUntilIdle()
    expect(events.filter(({ kind }) => kind === 'operation:rejected')).toEqual([])
    const told = events.filter(({ kind }) => kind === 'value:touched')
    expect(told).toEqual(name.endsWith('throws') ? [] : [{ kind: 'value:touched', key: 'doc:1' }])
  })

  const handles: Readonly<Record<string, (doc: Automerge.Doc<{ title?: string }>) => unknown>> = {
    changed: (doc) => Automerge.change(doc, (draft) => (draft.title = 'stray')),
    freed: (doc) => Automerge.free(doc),
    'merged into': (doc) => Automerge.merge(doc, Automerge.from({ title: 'other' })),
    'given changes': (doc) => Automerge.loadIncremental(doc, Automerge.save(Automerge.from({ title: 'other' }))),
  }

  test.each(Object.keys(handles))('is folded again: an Automerge document that was %s', async (name) => {
    const [warp, other] = [await open(), await open()]
    await warp.key('auto:1').change((draft) => (draft.list = ['a']))
    await other.import(warp.export())
    const doc = (await warp.get('auto:1')) as Automerge.Doc<{ title?: string }>
    handles[name]?.(doc)
    expect(await warp.get('auto:1')).toEqual({ list: ['a'] })
    await other.key('auto:1').change((draft) => draft.list?.push('b'))
    handles[name]?.((await warp.get('auto:1')) as never)
    await warp.import(other.export())
    expect(await warp.get('auto:1')).toEqual({ list: ['a', 'b'] })
    handles[name]?.((await warp.get('auto:1')) as never)
    await warp.key('auto:1').change((draft) => draft.list?.push('c'))
    await other.import(warp.export())
    expect(await other.get('auto:1')).toEqual(await warp.get('auto:1'))
    expect(await warp.get('auto:1')).toEqual({ list: ['a', 'b', 'c'] })
  })
})

describe('what a writer shows is what its update decodes to', () => {
  const half = '😀'.slice(0, 1)
  const writes: Readonly<Record<string, (doc: Y.Doc) => unknown>> = {
    'a text': (doc) => doc.getText('t').insert(0, half),
    'the key of a map': (doc) => doc.getMap('m').set(half, 1),
    'a value': (doc) => doc.getMap('m').set('k', half),
    'deep in a value': (doc) => doc.getArray('a').push([{ deep: [half] }]),
    'a name in a value': (doc) => doc.getArray('a').push([{ [half]: 1 }]),
    'the name of a type': (doc) => doc.getText(half).insert(0, 'a'),
    'the name of a format': (doc) => doc.getText('t').insert(0, 'a', { [half]: true }),
    'the value of a format': (doc) => doc.getText('t').insert(0, 'a', { link: half }),
    'what is embedded': (doc) => doc.getText('t').insertEmbed(0, { image: half }),
    'the name of an element': (doc) => doc.getXmlFragment('x').insert(0, [new Y.XmlElement(half)]),
    'an attribute': (doc) => {
      const element = new Y.XmlElement('p')
      doc.getXmlFragment('x').insert(0, [element])
      element.setAttribute(half, 'v')
    },
    'text in a type in a map': (doc) => doc.getMap('m').set('t', new Y.Text(half)),
  }

  test.each(Object.keys(writes))('half of an emoji is refused: %s', async (name) => {
    const warp = await open()
    await warp.key('doc:1').change((doc) => doc.getText('t').insert(0, 'whole 😀'))
    const refused = warp.key('doc:1').change((doc) => writes[name]?.(doc))
    await expect(refused).rejects.toMatchObject({ code: 'WARP_E_UNENCODABLE' })
    expect(((await warp.get('doc:1')) as Y.Doc).getText('t').toJSON()).toBe('whole 😀')
    expect(warp.stats().log.operationsCount).toBe(1)
  })

  test('both halves in one change are one character', async () => {
    const [warp, other] = [await open(), await open()]
    await warp.key('doc:1').change((doc) => {
      doc.getText('t').insert(0, '😀'.slice(0, 1))
      doc.getText('t').insert(1, '😀'.slice(1))
    })
    await other.import(warp.export())
    for (const replica of [warp, other])
      expect(((await replica.get('doc:1')) as Y.Doc).getText('t').toJSON()).toBe('😀')
  })

  test('an Automerge document shows the same everywhere', async () => {
    const [warp, other] = [await open(), await open()]
    await warp.key('auto:1').change((draft) => (draft.title = half))
    await other.import(warp.export())
    expect(await other.get('auto:1')).toEqual(await warp.get('auto:1'))
  })

  test('a subdocument is refused, also in an update of a client', async () => {
    const warp = await open()
    const nested = warp.key('doc:1').change((doc) => doc.getMap('m').set('sub', new Y.Doc()))
    await expect(nested).rejects.toMatchObject({ code: 'WARP_E_MODE', message: expect.stringContaining('subdocument') })
    const client = new Y.Doc()
    client.getMap('m').set('sub', new Y.Doc())
    const merged = warp.key('doc:1').merge(Y.encodeStateAsUpdate(client))
    await expect(merged).rejects.toMatchObject({ code: 'WARP_E_MODE' })
    expect(await warp.get('doc:1')).toBeUndefined()
  })

  test('a first update of 1.5 MB and a paste of 2 MB are taken, up to the limit for documents', async () => {
    const [warp, other] = [await open(), await open()]
    const client = new Y.Doc()
    client.getText('t').insert(0, 'x'.repeat(1_500_000))
    await warp.key('doc:1').merge(Y.encodeStateAsUpdate(client))
    await warp.key('doc:1').change((doc) => doc.getText('t').insert(0, 'y'.repeat(2_000_000)))
    await other.import(warp.export())
    expect(((await other.get('doc:1')) as Y.Doc).getText('t').length).toBe(3_500_000)
    const beyond = warp.key('doc:2').change((doc) => doc.getText('t').insert(0, 'z'.repeat(DOCUMENT_BYTES_MAX)))
    await expect(beyond).rejects.toMatchObject({ code: 'WARP_E_LIMIT' })
  })
})

describe('an async function where a synchronous one is meant is refused once, at the call', () => {
  test('change of a document, before and after it has written', async () => {
    const warp = await open()
    const refusal = { code: 'WARP_E_MODE' }
    await expect(warp.key('doc:1').change(later)).rejects.toMatchObject(refusal)
    await expect(warp.key('auto:1').change(later)).rejects.toMatchObject(refusal)
    await warp.key('doc:1').change((doc) => doc.getText('t').insert(0, 'a'))
    const slow = warp.key('doc:1').change(async (doc) => {
      doc.getText('t').insert(0, 'b')
      await Promise.resolve()
      doc.getText('t').insert(0, 'c')
    })
    await expect(slow).rejects.toMatchObject(refusal)
    await new Promise((resolve) => setImmediate(resolve))
    expect(((await warp.get('doc:1')) as Y.Doc).getText('t').toJSON()).toBe('a')
    const thenable = { then: (_resolve: unknown, reject: (error: Error) => void) => reject(new Error('late')) }
    await expect(warp.key('doc:1').change(() => thenable)).rejects.toMatchObject(refusal)
  })

  test('a merge function', async () => {
    expect(() => custom(later as never)).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG' }))
    const warp = await openWarp({ keys: { a: custom<number>((() => later()) as never) }, env: virtualEnv() })
    await warp.set('a', 1)
    await expect(warp.set('a', 2)).rejects.toMatchObject({ code: 'WARP_E_MERGE', cause: { code: 'WARP_E_MODE' } })
    expect(await warp.get('a')).toBe(1)
  })

  test('apply of a projection', async () => {
    const warp = await open()
    const projection = await warp.project({ name: 'slow', initial: () => 0, apply: later as never })
    await warp.set('setting', 'a')
    expect(() => projection.state).toThrow(expect.objectContaining({ code: 'WARP_E_MODE' }))
    await expect(projection.rebuild()).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  })
})

describe('a value that calls the engine while it is encoded', () => {
  const calls: Readonly<Record<string, (warp: Open) => unknown>> = {
    'writes another key': (warp) => warp.set('setting', 'nested'),
    increments: (warp) => warp.key('other:1').increment(),
    compacts: (warp) => warp.compact(),
    'reads a cold key': (warp) => warp.peek('notes:1'),
    encodes: () => structuredClone({ a: 1 }),
  }
  const values: Readonly<Record<string, (call: () => unknown) => unknown>> = {
    'a getter': (call) => ({
      get a() {
        call()
        return 1
      },
    }),
    'a proxy': (call) =>
      new Proxy(
        { a: 1 },
        {
          get: (target, name) => {
            call()
            return Reflect.get(target, name) as unknown
          },
        },
      ),
    'a list of getters': (call) => [
      Object.defineProperty({}, 'a', { enumerable: true, get: () => (call(), 1) }),
      Object.defineProperty({}, 'b', { enumerable: true, get: () => (call(), 2) }),
    ],
  }
  test.each(Object.keys(calls).flatMap((call) => Object.keys(values).map((value) => [value, call] as const)))(
    '%s that %s is refused or harmless',
    async (value, call) => {
      const [warp, other] = [await open(), await open()]
      for (const name of ['a', 'b']) await warp.set('notes:1', [name])
      for (let i = 0; i < 3; i++) await warp.key('other:1').increment()
      const written = values[value]?.(() => calls[call]?.(warp))
      await warp.set('setting', written as never).catch(() => undefined)
      await warp.setMany([['setting', written as never]]).catch(() => undefined)
      await warp.set('setting', 'after')
      await warp.key('other:1').increment()
      await warp.compact()
      await other.import(warp.export())
      for (const key of ['setting', 'notes:1', 'other:1'] as const)
        expect(await other.get(key)).toEqual(await warp.get(key))
      expect(await other.get('setting')).toBe('after')
    },
  )
})
