/** Sessions of a real Express over real connections, and the store by itself where a request would hide something. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import session, { type SessionData } from 'express-session'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  type SessionEngine,
  WarpSessionStore,
  type WarpSessionStoreOptions,
} from '../../../adapters/express-session/index.ts'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import { asError } from '../../../crdt/warp-error.ts'
import { allOf } from '../../support/all-of.ts'
import { refused } from '../../support/refused.ts'

declare module 'express-session' {
  interface SessionData {
    visits: number
  }
}

const HOUR_MS = 3_600_000
const keys = {
  'session:*': register<unknown>(),
  'sliding:*': { strategy: register<unknown>(), ttlMs: HOUR_MS, ttl: 'sliding', sliding: 'replicas' },
  'copies:*': { strategy: register<unknown>(), load: 'caller' },
  'visits:*': counter(),
} as const

async function openOne() {
  const warp = await openWarp({ keys })
  onTestFinished(() => warp.close())
  return warp
}

async function openTwo() {
  const network = memoryNetwork()
  const a = await openWarp({ keys, transports: [network.transport('a')] })
  const b = await openWarp({ keys, transports: [network.transport('b')] })
  onTestFinished(async () => void (await Promise.all([a.close(), b.close()])))
  return { a, b }
}

/** The address of a server that counts the visits of each session. `maxAge` is the cookie's. */
async function serve(store: WarpSessionStore, maxAge = HOUR_MS): Promise<string> {
  const app = express()
  app.use(
    session({
      store,
      secret: 'of the test',
      resave: false,
      saveUninitialized: false,
      rolling: true,
      cookie: { maxAge },
    }),
  )
  app.get('/visit', (request, response) => {
    request.session.visits = (request.session.visits ?? 0) + 1
    response.json({ visits: request.session.visits })
  })
  app.get('/look', (request, response) => void response.json({ visits: request.session.visits ?? 0 }))
  app.get('/log-out', (request, response) => {
    request.session.destroy(() => response.json({ visits: 0 }))
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A browser: keeps its cookie. */
function browser() {
  let cookie = ''
  return async (url: string): Promise<number> => {
    const response = await fetch(url, { headers: { cookie } })
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie
    const { visits } = (await response.json()) as { visits: number }
    return visits
  }
}

describe.each(['session:*', 'sliding:*'] as const)('an application with sessions in %s', (pattern) => {
  test('knows a visitor again, on whichever replica, and nobody after the log-out', async () => {
    const { a, b } = await openTwo()
    const acks = { replicas: 2, level: 'memory' } as const
    const [here, there] = await Promise.all([a, b].map((warp) => serve(new WarpSessionStore(warp, pattern, { acks }))))
    const visit = browser()
    expect(await visit(`${here}/visit`)).toBe(1)
    expect(await visit(`${there}/visit`)).toBe(2)
    expect(await visit(`${here}/look`)).toBe(2)
    await visit(`${there}/log-out`)
    expect(await visit(`${here}/look`)).toBe(0)
  })

  test('has a session for each visitor', async () => {
    const warp = await openOne()
    const store = new WarpSessionStore(warp, pattern)
    const url = await serve(store)
    expect(await Promise.all([browser()(`${url}/visit`), browser()(`${url}/visit`)])).toEqual([1, 1])
    expect(await call((done) => store.length(done))).toBe(2)
  })
})

/** What the store answers. */
function call<Value>(method: (done: (error: unknown, value?: Value) => void) => void): Promise<Value | undefined> {
  return new Promise((resolve, reject) => {
    method((error, value) => {
      if (error === null || error === undefined) resolve(value)
      else reject(asError(error))
    })
  })
}

function sessionOf(visits: number, lifeMs?: number): SessionData {
  const cookie = new session.Cookie()
  if (lifeMs !== undefined) cookie.maxAge = lifeMs
  return { visits, cookie }
}

/** The engine, but one of its methods is answered by `answer`, which is given what the engine answers. */
function inFrontOf(
  warp: SessionEngine,
  method: 'get' | 'touch',
  answer: (answered: Promise<unknown>, key: string) => Promise<unknown>,
): SessionEngine {
  return new Proxy(warp, {
    get: (_, name: keyof SessionEngine) => {
      const call = (warp[name] as (...given: unknown[]) => unknown).bind(warp)
      return name === method ? (key: string) => answer(call(key) as Promise<unknown>, key) : call
    },
  })
}

async function storeOver(pattern = 'session:*', options: WarpSessionStoreOptions = {}) {
  const warp = await openOne()
  const store = new WarpSessionStore(warp, pattern, options)
  const lives = async (id: string) => (await allOf(warp.log(`session:${id}`))).map(({ lifeMs }) => lifeMs)
  return {
    ...{ warp, store, lives },
    get: (id: string) => call<SessionData | null>((done) => store.get(id, done)),
    set: (id: string, given: SessionData) => call((done) => store.set(id, given, done)),
    touch: (id: string, given: SessionData) => call((done) => store.touch(id, given, done)),
    destroy: (id: string) => call((done) => store.destroy(id, done)),
  }
}

describe('the store', () => {
  test('gives a session of which Express may change everything', async () => {
    const { get, set } = await storeOver()
    await set('1', sessionOf(1, HOUR_MS))
    const found = (await get('1')) as SessionData
    found.visits = 2
    found.cookie.path = '/elsewhere'
    expect(await get('1')).toMatchObject({ visits: 1 })
    expect(await get('2')).toBeNull()
  })

  test('lists, counts and clears them', async () => {
    const { store, set } = await storeOver()
    await set('1', sessionOf(1))
    await set('2', sessionOf(2))
    expect(await call((done) => store.all(done))).toMatchObject({ 1: { visits: 1 }, 2: { visits: 2 } })
    await call((done) => store.clear(done))
    expect(await call((done) => store.length(done))).toBe(0)
  })

  test('a session lives as long as its cookie, or as the store says where the cookie has no end', async () => {
    const { set, lives } = await storeOver('session:*', { ttlMs: 5_000 })
    await set('1', sessionOf(1, HOUR_MS))
    await set('2', sessionOf(2))
    expect((await lives('1'))[0]).toSatisfy((lifeMs: number) => lifeMs > HOUR_MS - 60_000 && lifeMs <= HOUR_MS)
    expect(await lives('2')).toEqual([5_000])
  })

  test('one whose cookie is over is gone', async () => {
    const { get, set } = await storeOver()
    await set('1', sessionOf(1, HOUR_MS))
    await set('1', sessionOf(2, -1))
    expect(await get('1')).toBeNull()
  })
})

describe('a visit that changes nothing', () => {
  test('prolongs a life when a quarter of it is gained, and writes nothing before', async () => {
    const { get, set, touch, lives } = await storeOver()
    await set('1', sessionOf(1, HOUR_MS))
    await touch('1', sessionOf(7, HOUR_MS))
    expect(await lives('1')).toHaveLength(1)
    await touch('1', sessionOf(7, 2 * HOUR_MS))
    expect(await lives('1')).toHaveLength(2)
    // What the session holds is what was set: a visit that prolongs has nothing to say about it.
    expect(await get('1')).toMatchObject({ visits: 1, cookie: { originalMaxAge: expect.closeTo(2 * HOUR_MS, -4) } })
  })

  test('brings nothing back that has been destroyed', async () => {
    const { get, set, touch, destroy } = await storeOver()
    await set('1', sessionOf(1, HOUR_MS))
    await Promise.all([touch('1', sessionOf(1, 2 * HOUR_MS)), destroy('1')])
    await touch('1', sessionOf(1, 4 * HOUR_MS))
    expect(await get('1')).toBeNull()
  })

  test('brings nothing back that has been destroyed while it looked', async () => {
    const warp = await openOne()
    const engine = inFrontOf(warp, 'get', async (found, key) => {
      const value = await found
      await warp.delete(key as 'session:1')
      return value
    })
    const store = new WarpSessionStore(engine, 'session:*')
    await call((done) => store.set('1', sessionOf(1, HOUR_MS), done))
    await call((done) => store.touch('1', sessionOf(1, 2 * HOUR_MS), done))
    expect(await warp.get('session:1')).toBeUndefined()
  })

  test('is a touch of the engine where lives slide on all replicas: the session is not written again', async () => {
    const warp = await openOne()
    const touched: string[] = []
    const engine = inFrontOf(warp, 'touch', (done, key) => {
      touched.push(key)
      return done
    })
    const store = new WarpSessionStore(engine, 'sliding:*')
    await call((done) => store.set('1', sessionOf(1, 9 * HOUR_MS), done))
    await call((done) => store.touch('1', sessionOf(1, 9 * HOUR_MS), done))
    expect(touched.at(-1)).toBe('sliding:1')
    const [operation, ...others] = await allOf(warp.log('sliding:1'))
    expect(operation?.lifeMs).toBeUndefined()
    expect(others).toEqual([])
  })
})

describe('what it does not take', () => {
  test.each([
    ['a pattern that is not registered', 'other:*', {}, 'WARP_E_UNREGISTERED_KEY'],
    ['a pattern that loads: to make room would be to log out', 'copies:*', {}, 'WARP_E_CONFIG'],
    ['a strategy without set', 'visits:*', {}, 'WARP_E_CONFIG'],
    ['a life that is none', 'session:*', { ttlMs: 0 }, 'WARP_E_CONFIG'],
    ['an option that does not exist', 'session:*', { ttl: 1 }, 'WARP_E_CONFIG'],
  ])('%s', async (_, pattern, options, code) => {
    const warp = await openOne()
    expect(refused(() => new WarpSessionStore(warp, pattern, options as WarpSessionStoreOptions))).toMatchObject({
      code,
    })
  })

  test('an error of the engine goes to the callback', async () => {
    const { warp, get, set } = await storeOver()
    await warp.close()
    await expect(get('1')).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
    await expect(set('1', sessionOf(1))).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
  })
})
