/** What scripts answer, on the sidecar and on a server that is what it wants to be. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { RawClient, shown } from '../../support/resp/raw-client.ts'
import { describeOn } from '../../support/servers.ts'

const JUDGE_DATABASE = '8'
/** Of `return 1`. */
const DIGEST = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db'

/** Redis 7.0 does as the sidecar does, and Valkey 9 otherwise: it shows whole numbers, and lets BLPOP run. */
const EXPLAINED: ReadonlySet<string> = new Set([
  'redis.call("SET", "num", 2^60) return redis.call("GET", "num")',
  'return redis.call("BLPOP", "l", 0)',
])

/** Scripts of libraries, and what trips those who build servers. */
const SCRIPTS: readonly (readonly [script: string, ...rest: string[]])[] = [
  ['return redis.call("SET", KEYS[1], ARGV[1])', '1', 'k', 'v'],
  ['return redis.call("GET", KEYS[1])', '1', 'k'],
  ['return redis.call("GET", "nothing")', '0'],
  ['return {redis.call("INCR", "n"), redis.call("INCRBY", "n", 41), redis.call("GET", "n")}', '0'],
  ['redis.call("SET", "k", "x") return redis.call("INCR", "k")', '0'],
  ['return redis.pcall("INCR", "k")', '0'],
  ['return redis.pcall("INCR", "k").err', '0'],
  ['return redis.call("TTL", "nothing")', '0'],
  ['redis.call("SET", "life", 1, "EX", 100) return redis.call("PERSIST", "life")', '0'],
  ['return redis.call("EXPIRE", "life", 50) + redis.call("TTL", "life")', '0'],
  ['local t = redis.call("TYPE", "k") return {type(t), t.ok, #t}', '0'],
  ['return redis.call("MGET", "k", "nothing", "n")', '0'],
  ['return {1, 2.9, -2.9, "a", true, false, nil, 4}', '0'],
  ['return {true, {1, {2}}, {ok = "fine"}, {err = "MY fault"}}', '0'],
  ['return redis.error_reply("MY fault")', '0'],
  ['return redis.error_reply("fault")', '0'],
  ['return redis.status_reply("fine")', '0'],
  ['return 2^53', '0'],
  ['return tostring(2^53) .. tostring(1e15) .. tostring(10 / 2) .. tostring(-0) .. tostring(1/3)', '0'],
  ['return string.format("%d", 3.7) .. string.format("%5.1f|%s|%q", 3.14159, "x", "a\\nb")', '0'],
  ['return redis.call("SET", "num", 1.5) and redis.call("GET", "num")', '0'],
  ['redis.call("SET", "num", 2^60) return redis.call("GET", "num")', '0'],
  ['return {#ARGV, ARGV[1], ARGV[2]}', '0', 'a', 'b\0c\xff'],
  ['return unpack({1, 2, 3})', '0'],
  ['return loadstring("return 1 + 1")()', '0'],
  ['return select("#", 1, nil, 3)', '0'],
  ['error("boom")', '0'],
  ['\nerror({err = "MY table"})', '0'],
  ['local function f() error("deep") end f()', '0'],
  ['return x', '0'],
  ['return redis.call("NOSUCH")', '0'],
  ['return redis.call("GET")', '0'],
  ['return redis.call()', '0'],
  ['return redis.call({})', '0'],
  ['return redis.call("BLPOP", "l", 0)', '0'],
  ['return redis.call("MULTI")', '0'],
  ['return redis.call("SUBSCRIBE", "c")', '0'],
  ['return cjson.encode({1, 2, {a = "b/\\"\\\\"}, cjson.null, true, 1.5, 1e20, "\\1\\127"})', '0'],
  ['return cjson.encode({})', '0'],
  ['return cjson.encode({[1] = 1, [3] = 3})', '0'],
  ['return cjson.encode(1234567890123456)', '0'],
  [
    'local v = cjson.decode("{\\"a\\":[1,2.5,null,true,\\"\\\\u00e9\\\\n\\"]}") return {v.a[1], tostring(v.a[2]), v.a[3] == cjson.null, v.a[5]}',
    '0',
  ],
  ['local ok, e = pcall(cjson.decode, "[1,") return {tostring(ok), type(e)}', '0'],
  ['local ok, e = pcall(cjson.decode, "{x") return {tostring(ok), type(e)}', '0'],
  ['return cmsgpack.pack({1, -1, 300, -300, 70000, 2^40, -2^40, 1.5, "text", true, false, {1, 2}})', '0'],
  ['return cmsgpack.pack(("x"):rep(40), {}, {a = 1})', '0'],
  ['return {cmsgpack.unpack(cmsgpack.pack(1, "b", {3}))}', '0'],
  [
    'return {bit.band(0xff, 0x0f), bit.bor(1, 2), bit.bxor(3, 5), bit.bnot(0), bit.lshift(1, 31), bit.rshift(-1, 28), bit.arshift(-256, 4)}',
    '0',
  ],
  [
    'return {bit.rol(0x12345678, 12), bit.ror(0x12345678, 12), bit.bswap(0x12345678), bit.tobit(0xffffffff), bit.tohex(255, -4)}',
    '0',
  ],
  ['return redis.sha1hex("abc")', '0'],
  ['return {redis.LOG_DEBUG, redis.LOG_WARNING, redis.REPL_ALL}', '0'],
  ['redis.setresp(3) return redis.call("GET", "nothing") == nil', '0'],
  ['redis.setresp(4)', '0'],
  [
    'if redis.call("EXISTS", KEYS[1]) == 0 then return redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2]) end return 0',
    '1',
    'lock',
    't',
    '30000',
  ],
  ['if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.pcall("DEL", KEYS[1]) end return 0', '1', 'lock', 't'],
  [
    'redis.call("SET", KEYS[1], 0, "EX", ARGV[2], "NX") local n = redis.call("INCRBY", KEYS[1], ARGV[1]) return {n, redis.call("PTTL", KEYS[1]) > 0}',
    '1',
    'rate',
    '1',
    '60',
  ],
  ['#!lua flags=no-writes\nreturn redis.call("GET", "k")', '0'],
  ['#!lua flags=no-writes\nreturn redis.call("SET", "k", 1)', '0'],
  ['return return', '0'],
]

const REQUESTS: readonly (readonly string[])[] = [
  ...SCRIPTS.map((words) => ['EVAL', ...words]),
  ['EVAL_RO', 'return redis.call("SET", "k", 1)', '0'],
  ['EVAL_RO', 'return redis.call("GET", "k")', '0'],
  ['SCRIPT', 'LOAD', 'return 1'],
  ['SCRIPT', 'EXISTS', DIGEST, 'x'],
  ['EVALSHA', DIGEST, '0'],
  ['SCRIPT', 'FLUSH', 'NOW'],
  ['MULTI'],
  ['EVAL', 'return redis.call("SET", "a", 1)', '0'],
  ['EVALSHA', DIGEST, '0'],
  ['EXEC'],
]

describeOn('valkey', 'scripts answer as on Valkey', (url) => {
  let warp: Warp<{ '*': Redis }>
  let server: RespServer

  beforeAll(async () => {
    warp = await openWarp({ keys: { '*': redis() } })
    server = await respServer(warp, { port: 0 })
  })

  afterAll(async () => {
    await server.close()
    await warp.close()
  })

  test.each(['2', '3'])('RESP%s', async (protocol) => {
    const judge = await RawClient.open(Number(new URL(url).port))
    const own = await RawClient.open(server.port)
    await judge.ask('SELECT', JUDGE_DATABASE)
    const differences: unknown[] = []
    for (const client of [judge, own]) await client.askAll([['HELLO', protocol], ['FLUSHDB']])
    for (const request of REQUESTS) {
      const [there, here] = [shown(await judge.ask(...request)), shown(await own.ask(...request))].map(asRedisSays)
      if (there !== here && !EXPLAINED.has(request[1]!)) differences.push({ request, there, here })
    }
    expect(differences).toEqual([])
    for (const client of [judge, own]) client.close()
  })
})

/** Valkey 9 leaves out the digest of the script, and calls itself by its name. */
function asRedisSays(reply: string): string {
  return reply
    .replace(/ script: [0-9a-f]{40}, on/, ' script: on')
    .replace('Unknown command called', 'Unknown Redis command called')
    .replace('calling command from script', 'calling Redis command from script')
    .replace('for this call script', 'for this redis.call() call script')
    .replace('Command arguments must', 'Lua redis lib command arguments must')
    .replace('This Valkey command', 'This Redis command')
}
