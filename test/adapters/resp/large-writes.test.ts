/** What a command writes may be more than one operation carries. */
import { expect, test } from 'vitest'
import { openWarp } from '../../../adapters/node/index.ts'
import { respServer } from '../../../adapters/resp/index.ts'
import { map, register } from '../../../crdt/index.ts'
import { SEED } from '../../../property-tests/seed.ts'
import { seededRandom } from '../../../testing/world/random.ts'
import { RawClient } from '../../support/resp/raw-client.ts'
import { served } from '../../support/resp/served.ts'

const MANY = 40_000

const sidecar = served()
const { ask: asked } = sidecar

/** Entries by the thousand, with what stands before each. */
async function fill(command: string, key: string, entryOf: (i: number) => readonly string[]): Promise<void> {
  const step = 5000
  const requests: string[][] = []
  for (let from = 0; from < MANY; from += step)
    requests.push([command, key, ...Array.from({ length: step }, (_, i) => entryOf(from + i)).flat()])
  await sidecar.client.askAll(requests)
}

const longName = (i: number): string => `member:${String(i).padStart(30, '0')}`

test('collections of 40,000 entries are renamed, copied, trimmed, stored and emptied', async () => {
  await fill('HSET', 'h', (i) => [longName(i), 'value'])
  expect(await asked('RENAME', 'h', 'h2')).toBe('+OK')
  expect([await asked('HLEN', 'h2'), await asked('HGET', 'h2', longName(MANY - 1))]).toEqual([`:${MANY}`, '"value"'])
  await fill('RPUSH', 'l', (i) => [longName(i)])
  expect(await asked('LTRIM', 'l', '10', '-11')).toBe('+OK')
  expect(await asked('LLEN', 'l')).toBe(`:${MANY - 20}`)
  expect(await asked('LTRIM', 'l', '20000', '20002')).toBe('+OK')
  expect(await asked('LRANGE', 'l', '0', '-1')).toBe(`*["${[20_010, 20_011, 20_012].map(longName).join('" "')}"]`)
  await fill('ZADD', 'z', (i) => [String(i), longName(i)])
  expect(await asked('ZUNIONSTORE', 'z2', '1', 'z')).toBe(`:${MANY}`)
  expect(await asked('ZREMRANGEBYRANK', 'z2', '0', '-2')).toBe(`:${MANY - 1}`)
  expect(await asked('ZRANGE', 'z2', '0', '-1')).toBe(`*["${longName(MANY - 1)}"]`)
  await fill('SADD', 's', (i) => [longName(i)])
  expect(await asked('SUNIONSTORE', 's2', 's')).toBe(`:${MANY}`)
  expect(await asked('SPOP', 's2', String(MANY - 1))).toMatch(/^\*\[/)
  expect(await asked('SCARD', 's2')).toBe(':1')
})

test('what takes the place of many sums is written, and one that is refused changes nothing', async () => {
  const sums = Array.from({ length: 3000 }, (_, i) => ['HINCRBY', 'sums', `f${i}`, '5'])
  await sidecar.client.askAll(sums)
  await asked('PEXPIREAT', 'sums', '9999999999999')
  expect(await asked('SET', 'sums', 'x'.repeat(4_000_000), 'KEEPTTL')).toMatch(/^-.*more than 3145728/)
  expect([await asked('HGET', 'sums', 'f2999'), await asked('HLEN', 'sums')]).toEqual(['"5"', ':3000'])
  expect(await asked('SET', 'sums', 'v', 'KEEPTTL')).toBe('+OK')
  expect([await asked('GET', 'sums'), await asked('PEXPIRETIME', 'sums')]).toEqual(['"v"', ':9999999999999'])
  await sidecar.client.askAll(sums.map(([, , ...others]) => ['HINCRBY', 'again', ...others] as string[]))
  await asked('HSET', 'few', 'a', '1')
  expect(await asked('COPY', 'few', 'again', 'REPLACE')).toBe(':1')
  expect(await asked('HGETALL', 'again')).toBe('*["a" "1"]')
})

test('a string of 2 MiB is set, and appended to thousands of times', async () => {
  const whole = 'x'.repeat(2_200_000)
  expect(await asked('SET', 'text', whole)).toBe('+OK')
  await sidecar.client.askAll(Array.from({ length: 4200 }, () => ['APPEND', 'text', 'yy']))
  expect(await asked('STRLEN', 'text')).toBe(`:${whole.length + 8400}`)
  expect(await asked('GETRANGE', 'text', '-3', '-1')).toBe('"yyy"')
})

test('fields of a map of one’s own are found at the cost of one each', async () => {
  const own = await openWarp({ keys: { 'm:*': map(register()) } })
  await using port = await respServer(own, { port: 0 })
  const reader = await RawClient.open(port.port)
  for (let from = 0; from < 20_000; from += 1000) {
    const fields = Array.from({ length: 1000 }, (_, i) => [`f${from + i}`, 'v']).flat()
    await reader.ask('HSET', 'm:1', ...fields)
  }
  const beganMs = performance.now()
  const reply = await reader.ask('HGETALL', 'm:1')
  expect('items' in reply && reply.items.length).toBe(40_000)
  // Looked for one by one they take 20 s.
  expect(performance.now() - beganMs).toBeLessThan(5000)
  reader.close()
  await own.close()
})

test('LINSERT beside what was inserted last, and between the last two, again and again', async () => {
  const random = seededRandom(SEED)
  const model = ['a', 'z']
  await asked('RPUSH', 'places', ...model)
  let last = 0
  for (let i = 0; i < 400; i++) {
    const isAfter = i < 100 || (i >= 200 && random.below(2) === 0)
    await asked('LINSERT', 'places', isAfter ? 'AFTER' : 'BEFORE', model[last] as string, `i${i}`)
    last += isAfter ? 1 : 0
    model.splice(last, 0, `i${i}`)
  }
  expect(await asked('LRANGE', 'places', '0', '-1')).toBe(`*["${model.join('" "')}"]`)
})
