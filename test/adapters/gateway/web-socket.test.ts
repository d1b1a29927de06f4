/** Guests and a gateway over real WebSockets, and an engine on a disk. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { fileLog } from '../../../adapters/file/index.ts'
import { guestGateway, type GuestGateway, type GuestGatewayOptions } from '../../../adapters/gateway/index.ts'
import { openGuest } from '../../../adapters/guest/index.ts'
import { openWarp } from '../../../adapters/node/open-warp.ts'
import { counter, register } from '../../../crdt/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const KEYS = { 'user:*': register<string>(), 'hits:*': counter() }
const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function serve(options: Partial<GuestGatewayOptions> = {}, port = 0) {
  const warp = await openWarp({ keys: KEYS, log: fileLog({ path: temporaryFolder() }) })
  const authorize = (token: string) => token === 'alice' && { principal: 'alice', read: ['*'], write: ['*'] }
  const gateway = await guestGateway(warp, { authorize, ...options })
  const server = createServer((_, response) => response.end())
  server.on('upgrade', gateway.handleUpgrade)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  closing.push(
    () => warp.close(),
    () => stop(server, gateway),
  )
  return { warp, gateway, server, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/guests` }
}

async function stop(server: Server, gateway: GuestGateway): Promise<void> {
  await gateway.close()
  await new Promise<void>((resolve) => void server.close(() => resolve()))
}

test('a guest reads, writes and hears of changes over a WebSocket', async () => {
  const { warp, url } = await serve()
  await warp.set('user:1', 'Ada')
  const guest = openGuest({ url, keys: KEYS, token: () => 'alice' })
  closing.push(() => guest.close())
  const signal = AbortSignal.timeout(10_000)
  expect(await guest.get('user:1', { signal })).toBe('Ada')
  const { accepted } = guest.key('hits:1').increment(3)
  expect(await accepted).toMatchObject({ replica: warp.replica })
  expect(warp.peek('hits:1')).toBe(3)
  const heard = new Promise<void>((resolve) => void guest.onChange('user:1', resolve))
  await warp.set('user:1', 'Grace')
  await heard
  expect(guest.peek('user:1')).toBe('Grace')
})

test('hundreds of writes of one turn are taken in, each once', async () => {
  const { warp, url } = await serve()
  const other = openGuest({ url, keys: KEYS, token: () => 'alice' })
  closing.push(() => other.close())
  for (let i = 0; i < 900; i++) other.key('hits:1').increment(1)
  expect(other.peek('hits:1')).toBe(900)
  await other.synced({ signal: AbortSignal.timeout(10_000) })
  expect(warp.peek('hits:1')).toBe(900)
})

test('a page of another origin, and who is not let in, stay outside', async () => {
  const { url } = await serve({ origins: ['https://app.example'] })
  const page = new WebSocket(url, { origin: 'https://evil.example' })
  await expect(new Promise((_, reject) => page.on('error', reject))).rejects.toThrow('403')
  const guest = openGuest({ url, keys: KEYS, token: () => 'mallory' })
  closing.push(() => guest.close())
  await new Promise<void>((resolve) => void guest.onStatus(({ connection }) => connection === 'refused' && resolve()))
  expect(guest.peek('user:1')).toBeUndefined()
})
