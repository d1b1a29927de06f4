import { Redis } from 'ioredis'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Config } from '../../../bin/cli/settings/config.ts'
import { withRespKeys } from '../../../bin/cli/settings/resp-settings.ts'
import { startWarp, warp } from '../../support/cli.ts'

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'warp-resp-'))
}

async function serve(
  data: string,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ url: string; end: () => Promise<unknown> }> {
  const running = startWarp(['start', '--no-mesh', '--json', '--resp', '127.0.0.1:0', '--data', data], {
    cwd: data,
    env: environment,
  })
  const { resp } = JSON.parse(await running.line(/"ready"/)) as { resp: string }
  const end = (): Promise<unknown> => {
    running.signal('SIGTERM')
    return running.ended
  }
  return { url: resp, end }
}

function clientOf(address: string, options: { password?: string } = {}): Redis {
  const [host, port] = address.split(':') as [string, string]
  const client = new Redis({ host, port: Number(port), ...options, retryStrategy: null })
  client.on('error', () => undefined)
  onTestFinished(() => client.disconnect())
  return client
}

test('a client of Redis writes, and finds what it wrote after a start again', async () => {
  const data = folder()
  const first = await serve(data)
  const client = clientOf(first.url)
  expect(await client.set('greeting', 'hello', 'EX', 100)).toBe('OK')
  expect(await client.incrby('n', 5)).toBe(5)
  const results = await client.multi().incr('n').get('greeting').exec()
  expect(results).toEqual([
    [null, 6],
    [null, 'hello'],
  ])
  const listener = client.duplicate()
  onTestFinished(() => listener.disconnect())
  const heard = new Promise<string>((resolve) => listener.on('message', (_channel, text) => resolve(text)))
  await listener.subscribe('news')
  await client.publish('news', 'now')
  expect(await heard).toBe('now')
  expect(await first.end()).toMatchObject({ code: 0 })

  const second = await serve(data)
  const again = clientOf(second.url)
  expect(await again.mget('greeting', 'n')).toEqual(['hello', '6'])
  expect(await again.ttl('greeting')).toBeGreaterThan(0)
  await second.end()
})

test('beyond this machine a password is needed, and without one nothing is served', async () => {
  const data = folder()
  const refused = await warp(['start', '--no-mesh', '--resp', '0.0.0.0:0', '--data', data], { cwd: data })
  expect(refused.code).not.toBe(0)
  expect(refused.stderr).toContain('give a password')
  const served = await serve(data, { WARP_RESP_PASSWORD: 'secret' })
  await expect(clientOf(served.url).get('a')).rejects.toThrow('NOAUTH')
  expect(await clientOf(served.url, { password: 'secret' }).get('a')).toBeNull()
  await served.end()
})

test('what is no host and port is refused', async () => {
  const { code, stderr } = await warp(['start', '--no-mesh', '--resp', 'nowhere'])
  expect(code).toBe(2)
  expect(stderr).toContain('--resp nowhere: it is HOST:PORT')
})

test('what keys held before is kept where the configuration says so, and only there', () => {
  const keys = { '*': { strategy: 'redis', retain: 'all' } }
  const config = (given: object): Config => ({ keys: given }) as Config
  expect(withRespKeys(config({}), { resp: ':0' }).keys).toEqual({ '*': { strategy: 'redis', retain: 'latest' } })
  expect(withRespKeys(config(keys), { resp: ':0' }).keys).toEqual(keys)
  expect(withRespKeys(config({}), {}).keys).toEqual({})
})
