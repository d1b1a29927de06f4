/** What a caller of a strong write is told, when the log does not answer, and what `resolve` says of it afterwards. */
import { describe, expect, it } from 'vitest'
import { counter, register } from '../../crdt/index.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { parseReplicaId } from '../../crdt/time/replica-id.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { OrderedLog, OrderedLogLink } from '../../src/ports/ordered-log.ts'
import type { Change, WriteCommand } from '../../src/strong/commands.ts'
import { AUTHOR, StrongWorld } from '../support/strong-world.ts'

const KEYS = {
  'stock:*': { strategy: register<number>(), mode: 'strong' },
  'hits:*': { strategy: counter(), mode: 'strong' },
} as const
const MINUTE_MS = 60_000
const STRANGER = parseReplicaId('b'.repeat(16))

function changes(key: string, verb: string, ...parameters: readonly number[]): WriteCommand {
  const change: Change = { key, strategy: (verb === 'set' ? register() : counter()).code, verb, parameters, lifeMs: 0 }
  return { kind: 'write', expected: [], changes: [change] }
}

/** The log, which takes nothing while it is full. */
function refusing(order: OrderedLog, isFull: () => boolean): OrderedLog {
  return {
    ...order,
    open: async (receiver) => {
      const link = await order.open(receiver)
      const append: OrderedLogLink['append'] = async (...record) => {
        if (!isFull()) return link.append(...record)
        return { kind: 'refused', error: new WarpError('WARP_E_STORAGE_FULL', 'the log is full') }
      }
      return Object.assign(Object.create(link) as OrderedLogLink, bound(link), { append })
    },
  }
}

/** The methods of a link, which look into it. */
function bound(link: OrderedLogLink): Partial<OrderedLogLink> {
  return {
    ...{ barrier: (...of) => link.barrier(...of), follow: (...of) => link.follow(...of), close: () => link.close() },
    ...{ loadSnapshot: (...of) => link.loadSnapshot(...of), saveSnapshot: (...of) => link.saveSnapshot(...of) },
    trim: (...of) => link.trim(...of),
  }
}

async function refusalOf(promise: Promise<unknown>): Promise<WarpError> {
  return promise.then(
    () => {
      throw new Error('was not refused')
    },
    (error: unknown) => error as WarpError,
  )
}

function dotOf({ details }: WarpError): Dot {
  return { replica: parseReplicaId(String(details['replica'])), sequence: Number(details['sequence']) }
}

describe('a record of the ordered log', () => {
  it('counts once, however often it comes', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    for (let times = 0; times < 3; times++) await world.write([changes('hits:1', 'increment', 2)])
    expect(await world.drive(warp.get('hits:1'))).toBe(2)
  })

  it('counts once, also if it comes again behind the good-bye of its author', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    await world.write([changes('hits:1', 'increment', 2)])
    await world.write([{ kind: 'bye' }], { first: 2, floor: 2 })
    await world.write([changes('hits:1', 'increment', 2)])
    expect(await world.drive(warp.get('hits:1'))).toBe(2)
  })

  it('counts once, also when a later one has said that it is decided', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    await world.write([changes('hits:1', 'increment', 2)])
    await world.write([changes('hits:1', 'increment', 3)], { first: 2, floor: 2 })
    await world.write([changes('hits:1', 'increment', 2)])
    expect(await world.drive(warp.get('hits:1'))).toBe(5)
  })

  it('counts for nothing where it comes much later than its author thought, on replicas that have forgotten the author too', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    const basisMs = world.env.now()
    await world.write([changes('hits:1', 'increment', 2)])
    await world.env.advance(11 * MINUTE_MS)
    await world.write([changes('hits:1', 'increment', 4)], { first: 2, basisMs })
    for (let minutes = 0; minutes < 80; minutes += 10) {
      await world.env.advance(10 * MINUTE_MS)
      await world.write([changes('hits:2', 'increment', 1)], { author: STRANGER, first: minutes + 1 })
    }
    await world.write([changes('hits:1', 'increment', 2)], { basisMs })
    expect(await world.drive(warp.get('hits:1'))).toBe(2)
  })

  it('counts where it comes ten minutes later than its author thought, and not later', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    const basisMs = world.env.now()
    await world.env.advance(10 * MINUTE_MS)
    await world.write([changes('hits:1', 'increment', 1)], { basisMs })
    await world.env.advance(1)
    await world.write([changes('hits:1', 'increment', 2)], { first: 2, basisMs })
    expect(await world.drive(warp.get('hits:1'))).toBe(1)
  })
})

describe('a write whose answer is lost', () => {
  it('is indeterminate, never a conflict with itself', async () => {
    const world = new StrongWorld({ answersLost: 1, answerMs: 100 })
    const { warp } = await world.open('a', KEYS)
    // Its record is appended again and again, and comes back meanwhile.
    expect(await world.drive(warp.compareAndSet('stock:1', 'absent', 1))).toMatchObject({ version: 1, ack: 'broker' })
    world.order.troubles({ slowMs: 3_600_000, answersLost: 0 })
    await world.write([changes('stock:2', 'set', 1)])
    const error = await refusalOf(world.drive(warp.compareAndSet('stock:1', { version: 1 }, 2, {})))
    expect(error).toMatchObject({ code: 'WARP_E_INDETERMINATE', outcome: 'indeterminate' })
  })

  it('is told by any replica, also when its own has closed in order', async () => {
    const world = new StrongWorld({ answerMs: 100 })
    const { warp: a } = await world.open('a', KEYS, { strong: { timeoutMs: 200 } })
    const { warp: b } = await world.open('b', KEYS)
    const dots: Dot[] = []
    // The first is carried out, and this replica does not hear of it in time; the second never arrives.
    world.order.troubles({ slowMs: 1000 }, 'a')
    await world.drive(a.set('stock:0', 0))
    dots.push(dotOf(await refusalOf(world.drive(a.set('stock:1', 1)))))
    world.order.troubles({ slowMs: 0, appendsLost: 1 }, 'a')
    await world.env.advance(2000)
    dots.push(dotOf(await refusalOf(world.drive(a.set('stock:2', 2)))))
    const told = async (warp: typeof a): Promise<string[]> =>
      Promise.all(dots.map(async (dot) => (await world.drive(warp.resolve(dot))).kind))
    expect(await told(b)).toEqual(['ok', 'failed'])
    world.order.troubles({ appendsLost: 0 }, 'a')
    await world.env.advance(1000)
    expect(await told(a)).toEqual(['ok', 'failed'])
    await world.drive(a.close())
    expect(await told(b)).toEqual(['ok', 'failed'])
    expect(await world.drive(b.get('stock:1'))).toBe(1)
    expect(await world.drive(b.get('stock:2'))).toBeUndefined()
  })

  it('stays unknown to who asks while the replica closes, and no other write is named to him', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    world.order.troubles({ delayMs: 1000 }, 'a')
    const asking = refusalOf(warp.resolve({ replica: AUTHOR, sequence: 7 }))
    await world.env.advance(10)
    await world.drive(warp.close())
    expect(await world.drive(asking)).toMatchObject({ code: 'WARP_E_CLOSED', outcome: 'failed' })
  })

  it('never counts later, once somebody was told that it does not', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    expect(await world.drive(warp.resolve({ replica: AUTHOR, sequence: 7 }))).toMatchObject({ kind: 'forgotten' })
    await world.write([changes('stock:1', 'set', 1)], { first: 7 })
    await world.write([changes('stock:2', 'set', 1)], { first: 8 })
    expect(await world.drive(warp.get('stock:1'))).toBeUndefined()
    expect(await world.drive(warp.get('stock:2'))).toBe(1)
    expect(await world.drive(warp.resolve({ replica: AUTHOR, sequence: 7 }))).toMatchObject({ kind: 'failed' })
  })

  it('is forgotten rather than failed, when it was decided so long ago that nobody knows', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    await world.write([changes('stock:1', 'set', 1)])
    expect(await world.drive(warp.resolve({ replica: AUTHOR, sequence: 1 }))).toEqual({ kind: 'ok' })
    for (let minutes = 0; minutes < 80; minutes += 10) {
      await world.env.advance(10 * MINUTE_MS)
      await world.write([changes('stock:2', 'set', 1)], { author: STRANGER, first: minutes + 1 })
    }
    expect(await world.drive(warp.resolve({ replica: AUTHOR, sequence: 1 }))).toEqual({ kind: 'forgotten' })
    expect(await world.drive(warp.get('stock:1'))).toBe(1)
  })

  it('is not said to have failed because the question came too late', async () => {
    const world = new StrongWorld()
    const { warp: a } = await world.open('a', KEYS, { strong: { timeoutMs: 200 } })
    const { warp: b } = await world.open('b', KEYS)
    // It is carried out, and this replica is slow to hear of it.
    world.order.troubles({ slowMs: 1000 }, 'a')
    await world.drive(a.set('stock:0', 0))
    const lost = refusalOf(a.set('stock:1', 1))
    await world.env.advance(100)
    // The question what became of it is on its way for a quarter of an hour.
    world.order.troubles({ delayMs: 15 * MINUTE_MS, slowMs: 0 }, 'a')
    await world.env.advance(200)
    world.order.troubles({ delayMs: 0 }, 'a')
    const dot = dotOf(await lost)
    await world.env.advance(40 * MINUTE_MS)
    expect(await world.drive(b.get('stock:1'))).toBe(1)
    expect(await world.drive(a.resolve(dot))).toEqual({ kind: 'ok' })
  })

  it('is forgotten rather than done, when all that is known is that it was decided', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    await world.drive(warp.set('stock:1', 1))
    const conflict = { ...changes('stock:1', 'set', 2), expected: [{ key: 'stock:1', version: 7 }] } as WriteCommand
    await world.write([conflict])
    await world.write([changes('stock:2', 'set', 1)], { first: 2, floor: 2 })
    expect(await world.drive(warp.resolve({ replica: AUTHOR, sequence: 1 }))).toEqual({ kind: 'forgotten' })
  })

  it('can be asked for while the log is away: that is refused in time, as often as one likes', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS, { strong: { timeoutMs: 200 } })
    await world.drive(warp.set('stock:0', 0))
    world.order.troubles({ appendsLost: 1 })
    const dot = dotOf(await refusalOf(world.drive(warp.set('stock:1', 1))))
    for (let times = 0; times < 3; times++) {
      const startMs = world.env.monotonic()
      const error = await refusalOf(world.drive(warp.resolve(dot)))
      expect(error).toMatchObject({ code: 'WARP_E_TRANSPORT', outcome: 'failed' })
      expect(world.env.monotonic() - startMs).toBeLessThanOrEqual(210)
    }
    world.order.troubles({ appendsLost: 0 })
    await world.env.advance(10_000)
    const isThere = (await world.drive(warp.get('stock:1'))) === 1
    expect(await world.drive(warp.resolve(dot))).toMatchObject({ kind: isThere ? 'ok' : 'failed' })
  })

  it('is told although the log was full when it was first asked', async () => {
    const world = new StrongWorld()
    let isFull = false
    const order = refusing(world.order.named('a'), () => isFull)
    const { warp } = await world.open('a', KEYS, { order, strong: { timeoutMs: 200 } })
    world.order.troubles({ slowMs: 500 })
    await world.drive(warp.set('stock:0', 0))
    const lost = refusalOf(world.drive(warp.set('stock:1', 1)))
    await world.env.advance(100)
    isFull = true
    const dot = dotOf(await lost)
    await world.env.advance(1000)
    expect((await refusalOf(world.drive(warp.resolve(dot)))).code).toBe('WARP_E_TRANSPORT')
    isFull = false
    await world.env.advance(1000)
    expect(await world.drive(warp.resolve(dot))).toEqual({ kind: 'ok' })
  })

  it('has not failed where the log takes nothing any more when its record is appended again', async () => {
    const world = new StrongWorld({ answerMs: 100 })
    let isFull = false
    const order = refusing(world.order.named('a'), () => isFull)
    const { warp } = await world.open('a', KEYS, { order })
    // The record has its place. The answer is lost, and it comes back late: this replica is busy with another one.
    world.order.troubles({ answersLost: 1, slowMs: 2000 })
    await world.drive(warp.set('stock:0', 0))
    const writing = world.drive(warp.set('stock:1', 1))
    await world.env.advance(50)
    isFull = true
    expect(await writing).toMatchObject({ ack: 'broker', dot: { sequence: 2 } })
    expect(await world.drive(warp.get('stock:1', { consistency: 'stale' }))).toBe(1)
  })

  it('says which token stood in its way, to whoever asks', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    await world.write([{ ...changes('stock:1', 'set', 1), fence: 8 }])
    await world.write([{ ...changes('stock:1', 'set', 2), fence: 7 }], { first: 2 })
    const details = { key: 'stock:1', fence: 7, token: 8 }
    for (let times = 0; times < 2; times++)
      expect(await world.drive(warp.resolve({ replica: AUTHOR, sequence: 2 }))).toMatchObject({
        ...{ kind: 'failed', error: { code: 'WARP_E_FENCED', details } },
      })
  })

  it('of a key that is not strong is refused, and nothing is written into the log', async () => {
    const world = new StrongWorld()
    const keys = {
      ...KEYS,
      'free:*': register<number>(),
      'own:*': { strategy: register<number>(), mode: 'local' },
    } as const
    const { warp } = await world.open('a', keys)
    for (const key of ['free:1', 'own:1'] as const) {
      const { dot } = await world.drive(warp.set(key, 1))
      expect(await refusalOf(world.drive(warp.resolve(dot as Dot)))).toMatchObject({ code: 'WARP_E_MODE' })
    }
    expect(world.order.records(0)).toEqual([])
  })

  it('that the log has given a name to is asked for by that as well', async () => {
    const world = new StrongWorld()
    const [{ warp: a }, { warp: b }] = [await world.open('a', KEYS), await world.open('b', KEYS)]
    world.order.troubles({ slowMs: 100, delayMs: 50 }, 'b')
    await world.drive(a.set('stock:1', 1))
    const { value: operation } = await world.drive(a.log('stock:1')[Symbol.asyncIterator]().next())
    const { dot } = operation as { readonly dot: Dot }
    expect(await world.drive(b.resolve(dot))).toEqual({ kind: 'ok' })
    const next = { ...dot, sequence: dot.sequence + 1 }
    expect(await refusalOf(world.drive(b.resolve(next)))).toMatchObject({ code: 'WARP_E_CONFIG' })
    const other = { replica: parseReplicaId('ffffffff00000000'), sequence: 1 }
    expect(await refusalOf(world.drive(b.resolve(other)))).toMatchObject({ code: 'WARP_E_CONFIG' })
  })

  it('asked for by a name that no write can have is refused at once', async () => {
    const world = new StrongWorld()
    const { warp } = await world.open('a', KEYS)
    for (const dot of [
      { replica: 'x', sequence: 1 },
      { replica: AUTHOR, sequence: 0 },
      { replica: AUTHOR, sequence: 1.5 },
      { replica: AUTHOR, sequence: -3 },
      undefined,
    ])
      expect((await refusalOf(world.drive(warp.resolve(dot as never)))).code).toBe('WARP_E_CONFIG')
    expect(world.order.records(0)).toEqual([])
  })
})
