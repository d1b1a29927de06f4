import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWarp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { counter, list, map, register, set, text } from '../../../crdt/index.ts'
import { RawClient, shown } from '../../support/resp/raw-client.ts'

const KEYS = {
  'r:*': register(),
  'c:*': counter(),
  's:*': set(),
  't:*': text(),
  'm:*': map(register()),
  'l:*': list(),
}
const WRONG = '-WRONGTYPE Operation against a key holding the wrong kind of value'

const open = () => openWarp({ keys: KEYS })
let warp: Awaited<ReturnType<typeof open>>
let server: RespServer
let client: RawClient

beforeAll(async () => {
  warp = await open()
  server = await respServer(warp, { port: 0 })
  client = await RawClient.open(server.port)
})

afterAll(async () => {
  client.close()
  await server.close()
  await warp.close()
})

async function ask(line: string): Promise<string> {
  return shown(await client.ask(...line.split(' ')))
}

test('a register is a string: text as it is, other values as JSON', async () => {
  expect(await ask('SET r:1 hello')).toBe('+OK')
  expect(warp.peek('r:1')).toBe('hello')
  await warp.set('r:2', { name: 'Ada', n: [1] })
  expect(await ask('MGET r:1 r:2 r:3')).toBe('*["hello" "{\\"n\\":[1],\\"name\\":\\"Ada\\"}" nil]')
  expect(await ask('INCR r:3')).toBe(WRONG)
  expect(shown(await client.ask('SET', 'r:bytes', '\xff\0'))).toBe('+OK')
  expect(await warp.get('r:bytes')).toEqual(Uint8Array.of(255, 0))
})

test('a register lives as long as SET says', async () => {
  expect(await ask('SET r:life v EX 100')).toBe('+OK')
  expect(await ask('TTL r:life')).toBe(':100')
  expect(await ask('EXPIRE r:life 5')).toBe('-ERR how long this key lives is said by its pattern')
})

test('a counter is a number that INCR adds to', async () => {
  expect(await ask('INCRBY c:1 5')).toBe(':5')
  expect(await ask('DECR c:1')).toBe(':4')
  await warp.key('c:1').increment(10)
  expect(await ask('GET c:1')).toBe('"14"')
  expect(await ask('SET c:1 0')).toBe(WRONG)
})

test('a text takes what is put behind it', async () => {
  expect(await ask('APPEND t:1 ab')).toBe(':2')
  expect(await ask('SET t:1 x')).toBe(WRONG)
  expect(await ask('APPEND t:1 cd')).toBe(':4')
  expect(await ask('GETRANGE t:1 1 2')).toBe('"bc"')
})

test('keys of all strategies are listed, with their types, and deleted', async () => {
  await warp.key('s:1').add('x')
  await warp.key('m:1').update('f', 'set', 1)
  await warp.key('l:1').push('e')
  const answers = await client.askAll(['s:1', 'm:1', 'l:1', 't:1', 'r:none'].map((key) => ['TYPE', key]))
  expect(answers.map(shown)).toEqual(['+set', '+hash', '+list', '+string', '+none'])
  expect(await ask('EXISTS s:1 m:1 l:1 r:none')).toBe(':3')
  expect(await ask('DEL s:1 m:1 l:1')).toBe(':3')
  expect(await ask('KEYS [sml]:*')).toBe('*[]')
  expect(await ask('COPY r:1 r:copy')).toBe(':1')
  expect(warp.peek('r:copy')).toBe('hello')
})

test('a key that no pattern matches, and a name that is no text, are refused', async () => {
  expect(await ask('GET other')).toMatch(/^-ERR WARP_E_UNREGISTERED_KEY: no key pattern matches 'other'/)
  expect(await ask('GET r:\xff')).toBe('-ERR the name of a key is no UTF-8, and names of keys are text here')
})
