/** Several clients at once: whoever is told 'done' has written, and nobody else has. */
import type { PrimaryStore, RowChange } from '../../../src/ports/primary-store.ts'
import { assert, assertEqual } from '../assert.ts'
import { type Check, type Place, never, textOf } from './place.ts'

const CLIENTS = 8
const ROUNDS = 10

export const RACES: Readonly<Record<string, Check>> = {
  'of eight inserts of one key one is done, and its row is there': async (place) => {
    for (let round = 0; round < ROUNDS; round++) await race(place, `key:${round}`, undefined)
  },

  'of eight updates of one row one is done, and its row is there': async (place) => {
    for (let round = 0; round < ROUNDS; round++) {
      const key = `key:${round}`
      await race(place, key, await place.put(key, place.fresh('first')))
    }
  },

  'eight clients that count together lose nothing and count nothing twice': async (place) => {
    await place.put('count', place.fresh('0'))
    const clients = await place.clients(CLIENTS)
    await Promise.all(clients.map((client) => countTo(place, client, 5)))
    assertEqual(textOf(await place.read('count')), String(CLIENTS * 5), 'the count')
  },

  'batches of the same keys in different orders all end, with one winner a key': async (place) => {
    const keys = Array.from({ length: 40 }, (_, index) => `key:${index}`)
    const rows = new Map<string, Awaited<ReturnType<Place['read']>>>()
    // Half of the keys are there already: updates and inserts in one batch.
    for (const key of keys.slice(20)) rows.set(key, await place.put(key, place.fresh('first')))
    const clients = await place.clients(CLIENTS)
    const batches = clients.map((_, client) => {
      const start = (client * 5) % keys.length
      const turned = [...keys.slice(start), ...keys.slice(0, start)]
      const order = client % 2 === 0 ? turned : turned.reverse()
      return order.map((key) => ({ key, expected: rows.get(key), next: place.fresh(`${key} by ${client}`) }))
    })
    const done = await Promise.all(clients.map((client, index) => written(client, batches[index] ?? [])))
    for (const key of keys) {
      const winners = done.flat().filter((change) => change.key === key)
      assertEqual(winners.length, 1, `winners of ${key}`)
      await place.holds(key, winners[0]?.next)
    }
  },
}

async function race(place: Place, key: string, expected: RowChange['expected']): Promise<void> {
  const clients = await place.clients(CLIENTS)
  const changes = clients.map((_, client) => ({ key, expected, next: place.fresh(`by ${client}`) }))
  const outcomes = await Promise.all(clients.map((client, index) => place.write(changes[index]!, client)))
  const winners = changes.filter((_, index) => outcomes[index]?.kind === 'done')
  assertEqual(winners.length, 1, `winners of ${key}`)
  await place.holds(key, winners[0]?.next)
}

async function countTo(place: Place, client: PrimaryStore, count: number): Promise<void> {
  let refused = 0
  for (let done = 0; done < count;) {
    const [row] = await client.readRows(['count'], never())
    const next = place.fresh(String(Number(textOf(row)) + 1))
    const { kind } = await place.write({ key: 'count', expected: row, next }, client)
    if (kind === 'done') done++
    else assert(kind === 'refused' && ++refused < 10_000, `refused ${refused} times; the outcome is ${kind}`)
  }
}

/** Those of the batch that were done. */
async function written(client: PrimaryStore, batch: readonly RowChange[]): Promise<RowChange[]> {
  const outcomes = await client.compareAndSet(batch, never())
  assertEqual(outcomes.length, batch.length, 'outcomes')
  return batch.filter((_, index) => outcomes[index]?.kind === 'done')
}
