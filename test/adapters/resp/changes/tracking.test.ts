/** CLIENT TRACKING: who hears of which keys. Transcripts are those of Valkey 9.1, seen by `WARP_JUDGE_PORT`. */
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { memoryNetwork } from '../../../../adapters/memory/index.ts'
import { openWarp, type Warp } from '../../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../../crdt/index.ts'
import { Tracking } from '../../../../adapters/resp/changes/tracking.ts'
import { Client } from '../../../../adapters/resp/connections/client.ts'
import { ReplyWriter } from '../../../../adapters/resp/protocol/reply-writer.ts'
import { RawClient, shown } from '../../../support/resp/raw-client.ts'

const network = memoryNetwork()
const sides: { readonly warp: Warp<{ '*': Redis }>; readonly server: RespServer }[] = []

beforeAll(async () => {
  for (const name of ['a', 'b']) {
    const warp = await openWarp({ keys: { '*': redis() }, transports: [network.transport(name)] })
    sides.push({ warp, server: await respServer(warp, { port: 0 }) })
  }
})

afterAll(async () => {
  for (const { warp, server } of sides) {
    await server.close()
    await warp.close()
  }
})

async function connect(side = 0, protocol = '3'): Promise<RawClient> {
  const judge = process.env['WARP_JUDGE_PORT']
  const client = await RawClient.open(judge === undefined ? sides[side]!.server.port : Number(judge))
  onTestFinished(() => client.close())
  await client.ask('HELLO', protocol)
  return client
}

/** What a client is pushed before its PING is answered. */
async function newsOf(client: RawClient): Promise<string[]> {
  client.send('PING\r\n')
  const news: string[] = []
  for (;;) {
    const text = shown(await client.reply())
    if (text === '+PONG') return news
    news.push(text)
  }
}

async function tracker(...options: readonly string[]): Promise<RawClient> {
  const client = await connect()
  expect(shown(await client.ask('CLIENT', 'TRACKING', 'ON', ...options))).toBe('+OK')
  return client
}

const invalid = (...keys: readonly string[]): string => `>["invalidate" *[${keys.map((key) => `"${key}"`).join(' ')}]]`

test('a key that was read is told of once, until it is read again', async () => {
  const [reader, writer] = [await tracker(), await connect()]
  await reader.ask('GET', 'once')
  await writer.askAll([
    ['SET', 'once', '1'],
    ['SET', 'once', '2'],
    ['SET', 'other', '1'],
  ])
  expect(await newsOf(reader)).toEqual([invalid('once')])
  await reader.ask('GET', 'once')
  await writer.ask('SET', 'once', '2')
  expect(await newsOf(reader)).toEqual([invalid('once')])
})

test('every key of a command, of a transaction and of a script counts as read; each is told of alone', async () => {
  const [reader, writer] = [await tracker(), await connect()]
  await reader.askAll([['MGET', 'm1', 'm2'], ['MULTI'], ['HGET', 'm3', 'f'], ['EXEC']])
  await reader.ask('EVAL', "return redis.call('GET', KEYS[1])", '1', 'm4')
  await writer.askAll([
    ['MSET', 'm1', '1', 'm2', '1'],
    ['HSET', 'm3', 'f', '1'],
    ['SET', 'm4', '1'],
  ])
  expect(await newsOf(reader)).toEqual([invalid('m1'), invalid('m2'), invalid('m3'), invalid('m4')])
})

test('what is written and changes nothing is not told of', async () => {
  const [reader, writer] = [await tracker(), await connect()]
  await writer.ask('HSET', 'still', 'f', '1')
  await reader.ask('HGET', 'still', 'f')
  await writer.askAll([
    ['HDEL', 'still', 'nothing'],
    ['PERSIST', 'still'],
    ['HSETNX', 'still', 'f', '2'],
  ])
  expect(await newsOf(reader)).toEqual([])
  await writer.ask('EXPIRE', 'still', '100')
  expect(await newsOf(reader)).toEqual([invalid('still')])
})

test('what the client itself writes is told behind the reply; under NOLOOP it is forgotten', async () => {
  const own = await tracker()
  await own.ask('GET', 'mine')
  expect(shown(await own.ask('SET', 'mine', '1'))).toBe('+OK')
  expect(await newsOf(own)).toEqual([invalid('mine')])
  const [quiet, writer] = [await tracker('NOLOOP'), await connect()]
  await quiet.askAll([
    ['GET', 'mine'],
    ['SET', 'mine', '2'],
  ])
  await writer.ask('SET', 'mine', '3')
  expect(await newsOf(quiet)).toEqual([])
})

test('under OPTIN and OPTOUT the word of CLIENT CACHING is for one command or transaction', async () => {
  const [reader, writer] = [await tracker('OPTIN'), await connect()]
  await reader.askAll([
    ['GET', 'o1'],
    ['CLIENT', 'CACHING', 'YES'],
    ['GET', 'o2'],
    ['GET', 'o3'],
  ])
  await reader.askAll([['CLIENT', 'CACHING', 'YES'], ['MULTI'], ['GET', 'o4'], ['GET', 'o5'], ['EXEC'], ['GET', 'o6']])
  const out = await tracker('OPTOUT')
  await out.askAll([
    ['CLIENT', 'CACHING', 'NO'],
    ['GET', 'o1'],
    ['GET', 'o2'],
  ])
  await writer.askAll(['o1', 'o2', 'o3', 'o4', 'o5', 'o6'].map((key) => ['SET', key, '1']))
  expect(await newsOf(reader)).toEqual(['o2', 'o4', 'o5'].map((key) => invalid(key)))
  expect(await newsOf(out)).toEqual([invalid('o2')])
})

test('under BCAST all keys with a prefix are told of, together for each command', async () => {
  const [reader, writer] = [await tracker('BCAST', 'PREFIX', 'b1:', 'PREFIX', 'b2:'), await connect()]
  await writer.ask('MSET', 'b1:v', '1', 'b2:y', '1', 'b3:z', '1', 'b1:w', '1')
  const news = await newsOf(reader)
  expect(news.sort()).toEqual([invalid('b1:v', 'b1:w'), invalid('b2:y')])
  await writer.askAll([['MULTI'], ['SET', 'b1:v', '2'], ['DEL', 'b1:w'], ['EXEC']])
  expect(await newsOf(reader)).toEqual([invalid('b1:v', 'b1:w')])
})

test('who speaks RESP2 is told at another connection that listens', async () => {
  const [listener, reader, writer] = [await connect(0, '2'), await connect(0, '2'), await connect()]
  const id = /\d+/.exec(shown(await listener.ask('CLIENT', 'ID')))![0]
  await listener.ask('SUBSCRIBE', '__redis__:invalidate')
  expect(shown(await reader.ask('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id))).toBe('+OK')
  expect(shown(await reader.ask('CLIENT', 'GETREDIR'))).toBe(`:${id}`)
  await reader.ask('GET', 'told')
  await writer.ask('SET', 'told', '1')
  expect(shown(await listener.reply())).toBe('*["message" "__redis__:invalidate" *["told"]]')
})

test('who was told for another one and has gone is told of', async () => {
  const [listener, reader, writer] = [await connect(), await connect(), await connect()]
  const id = /\d+/.exec(shown(await listener.ask('CLIENT', 'ID')))![0]
  await reader.ask('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id)
  await reader.ask('GET', 'lost')
  await writer.ask('CLIENT', 'KILL', 'ID', id)
  await listener.rest()
  await writer.ask('SET', 'lost', '1')
  expect(await newsOf(reader)).toEqual([`>["tracking-redir-broken" :${id}]`])
  expect(shown(await reader.ask('CLIENT', 'TRACKINGINFO'))).toBe(
    `%["flags" ~["on" "broken_redirect"] "redirect" :${id} "prefixes" *[]]`,
  )
})

test.each([
  [['ON', 'PREFIX', 'a'], 'ERR PREFIX option requires BCAST mode to be enabled'],
  [['ON', 'BCAST', 'OPTIN'], 'ERR OPTIN and OPTOUT are not compatible with BCAST'],
  [['ON', 'OPTIN', 'OPTOUT'], "ERR You can't specify both OPTIN mode and OPTOUT mode"],
  [['ON', 'REDIRECT', '999999'], 'ERR The client ID you want redirect to does not exist'],
  [
    ['ON', 'BCAST', 'PREFIX', 'ab', 'PREFIX', 'a'],
    "ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single client must not overlap.",
  ],
  [['MAYBE'], 'ERR syntax error'],
  [['ON', 'SOMEHOW'], 'ERR syntax error'],
])('CLIENT TRACKING %j is refused', async (words, text) => {
  const client = await connect()
  expect(shown(await client.ask('CLIENT', 'TRACKING', ...words))).toBe(`-${text}`)
  expect(shown(await client.ask('CLIENT', 'TRACKINGINFO'))).toBe('%["flags" ~["off"] "redirect" :-1 "prefixes" *[]]')
})

test('modes are not changed while one is on, and RESET ends them', async () => {
  const client = await tracker('BCAST', 'PREFIX', 'a')
  expect(shown(await client.ask('CLIENT', 'TRACKING', 'ON'))).toMatch(/^-ERR You can't switch BCAST mode on\/off/)
  expect(shown(await client.ask('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'ab'))).toBe(
    "-ERR Prefix 'ab' overlaps with an existing prefix 'a'. Prefixes for a single client must not overlap.",
  )
  expect(shown(await client.ask('CLIENT', 'CACHING', 'YES'))).toBe(
    '-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.',
  )
  await client.askAll([['RESET'], ['HELLO', '3']])
  expect(shown(await client.ask('CLIENT', 'TRACKINGINFO'))).toBe('%["flags" ~["off"] "redirect" :-1 "prefixes" *[]]')
})

test('FLUSHDB is told of as all keys', async () => {
  const [reader, writer] = [await tracker(), await connect()]
  await writer.ask('SET', 'flushed', '1')
  await reader.ask('GET', 'flushed')
  await writer.ask('FLUSHDB')
  expect(await newsOf(reader)).toEqual(['>["invalidate" nil]'])
})

test.runIf(process.env['WARP_JUDGE_PORT'] === undefined)(
  'what another replica writes is told when it is here',
  async () => {
    const [reader, remote, looker] = [await tracker(), await connect(1), await connect()]
    await reader.ask('GET', 'far')
    await remote.ask('SET', 'far', '1')
    while (shown(await looker.ask('GET', 'far')) !== '"1"');
    expect(await newsOf(reader)).toEqual([invalid('far')])
  },
)

test('beyond so many keys the oldest are told of', () => {
  const told: string[] = []
  const reply = new ReplyWriter()
  reply.protocol = 3
  const outlet = {
    reply,
    pendingBytes: 0,
    heldBytes: 0,
    close: () => undefined,
    push(write: (reply: ReplyWriter) => void) {
      write(reply)
      told.push(reply.take())
    },
  }
  const client = new Client({ id: 1, address: '', localAddress: '', nowMs: 0 }, outlet, undefined)
  const tracking = new Tracking(new Map(), 2)
  tracking.on(client, { mode: 'default', isNoLoop: false, redirect: 0, prefixes: [] })
  for (const key of ['k1', 'k2', 'k3']) tracking.read(client, key)
  expect(told).toEqual(['>2\r\n$10\r\ninvalidate\r\n*1\r\n$2\r\nk1\r\n'])
  expect(tracking.keysCount).toBe(2)
})
