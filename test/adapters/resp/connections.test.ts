import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { RawClient, shown } from '../../support/resp/raw-client.ts'

let warp: Warp<{ '*': ReturnType<typeof register> }>
let server: RespServer

beforeAll(async () => {
  warp = await openWarp({ keys: { '*': register() } })
  server = await respServer(warp, { port: 0 })
})

afterAll(async () => {
  await server.close()
  await warp.close()
})

async function asked(...words: readonly string[]): Promise<string> {
  const client = await RawClient.open(server.port)
  const reply = await client.ask(...words)
  client.close()
  return shown(reply)
}

describe('a connection', () => {
  test.each([
    [['PING'], '+PONG'],
    [['ping', 'a b'], '"a b"'],
    [['ECHO', 'x\0\xff'], JSON.stringify('x\0\xff')],
    [['SELECT', '0'], '+OK'],
    [['SELECT', '1'], '-ERR DB index is out of range'],
    [['SELECT', 'abc'], '-ERR value is not an integer or out of range'],
    [['HELLO', '4'], '-NOPROTO unsupported protocol version'],
    [['HELLO', 'x'], '-ERR Protocol version is not an integer or out of range'],
    [['NOSUCH', 'a', 'b'], "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "],
    [['ECHO'], "-ERR wrong number of arguments for 'echo' command"],
    [['CLIENT'], "-ERR wrong number of arguments for 'client' command"],
    [['CLIENT', 'FOO'], "-ERR unknown subcommand 'FOO'. Try CLIENT HELP."],
    [['EXEC'], '-ERR EXEC without MULTI'],
    [['CLIENT', 'SETNAME', 'a b'], '-ERR Client names cannot contain spaces, newlines or special characters.'],
    [['CLIENT', 'SETINFO', 'lib-name', 'x'], '+OK'],
    [['CLIENT', 'MAINT_NOTIFICATIONS', 'ON'], "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP."],
    [
      ['AUTH', 'x'],
      '-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    ],
  ])('answers %j', async (words, reply) => expect(await asked(...words)).toBe(reply))

  test('answers what comes in one chunk in its order, and a request in many chunks once', async () => {
    const client = await RawClient.open(server.port)
    client.send('PING\r\n*2\r\n$4\r\nECHO\r\n$1\r\na\r\nECHO "b\\x41"\n\r\n*0\r\n*-1\r\n*1\r\n$4\r\nPI')
    const before = [await client.reply(), await client.reply(), await client.reply()].map(shown)
    for (const byte of 'NG\r\n') client.send(byte)
    expect([...before, shown(await client.reply())]).toEqual(['+PONG', '"a"', '"bA"', '+PONG'])
    client.close()
  })

  test('chooses RESP3 by HELLO, with a name, and goes back by RESET', async () => {
    const client = await RawClient.open(server.port)
    const hello = shown(await client.ask('HELLO', '3', 'SETNAME', 'me'))
    expect(hello).toMatch(
      /^%\["server" "redis" "version" "7.*" "proto" :3 "id" :\d+ "mode" "standalone" "role" "master" "modules" \*\[\]\]$/,
    )
    expect(shown(await client.ask('CLIENT', 'GETNAME'))).toBe('"me"')
    expect(shown(await client.ask('RESET'))).toBe('+RESET')
    expect(shown(await client.ask('CLIENT', 'GETNAME'))).toBe('nil')
    client.close()
  })

  test('says that nothing is loading, and a version that clients take for RESP3', async () => {
    const client = await RawClient.open(server.port)
    const info = shown(await client.ask('INFO'))
    expect(info).toContain('loading:0')
    expect(info).toContain('redis_version:7.')
    expect(shown(await client.ask('INFO', 'warp'))).toContain('warp_peers:0')
    client.close()
  })

  test('leaves out replies that are not wanted', async () => {
    const client = await RawClient.open(server.port)
    client.send('CLIENT REPLY SKIP\r\nECHO a\r\nECHO b\r\nCLIENT REPLY OFF\r\nECHO c\r\nCLIENT REPLY ON\r\nECHO d\r\n')
    const replies = [await client.reply(), await client.reply(), await client.reply()].map(shown)
    expect(replies).toEqual(['"b"', '+OK', '"d"'])
    client.close()
  })

  test.each([
    ['invalid multibulk length', '*abc\r\n'],
    ['invalid multibulk length', '*+1\r\n'],
    ['invalid multibulk length', '*01\r\n'],
    ['invalid multibulk length', '*2147483648\r\n'],
    ["expected '$', got ':'", '*1\r\n:1\r\n'],
    ['invalid bulk length', '*1\r\n$-1\r\n'],
    ['invalid bulk length', '*1\r\n$abc\r\n'],
    ['invalid bulk length', '*1\r\n$536870913\r\n'],
    ['invalid CRLF in request', '*1\r\n$4\r\nPINGxx'],
    ['unbalanced quotes in request', 'ECHO "a\r\n'],
    ['too big inline request', `ECHO ${'a'.repeat(70_000)}`],
    ['too big mbulk count string', `*${'1'.repeat(70_000)}`],
    ['too big bulk count string', `*1\r\n$${'1'.repeat(70_000)}`],
  ])('ends after: %s', async (problem, text) => {
    const client = await RawClient.open(server.port)
    client.send(`PING\r\n${text}`)
    expect(await client.rest()).toBe(`+PONG\r\n-ERR Protocol error: ${problem}\r\n`)
  })

  test('says nothing to a browser', async () => {
    const client = await RawClient.open(server.port)
    client.send('POST / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    expect(await client.rest()).toBe('')
  })

  test('ends at QUIT, and drops what comes behind it', async () => {
    const client = await RawClient.open(server.port)
    client.send('QUIT\r\nPING\r\n')
    expect(await client.rest()).toBe('+OK\r\n')
  })
})

describe('messages', () => {
  test('go to exact, pattern and shard subscriptions', async () => {
    const [listener, speaker] = [await RawClient.open(server.port), await RawClient.open(server.port)]
    await listener.ask('HELLO', '3')
    listener.send('SUBSCRIBE news\r\nPSUBSCRIBE n[a-f]*s\r\nSSUBSCRIBE news\r\n')
    const confirmed = [await listener.reply(), await listener.reply(), await listener.reply()].map(shown)
    expect(confirmed).toEqual([
      '>["subscribe" "news" :1]',
      '>["psubscribe" "n[a-f]*s" :2]',
      '>["ssubscribe" "news" :1]',
    ])
    expect(shown(await speaker.ask('PUBLISH', 'news', 'hi \xff'))).toBe(':2')
    expect(shown(await speaker.ask('SPUBLISH', 'news', 'shard'))).toBe(':1')
    const news = [await listener.reply(), await listener.reply(), await listener.reply()].map(shown).sort()
    expect(news).toEqual([
      '>["message" "news" "hi \xff"]',
      '>["pmessage" "n[a-f]*s" "news" "hi \xff"]',
      '>["smessage" "news" "shard"]',
    ])
    expect(shown(await speaker.ask('PUBSUB', 'NUMSUB', 'news', 'x'))).toBe('*["news" :1 "x" :0]')
    for (const client of [listener, speaker]) client.close()
  })

  test('come of what the application publishes', async () => {
    const listener = await RawClient.open(server.port)
    await listener.ask('SUBSCRIBE', 'app')
    await warp.channel('app').publish({ a: 1 })
    expect(shown(await listener.reply())).toBe('*["message" "app" "{\\"a\\":1}"]')
    expect(shown(await listener.ask('ECHO', 'a'))).toMatch(/^-ERR Can't execute 'echo': only/)
    expect(shown(await listener.ask('PING'))).toBe('*["pong" ""]')
    expect(shown(await listener.ask('UNSUBSCRIBE'))).toBe('*["unsubscribe" "app" :0]')
    expect(shown(await listener.ask('ECHO', 'a'))).toBe('"a"')
    listener.close()
  })
})

describe('a transaction', () => {
  test('runs what was gathered, and none of it after a refusal', async () => {
    const client = await RawClient.open(server.port)
    const ran = await client.askAll([['MULTI'], ['ECHO', 'a'], ['PING'], ['EXEC']])
    expect(ran.map(shown)).toEqual(['+OK', '+QUEUED', '+QUEUED', '*["a" +PONG]'])
    const refused = await client.askAll([['MULTI'], ['NOSUCH'], ['PING'], ['EXEC'], ['PING']])
    expect(refused.map(shown).slice(2)).toEqual([
      '+QUEUED',
      '-EXECABORT Transaction discarded because of previous errors.',
      '+PONG',
    ])
    expect((await client.askAll([['MULTI'], ['EXEC']])).map(shown)).toEqual(['+OK', '*[]'])
    client.close()
  })

  test('runs nothing after a watched key has changed, by whomever', async () => {
    const client = await RawClient.open(server.port)
    await warp.set('w', 'before')
    await client.ask('WATCH', 'w')
    await warp.set('w', 'changed')
    const replies = await client.askAll([['MULTI'], ['PING'], ['EXEC'], ['MULTI'], ['EXEC']])
    expect(replies.map(shown).slice(2)).toEqual(['nil-array', '+OK', '*[]'])
    client.close()
  })
})
