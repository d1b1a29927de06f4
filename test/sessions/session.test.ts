/** Sessions over two replicas: what they promise, how long they wait, and what they refuse. */
import { afterEach, describe, expect, it } from 'vitest'
import { isWarpError } from '../../crdt/warp-error.ts'
import { sessionWorld, type SessionWorld } from './world.ts'

let world: SessionWorld

async function opened(...settings: Parameters<typeof sessionWorld>): Promise<SessionWorld> {
  world = await sessionWorld(...settings)
  return world
}

/** What a call rejects with. */
function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'accepted',
    (error: unknown) => error,
  )
}

afterEach(async () => {
  world.network.heal()
  world.order.reconnect('b')
  await world.close()
})

describe('a session on eventual keys', () => {
  it('reads its own write on another replica, as soon as that has it (W18)', async () => {
    const { a, b, network, env, until } = await opened()
    network.cut('a', 'b')
    const session = a.session()
    await until(session.set('r:1', 'mine'))
    const there = b.session(session.token)
    let value: string | undefined
    const read = there.get('r:1').then((given) => (value = given))
    await env.advance(1000)
    expect([value, b.peek('r:1')]).toEqual([undefined, undefined])
    network.heal()
    await until(read)
    expect(value).toBe('mine')
  })

  it('goes through transactions: behind what it has seen, and its own are seen elsewhere', async () => {
    const { a, b, network, env, until } = await opened()
    network.cut('a', 'b')
    const session = a.session()
    await until(session.set('r:1', 'first'))
    const there = b.session(session.token, { timeoutMs: 500 })
    const late = await until(errorOf(there.transaction((tx) => tx.set('r:1', 'second'), { mode: 'eventual' })))
    expect(late).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND' })
    await until(
      session.transaction(
        async (tx) => {
          tx.set('r:2', `${await tx.get('r:1')} and more`)
          tx.key('c:1').increment(2)
        },
        { mode: 'eventual' },
      ),
    )
    const [waiting, behind] = [b.session(session.token), errorOf(there.getMany(['r:2']))]
    expect(await until(behind)).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND' })
    let read: Map<string, unknown> | undefined
    const reading = waiting.getMany(['r:2', 'c:1']).then((values) => (read = values))
    await env.advance(1000)
    expect(read).toBeUndefined()
    network.heal()
    expect([...(await until(reading))]).toEqual([
      ['r:2', 'first and more'],
      ['c:1', 2],
    ])
  })

  it('never reads what is older than what it has read elsewhere (W19)', async () => {
    const { a, b, network, env, until } = await opened()
    await until(a.set('r:1', 'old'))
    await env.advance(1000)
    network.cut('a', 'b')
    await until(a.set('r:1', 'new'))
    const session = a.session()
    expect(await until(session.get('r:1'))).toBe('new')
    const late = await until(errorOf(b.session(session.token, { timeoutMs: 500 }).get('r:1')))
    expect(late).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND', details: { needed: 2, here: 1, isLost: false } })
    // Without the token nothing is promised.
    expect(await until(b.get('r:1'))).toBe('old')
    network.heal()
    expect(await until(b.session(session.token).get('r:1'))).toBe('new')
  })

  it('remembers that it saw a key deleted', async () => {
    const { a, b, network, env, until } = await opened()
    await until(a.set('r:1', 'there'))
    await env.advance(1000)
    network.cut('a', 'b')
    await until(a.delete('r:1'))
    const session = a.session()
    expect(await until(session.get('r:1'))).toBeUndefined()
    const late = await until(errorOf(b.get('r:1', { consistency: 'session', token: session.token })), 10_000)
    expect(late).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND' })
  })

  it('writes behind what it has seen, on whatever replica (W20)', async () => {
    const { a, b, network, env, until } = await opened()
    network.cut('a', 'b')
    const session = a.session()
    await until(session.set('r:1', 'first'))
    const there = b.session(session.token)
    let isWritten = false
    const second = there.set('r:1', 'second').then(() => (isWritten = true))
    await env.advance(2000)
    expect(isWritten).toBe(false)
    network.heal()
    await until(second)
    await env.advance(2000)
    expect([await until(a.get('r:1')), await until(b.get('r:1'))]).toEqual(['second', 'second'])
  })

  it('goes through handles, their verbs and queries', async () => {
    const { a, b, network, until } = await opened()
    network.cut('a', 'b')
    const session = a.session()
    const visits = session.key('c:home')
    await until(visits.increment(2))
    await until(visits.with({ ack: 'memory' }).increment())
    expect([visits.key, await until(visits.get())]).toEqual(['c:home', 3])
    const there = b.session(session.token, { timeoutMs: 50 })
    const late = [there.key('c:home').get(), there.key('c:home').increment(), there.key('c:home').delete()]
    for (const error of await until(Promise.all(late.map(errorOf))))
      expect(error).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND' })
    network.heal()
    expect(await until(b.session(session.token).key('c:home').get())).toBe(3)
    const tags = b.session(session.token).key('seen:1')
    await until(tags.add('x'))
    expect([await until(tags.has('x')), await until(tags.get())]).toEqual([true, new Set(['x'])])
  })

  it('says what a call beside it has done, by receipt or key', async () => {
    const { a, b, network, env, until } = await opened()
    await until(b.get('page:1'))
    network.cut('a', 'b')
    const session = a.session()
    session.note(await until(a.invalidate('page:1')))
    const there = b.session(session.token, { timeoutMs: 100 })
    expect(await until(errorOf(there.ready()))).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND' })
    network.heal()
    await env.advance(3000)
    await until(there.ready())
    await until(a.set('r:9', 'beside'))
    const before = session.token
    session.note('r:9')
    expect(session.token).not.toBe(before)
    const joined = b.session()
    joined.join(session.token)
    expect(await until(joined.get('r:9'))).toBe('beside')
  })

  it('keeps nothing of keys of this replica alone', async () => {
    const { a, until } = await opened()
    const session = a.session()
    const before = session.token
    await until(session.set('own:1', 'x'))
    expect([await until(session.get('own:1')), session.token === before]).toEqual(['x', true])
  })

  it('takes over what was seen of several replicas in few characters', async () => {
    const { a, b, env, until } = await opened()
    const session = a.session()
    await until(session.set('r:1', 'x'))
    await until(b.set('r:1', 'y'))
    await env.advance(2000)
    await until(session.get('r:1'))
    expect(session.token).toMatch(/^[\w-]{20,50}$/)
    expect(session.token).toBe(b.session(session.token).token)
  })
})

describe('a session on strong keys', () => {
  it('reads what it has seen, and asks the log for nothing', async () => {
    const { a, b, order, until } = await opened()
    const session = a.session()
    await until(session.set('stock:1', 5))
    await until(b.get('stock:1'))
    // Cut off, a linearizable read would wait; this replica has all that the session has seen.
    order.disconnect('b')
    const there = b.session(session.token)
    expect(await until(there.get('stock:1'))).toBe(5)
    expect(await until(there.getVersioned('stock:1'))).toMatchObject({ value: 5 })
    expect((await until(there.getMany(['stock:1', 'r:1']))).get('stock:1')).toBe(5)
    expect(await until(there.key('stock:1').get())).toBe(5)
  })

  it('has seen what its transactions have', async () => {
    const { a, b, order, until } = await opened()
    order.disconnect('b')
    const session = a.session()
    const outcome = await until(
      session.tryTransaction(async (tx) => tx.set('stock:1', ((await tx.get('stock:1')) ?? 0) + 1)),
    )
    expect(outcome.kind).toBe('ok')
    const late = await until(errorOf(b.session(session.token, { timeoutMs: 300 }).get('stock:1')))
    expect(late).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND', details: { partition: 0, needed: 1, here: 0 } })
    order.reconnect('b')
    expect(await until(b.session(session.token).get('stock:1'))).toBe(1)
  })

  it('waits for the records that it has seen, and says so when they do not come', async () => {
    const { a, b, order, until } = await opened()
    order.disconnect('b')
    const session = a.session()
    await until(session.compareAndSet('stock:1', 'absent', 1))
    const late = await until(errorOf(b.session(session.token, { timeoutMs: 300 }).get('stock:1')))
    expect(late).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND', details: { partition: 0, needed: 1, here: 0 } })
    expect(isWarpError((late as Error).cause, 'WARP_E_TRANSPORT')).toBe(true)
    order.reconnect('b')
    expect(await until(b.session(session.token).get('stock:1'))).toBe(1)
  })

  it('waits for the partitions of the keys that it has seen alone', async () => {
    const { a, b, until } = await opened(1, 8)
    const session = a.session()
    await until(session.set('stock:1', 1))
    for (let i = 2; i < 20; i++) await until(a.set(`stock:${i}`, i))
    const [small, large] = [session.token.length, a.session(session.token)]
    await until(large.getMany(Array.from({ length: 20 }, (_, i) => `stock:${i}` as const)))
    expect(large.token.length).toBeGreaterThan(small)
    expect(await until(b.session(large.token).get('stock:19'))).toBe(19)
  })

  it('of another ordered log are refused at once', async () => {
    const { a, until } = await opened()
    await until(a.session().set('stock:1', 1))
    const session = a.session()
    await until(session.get('stock:1'))
    const other = await sessionWorld(2)
    const refused = await other.until(errorOf(other.a.session(session.token).get('stock:1')))
    expect(refused).toMatchObject({ code: 'WARP_E_TOKEN_BEHIND', details: { isLost: true } })
    expect((refused as { details: { waitedMs: number } }).details.waitedMs).toBeLessThan(100)
    await other.close()
  })
})

describe('waiting for what a session has seen', () => {
  it('ends with the signal, and nothing was done', async () => {
    const { a, b, network, env, until } = await opened()
    network.cut('a', 'b')
    const session = a.session()
    await until(session.set('r:1', 'x'))
    const controller = new AbortController()
    const refused = errorOf(b.session(session.token).set('r:1', 'y', { signal: controller.signal }))
    await env.advance(100)
    controller.abort()
    expect(await until(refused)).toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'failed' })
    expect(b.peek('r:1')).toBeUndefined()
    expect(await until(errorOf(b.session(session.token).ready({ signal: controller.signal })))).toMatchObject({
      code: 'WARP_E_ABORTED',
    })
  })

  it('ends when the engine is closed', async () => {
    const { a, network, env, until, open } = await opened()
    const c = await open('c')
    await env.advance(2000)
    network.partition([['a', 'b'], ['c']])
    const session = a.session()
    await until(session.set('r:1', 'x'))
    const refused = errorOf(c.session(session.token, { timeoutMs: 100_000 }).get('r:1'))
    await env.advance(50)
    await until(c.close())
    expect(await until(refused)).toMatchObject({ code: 'WARP_E_CLOSED' })
    expect(() => c.session()).toThrow('has been closed')
  })

  it('is refused when 10,000 calls wait', async () => {
    const { a, b, network, until } = await opened()
    network.cut('a', 'b')
    const session = a.session()
    await until(session.set('r:1', 'x'))
    const there = b.session(session.token, { timeoutMs: 2000 })
    const waiting = Array.from({ length: 10_000 }, () => errorOf(there.ready()))
    expect(await until(errorOf(there.ready()))).toMatchObject({ code: 'WARP_E_LIMIT', outcome: 'failed' })
    network.heal()
    await until(Promise.all(waiting))
    await until(there.ready())
  })
})

describe('what sessions refuse', () => {
  it('names the option, and the remedy', async () => {
    const { a, until } = await opened()
    const session = a.session()
    expect(() => a.session('', {})).toThrow('malformed')
    expect(() => a.session(5 as never)).toThrow('the number 5')
    expect(() => a.session(undefined, { timeoutMs: -1 })).toThrow('timeoutMs')
    expect(() => a.session(undefined, { timeout: 5 } as never)).toThrow("did you mean 'timeoutMs'")
    expect(() => session.note(5 as never)).toThrow('note takes a key or a receipt')
    expect(() => session.note({ dot: { replica: '0123456789abcdef' as never, sequence: 5 } })).toThrow('give the key')
    expect(() => session.note('unheard')).toThrow('no key pattern matches')
    const refused = async (options: object): Promise<unknown> => until(errorOf(session.get('r:1', options as never)))
    expect(await refused({ consistency: 'stale' })).toMatchObject({ code: 'WARP_E_CONFIG' })
    expect(await refused({ token: session.token })).toMatchObject({ code: 'WARP_E_CONFIG' })
    for (const call of ['get', 'getVersioned'] as const) {
      const without = a[call]('stock:1', { consistency: 'session' })
      expect(await until(errorOf(without))).toMatchObject({ code: 'WARP_E_CONFIG' })
    }
    expect(await until(errorOf(a.getMany(['r:1'], { token: 'x' })))).toMatchObject({ code: 'WARP_E_CONFIG' })
    expect(await until(errorOf(session.getMany(5 as never)))).toMatchObject({ code: 'WARP_E_CONFIG' })
    expect(await until(errorOf(session.setMany([5] as never)))).toMatchObject({ code: 'WARP_E_CONFIG' })
  })
})
