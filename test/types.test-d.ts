/**
 * What compiles and what must not. Never run; `npm run typecheck` compiles it, and an `@ts-expect-error` without an error fails it.
 * Inference at call sites is what users meet, so most of it is call sites.
 */
import fc from 'fast-check'
import { boundedCounter } from '../crdt/bounded-counter.ts'
import { counter } from '../crdt/counter.ts'
import { custom } from '../crdt/custom.ts'
import type { Encodable } from '../crdt/encoding/encodable.ts'
import { list } from '../crdt/sequence/list.ts'
import { map } from '../crdt/map.ts'
import { multiValue } from '../crdt/multi-value.ts'
import { register } from '../crdt/register.ts'
import { set } from '../crdt/set.ts'
import type { AnyStrategy } from '../crdt/strategy.ts'
import { fileLog } from '../adapters/file/file-log.ts'
import { memoryNetwork } from '../adapters/memory/memory-network.ts'
import { meshTransport } from '../adapters/mesh/mesh-transport.ts'
import { defineKeys } from '../src/keys/define-keys.ts'
import { simulate } from '../testing/simulation/simulate.ts'
import type { HandleFor, KeyHandle, Warp, WarpOptions } from '../src/api/public.ts'
import type { Receipt } from '../src/store/write-road/receipt.ts'
import { operationsOf } from '../testing/arbitraries.ts'
import type { KeyMap, KeyOptions, KeysOf, KnownKey, PatternsAt, SettableKey, ValueAt } from '../src/keys/typed-keys.ts'

/** Fails to compile unless the two are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
declare function expectSame<A, B>(same: Same<A, B>): void

interface User {
  readonly name: string
}
interface Admin {
  readonly name: string
  readonly rights: readonly string[]
}

declare function open<const K extends KeyMap>(options: WarpOptions<K>): Promise<Warp<K>>
declare const id: string
declare const anyKey: string
declare const userOrVisits: 'user:1' | 'visits:1'

const keys = {
  'user:*': { strategy: register<User>(), mode: 'eventual', ttlMs: 600_000, ttl: 'sliding', retain: { versions: 3 } },
  'user:admin:*': register<Admin>(),
  'visits:*': counter(),
  'stock:*': { strategy: boundedCounter({ min: 0 }), retain: 'latest' },
  'cart:*': set<string>(),
  'notes:*': custom<string[]>((old, next) => [...old, ...next]),
  'votes:*': map(counter()),
  'title:*': multiValue<string>(),
  'todo:*': list<string>(),
  settings: register<{ readonly dark: boolean }>(),
  'a\\*b': register<bigint>(),
} as const satisfies KeyMap
type Keys = typeof keys

const warp = await open({ keys })

// The value follows from the pattern.
const exact = await warp.get('user:123')
expectSame<typeof exact, User | undefined>(true)
const user: User | undefined = await warp.get('user:123', { signal: new AbortController().signal })
const visits: number | undefined = warp.peek('visits:home')
const cart: ReadonlySet<string> | undefined = await warp.get('cart:1')
const past: User | undefined = await warp.getAt('user:1', { version: 3 })
const templated: readonly string[] | undefined = await warp.get(`todo:${id}`)
const dark: boolean | undefined = (await warp.get('settings'))?.dark
expectSame<ValueAt<Keys, 'notes:1'>, string[]>(true)
expectSame<ValueAt<Keys, 'title:1'>, readonly string[]>(true)
expectSame<ValueAt<Keys, `visits:${number}`>, number>(true)
const explained: User | undefined = (await warp.explain('user:1')).value

// Writing follows it too.
const receipt: Receipt = await warp.set('user:1', { name: 'Alice' }, { ack: 'durable' })
await warp.set('notes:1', ['a'])
await warp.set('settings', { dark: true })
await warp.set(`user:admin:${id}`, { name: 'Ada', rights: [] })
await warp.delete('visits:home', { ack: 'logged' })
// @ts-expect-error -- name is missing
await warp.set('user:1', {})
// @ts-expect-error -- not a string[]
await warp.set('notes:1', 'a')
// @ts-expect-error -- a misspelt acknowledgement
await warp.set('user:1', { name: 'Alice' }, { ack: 'disk' })

// What has no `set` says so, in a sentence.
// @ts-expect-error -- a counter has increments
await warp.set('visits:home', 1)
// @ts-expect-error -- a set has elements
await warp.set('cart:1', new Set<string>())
// @ts-expect-error -- a map has entries
await warp.set(`votes:${id}`, {})
expectSame<SettableKey<Keys, 'visits:home'>, 'the strategy of this key has no set'>(true)
expectSame<SettableKey<Keys, 'user:1'>, 'user:1'>(true)

// What no pattern matches says so, wherever it is used.
// @ts-expect-error -- no pattern matches
await warp.get('usr:1')
// @ts-expect-error -- no pattern matches
await warp.set('usr:1', 1)
// @ts-expect-error -- no pattern matches
warp.key('settings:dark')
// @ts-expect-error -- no pattern matches
warp.log(`usr:${id}`)
expectSame<KnownKey<Keys, 'usr:1'>, 'no key pattern matches this key'>(true)
expectSame<SettableKey<Keys, 'usr:1'>, 'no key pattern matches this key'>(true)

// Handles have the strategy's verbs and queries, without their first parameter.
const counted: Receipt = await warp.key('visits:home').increment(3)
await warp.key('visits:home').decrement()
await warp.key(`cart:${id}`).add('apple', 'pear')
const inCart: boolean = await warp.key('cart:1').has('apple')
await warp.key('votes:poll').update('yes', 'increment', 2)
await warp.key('todo:1').push('x', 'y')
await warp.key('todo:1').splice(0, 1, 'x')
await warp.key('stock:1').decrement(2)
await warp.key('user:1').set({ name: 'Bob' })
const hot: User | undefined = warp.key('user:1').peek()
// @ts-expect-error -- takes a number
await warp.key('visits:home').increment('3')
// @ts-expect-error -- a register has no such verb
await warp.key('user:1').increment()
// @ts-expect-error -- nor has any strategy one that it does not name
await warp.key('visits:home').frobnicate()
// @ts-expect-error -- an entry's verb of another strategy
await warp.key('votes:poll').update('yes', 'add', 2)
// @ts-expect-error -- the state is not a caller's to pass
await warp.key('cart:1').has(new Map(), 'apple')
await warp.key('visits:home').with({ ack: 'durable' }).increment(1)
await warp.key('visits:home').with({ ack: 'durable' }).with({}).delete()
// @ts-expect-error -- nor with options
await warp.key('visits:home').with({ ack: 'durable' }).add('x')
const held: KeyHandle<number> = warp.key('visits:home')
const named: HandleFor<Keys, `visits:${string}`> = warp.key(`visits:${id}`)

// The narrower pattern wins; a key that is the pattern is found at once; escapes are literal.
expectSame<PatternsAt<Keys, 'user:admin:1'>, 'user:admin:*'>(true)
expectSame<PatternsAt<Keys, 'user:1'>, 'user:*'>(true)
expectSame<PatternsAt<Keys, 'settings'>, 'settings'>(true)
expectSame<ValueAt<Keys, 'a*b'>, bigint>(true)
expectSame<PatternsAt<Keys, 'axb'>, never>(true)
expectSame<KeysOf<'a\\*b*c\\\\?'>, `a*b${string}c\\${string}`>(true)
expectSame<KeysOf<'**'>, string>(true)
type Nested = { '*': AnyStrategy; 'a*': AnyStrategy; 'a*z': AnyStrategy; abz: AnyStrategy; 'a*y': AnyStrategy }
expectSame<PatternsAt<Nested, 'abz'>, 'abz'>(true)
expectSame<PatternsAt<Nested, 'acz'>, 'a*z'>(true)
expectSame<PatternsAt<Nested, 'ac'>, 'a*'>(true)
expectSame<PatternsAt<Nested, 'b'>, '*'>(true)

// What cannot be decided is a union: patterns that cross, patterns with a question mark, keys that are wide.
type Crossing = { 'user:*': AnyStrategy; '*:1': AnyStrategy; 'user:?': AnyStrategy; 'user:me': AnyStrategy }
expectSame<PatternsAt<Crossing, 'shop:1'>, '*:1'>(true)
expectSame<PatternsAt<Crossing, 'user:1'>, 'user:*' | '*:1' | 'user:?'>(true)
expectSame<PatternsAt<Crossing, 'user:me'>, 'user:me'>(true)
expectSame<PatternsAt<Keys, `user:${string}`>, 'user:*' | 'user:admin:*'>(true)
const wideUser: User | Admin | undefined = await warp.get(`user:${id}`)
const either: number | User | undefined = await warp.get(userOrVisits)
// @ts-expect-error -- it may be an admin, who has rights
await warp.set(`user:${id}`, { name: 'Alice' })
await warp.set(`user:${id}`, { name: 'Alice', rights: [] })
// @ts-expect-error -- it may be a counter
await warp.set(userOrVisits, { name: 'Alice' })
// @ts-expect-error -- only one of them has it
await warp.key(userOrVisits).increment()

// Just a string: every pattern takes part.
expectSame<PatternsAt<Keys, string>, keyof Keys>(true)
const something: object | number | bigint | undefined = await warp.get(anyKey)
await warp.delete(anyKey)
// @ts-expect-error -- it may be a counter
await warp.set(anyKey, { name: 'Alice' })
const registers = await open({ keys: { 'a:*': register<User>(), 'b:*': register<Admin>() } })
await registers.set(anyKey, { name: 'Ada', rights: [] })

// A map that is known only at run time.
const dynamic = await open({ keys: keys as KeyMap })
const unknownValue = await dynamic.get('whatever')
expectSame<typeof unknownValue, unknown>(true)
await dynamic.set('whatever', { a: [1, 'b', null] } satisfies Encodable)
await dynamic.key(anyKey)['increment']?.(1)
// @ts-expect-error -- cannot be encoded
await dynamic.set('whatever', () => 1)

// Watches see what the pattern may meet.
for await (const change of warp.watch('visits:*')) {
  if (change.kind === 'value') expectSame<typeof change.value, number | undefined>(true)
  else if (change.kind === 'gap') expectSame<typeof change.missedCount, number | undefined>(true)
  else expectSame<typeof change.value, undefined>(true)
}
for await (const change of warp.watch('*:7')) {
  if (change.kind === 'value') expectSame<typeof change.value, unknown>(true)
}
for await (const change of warp.key('cart:1').watch()) {
  if (change.kind === 'value') expectSame<typeof change.value, ReadonlySet<string> | undefined>(true)
}

// Projections infer their state.
const total = await warp.project({ name: 'total', keys: 'visits:*', initial: () => 0, apply: (count) => count + 1 })
const count: number = total.state

// Contradictory options do not compile.
const sliding: KeyOptions = { strategy: counter(), ttlMs: 5, ttl: 'sliding' }
// @ts-expect-error -- a kind of expiry without an expiry
const timeless: KeyOptions = { strategy: counter(), ttl: 'sliding' }
// @ts-expect-error -- no such mode
await open({ keys: { '*': { strategy: counter(), mode: 'causal' } } })
// @ts-expect-error -- no such retention
await open({ keys: { '*': { strategy: counter(), retain: 'some' } } })
// @ts-expect-error -- a pattern without a strategy
await open({ keys: { '*': { ttlMs: 5 } } })

// Misspelt options do not compile, at any level.
// @ts-expect-error -- at the top
await open({ keys, clockDriftMs: 5 })
// @ts-expect-error -- in a nested option
await open({ keys, cache: { entriesMaximum: 5 } })
// @ts-expect-error -- of replication
await open({ keys, replication: { digestIntervallMs: 5 } })
// @ts-expect-error -- of a key pattern
await open({ keys: { '*': { strategy: counter(), ttlMS: 5 } } })
await open({
  keys: {
    '*': {
      strategy: counter(),
      // @ts-expect-error -- and the compiler speaks of this line, and not of the strategy's
      retian: 'all',
    },
  },
})
// @ts-expect-error -- of a key pattern beside right ones
await open({ keys: { 'a:*': counter(), '*': { strategy: counter(), ttlMs: 5, retention: 'all' } } })
// @ts-expect-error -- of a retention
await open({ keys: { '*': { strategy: counter(), retain: { version: 5 } } } })
// @ts-expect-error -- of a strategy
boundedCounter({ min: 0, maximum: 5 })
// @ts-expect-error -- of a merge
custom<string[], string>((old, next) => [...old, next], { initial: [], code: 5 })
// @ts-expect-error -- of a read
await warp.get('user:1', { abort: new AbortController().signal })
// @ts-expect-error -- of a write
await warp.set('user:1', { name: 'Alice' }, { acks: 'logged' })
// @ts-expect-error -- of a delete
await warp.delete('user:1', { acknowledge: 'logged' })
// @ts-expect-error -- of a handle
warp.key('user:1').with({ acknowledge: 'logged' })
// @ts-expect-error -- of a watch
warp.watch('user:*', { pendingMax: 5 })
// @ts-expect-error -- of a log
warp.log('user:1', { newest: true })
// @ts-expect-error -- of a listing
warp.keys('user:*', { deleted: true })
// @ts-expect-error -- of a compaction
await warp.compact({ abort: new AbortController().signal })
// @ts-expect-error -- of a log on disk
fileLog({ path: './data', mode: 0o600 })
// @ts-expect-error -- of a network
meshTransport({ insecure: true, hostname: '127.0.0.1' })
// @ts-expect-error -- of multicast
meshTransport({ insecure: true, multicast: { address: '239.255.77.46' } })
// @ts-expect-error -- of a network in memory
memoryNetwork({ delay: 5 })
// @ts-expect-error -- of a simulation
await simulate({ seeds: 5 })

// A map that modules share keeps its types, and is checked where it stands.
const shared = defineKeys({ 'user:*': { strategy: register<User>(), ttlMs: 5 }, 'visits:*': counter() })
const sharing = await open({ keys: shared })
const sharedUser: User | undefined = await sharing.get('user:1')
const sharedVisits: number | undefined = await sharing.get('visits:1')
// @ts-expect-error -- no pattern matches
await sharing.get('session:1')
// @ts-expect-error -- misspelt
defineKeys({ 'user:*': { strategy: register<User>(), ttl: 'sliding', ttlMS: 5 } })

export {
  sharedUser,
  sharedVisits,
  count,
  exact,
  unknownValue,
  cart,
  counted,
  dark,
  either,
  explained,
  held,
  hot,
  inCart,
  named,
  past,
  receipt,
  sliding,
  something,
  templated,
  timeless,
  user,
  visits,
  wideUser,
}

// Calls that a strategy is tested with: verbs that it has, and parameters that they take.
operationsOf(counter(), { increment: [fc.nat()], decrement: [fc.constantFrom(1, undefined)] })
operationsOf(set<string>(), { add: [fc.string(), fc.string()] })
// @ts-expect-error amounts are numbers
operationsOf(counter(), { increment: [fc.string()] })
// @ts-expect-error a counter has no such verb
operationsOf(counter(), { add: [fc.nat()] })
// @ts-expect-error elements of this set are texts
operationsOf(set<string>(), { add: [fc.nat()] })

// A transaction has keys of one mode, and its type follows from the map or from what is said.
const mixed = await open({
  keys: {
    'account:*': { strategy: register<number>(), mode: 'strong' },
    'hits:*': { strategy: counter(), mode: 'strong' },
    'note:*': { strategy: register<number>(), mode: 'local' },
    'user:*': register<User>(),
  },
})
const moved: string = await mixed.transaction(async (tx) => {
  const left: number | undefined = await tx.get(`account:${id}`)
  tx.set('account:1', (left ?? 0) - 1)
  tx.key('hits:1').increment(2)
  await tx.compareAndSet('account:2', { value: 1 }, 2)
  // @ts-expect-error -- of another mode
  await tx.get('note:1')
  // @ts-expect-error -- of another mode
  tx.set('user:1', { name: 'Alice' })
  // @ts-expect-error -- not the type of the value
  tx.set('account:1', 'much')
  // @ts-expect-error -- a counter has no set
  tx.set('hits:1', 1)
  // @ts-expect-error -- no pattern
  tx.delete('nothing:1')
  return 'moved'
})
const tried = await mixed.tryTransaction((tx) => tx.set('note:1', 1), { mode: 'local', triesMax: 3 })
// @ts-expect-error -- of another mode
await mixed.transaction((tx) => tx.set('account:1', 1), { mode: 'local' })
// @ts-expect-error -- no such mode
await mixed.transaction(() => 1, { mode: 'weak' })
// One on eventual keys says by its type that nothing can be expected of a key.
const whole: string = await mixed.transaction(
  async (tx) => {
    tx.set('user:1', { name: 'Alice' })
    // @ts-expect-error -- nobody could compare
    await tx.compareAndSet('user:1', 'absent', { name: 'Bob' })
    // @ts-expect-error -- nobody could compare
    await tx.expect('user:1', 'absent')
    // @ts-expect-error -- of another mode
    tx.set('note:1', 1)
    return 'whole'
  },
  { mode: 'eventual' },
)
const localOnly = await open({ keys: { 'note:*': { strategy: register<number>(), mode: 'local' } } })
await localOnly.transaction((tx) => tx.set('note:1', 1))
declare const anyWarp: Warp<KeyMap>
await anyWarp.transaction((tx) => tx.set(anyKey, 1))
export const transacted: unknown[] = [whole, moved, tried.kind === 'ok' ? tried.receipt.dot : tried.version]

const room = anyWarp.channel<{ readonly text: string }>('chat:1')
await room.publish({ text: 'hello' }, { ack: 'memory' })
// @ts-expect-error -- not the payload of this channel
await room.publish('hello')
// @ts-expect-error -- no such option
await room.publish({ text: 'hello' }, { ttlMs: 5 })
// @ts-expect-error -- what is kept, or the newest so many
room.subscribe({ replay: 'all' })
// @ts-expect-error -- a number, or a time
await open({ keys: { 'user:*': register<string>() }, channels: { 'chat:*': { replay: {} } } })
for await (const news of room.subscribe({ replay: 20 })) {
  const shown: string | number | undefined = news.kind === 'message' ? news.payload.text : news.missedCount
  // @ts-expect-error -- a gap has no payload
  void [shown, news.payload]
}
for await (const news of anyWarp.channel('chat:*').subscribe())
  if (news.kind === 'message') {
    // @ts-expect-error -- nobody said what it is
    const payload: string = news.payload
    void payload
  }
