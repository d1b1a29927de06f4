/** Requests that are given up or rejected, and rows that somebody else writes. */
import { isWarpError } from '../../../crdt/warp-error.ts'
import { assert, assertBytes, assertEqual } from '../assert.ts'
import { assertRejection, type Check, never, valueOf } from './place.ts'

export const REQUESTS: Readonly<Record<string, Check>> = {
  'the store has a name, and its codec gives back what it took': async ({ store }) => {
    assert(store.name.length > 0, 'the store has a name')
    const bytes = store.codec.encode(store.codec.name === 'bytes' ? valueOf('a') : { a: [1, 'b', null] })
    assertBytes(store.codec.encode(store.codec.decode(bytes)), bytes)
  },

  'checking again, and by several clients at once, is harmless': async (place) => {
    const row = await place.put('a', place.fresh('one'))
    const clients = await place.clients(4)
    await Promise.all(clients.map(async (client) => client.check?.(never())))
    await place.holds('a', row)
  },

  'a request whose signal has fired is not made': async (place) => {
    const signal = AbortSignal.abort()
    const next = place.fresh('one')
    await assertAborted(place.store.compareAndSet([{ key: 'a', expected: undefined, next }], { signal }))
    await assertAborted(place.store.readRows(['a'], { signal }))
    await assertAborted(place.store.purge([{ key: 'a', token: next.token }], { signal }))
    await place.holds('a', undefined)
  },

  'a request that is given up ends at once, and the store works on': async (place) => {
    const next = place.fresh('one')
    const writing = new AbortController()
    const write = place.store.compareAndSet([{ key: 'a', expected: undefined, next }], writing)
    const reading = new AbortController()
    const read = place.store.readRows(['a'], reading)
    // Both are under way, or have just ended: a store in memory answers before anybody can give up.
    writing.abort()
    reading.abort()
    for (const request of [write, read])
      await request.catch((error: unknown) => assert(isAborted(error), String(error)))
    await place.holds('b', await place.put('b', place.fresh('two')))
  },

  'what the store rejects for good is an outcome, and the rest of the batch is written': async (place) => {
    const { rejectedKey } = place.subject
    if (rejectedKey === undefined) return
    const changes = ['a', rejectedKey, 'b', 'c'].map((key) => ({ key, expected: undefined, next: place.fresh(key) }))
    const outcomes = await place.store.compareAndSet(changes, never())
    assertEqual(outcomes.map(({ kind }) => kind).join(), 'done,rejected,done,done', 'outcomes')
    assertRejection(outcomes[1])
    await place.holds('a', changes[0]?.next)
    await place.holds(rejectedKey, undefined)
    await place.holds('c', changes[3]?.next)
  },
}

export const OUTSIDERS: Readonly<Record<string, Check>> = {
  "an outsider's row has neither meta nor token, and can be written over": async (place) => {
    const { outsider } = place.subject
    if (outsider === undefined) return
    await outsider('a', valueOf('theirs'))
    const theirs = { value: valueOf('theirs'), meta: new Uint8Array(), token: new Uint8Array() }
    await place.holds('a', theirs)
    await place.refuses({ key: 'a', expected: undefined, next: place.fresh('one') })
    await place.holds('a', await place.put('a', place.fresh('one'), theirs))
  },

  "a write from before an outsider's change is refused": async (place) => {
    const { outsider } = place.subject
    if (outsider === undefined) return
    const one = await place.put('a', place.fresh('one'))
    await outsider('a', valueOf('theirs'))
    const present = await place.read('a')
    assert(present?.value !== undefined, 'the row is there')
    assertBytes(present.value, valueOf('theirs'))
    await place.refuses({ key: 'a', expected: one, next: place.fresh('two') })
    await place.holds('a', await place.put('a', place.fresh('two'), present))
  },

  "a write from before an outsider's delete is refused": async (place) => {
    const { outsider } = place.subject
    if (outsider === undefined) return
    const one = await place.put('a', place.fresh('one'))
    await outsider('a', undefined)
    const present = await place.read('a')
    assert(present?.value === undefined, 'there is no value any more')
    await place.refuses({ key: 'a', expected: one, next: place.fresh('two') })
    await place.holds('a', await place.put('a', place.fresh('two'), present))
  },
}

async function assertAborted(request: Promise<unknown>): Promise<void> {
  const error: unknown = await request.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert(isAborted(error), `the request rejects with WARP_E_ABORTED, and gave ${String(error)}`)
}

function isAborted(error: unknown): boolean {
  return isWarpError(error, 'WARP_E_ABORTED')
}
