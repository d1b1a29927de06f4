/** Scripts as clients run them, over a socket. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { sha1 } from '../../../adapters/resp/scripts/lua-host.ts'
import { register } from '../../../crdt/index.ts'
import { RawClient, shown } from '../../support/resp/raw-client.ts'

let warp: Warp<{ '*': ReturnType<typeof register> }>
let server: RespServer
let client: RawClient
const logged: string[] = []

beforeAll(async () => {
  warp = await openWarp({ keys: { '*': register() } })
  server = await respServer(warp, { port: 0, onScriptLog: (level, text) => logged.push(`${level}: ${text}`) })
  client = await RawClient.open(server.port)
})

afterAll(async () => {
  client.close()
  await server.close()
  await warp.close()
})

async function asked(...words: readonly string[]): Promise<string> {
  return shown(await client.ask(...words))
}

describe('a script', () => {
  test('is run, also the first one after the opening, which waits for the machine', async () => {
    await using fresh = await respServer(warp, { port: 0 })
    const first = await RawClient.open(fresh.port)
    expect(shown(await first.ask('EVAL', 'return {KEYS[1], ARGV[1]}', '1', 'k', 'v'))).toBe('*["k" "v"]')
    first.close()
  })

  test('has commands of the server', async () => {
    expect(await asked('EVAL', "return redis.call('ECHO', ARGV[1])", '0', 'a\0b')).toBe(JSON.stringify('a\0b'))
    expect(await asked('EVAL', "return redis.call('PING').ok", '0')).toBe('"PONG"')
  })

  test('is known by its digest, in any case', async () => {
    const source = 'return 7'
    expect(await asked('EVALSHA', sha1(source), '0')).toBe('-NOSCRIPT No matching script. Please use EVAL.')
    expect(await asked('EVALSHA', '123', '0')).toBe('-NOSCRIPT No matching script. Please use EVAL.')
    expect(await asked('SCRIPT', 'LOAD', source)).toBe(JSON.stringify(sha1(source)))
    expect(await asked('EVALSHA', sha1(source).toUpperCase(), '0')).toBe(':7')
    expect(await asked('SCRIPT', 'EXISTS', sha1(source), 'x')).toBe('*[:1 :0]')
    expect(await asked('SCRIPT', 'FLUSH', 'ASYNC')).toBe('+OK')
    expect(await asked('SCRIPT', 'EXISTS', sha1(source))).toBe('*[:0]')
    expect(await asked('SCRIPT', 'KILL')).toBe('-NOTBUSY No scripts in execution right now.')
  })

  test('runs inside MULTI', async () => {
    const replies = await client.askAll([
      ['MULTI'],
      ['EVAL', 'return 1', '0'],
      ['SCRIPT', 'LOAD', 'return 2'],
      ['EXEC'],
    ])
    expect(replies.map(shown)).toEqual(['+OK', '+QUEUED', '+QUEUED', `*[:1 ${JSON.stringify(sha1('return 2'))}]`])
  })

  test.each([
    [['1', 'a'], undefined],
    [['2', 'a'], "-ERR Number of keys can't be greater than number of args"],
    [['-1'], "-ERR Number of keys can't be negative"],
    [['x'], '-ERR value is not an integer or out of range'],
  ])('with keys %j', async (rest, refusal) => {
    expect(await asked('EVAL', 'return #KEYS', ...rest)).toBe(refusal ?? ':1')
  })

  test('may not call what waits, nor what is not there', async () => {
    const fault = async (call: string): Promise<string> =>
      (await asked('EVAL', `return ${call}`, '0')).replace(/ script: .*/, '')
    expect(await fault("redis.call('SUBSCRIBE', 'c')")).toBe('-ERR This Redis command is not allowed from script')
    expect(await fault("redis.call('MULTI')")).toBe('-ERR This Redis command is not allowed from script')
    expect(await fault("redis.call('EVAL', 'return 1', 0)")).toBe('-ERR This Redis command is not allowed from script')
    expect(await fault("redis.call('NOSUCH')")).toBe('-ERR Unknown Redis command called from script')
    expect(await fault("redis.call('ECHO')")).toBe('-ERR Wrong number of args calling Redis command from script')
  })

  test('may do what its client may', async () => {
    const users = { reader: { password: 'p', commands: ['eval', 'ping'] } }
    await using guarded = await respServer(warp, { port: 0, password: 'q', users })
    const reader = await RawClient.open(guarded.port)
    expect(shown(await reader.ask('EVAL', 'return 1', '0'))).toBe('-NOAUTH Authentication required.')
    expect(shown(await reader.ask('AUTH', 'reader', 'p'))).toBe('+OK')
    expect(shown(await reader.ask('EVAL', "return redis.call('PING')", '0'))).toBe('+PONG')
    expect(shown(await reader.ask('EVAL', "return redis.call('ECHO', 'x')", '0'))).toMatch(/^-NOPERM .*'echo'/)
    reader.close()
  })

  test('tells whoever runs the server', async () => {
    await asked('EVAL', "redis.log(redis.LOG_NOTICE, 'hello')", '0')
    expect(logged).toEqual(['notice: hello'])
  })
})

test('scripts that are switched off are refused', async () => {
  await using without = await respServer(warp, { port: 0, scripts: false })
  const other = await RawClient.open(without.port)
  expect(shown(await other.ask('EVAL', 'return 1', '0'))).toBe('-ERR scripts are switched off on this server')
  other.close()
})
