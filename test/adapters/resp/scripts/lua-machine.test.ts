/** Scripts of a server of their own, with commands that answer what the test says. */
import { afterAll, describe, expect, test } from 'vitest'
import { ReplyError } from '../../../../adapters/resp/call/reply-error.ts'
import { sha1 } from '../../../../adapters/resp/scripts/lua-host.ts'
import { Scripts } from '../../../../adapters/resp/scripts/scripts.ts'
import { ReplyWriter } from '../../../../adapters/resp/protocol/reply-writer.ts'

const MIB = 1024 * 1024
const scripts = new Scripts({ stepsMax: 1_000_000, bytesMax: 8 * MIB }, '7.0.15')
await scripts.ready()

afterAll(() => scripts.close())

interface Run {
  readonly keys?: readonly string[]
  readonly args?: readonly string[]
  readonly protocol?: 2 | 3
  readonly answers?: Readonly<Record<string, string>>
}

const asked: string[][] = []
const SILENT = { call: () => '', log: () => undefined }

/** The reply of a script, as text of the protocol. */
function run(source: string, { keys = [], args = [], protocol = 2, answers = {} }: Run = {}): string {
  const reply = new ReplyWriter()
  reply.protocol = protocol
  asked.length = 0
  try {
    const host = {
      call(command: readonly string[]): string {
        asked.push([...command])
        return answers[command[0]!] ?? '+OK\r\n'
      },
      log: (level: number, text: string) => void asked.push(['log', `${level}`, text]),
    }
    scripts.run(scripts.add(source), { keys, args }, host, reply)
  } catch (error) {
    if (error instanceof ReplyError) return `-${error.text}`
    throw error
  }
  return reply.take()
}

/** A fault without the name of the script. */
function faultOf(source: string): string {
  return run(source).replace(/ script: [0-9a-f]{40}/, '')
}

describe('what a script returns', () => {
  test.each([
    ['return 1', ':1\r\n'],
    ['return 3.99', ':3\r\n'],
    ['return -3.99', ':-3\r\n'],
    ["return 'a\\0\\255'", '$3\r\na\0\u00ff\r\n'],
    ['return true', ':1\r\n'],
    ['return false', '$-1\r\n'],
    ['return nil', '$-1\r\n'],
    ['', '$-1\r\n'],
    ["return {1, 'two', {3}, nil, 5}", '*3\r\n:1\r\n$3\r\ntwo\r\n*1\r\n:3\r\n'],
    ['return {}', '*0\r\n'],
    ["return {ok = 'FINE'}", '+FINE\r\n'],
    ["return {err = 'MINE it is'}", '-MINE it is\r\n'],
    ["return redis.error_reply('MINE it is')", '-MINE it is\r\n'],
    ["return redis.status_reply('FINE')", '+FINE\r\n'],
    ['return {double = 3.14}', '$18\r\n3.1400000000000001\r\n'],
    ['return {KEYS[1], ARGV[1], #KEYS, #ARGV}', '*4\r\n$1\r\nk\r\n$1\r\nv\r\n:1\r\n:1\r\n'],
    ['return math.floor(2^40)', ':1099511627776\r\n'],
  ])('%s', (source, reply) => {
    expect(run(source, { keys: ['k'], args: ['v'] })).toBe(reply)
  })

  test('in RESP3 has the types of RESP3', () => {
    expect(run('return {double = 0.5}', { protocol: 3 })).toBe(',0.5\r\n')
    expect(run('return {map = {a = 1}}', { protocol: 3 })).toBe('%1\r\n$1\r\na\r\n:1\r\n')
    expect(run('return {set = {a = true}}', { protocol: 3 })).toBe('~1\r\n$1\r\na\r\n')
    expect(run('return nil', { protocol: 3 })).toBe('_\r\n')
  })
})

describe('commands', () => {
  test('have texts and numbers as arguments', () => {
    run("redis.call('SET', 'k', 1.5) redis.call('GET', 10/2, 2^60, 'a\\0')")
    expect(asked).toEqual([
      ['SET', 'k', '1.5'],
      ['GET', '5', '1.152921504606847e+18', 'a\0'],
    ])
  })

  test.each([
    [':7\r\n', 'return type(r) .. r', 'number7'],
    ['$2\r\nab\r\n', 'return type(r) .. r', 'stringab'],
    ['$-1\r\n', 'return tostring(r)', 'false'],
    ['*-1\r\n', 'return tostring(r)', 'false'],
    ['+hash\r\n', 'return type(r) .. r.ok .. #r', 'tablehash0'],
    ['*3\r\n$1\r\na\r\n$-1\r\n*1\r\n:1\r\n', 'return r[1] .. tostring(r[2]) .. r[3][1]', 'afalse1'],
  ])('a reply of %j', (answer, rest, shown) => {
    expect(run(`local r = redis.call('GET') ${rest}`, { answers: { GET: answer } })).toBe(
      `$${shown.length}\r\n${shown}\r\n`,
    )
  })

  test('after setresp(3) reply with the types of RESP3', () => {
    const answers = { HGETALL: '%1\r\n$1\r\nf\r\n,1.5\r\n', GET: '_\r\n' }
    expect(run("redis.setresp(3) return tostring(redis.call('HGETALL').map.f.double)", { answers })).toBe(
      '$3\r\n1.5\r\n',
    )
    expect(run("redis.setresp(3) return tostring(redis.call('GET'))", { answers })).toBe('$3\r\nnil\r\n')
  })

  test('raise what they refuse, or hand it to pcall', () => {
    const answers = { INCR: '-ERR value is not an integer\r\n' }
    const digest = sha1("\nreturn redis.call('INCR')")
    expect(run("\nreturn redis.call('INCR')", { answers })).toBe(
      `-ERR value is not an integer script: ${digest}, on @user_script:2.`,
    )
    expect(run("return redis.pcall('INCR').err", { answers })).toBe('$27\r\nERR value is not an integer\r\n')
    expect(run("local ok, e = pcall(redis.call, 'INCR') return e.err", { answers })).toBe(
      '$27\r\nERR value is not an integer\r\n',
    )
    expect(faultOf('return redis.call({})')).toBe(
      '-ERR Lua redis lib command arguments must be strings or integers, on @user_script:1.',
    )
    expect(faultOf('return redis.call()')).toBe(
      '-ERR Please specify at least one argument for this redis.call() call, on @user_script:1.',
    )
  })
})

describe('faults', () => {
  test.each([
    ["error('boom')", '-ERR user_script:1: boom, on @user_script:1.'],
    ["error({err = 'CODE mine'})", '-CODE mine, on @user_script:1.'],
    ['return x', "-ERR user_script:1: Script attempted to access nonexistent global variable 'x', on @user_script:1."],
    ['x = 1', '-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1.'],
    ['string.x = 1', '-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1.'],
    ["rawset(_G, 'x', 1)", '-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1.'],
    ["rawset(redis, 'x', 1)", '-ERR user_script:1: Attempt to modify a readonly table, on @user_script:1.'],
    ['redis.set_repl(redis.REPL_NONE)', /only redis.REPL_ALL is there, on @user_script:1/],
  ])('%s', (source, fault) => {
    if (typeof fault === 'string') expect(faultOf(source)).toBe(fault)
    else expect(faultOf(source)).toMatch(fault)
  })

  test('of the text are told when it is loaded', () => {
    expect(() => scripts.add('return return')).toThrow(/^ERR Error compiling script \(new function\): user_script:1: /)
    expect(() => scripts.add('\u001bLua')).toThrow('binary chunks are refused')
  })
})

test('the libraries of Redis are there, and no other way out', () => {
  expect(run("return cjson.encode({1, 'a/\"\\n', {b = true}, cjson.null})")).toContain(
    '[1,"a\\/\\"\\n",{"b":true},null]',
  )
  expect(run('return cjson.encode({})')).toBe('$2\r\n{}\r\n')
  expect(run('return cjson.encode(1/3)')).toBe('$16\r\n0.33333333333333\r\n')
  expect(run(`return cjson.decode('{"a":[1,2.5e1,"\\\\u00e9\\\\ud83d\\\\ude00"],"b":null}').a[3]`)).toBe(
    `$6\r\n${Buffer.from('é😀').toString('latin1')}\r\n`,
  )
  expect(faultOf("local v = cjson.decode('[1,x]') return v")).toBe(
    '-ERR user_script:1: Expected value but found invalid token at character 4, on @user_script:1.',
  )
  const round = `local function same(a, b) if type(a) ~= 'table' then return a == b end
    for k, v in pairs(a) do if not same(v, b[k]) then return false end end return true end
    for _, v in ipairs({1, -1, 127, 128, 255, 256, 65535, 65536, 2^32, 2^53, -32, -33, -128, -129, -32768, -32769, -2^31, -2^31 - 1, -2^53,
      1.5, -0.1, 'a', ('x'):rep(40), ('x'):rep(300), ('x'):rep(70000), true, {1, {2, 'b'}}, {a = 1, b = {c = 2}}}) do
      if not same(v, cmsgpack.unpack(cmsgpack.pack(v))) then return cjson.encode(v) end end
    return 'same'`
  expect(run(round)).toBe('$4\r\nsame\r\n')
  expect(run("return {cmsgpack.unpack(cmsgpack.pack(1, 'b'))}")).toBe('*2\r\n:1\r\n$1\r\nb\r\n')
  expect(run('return {bit.band(0xff, 0x0f), bit.bnot(0), bit.rol(0x12345678, 12), bit.tohex(255, -4)}')).toBe(
    '*4\r\n:15\r\n:-1\r\n:1164411171\r\n$4\r\n00FF\r\n',
  )
  expect(run("return redis.sha1hex('')")).toBe('$40\r\nda39a3ee5e6b4b0d3255bfef95601890afd80709\r\n')
  expect(run('return redis.replicate_commands()')).toBe(':1\r\n')
  const names = [
    'io',
    'os',
    'debug',
    'package',
    'require',
    'dofile',
    'loadfile',
    'print',
    'collectgarbage',
    'getfenv',
    'setfenv',
    'newproxy',
  ]
  const there = names.filter((name) => run(`return rawget(_G, '${name}') ~= nil`) === ':1\r\n')
  expect(there).toEqual([])
  expect(run('return tostring(string.dump)')).toBe('$3\r\nnil\r\n')
  expect(run("return tostring(loadstring('\\27Lua'))")).toBe('$3\r\nnil\r\n')
})

test('a script leaves nothing to the next one', () => {
  run('string.find = nil')
  run("getmetatable('').__index = nil")
  run('KEYS[1] = 7', { keys: ['k'] })
  expect(run("return ('abc'):find('c') .. KEYS[1]", { keys: ['k'] })).toBe('$2\r\n3k\r\n')
  expect(run('return math.random(1000000)')).toBe(run(' return math.random(1000000)'))
})

describe('a script that takes too much ends', () => {
  test.each([
    'while true do end',
    'while true do pcall(function() while true do end end) end',
    "for i = 1, 1e9 do local x = i .. '' end",
  ])('%s', (source) => {
    expect(run(source)).toContain('ERR the script has taken more than 1000000 steps')
    expect(run('return 1')).toBe(':1\r\n')
  })

  test('in memory, and what was compiled is compiled again', () => {
    const digest = scripts.add('return 42')
    expect(run("local t = {} for i = 1, 30 do t[i] = ('x' .. i):rep(1e6) end")).toContain('ERR not enough memory')
    expect(scripts.has(digest)).toBe(true)
    expect(run('return 42')).toBe(':42\r\n')
    expect(scripts.facts.bytes).toBeLessThan(MIB)
  })

  test('in depth', () => {
    expect(run('local function f() return 1 + f() end return f()')).toContain('stack overflow')
    expect(run('local t = {} t[1] = t return t')).toContain('lua stack limit')
    expect(run('return 1')).toBe(':1\r\n')
  })
})

test('scripts are known by their digest, whatever its case, until they are flushed', () => {
  const digest = scripts.add('return 5')
  expect(digest).toBe(sha1('return 5'))
  const reply = new ReplyWriter()
  scripts.run(digest.toUpperCase(), { keys: [], args: [] }, SILENT, reply)
  expect(reply.take()).toBe(':5\r\n')
  scripts.flush()
  expect(scripts.has(digest)).toBe(false)
  expect(() => scripts.run(digest, { keys: [], args: [] }, SILENT, reply)).toThrow(/^NOSCRIPT /)
})

test('a first line says how a script is to run, and lines keep their numbers', () => {
  expect(scripts.isReadOnly(scripts.add('#!lua flags=no-writes\nreturn 1'))).toBe(true)
  expect(scripts.isReadOnly(scripts.add('#!lua\nreturn 1'))).toBe(false)
  expect(faultOf("#!lua\nerror('boom')")).toBe('-ERR user_script:2: boom, on @user_script:2.')
  expect(run('#!foo\nreturn 1')).toBe('-ERR Unexpected engine in script shebang: foo')
  expect(run('#!lua name=x\nreturn 1')).toBe('-ERR Unknown lua shebang option: name=x')
  expect(run('#!lua flags=no-write\nreturn 1')).toBe('-ERR Unexpected flag in script shebang: no-write')
})

test('what a script logs is told', () => {
  run("redis.log(redis.LOG_WARNING, 'it is', 7)")
  expect(asked).toEqual([['log', '3', 'it is 7']])
})
