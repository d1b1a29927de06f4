/** What a transaction ends with when answers are lost, and when a replica takes over a state. */
import { describe, expect, it } from 'vitest'
import { register } from '../../../crdt/register.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Warp } from '../../../src/api/public.ts'
import type { OrderedLogLink, OrderedLogReceiver } from '../../../src/ports/ordered-log.ts'
import { StrongCluster } from '../../support/strong-cluster.ts'

const KEYS = { 'pair:*': { strategy: register<number>(), mode: 'strong' } } as const
type Keys = typeof KEYS

async function opened(seed: string, snapshotEvery = 10_000) {
  const strong = { timeoutMs: 1000, snapshotEvery }
  const log: { link?: OrderedLogLink } = {}
  const cluster: StrongCluster<Keys> = new StrongCluster({
    ...{ seed, keys: KEYS, names: ['a', 'b'], log: { delayMs: 1 } },
    options: (name) => {
      const order = cluster.order.named(name)
      const open = async (receiver: OrderedLogReceiver): Promise<OrderedLogLink> => {
        const link = await order.open(receiver)
        if (name === 'a') log.link = link
        return link
      }
      return { strong, order: { ...order, open } }
    },
  })
  await cluster.start()
  const [a, b] = cluster.machines.map(({ warp }) => warp) as [Warp<Keys>, Warp<Keys>]
  return { cluster, a, b, log }
}

/** Settles when a snapshot has been read to its end. */
function whenLoaded({ link }: { readonly link?: OrderedLogLink }): Promise<void> {
  return new Promise((resolve) => {
    if (link === undefined) return
    const load = link.loadSnapshot.bind(link)
    link.loadSnapshot = async (partition) => {
      const snapshot = await load(partition)
      return snapshot === undefined ? undefined : { ...snapshot, pieces: toldAtTheEnd(snapshot.pieces, resolve) }
    }
  })
}

async function* toldAtTheEnd<Piece>(pieces: AsyncIterable<Piece>, tell: () => void): AsyncGenerator<Piece> {
  yield* pieces
  tell()
}

/** What a promise is rejected with. */
function errorOf(promise: Promise<unknown>): Promise<WarpError> {
  return promise.then(
    () => new WarpError('WARP_E_CONFIG', 'it was not rejected'),
    (error: unknown) => error as WarpError,
  )
}

describe('a transaction whose answer is late', () => {
  it('is indeterminate, is not tried again, and says its dot: resolve knows what became of it', async () => {
    const { cluster, a, b } = await opened('late')
    let tries = 0
    cluster.order.troubles({ slowMs: 5000 }, 'a')
    await cluster.until(a.set('pair:0', 0))
    const error = await cluster.until(
      errorOf(
        a.transaction((tx) => {
          tries++
          tx.set('pair:1', 1)
          tx.set('pair:2', 1)
        }),
      ),
    )
    expect(error).toMatchObject({ code: 'WARP_E_INDETERMINATE', outcome: 'indeterminate' })
    expect(tries).toBe(1)
    const { replica, sequence } = error.details as unknown as Dot
    expect(await cluster.until(b.resolve({ replica, sequence }))).toEqual({ kind: 'ok' })
    expect(await cluster.until(b.getMany(['pair:1', 'pair:2']))).toEqual(
      new Map([
        ['pair:1', 1],
        ['pair:2', 1],
      ]),
    )
    await cluster.close()
  })

  it('is an error of its own dot where it never came to the log, and nothing of it is there', async () => {
    const { cluster, a, b } = await opened('lost')
    await cluster.until(a.set('pair:0', 0))
    cluster.order.troubles({ appendsLost: 1 }, 'a')
    const write = (): Promise<unknown> =>
      a.transaction((tx) => {
        tx.set('pair:1', 1)
        tx.set('pair:2', 1)
      })
    const error = await cluster.until(errorOf(write()))
    expect(error).toMatchObject({ code: 'WARP_E_INDETERMINATE' })
    const { replica, sequence } = error.details as unknown as Dot
    expect(await cluster.until(b.resolve({ replica, sequence }))).toMatchObject({ kind: 'failed' })
    cluster.order.troubles({ appendsLost: 0 }, 'a')
    await cluster.until(cluster.pause(3000))
    expect(await cluster.until(b.getMany(['pair:1', 'pair:2']))).toEqual(new Map())
    await cluster.close()
  })

  it('has failed, and is not indeterminate, where only a read of it was not answered', async () => {
    const { cluster, a } = await opened('unread')
    cluster.order.troubles({ answersLost: 1 }, 'a')
    const error = await cluster.until(errorOf(a.transaction((tx) => tx.get('pair:1'))))
    expect(error).toMatchObject({ code: 'WARP_E_TRANSPORT', outcome: 'failed' })
    await cluster.close()
  })

  it('of a read the log is asked again whose answer was lost', async () => {
    const { cluster, a } = await opened('asked again')
    cluster.order.troubles({ answersLost: 1 }, 'a')
    const reading = a.get('pair:1')
    await cluster.until(cluster.pause(100))
    cluster.order.troubles({ answersLost: 0 }, 'a')
    expect(await cluster.until(reading)).toBe(undefined)
    await cluster.close()
  })
})

function turn({ line }: StrongCluster<Keys>): Promise<void> {
  return new Promise((resolve) => line.defer(resolve))
}

/** More than one step of work puts into the place of what was there. */
const MANY = 3000
const names = (from: number, to: number): `pair:${number}`[] =>
  Array.from({ length: to - from }, (_, i) => `pair:${from + i}` as const)

describe('a replica that has to take over the state of a partition', () => {
  it('can tell what its own transactions came to that were decided in the records that are gone', async () => {
    const { cluster, a, b } = await opened('restored', 10)
    cluster.order.troubles({ slowMs: 900 }, 'a')
    await cluster.until(a.set('pair:0', 0))
    const written = errorOf(
      a.transaction((tx) => {
        tx.set('pair:1', 1)
        tx.set('pair:2', 1)
      }),
    )
    await cluster.until(cluster.pause(20))
    cluster.order.disconnect('a')
    for (let i = 0; i < 40; i++) await cluster.until(b.set('pair:3', i))
    expect(cluster.order.records(0)[0]?.offset).toBeGreaterThan(3)
    cluster.order.troubles({ slowMs: 0 }, 'a')
    cluster.order.reconnect('a')
    const { code, details } = await cluster.until(written)
    expect(code).toBe('WARP_E_INDETERMINATE')
    const { replica, sequence } = details as unknown as Dot
    expect(await cluster.until(a.resolve({ replica, sequence }))).toEqual({ kind: 'ok' })
    expect(await cluster.until(a.getMany(['pair:1', 'pair:2']))).toEqual(
      new Map([
        ['pair:1', 1],
        ['pair:2', 1],
      ]),
    )
    await cluster.close()
  })

  it('shows a transaction the one state or the other', async () => {
    const { cluster, a, b, log } = await opened('by half', 10)
    const write = async (value: number): Promise<void> => {
      for (let from = 0; from < MANY; from += 250) await b.setMany(names(from, from + 250).map((name) => [name, value]))
    }
    await cluster.until(write(1))
    await cluster.until(b.set('pair:other', 1))
    const seen: unknown[] = []
    let isCut = false
    const loaded = whenLoaded(log)
    const transaction = a.transaction(
      async (tx) => {
        await tx.get('pair:other')
        isCut ||= (cluster.order.disconnect('a'), true)
        await loaded
        // The turn in which the first key has the new value.
        for (let i = 0; a.peek('pair:0') === 1 && i < 1000; i++) await turn(cluster)
        const first = await tx.get('pair:0')
        seen.push([first, await tx.get(`pair:${MANY - 1}`)])
      },
      { triesMax: 100 },
    )
    await cluster.until(cluster.pause(50))
    await cluster.until(write(2))
    for (let i = 0; i < 40; i++) await cluster.until(b.set('pair:late', i))
    cluster.order.reconnect('a')
    await cluster.until(transaction)
    expect(seen).toEqual([[2, 2]])
    await cluster.close()
  })
})
