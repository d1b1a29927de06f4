/**
 * Nothing that is handed out is what is folded: a reader who changes a value changes nobody else's,
 * and no fold.
 */
import { describe, expect, test } from 'vitest'
import { openWarp } from '../../adapters/node/index.ts'
import { custom } from '../../crdt/custom.ts'
import { list } from '../../crdt/sequence/list.ts'
import { map } from '../../crdt/map.ts'
import { max, min } from '../../crdt/extremum.ts'
import { multiValue } from '../../crdt/multi-value.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { Applied, Prepare, Strategy, Verbs } from '../../crdt/strategy.ts'
import type { Warp } from '../../src/api/public.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { meddleWith } from '../../testing/world/meddling.ts'

interface Held {
  readonly at: Date
  readonly bytes: Uint8Array
  readonly deep: readonly { readonly at: Date }[]
}
const held = (day: number): Held => ({
  at: new Date(day * 86_400_000),
  bytes: new Uint8Array([day, 0]),
  deep: [{ at: new Date(day) }],
})

type Dates = Map<string, Date>

/** A user's own strategy that hands out the very state which it goes on changing. */
const lending = {
  kind: 'lending',
  code: 64,
  fold: 'any' as const,
  deletes: 'refused' as const,
  initial: (): Dates => new Map<string, Date>(),
  apply: (state: Dates, { payload }: Applied<Encodable>): Dates =>
    state.set((payload as Date).toISOString(), payload as Date),
  read: (state: Dates) => (state.size === 0 ? undefined : state),
  isEmpty: (state: Dates) => state.size === 0,
  encodeState: (state: Dates) => [...state.values()].sort((a, b) => a.getTime() - b.getTime()),
  decodeState: (encoded: Encodable): Dates => new Map((encoded as Date[]).map((date) => [date.toISOString(), date])),
  verbs: { add: (_prepare: Prepare<Dates>, date: Date) => date },
  queries: { all: (state: Dates): Dates => state },
} satisfies Strategy<Dates, Dates, Encodable, Verbs<Dates>>

/** A merge function that changes what it is given, keeps what it returned, and changes that later. */
function meddlingMerge(): (old: Held, next: Held) => Held {
  let last: Held | undefined
  return (old, next) => {
    meddleWith(last)
    const deep = [...old.deep, ...next.deep].map(({ at }) => ({ at: new Date(at) }))
    const merged = { at: new Date(old.at), bytes: new Uint8Array(next.bytes), deep }
    meddleWith(old)
    meddleWith(next)
    last = merged
    return merged
  }
}

const keys = {
  register: { strategy: register<Held>(), retain: 'latest' },
  sliding: { strategy: register<Held>(), ttlMs: 60_000, ttl: 'sliding' },
  max: { strategy: max<Date>(), retain: 'latest' },
  min: min<Date>(),
  custom: { strategy: custom<Held>(meddlingMerge()), retain: 'latest' },
  from: custom<readonly Date[], Date>((old, next) => [...old, next], { initial: [new Date(0)] }),
  set: { strategy: set<Held | Date>(), retain: 'latest' },
  list: { strategy: list<Uint8Array | Date>(), retain: 'latest' },
  several: multiValue<Held>(),
  map: { strategy: map(max<Date>()), retain: 'latest' },
  record: map({ best: max<Date>(), tags: set<Date>(), own: lending }),
  own: { strategy: lending, retain: 'latest' },
} as const satisfies KeyMap

type Open = Warp<typeof keys>

/** What every key is written with, in the order of days. */
const WRITES: Readonly<Record<keyof typeof keys, (warp: Open, day: number) => Promise<unknown>>> = {
  register: (warp, day) => warp.set('register', held(day)),
  sliding: (warp, day) => warp.set('sliding', held(day)),
  max: (warp, day) => warp.set('max', new Date(day)),
  min: (warp, day) => warp.set('min', new Date(-day)),
  custom: (warp, day) => warp.set('custom', held(day)),
  from: (warp, day) => warp.set('from', new Date(day)),
  set: (warp, day) => warp.key('set').add(held(day), new Date(day)),
  list: (warp, day) => warp.key('list').push(new Uint8Array([day]), new Date(day)),
  several: (warp, day) => warp.set('several', held(day)),
  map: (warp, day) => warp.key('map').update(`e${day % 2}`, 'set', new Date(day)),
  record: async (warp, day) => {
    await warp.key('record').update('best', 'set', new Date(day))
    await warp.key('record').update('tags', 'add', new Date(day))
    await warp.key('record').update('own', 'add', new Date(day))
  },
  own: (warp, day) => warp.key('own').add(new Date(day)),
}
const NAMES = Object.keys(WRITES) as (keyof typeof keys)[]

let seed = 0
const open = (): Promise<Open> => openWarp({ keys, env: virtualEnv({ seed: ++seed }) })

/** Everything that the public face hands out of a key. */
async function* ways(warp: Open, key: keyof typeof keys): AsyncGenerator {
  yield warp.peek(key)
  yield await warp.get(key)
  yield await warp.get(key)
  yield warp.key(key).peek()
  yield await warp.key(key).get()
  yield (await warp.getMany([key])).get(key)
  for await (const { value } of warp.entries(key)) yield value
  yield await warp.getAt(key, { timeMs: 8e15 })
  const { value, operations } = await warp.explain(key)
  yield value
  for (const { operation } of operations) yield operation.payload
  for await (const { payload } of warp.log(key)) yield payload
  if (key === 'own') yield await warp.key('own').all()
}

async function equalise(a: Open, b: Open): Promise<void> {
  await a.import(b.export())
  await b.import(a.export())
}

async function valuesOf(warp: Open): Promise<unknown> {
  return Object.fromEntries(await Promise.all(NAMES.map(async (name) => [name, await warp.get(name)])))
}

test.each(NAMES)('a reader who changes the value of %s changes it for nobody else', async (name) => {
  const warp = await open()
  for (const day of [1, 2]) await WRITES[name](warp, day)
  const before = structuredClone(await warp.get(name))
  for await (const value of ways(warp, name)) {
    expect(name === 'own' || name === 'record' ? undefined : value).not.toBe(null)
    meddleWith(value)
    expect(await warp.get(name)).toEqual(before)
  }
})

describe('replicas stay equal, whatever readers do to what they were given', () => {
  test('a watch, a projection and every other way', async () => {
    const [meddled, quiet] = [await open(), await open()]
    const watch = meddled.watch('*')[Symbol.asyncIterator]()
    const shown: unknown[] = []
    await meddled.project({
      name: 'meddling',
      initial: () => 0,
      apply(state, change) {
        shown.push(change.value)
        meddleWith(change.value)
        meddleWith(change.operation.payload)
        return state + 1
      },
    })
    for (const day of [1, 2, 3]) {
      for (const name of NAMES) {
        await WRITES[name](meddled, day)
        const { value: change } = await watch.next()
        if (change?.kind === 'value') meddleWith(change.value)
        for await (const value of ways(meddled, name)) meddleWith(value)
      }
      await equalise(meddled, quiet)
      for (const name of NAMES) await WRITES[name](quiet, day + 10)
      await equalise(meddled, quiet)
      await meddled.compact()
    }
    for (const value of shown) meddleWith(value)
    for (const name of NAMES) await WRITES[name](quiet, 30)
    await equalise(meddled, quiet)
    expect(await valuesOf(meddled)).toEqual(await valuesOf(quiet))
  })
})

test('a value without bytes and dates is one object for all readers, and a set refuses changes', async () => {
  const warp = await openWarp({ keys: { plain: register<object>(), tags: set<string>() }, env: virtualEnv() })
  await warp.set('plain', { a: [1] })
  await warp.key('tags').add('x')
  expect(await warp.get('plain')).toBe(warp.peek('plain'))
  expect(await warp.get('tags')).toBe(warp.peek('tags'))
  const tags = (await warp.get('tags')) as Set<string>
  expect(() => tags.delete('x')).toThrow(expect.objectContaining({ code: 'WARP_E_MODE' }))
  expect(await warp.get('tags')).toEqual(new Set(['x']))
})

test("a query's answer is no piece of the state", async () => {
  const warp = await open()
  await warp.key('own').add(new Date(1))
  meddleWith(await warp.key('own').all())
  await warp.key('own').add(new Date(2))
  expect([...((await warp.get('own')) as Map<string, Date>).values()]).toEqual([new Date(1), new Date(2)])
})
