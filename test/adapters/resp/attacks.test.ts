/** What somebody who looked for faults has found, each with the outcome that is right. */
import { expect, test } from 'vitest'
import { respServer, type RespServerOptions } from '../../../adapters/resp/index.ts'
import { redis, register } from '../../../crdt/index.ts'
import { RawClient, shown } from '../../support/resp/raw-client.ts'
import { served } from '../../support/resp/served.ts'

const sidecar = served({ '*': redis(), 'reg:*': register() })
const { ask: asked } = sidecar

async function withServer(options: RespServerOptions, use: (port: number) => Promise<void>): Promise<void> {
  await using other = await respServer(sidecar.warp, { port: 0, ...options })
  await use(other.port)
}

test('a key with many sums can be written again when its life is over', async () => {
  const members = Array.from({ length: 90_000 }, (_, i) => ['ZINCRBY', 'board', '1', `user:${i}`])
  for (let from = 0; from < members.length; from += 5000) await sidecar.client.askAll(members.slice(from, from + 5000))
  await asked('PEXPIRE', 'board', '1')
  while ((await asked('EXISTS', 'board')) !== ':0') await new Promise(setImmediate)
  expect(await asked('ZADD', 'board', '1', 'a')).toBe(':1')
  expect(await asked('ZCARD', 'board')).toBe(':1')
})

test('an element that cannot be put where it is moved to stays where it is', async () => {
  await asked('RPUSH', 'queue', 'job')
  expect(await asked('RPOPLPUSH', 'queue', 'reg:1')).toMatch(/^-WRONGTYPE /)
  expect(await asked('LRANGE', 'queue', '0', '-1')).toBe('*["job"]')
  await asked('RPUSH', 'round', 'a', 'b', 'c')
  expect(await asked('LMOVE', 'round', 'round', 'RIGHT', 'LEFT')).toBe('"c"')
  expect(await asked('LRANGE', 'round', '0', '-1')).toBe('*["c" "a" "b"]')
})

test('replies of EXEC that are too long to be held are left out, and nothing is damaged', async () => {
  await withServer({ outputBytesMax: 65_536 }, async (port) => {
    const other = await RawClient.open(port)
    await other.ask('SET', 'large', 'x'.repeat(40_000))
    const requests = [['MULTI'], ['SET', 'small', '1'], ['GET', 'large'], ['GET', 'large'], ['INCR', 'small'], ['EXEC']]
    const replies = await other.askAll(requests)
    expect(shown(replies.at(-1)!)).toMatch(/^-ERR the commands have been carried out/)
    expect(shown(await other.ask('GET', 'small'))).toBe('"2"')
    other.close()
  })
})

test('a push that comes while a command waits is whole, though the command fails', async () => {
  const waiting = await RawClient.open(sidecar.port)
  await waiting.ask('HELLO', '3')
  const id = shown(await waiting.ask('CLIENT', 'ID')).slice(1)
  expect(shown(await waiting.ask('SUBSCRIBE', 'news'))).toMatch(/^>\["subscribe"/)
  waiting.send('PING\r\nBLPOP nothing 0\r\n')
  while ((await asked('CLIENT', 'UNBLOCK', id)) === ':0') await new Promise(setImmediate)
  expect([shown(await waiting.reply()), shown(await waiting.reply())]).toEqual(['+PONG', 'nil'])
  waiting.send('PING\r\nBLPOP nothing 0\r\n')
  while ((await asked('INFO', 'clients')).includes('blocked_clients:0')) await new Promise(setImmediate)
  await sidecar.client.askAll([
    ['PUBLISH', 'news', 'one'],
    ['CLIENT', 'UNBLOCK', id, 'ERROR'],
  ])
  const replies = [await waiting.reply(), await waiting.reply(), await waiting.reply()].map(shown).sort()
  expect(replies).toEqual(['+PONG', '-UNBLOCKED client unblocked via CLIENT UNBLOCK', '>["message" "news" "one"]'])
  waiting.close()
})

test('whoever waits gets what the first of several commands in a chunk brought', async () => {
  const waiting = await RawClient.open(sidecar.port)
  waiting.send('BLPOP first 0\r\n')
  while ((await asked('INFO', 'clients')).includes('blocked_clients:0')) await new Promise(setImmediate)
  await sidecar.client.askAll([
    ['LPUSH', 'first', 'a'],
    ['LPUSH', 'first', 'b'],
  ])
  expect(shown(await waiting.reply())).toBe('*["first" "a"]')
  waiting.close()
})

test('a user who may name some keys may hear and publish in channels of such names alone', async () => {
  const users = { shop: { password: 'p', keys: ['cart:*'] } }
  await withServer({ password: 'q', users }, async (port) => {
    const shop = await RawClient.open(port)
    await shop.ask('AUTH', 'shop', 'p')
    const refusal = '-NOPERM this user has no permissions to access one of the channels used as arguments'
    expect(shown(await shop.ask('PUBLISH', 'secret', 'x'))).toBe(refusal)
    expect(shown(await shop.ask('SUBSCRIBE', 'secret'))).toBe(refusal)
    expect(shown(await shop.ask('PSUBSCRIBE', '*'))).toBe(refusal)
    expect(shown(await shop.ask('PUBLISH', 'cart:1', 'x'))).toBe(':0')
    expect(shown(await shop.ask('PSUBSCRIBE', 'cart:*'))).toBe('*["psubscribe" "cart:*" :1]')
    shop.close()
  })
})

test('whoever comes beyond the clients that there may be is told so, and the server closes all the same', async () => {
  await withServer({ clientsMax: 1 }, async (port) => {
    const [first, second] = [await RawClient.open(port), await RawClient.open(port)]
    expect(shown(await second.reply())).toBe('-ERR max number of clients reached')
    expect(await second.rest()).toBe('')
    expect(shown(await first.ask('PING'))).toBe('+PONG')
    first.close()
  })
})

test('long texts that are no numbers are refused, and a string does not grow beyond an argument', async () => {
  const digits = '1'.repeat(100_000)
  expect(await asked('INCRBYFLOAT', 'n', `${digits}x`)).toBe('-ERR value is not a valid float')
  expect(await asked('ZADD', 'z', `${digits}x`, 'm')).toBe('-ERR value is not a valid float')
  expect(await asked('SETRANGE', 's', '400000000', 'x')).toMatch(/^-ERR string exceeds maximum allowed size/)
  await asked('ZADD', 'places', '1.5', 'm')
  expect(await asked('GEOPOS', 'places', 'm')).toMatch(/^\*\[\*\[/)
})

test('commands of a script count as steps, and what it is given has to find room', async () => {
  await withServer({ scriptStepsMax: 20_000, scriptBytesMax: 4 * 1024 * 1024 }, async (port) => {
    const other = await RawClient.open(port)
    expect(shown(await other.ask('EVAL', "while true do redis.pcall('PING') end", '0'))).toContain(
      'more than 20000 steps',
    )
    expect(shown(await other.ask('EVAL', 'return #ARGV', '0', 'x'.repeat(5_000_000)))).toMatch(
      /^-ERR not enough memory/,
    )
    expect(shown(await other.ask('EVAL', 'return coroutine', '0'))).toContain('nonexistent global variable')
    const digests: string[] = []
    for (const letter of 'abc') {
      digests.push(JSON.parse(shown(await other.ask('SCRIPT', 'LOAD', `-- ${letter.repeat(600_000)}`))) as string)
    }
    expect(shown(await other.ask('SCRIPT', 'EXISTS', ...digests))).toBe('*[:0 :0 :1]')
    expect(shown(await other.ask('EVAL', 'return 1', '0'))).toBe(':1')
    other.close()
  })
})
