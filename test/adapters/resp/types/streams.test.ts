import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryNetwork } from '../../../../adapters/memory/index.ts'
import { openWarp, type Warp } from '../../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../../crdt/index.ts'
import { RawClient, shown } from '../../../support/resp/raw-client.ts'

interface Side {
  readonly warp: Warp<{ '*': Redis }>
  readonly server: RespServer
  readonly client: RawClient
}

const network = memoryNetwork()
let a: Side
let b: Side

async function side(name: string): Promise<Side> {
  const warp = await openWarp({ keys: { '*': redis() }, name, transports: [network.transport(name)] })
  const server = await respServer(warp, { port: 0 })
  return { warp, server, client: await RawClient.open(server.port) }
}

beforeAll(async () => {
  ;[a, b] = [await side('a'), await side('b')]
})

afterAll(async () => {
  for (const { client, server, warp } of [a, b]) {
    client.close()
    await server.close()
    await warp.close()
  }
})

async function ask({ client }: Side, ...words: readonly string[]): Promise<string> {
  return shown(await client.ask(...words))
}

async function until(at: Side, words: readonly string[], wanted: string): Promise<void> {
  let found = ''
  while (found !== wanted) found = await ask(at, ...words)
}

test('ids that two replicas make are never the same, and what both add is in both', async () => {
  network.partition([['a'], ['b']])
  const ids = new Set<string>()
  for (const at of [a, b]) {
    for (let i = 0; i < 50; i++) ids.add(await ask(at, 'XADD', 's', '7-*', 'f', String(i)))
    ids.add(await ask(at, 'XADD', 's', '*', 'f', 'v'))
  }
  expect(ids.size).toBe(102)
  network.heal()
  for (const at of [a, b]) await until(at, ['XLEN', 's'], ':102')
  expect(await ask(a, 'XRANGE', 's', '-', '+')).toBe(await ask(b, 'XRANGE', 's', '-', '+'))
})

test('a group delivers what comes late with a lesser id, and is of its own replica', async () => {
  await ask(a, 'XGROUP', 'CREATE', 'late', 'g', '0', 'MKSTREAM')
  await ask(a, 'XADD', 'late', '20-1', 'f', 'v')
  await until(b, ['XLEN', 'late'], ':1')
  const read = ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'late', '>']
  network.partition([['a'], ['b']])
  await ask(b, 'XADD', 'late', '21-1', 'f', 'v')
  await ask(a, 'XADD', 'late', '30-1', 'f', 'v')
  expect(await ask(a, ...read)).toContain('30-1')
  network.heal()
  await until(a, ['XLEN', 'late'], ':3')
  expect(await ask(a, 'XINFO', 'GROUPS', 'late')).toContain('"lag" :1')
  expect(await ask(a, ...read)).toContain('21-1')
  expect(await ask(a, ...read)).toBe('nil-array')
  expect(await ask(b, ...read)).toMatch(/^-NOGROUP/)
})

test('XDEL takes away what its writer had seen, of two entries of one id both', async () => {
  network.partition([['a'], ['b']])
  for (const at of [a, b]) await ask(at, 'XADD', 'same', '5-5', 'f', 'v')
  network.heal()
  for (const at of [a, b]) await until(at, ['XLEN', 'same'], ':2')
  expect(await ask(a, 'XDEL', 'same', '5-5')).toBe(':2')
  for (const at of [a, b]) await until(at, ['XLEN', 'same'], ':0')
  expect(await ask(b, 'XADD', 'same', '5-5', 'f', 'v')).toMatch(/^-ERR The ID specified in XADD is equal or smaller/)
})

test('XREAD and XREADGROUP wait for what is added, here or elsewhere', async () => {
  await ask(a, 'XGROUP', 'CREATE', 'awaited', 'g', '$', 'MKSTREAM')
  const other = await RawClient.open(a.server.port)
  const read = other.ask('XREAD', 'BLOCK', '0', 'STREAMS', 'awaited', '$')
  const group = a.client.ask('XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '0', 'STREAMS', 'awaited', '>')
  await until(b, ['TYPE', 'awaited'], '+stream')
  await ask(b, 'XADD', 'awaited', '9-9', 'f', 'v')
  for (const reply of [await read, await group]) expect(shown(reply)).toBe('*[*["awaited" *[*["9-9" *["f" "v"]]]]]')
  other.close()
})

test('what two replicas count at the same time is counted once, and what both counted in once', async () => {
  network.partition([['a'], ['b']])
  for (const [at, elements] of [
    [a, ['x', 'y']],
    [b, ['y', 'z']],
  ] as const)
    await ask(at, 'PFADD', 'counted', ...elements)
  network.heal()
  for (const at of [a, b]) await until(at, ['PFCOUNT', 'counted'], ':3')
  expect(await ask(a, 'TYPE', 'counted')).toBe('+string')
  const bytes = await a.client.ask('GET', 'counted')
  await ask(a, 'SET', 'carried', 'text' in bytes ? bytes.text : '')
  expect(await ask(a, 'PFADD', 'carried', 'x', 'y', 'z')).toBe(':0')
  expect(await ask(a, 'PFADD', 'carried', 'w')).toBe(':1')
  expect(await ask(a, 'PFCOUNT', 'carried', 'counted')).toBe(':4')
})
