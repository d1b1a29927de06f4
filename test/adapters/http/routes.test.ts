/** Who is answered, what, and with which status. */
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { openWarp } from '../../../adapters/node/index.ts'
import { type AskedRoute, warpHttp } from '../../../adapters/http/index.ts'
import { prometheusInstruments } from '../../../adapters/prometheus/index.ts'
import { ask, EventReader, keys, KINDS, openKeys, serve, SocketReader, upgradeStatus } from './http-fixture.ts'

describe.each(KINDS)('%s', (kind) => {
  test('shows health, also before the engine is open', async () => {
    const { promise, resolve } = pending<Awaited<ReturnType<typeof openKeys>>>()
    const { url } = await serve(promise, { kind })
    expect(await ask(`${url}/health`)).toMatchObject({
      status: 503,
      body: { live: true, ready: false, parts: { engine: { state: 'waiting', reasons: [{ code: 'opening' }] } } },
    })
    expect((await ask(`${url}/health/live`)).status).toBe(200)
    expect(await ask(`${url}/watch`)).toMatchObject({ status: 503, body: { error: { code: 'WARP_E_CLOSED' } } })
    await using warp = await openKeys()
    resolve(warp)
    await promise
    for (const path of ['/health', '/health/live', '/health/ready'])
      expect(await ask(`${url}${path}`)).toMatchObject({ status: 200, body: { live: true, ready: true } })
    await warp.close()
    expect(await ask(`${url}/health/ready`)).toMatchObject({ status: 503, body: { live: true, ready: false } })
  })

  test('shows the metrics of a registry', async () => {
    const registry = new Registry()
    await using warp = await openWarp({ keys, instruments: prometheusInstruments({ registry }) })
    const { url } = await serve(warp, { kind, registry })
    await warp.set('r:1', 'x')
    const response = await fetch(`${url}/metrics`)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, registry.contentType])
    expect(await response.text()).toContain('warp_writes_total{ack="memory"} 1')
  })

  test('asks who may have what, and tells the others so', async () => {
    await using warp = await openKeys()
    const asked: Pick<AskedRoute, 'route' | 'keys'>[] = []
    const errors: string[] = []
    const { url } = await serve(warp, {
      ...{ kind, onError: (error) => errors.push(error.message) },
      authorise: ({ route, keys: wanted, request }) => {
        asked.push({ route, ...(wanted === undefined ? {} : { keys: wanted }) })
        if (request.headers.authorization === undefined) return 'unauthenticated'
        if (request.headers.authorization === 'broken') throw new Error('the directory is down')
        return Promise.resolve(wanted === 'r:mine')
      },
    })
    const as = (who: string) => ({ headers: { authorization: who } })
    expect(await ask(`${url}/watch?keys=r:mine`)).toMatchObject({
      status: 401,
      body: { error: { code: 'WARP_E_AUTH' } },
    })
    expect(await ask(`${url}/watch?keys=r:*`, as('ann'))).toMatchObject({ status: 403 })
    const broken = await ask(`${url}/health`, as('broken'))
    expect(broken.status).toBe(500)
    expect(JSON.stringify(broken.body)).not.toContain('directory')
    expect(errors).toEqual(['the directory is down'])
    await using events = await EventReader.open(`${url}/watch?keys=r:mine`, as('ann').headers)
    expect((await events.next())?.type).toBe('open')
    expect(await upgradeStatus(`${url}/watch?keys=r:*`, as('ann').headers)).toBe(403)
    await using let_in = new SocketReader(`${url}/watch?keys=r:mine`, as('ann').headers)
    expect((await let_in.next())?.kind).toBe('open')
    expect(asked.map(({ route, keys: wanted = '' }) => `${route} ${wanted}`)).toEqual([
      ...['watch r:mine', 'watch r:*', 'health ', 'watch r:mine', 'watch r:*', 'watch r:mine'],
    ])
  })

  test('refuses what is wrong, with the reason', async () => {
    await using warp = await openKeys()
    const { url } = await serve(warp, { kind, watchesMax: 1 })
    expect(await ask(`${url}/watch?keys=${encodeURIComponent('r:\\')}`)).toMatchObject({
      status: 400,
      body: { error: { code: 'WARP_E_PATTERN' } },
    })
    expect(await ask(`${url}/metrics`)).toMatchObject({ status: 404 })
    if (kind !== 'Fastify') {
      const posted = await ask(`${url}/health`, { method: 'POST' })
      expect(posted).toMatchObject({ status: 405, body: { error: { code: 'WARP_E_PROTOCOL' } } })
    }
    await using events = await EventReader.open(`${url}/watch`)
    await events.next()
    const full = await fetch(`${url}/watch`)
    expect([full.status, full.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await full.json()).toMatchObject({ error: { code: 'WARP_E_LIMIT', details: { limit: 1 } } })
    expect(await upgradeStatus(`${url}/watch`)).toBe(503)
  })

  test('leaves other paths to the application', async () => {
    await using warp = await openKeys()
    const { url } = await serve(warp, { kind })
    const other = await fetch(url.replace(/\/warp$/, '/other'))
    if (kind === 'node:http') expect(other.status).toBe(404)
    else expect(await other.text()).toBe('of the application')
    expect((await fetch(`${url}/nothing`)).status).toBe(404)
  })
})

test('an engine that could not be opened is not alive', async () => {
  const { promise, reject } = pending<Awaited<ReturnType<typeof openKeys>>>()
  const { url } = await serve(promise)
  reject(new Error('the folder is held'))
  await promise.catch(() => undefined)
  expect(await ask(`${url}/health/live`)).toMatchObject({
    status: 503,
    body: { live: false, parts: { engine: { state: 'failed', reasons: [{ code: 'open-failed' }] } } },
  })
})

test('a registry that fails is told to the operator, and not to whoever asks', async () => {
  await using warp = await openKeys()
  const errors: string[] = []
  const registry = { contentType: 'text/plain', metrics: () => Promise.reject(new Error('secret')) }
  const { url } = await serve(warp, { registry, onError: (error) => errors.push(error.message) })
  const { status, body } = await ask(`${url}/metrics`)
  expect([status, JSON.stringify(body).includes('secret'), errors]).toEqual([500, false, ['secret']])
})

test('a signal closes the handler, and everything is answered 503 from then on', async () => {
  await using warp = await openKeys()
  const controller = new AbortController()
  let waiting: AbortSignal | undefined
  const { url } = await serve(warp, {
    signal: controller.signal,
    authorise: ({ route, signal }) => {
      if (route !== 'metrics') return true
      waiting = signal
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(true)))
    },
  })
  await using events = await EventReader.open(`${url}/watch`)
  await events.next()
  const held = ask(`${url}/metrics`)
  while (waiting === undefined) await new Promise(setImmediate)
  controller.abort()
  expect(await events.next()).toMatchObject({ type: 'failure', data: { error: { code: 'WARP_E_CLOSED' } } })
  expect((await held).status).toBe(503)
  expect(await ask(`${url}/health`)).toMatchObject({ status: 503, body: { error: { code: 'WARP_E_CLOSED' } } })
  expect(warp.health().ready).toBe(true)
})

describe('what is wrong is refused', () => {
  const any = (value: unknown): never => value as never
  const warp = { watch: () => any(1), channel: () => any(1), health: () => any(1) }
  const authorise = () => true
  test.each<readonly [string, () => unknown, string]>([
    ['no engine', () => warpHttp(any(undefined), { authorise }), 'give an engine'],
    ['a function', () => warpHttp(any(openKeys), { authorise }), 'give an engine'],
    ['no options', () => warpHttp(warp, any(undefined)), 'warpHttp needs options'],
    ['nobody who says', () => warpHttp(warp, any({})), 'give a function that says who may have what'],
    ['an option', () => warpHttp(warp, any({ authorise, authorize: authorise })), "did you mean 'authorise'?"],
    ['a prefix', () => warpHttp(warp, { authorise, prefix: 'warp/' }), 'give a path without a slash at its end'],
    ['a registry', () => warpHttp(warp, any({ authorise, registry: 'default' })), 'give a Registry'],
    ['a time', () => warpHttp(warp, { authorise, heartbeatMs: 0 }), 'whole number from 10'],
    ['a signal', () => warpHttp(warp, any({ authorise, signal: 1 })), 'give an AbortSignal'],
  ])('%s', (_, call, problem) => {
    expect(call).toThrow(expect.objectContaining({ code: 'WARP_E_CONFIG', message: expect.stringContaining(problem) }))
  })
})

function pending<Value>() {
  let resolve: (value: Value) => void = () => undefined
  let reject: (error: Error) => void = () => undefined
  const promise = new Promise<Value>((resolveTo, rejectWith) => ([resolve, reject] = [resolveTo, rejectWith]))
  promise.catch(() => undefined)
  return { promise, resolve: (value: Value) => resolve(value), reject: (error: Error) => reject(error) }
}
