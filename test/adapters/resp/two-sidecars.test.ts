/**
 * Two sidecars of two replicas, cut off from each other, whose clients write the same keys of every type on
 * both sides: afterwards both show the same, sums are exact, and nothing that was acknowledged is gone.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memoryNetwork } from '../../../adapters/memory/index.ts'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { SEED } from '../../../property-tests/seed.ts'
import { type Random, seededRandom } from '../../../testing/world/random.ts'
import { RawClient, shown } from '../../support/resp/raw-client.ts'

const KEYS_OF_A_TYPE = 5
const REQUESTS_EACH = 400

interface Side {
  readonly warp: Warp<{ '*': Redis }>
  readonly server: RespServer
  readonly client: RawClient
}

const network = memoryNetwork()
const sides: Side[] = []

beforeAll(async () => {
  for (const name of ['a', 'b']) {
    const warp = await openWarp({ keys: { '*': redis() }, transports: [network.transport(name)] })
    const server = await respServer(warp, { port: 0 })
    sides.push({ warp, server, client: await RawClient.open(server.port) })
  }
})

afterAll(async () => {
  for (const { warp, server, client } of sides) {
    client.close()
    await server.close()
    await warp.close()
  }
})

/** All keys of a server, with what they hold, as text. */
async function digest(client: RawClient): Promise<string> {
  const keys = await client.ask('KEYS', '*')
  const names = 'items' in keys ? keys.items.map((item) => ('text' in item ? item.text : '')).sort() : []
  const lines: string[] = []
  for (const key of names) {
    const type = shown(await client.ask('TYPE', key))
    const reply = await client.ask(...(READS[type] as (key: string) => string[])(key))
    const items = 'items' in reply ? reply.items.map(shown) : [shown(reply)]
    lines.push(`${key} ${type} ${(type === '+set' ? items.sort() : items).join(' ')}`)
  }
  return lines.join('\n')
}

const READS: Readonly<Record<string, (key: string) => string[]>> = {
  '+string': (key) => ['GET', key],
  '+hash': (key) => ['HMGET', key, ...FIELDS],
  '+set': (key) => ['SMEMBERS', key],
  '+zset': (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  '+list': (key) => ['LRANGE', key, '0', '-1'],
  '+stream': (key) => ['XRANGE', key, '-', '+'],
}
const FIELDS = ['f0', 'f1', 'f2', 'f3']

/** A write of any type, and what must be there of it. */
function request(random: Random, side: string, i: number): readonly string[] {
  const key = String(random.below(KEYS_OF_A_TYPE))
  const field = random.pick(FIELDS)
  return random.pick([
    ['INCRBY', `counter:${key}`, String(1 + random.below(9))],
    ['SET', `string:${key}`, `${side}${i}`],
    ['APPEND', `text:${key}`, `${side}${i};`],
    ['HSET', `hash:${key}`, field, `${side}${i}`],
    ['HINCRBY', `sums:${key}`, field, String(1 + random.below(9))],
    ['SADD', `set:${key}`, `${side}${i}`],
    ['ZADD', `zset:${key}`, String(random.below(100)), `${side}${i}`],
    ['ZINCRBY', `scores:${key}`, String(1 + random.below(9)), field],
    ['RPUSH', `list:${key}`, `${side}${i}`],
    ['LPUSH', `list:${key}`, `${side}${i}`],
    ['XADD', `stream:${key}`, '*', 'from', `${side}${i}`],
    ['PFADD', `counted:${key}`, `${side}${i}`],
    ['SETBIT', `bits:${key}`, String(random.below(200)), '1'],
    ['BITFIELD', `packed:${key}`, 'INCRBY', 'u16', `#${random.below(4)}`, String(1 + random.below(9))],
  ])
}

/** Sums of what was added, by command and place. */
function sumsOf(requests: readonly (readonly string[])[]): Map<string, number> {
  const sums = new Map<string, number>()
  const add = (place: string, amount: string): void => void sums.set(place, (sums.get(place) ?? 0) + Number(amount))
  for (const [name, key, one, two, ...rest] of requests as readonly [string, string, string, string, ...string[]][]) {
    if (name === 'INCRBY') add(`GET ${key}`, one)
    if (name === 'HINCRBY') add(`HGET ${key} ${one}`, two)
    if (name === 'BITFIELD') add(`BITFIELD_RO ${key} GET ${two} ${rest[0]!}`, rest[1]!)
    if (name === 'ZINCRBY') add(`ZSCORE ${key} ${two}`, one)
  }
  return sums
}

/** What must hold a member that was put into it, and never taken out. */
const KEPT: Readonly<Record<string, readonly [ask: string, at: number]>> = {
  SADD: ['SISMEMBER', 2],
  ZADD: ['ZSCORE', 3],
  RPUSH: ['LPOS', 2],
  LPUSH: ['LPOS', 2],
  SETBIT: ['GETBIT', 2],
}

test('what is written on both sides of a cut is merged, and nothing is lost', { timeout: 120_000 }, async () => {
  const [a, b] = sides as [Side, Side]
  network.partition([['a'], ['b']])
  const random = seededRandom(SEED)
  const written: (readonly string[])[] = []
  for (const [name, side] of [
    ['a', a],
    ['b', b],
  ] as const) {
    const requests = Array.from({ length: REQUESTS_EACH }, (_, i) => request(random, name, i))
    const replies = await side.client.askAll(requests)
    expect(replies.map(shown).filter((reply) => reply.startsWith('-'))).toEqual([])
    written.push(...requests)
  }
  expect(await digest(a.client)).not.toBe(await digest(b.client))
  network.heal()
  let [one, other] = ['', '-']
  while (one !== other) [one, other] = [await digest(a.client), await digest(b.client)]
  for (const { client } of sides) {
    for (const [place, sum] of sumsOf(written)) {
      expect(shown(await client.ask(...place.split(' '))).replace(/^[*[":]+|["\]]+$/g, ''), place).toBe(String(sum))
    }
    for (const words of written) {
      const [ask, at] = KEPT[words[0]!] ?? []
      if (ask === undefined || at === undefined) continue
      expect(shown(await client.ask(ask, words[1]!, words[at]!)), words.join(' ')).not.toBe(
        ['SISMEMBER', 'GETBIT'].includes(ask) ? ':0' : 'nil',
      )
    }
  }
})
