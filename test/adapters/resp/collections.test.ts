import { beforeEach, describe, expect, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { memoryNetwork } from '../../../adapters/memory/memory-network.ts'
import { respServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { RawClient, shown } from '../../support/resp/raw-client.ts'
import { served } from '../../support/resp/served.ts'

const sidecar = served()
const { ask } = sidecar

beforeEach(async () => {
  await ask('FLUSHALL')
})

/** Until so many connections wait. */
async function untilWaiting(count: number): Promise<void> {
  while ((await ask('CLIENT', 'LIST')).split('flags=b').length <= count) await new Promise(setImmediate)
}

describe('who waits', () => {
  test('is served in the order of waiting, when the command that pushes is over', async () => {
    const [first, second] = [await RawClient.open(sidecar.port), await RawClient.open(sidecar.port)]
    const one = first.ask('BLPOP', 'other', 'queue', '0')
    await untilWaiting(1)
    const other = second.ask('BRPOP', 'queue', '0')
    await untilWaiting(2)
    expect(await ask('RPUSH', 'queue', 'a', 'b', 'c')).toBe(':3')
    expect([shown(await one), shown(await other)]).toEqual(['*["queue" "a"]', '*["queue" "c"]'])
    expect(await ask('LRANGE', 'queue', '0', '-1')).toBe('*["b"]')
    for (const waiter of [first, second]) waiter.close()
  })

  test('hears of what is moved to its key, and of members', async () => {
    const waiter = await RawClient.open(sidecar.port)
    const moved = waiter.ask('BLMOVE', 'a', 'b', 'LEFT', 'RIGHT', '0')
    await untilWaiting(1)
    await ask('RPUSH', 'from', 'x')
    await ask('LMOVE', 'from', 'a', 'LEFT', 'LEFT')
    expect(shown(await moved)).toBe('"x"')
    const popped = waiter.ask('BZPOPMIN', 'z', '0')
    await untilWaiting(1)
    await ask('ZADD', 'z', '2.5', 'm')
    expect(shown(await popped)).toBe('*["z" "m" "2.5"]')
    waiter.close()
  })

  test('does not wait in a transaction', async () => {
    const replies = await sidecar.client.askAll([
      ['MULTI'],
      ['BLPOP', 'none', '0'],
      ['BLMOVE', 'none', 'b', 'LEFT', 'LEFT', '0'],
      ['EXEC'],
    ])
    expect(replies.map(shown).at(-1)).toBe('*[nil-array nil]')
  })

  test('takes nothing if it has gone', async () => {
    const waiter = await RawClient.open(sidecar.port)
    waiter.send('*3\r\n$5\r\nBLPOP\r\n$1\r\nq\r\n$1\r\n0\r\n')
    await untilWaiting(1)
    waiter.close()
    while ((await ask('CLIENT', 'LIST')).includes('flags=b')) await new Promise(setImmediate)
    await ask('RPUSH', 'q', 'x')
    expect(await ask('LLEN', 'q')).toBe(':1')
  })
})

describe('a scan', () => {
  test.each(['HSCAN', 'SSCAN', 'ZSCAN'])('%s shows in pages whatever stays, while others come and go', async (scan) => {
    const [add, remove] = { HSCAN: ['HSET', 'HDEL'], SSCAN: ['SADD', 'SREM'], ZSCAN: ['ZADD', 'ZREM'] }[scan] as [
      string,
      string,
    ]
    const added = (name: string): string[] => (scan === 'SSCAN' ? [name] : scan === 'HSCAN' ? [name, 'v'] : ['1', name])
    const names = Array.from({ length: 700 }, (_, i) => `stays ${i}`)
    const going = Array.from({ length: 700 }, (_, i) => `goes ${i}`)
    await sidecar.client.askAll([...going, ...names].map((name) => [add, 'k', ...added(name)]))
    const seen = new Set<string>()
    let [cursor, pages] = ['0', 0]
    do {
      const page = await sidecar.client.ask(scan, 'k', cursor, 'COUNT', '50', 'MATCH', 'stays*')
      const [next, items] = 'items' in page ? page.items : []
      cursor = next !== undefined && 'text' in next ? next.text : '0'
      for (const item of items !== undefined && 'items' in items ? items.items : [])
        if ('text' in item) seen.add(item.text)
      await ask(remove, 'k', `goes ${pages * 7}`, `goes ${pages * 7 + 1}`)
      await ask(add, 'k', ...added(`comes ${pages}`))
      pages++
    } while (cursor !== '0' && pages < 100)
    expect(pages).toBeGreaterThan(10)
    expect(names.filter((name) => !seen.has(name))).toEqual([])
  })
})

describe('replies as Redis 7.0 has them, where Valkey has others', () => {
  test.each([
    [['ZADD', 'z', '0.1', 'm'], ['ZSCORE', 'z', 'm'], '"0.10000000000000001"'],
    [['ZADD', 'z', '1e17', 'm'], ['ZSCORE', 'z', 'm'], '"1e+17"'],
    [['ZADD', 'z', '0.1', 'm'], ['ZINCRBY', 'z', '0.2', 'm'], '"0.30000000000000004"'],
    [['ZADD', 'z', '-0', 'm'], ['ZSCORE', 'z', 'm'], '"0"'],
    [['HSET', 'h', 'f', '5.0e3'], ['HINCRBYFLOAT', 'h', 'f', '2.0e2'], '"5200"'],
    [['HSET', 'h', 'f', '10.50'], ['HINCRBYFLOAT', 'h', 'f', '0.1'], '"10.6"'],
  ])('%j, %j', async (before, words, reply) => {
    await ask(...before)
    expect(await ask(...words)).toBe(reply)
  })
})

describe('places', () => {
  test.each([
    [['GEOPOS', 'g', 'Palermo', 'nowhere'], '*[*["13.36138933897018433" "38.11555639549629859"] nil-array]'],
    [['GEODIST', 'g', 'Palermo', 'Catania', 'km'], '"166.2742"'],
    [['GEODIST', 'g', 'Palermo', 'nowhere'], 'nil'],
    [['GEOHASH', 'g', 'Palermo', 'Catania'], '*["sqc8b49rny0" "sqdtr74hyu0"]'],
    [['ZSCORE', 'g', 'Palermo'], '"3479099956230698"'],
    [['GEOADD', 'g', '181', '-0.0', 'x'], '-ERR invalid longitude,latitude pair 181.000000,-0.000000'],
  ])('%j', async (words, reply) => {
    await ask('GEOADD', 'g', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania')
    expect(await ask(...words)).toBe(reply)
  })
})

describe('two replicas', () => {
  test('a push of the other one wakes who waits here, and SADD of what is in is written again', async () => {
    const network = memoryNetwork()
    const [here, there] = await Promise.all(
      ['a', 'b'].map((name) => openWarp({ keys: { '*': redis() }, transports: [network.transport(name)] })),
    )
    const servers = await Promise.all([here, there].map((one) => respServer(one as Warp<{ '*': Redis }>, { port: 0 })))
    const [mine, theirs] = (await Promise.all(servers.map(({ port }) => RawClient.open(port)))) as [
      RawClient,
      RawClient,
    ]
    const popped = mine.ask('BLPOP', 'q', '0')
    await theirs.ask('RPUSH', 'q', 'x')
    expect(shown(await popped)).toBe('*["q" "x"]')
    await mine.ask('SADD', 's', 'x')
    expect(shown(await mine.ask('SADD', 's', 'x'))).toBe(':0')
    expect(await operationsOf(here as Warp<{ '*': Redis }>, 's')).toBe(2)
    for (const one of [mine, theirs]) one.close()
    for (const one of servers) await one.close()
    for (const one of [here, there]) await one?.close()
  })
})

test('a replica alone writes nothing for what is in', async () => {
  await sidecar.client.askAll([
    ['SADD', 'alone-s', 'x'],
    ['SADD', 'alone-s', 'x'],
    ['ZADD', 'alone-z', '1', 'x'],
    ['ZADD', 'alone-z', '1', 'x'],
  ])
  expect([await operationsOf(sidecar.warp, 'alone-s'), await operationsOf(sidecar.warp, 'alone-z')]).toEqual([1, 1])
})

async function operationsOf(of: Warp<{ '*': Redis }>, key: string): Promise<number> {
  let count = 0
  for await (const { kind } of of.key(key).log()) if (kind === 'update') count++
  return count
}
