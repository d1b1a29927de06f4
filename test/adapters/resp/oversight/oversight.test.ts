/** MONITOR, SLOWLOG, LATENCY, MEMORY USAGE, CLIENT PAUSE and CONFIG SET of what they go by. */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { openWarp, type Warp } from '../../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../../crdt/index.ts'
import { RawClient, shown } from '../../../support/resp/raw-client.ts'

let warp: Warp<{ '*': Redis }>
let server: RespServer
let client: RawClient

beforeAll(async () => {
  warp = await openWarp({ keys: { '*': redis() } })
  server = await respServer(warp, { port: 0, users: { ada: { password: 'secret' } }, password: 'open' })
})

afterAll(async () => {
  await server.close()
  await warp.close()
})

beforeEach(async () => {
  client = await connect()
})

async function connect(): Promise<RawClient> {
  const opened = await RawClient.open(server.port)
  onTestFinished(() => opened.close())
  await opened.ask('AUTH', 'open')
  return opened
}

const ask = async (...words: readonly string[]): Promise<string> => shown(await client.ask(...words))

test('MONITOR shows what runs, in a transaction and a script too, and no password', async () => {
  const monitor = await connect()
  await monitor.ask('MONITOR')
  await client.askAll([
    ['SET', 'a', 'x\ny"\x01'],
    ['MULTI'],
    ['GET', 'a'],
    ['EXEC'],
    ['EVAL', "return redis.call('GET', 'a')", '0'],
    ['HELLO', '2', 'AUTH', 'ada', 'secret'],
    ['AUTH', 'ada', 'secret'],
    ['PING'],
  ])
  const lines: string[] = []
  while (!lines.at(-1)?.includes('PING'))
    lines.push(shown(await monitor.reply()).replace(/^\+[\d.]+ \[0 (?:[\d.]+:\d+|(lua))\]/, '$1'))
  expect(lines).toEqual([
    String.raw` "SET" "a" "x\ny\"\x01"`,
    ...[' "MULTI"', ' "GET" "a"', ' "EXEC"', ` "EVAL" "return redis.call('GET', 'a')" "0"`, 'lua "GET" "a"'],
    ...[' "HELLO" "2" "AUTH" "(redacted)" "(redacted)"', ' "AUTH" "(redacted)" "(redacted)"', ' "PING"'],
  ])
  await monitor.ask('RESET')
})

test('commands that took longer than was said are kept, newest first, cut short and bounded', async () => {
  expect(await ask('CONFIG', 'SET', 'slowlog-log-slower-than', '0', 'slowlog-max-len', '2')).toBe('+OK')
  await client.askAll([
    ['KEYS', 'first'],
    ['KEYS', 'second'],
    ['LCS', 'a', 'z'.repeat(200)],
  ])
  expect(await ask('CONFIG', 'SET', 'slowlog-log-slower-than', '-1')).toBe('+OK')
  const kept = (await ask('SLOWLOG', 'GET')).match(/\*\["[^\]]*"\]/g)
  expect(kept).toEqual([`*["LCS" "a" "${'z'.repeat(128)}... (72 more bytes)"]`, '*["KEYS" "second"]'])
  expect(await ask('SLOWLOG', 'LEN')).toBe(':2')
  expect(await ask('SLOWLOG', 'RESET')).toBe('+OK')
  expect(await ask('SLOWLOG', 'LEN')).toBe(':0')
})

test('LATENCY says how long commands took that took longer than was said', async () => {
  expect(await ask('LATENCY', 'LATEST')).toBe('*[]')
  await ask('CONFIG', 'SET', 'latency-monitor-threshold', '1')
  await ask('EVAL', 'local n = 0 for i = 1, 1000000 do n = n + i end return n', '0')
  await ask('CONFIG', 'SET', 'latency-monitor-threshold', '0')
  expect(await ask('LATENCY', 'LATEST')).toMatch(/^\*\[\*\["command" :\d+ :\d+ :\d+\]\]$/)
  expect(await ask('LATENCY', 'HISTORY', 'command')).toMatch(/^\*\[\*\[:\d+ :\d+\]/)
  expect(await ask('LATENCY', 'RESET', 'command')).toBe(':1')
  expect(await ask('LATENCY', 'RESET')).toBe(':0')
})

test('MEMORY USAGE grows with what a key holds', async () => {
  expect(await ask('MEMORY', 'USAGE', 'nothing')).toBe('nil')
  const bytesOf = async (key: string): Promise<number> =>
    Number((await ask('MEMORY', 'USAGE', key, 'SAMPLES', '0')).slice(1))
  await client.askAll([
    ['SET', 's', 'x'],
    ['SET', 'l', 'x'.repeat(5000)],
    ['RPUSH', 'q', 'a'],
    ['RPUSH', 'r', ...Array.from({ length: 100 }, () => 'y'.repeat(50))],
  ])
  expect((await bytesOf('l')) - (await bytesOf('s'))).toBe(4999)
  expect((await bytesOf('r')) - (await bytesOf('q'))).toBeGreaterThan(99 * 50)
})

test('CLIENT PAUSE WRITE holds what writes, in order, and lets the rest through', async () => {
  const [writer, reader] = [await connect(), await connect()]
  expect(await ask('CLIENT', 'PAUSE', '60000', 'WRITE')).toBe('+OK')
  writer.send('GET paused\r\nSET paused 1\r\nGET paused\r\n')
  expect(shown(await writer.reply())).toBe('nil')
  expect(shown(await reader.ask('GET', 'paused'))).toBe('nil')
  expect(await ask('CLIENT', 'UNPAUSE')).toBe('+OK')
  expect([shown(await writer.reply()), shown(await writer.reply())]).toEqual(['+OK', '"1"'])
})

test('who goes during a pause has written nothing, and a pause for all ends by itself', async () => {
  const gone = await connect()
  await ask('CLIENT', 'PAUSE', '60000', 'WRITE')
  gone.send('SET left 1\r\n')
  gone.close()
  while (server.connectionsCount > 1) await ask('PING')
  await ask('CLIENT', 'PAUSE', '50', 'ALL')
  await ask('CLIENT', 'UNPAUSE')
  expect(await ask('GET', 'left')).toBe('nil')
  await ask('CLIENT', 'PAUSE', '20')
  expect(await ask('GET', 'left')).toBe('nil')
})

test.each([
  [
    ['CONFIG', 'SET', 'timeout', '-1'],
    "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 86400 inclusive",
  ],
  [
    ['CONFIG', 'SET', 'timeout', 'x'],
    "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer",
  ],
  [
    ['CONFIG', 'SET', 'databases', '2'],
    "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config",
  ],
  [['CONFIG', 'SET', 'nosuch', '2'], "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"],
  [
    ['CONFIG', 'SET', 'timeout', '1', 'TIMEOUT', '2'],
    "-ERR CONFIG SET failed (possibly related to argument 'TIMEOUT') - duplicate parameter",
  ],
  [['CONFIG', 'SET', 'timeout', '1', 'maxclients'], '-ERR syntax error'],
  [['CLIENT', 'PAUSE', '-1'], '-ERR timeout is negative'],
  [['CLIENT', 'PAUSE', '1', 'SOME'], '-ERR CLIENT PAUSE mode must be WRITE or ALL'],
  [['SLOWLOG', 'GET', '-2'], '-ERR count should be greater than or equal to -1'],
])('%j is refused', async (words, text) => {
  expect(await ask(...words)).toBe(text)
  expect(await ask('CONFIG', 'GET', 'timeout')).toBe('*["timeout" "0"]')
})

test('CONFIG SET timeout ends connections that ask for nothing', async () => {
  const idle = await connect()
  const own = await connect()
  await own.ask('CONFIG', 'SET', 'timeout', '1')
  expect(await idle.rest()).toBe('')
  const after = await connect()
  expect(shown(await after.ask('CONFIG', 'SET', 'timeout', '0'))).toBe('+OK')
})
