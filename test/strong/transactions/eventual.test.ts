/** What a transaction on eventual keys gives and refuses, in one process. */
import { afterEach, describe, expect, it } from 'vitest'
import { counter, register, set } from '../../../crdt/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import type { EventualTransaction } from '../../../src/api/transactions/typed-transaction.ts'
import { TRANSACTION_BYTES_MAX, TRANSACTION_KEYS_MAX } from '../../../src/limits.ts'
import { nodeEnv } from '../../../adapters/node/node-env.ts'

const KEYS = {
  'note:*': { strategy: register<number | string>(), retain: 'latest' },
  'sum:*': { strategy: counter(), retain: 'all' },
  'tags:*': { strategy: set<string>(), retain: 'latest' },
  'brief:*': { strategy: register<number>(), ttlMs: 1000 },
  'own:*': { strategy: register<number>(), mode: 'local' },
} as const
const EVENTUAL = { mode: 'eventual' } as const

const opened: { close(): Promise<void> }[] = []
/** The wall clock stands still, and other time may pass at once. */
async function open() {
  const real = nodeEnv()
  const wallMs = real.now()
  let aheadMs = 0
  const env = {
    ...{
      now: () => wallMs,
      monotonic: () => real.monotonic() + aheadMs,
      random: (count: number) => real.random(count),
    },
    schedule: (delayMs: number, callback: () => void) => real.schedule(delayMs, callback),
    defer: (callback: () => void) => real.defer(callback),
    yield: () => real.yield(),
  }
  const warp = await openWarp({ keys: KEYS, env })
  opened.push(warp)
  return { warp, pass: (ms: number) => void (aheadMs += ms) }
}
type Keys = typeof KEYS

afterEach(async () => void (await Promise.all(opened.splice(0).map((warp) => warp.close()))))

describe('a transaction on eventual keys', () => {
  it('writes all that its function says, and gives what that returns', async () => {
    const { warp } = await open()
    await warp.set('note:2', 1)
    const outcome = await warp.tryTransaction(async (tx) => {
      const before = await tx.get('note:2')
      tx.set('note:1', 7)
      tx.delete('note:2')
      tx.key('sum:1').increment(2)
      tx.key('tags:1').add('x')
      return [before, await tx.get('note:1'), await tx.get('note:2')]
    }, EVENTUAL)
    expect(outcome).toMatchObject({ kind: 'ok', value: [1, 7, undefined] })
    expect(outcome.kind === 'ok' && [...outcome.receipt.versions.keys()]).toEqual([
      'note:1',
      'note:2',
      'sum:1',
      'tags:1',
    ])
    const values = await Promise.all([warp.get('note:1'), warp.get('note:2'), warp.get('sum:1'), warp.get('tags:1')])
    expect(values).toEqual([7, undefined, 2, new Set(['x'])])
  })

  it('writes nothing when its function throws', async () => {
    const { warp } = await open()
    const failing = warp.transaction((tx) => {
      tx.set('note:1', 1)
      tx.key('sum:1').increment()
      throw new RangeError('changed its mind')
    }, EVENTUAL)
    await expect(failing).rejects.toThrow('changed its mind')
    expect([await warp.get('note:1'), await warp.get('sum:1')]).toEqual([undefined, undefined])
  })

  it('reads everything as it was when it named its first key, whatever is written meanwhile', async () => {
    const { warp } = await open()
    await warp.set('note:1', 'old')
    await warp.key('sum:1').increment(5)
    await warp.key('tags:1').add('old')
    await warp.set('brief:1', 1)
    let runs = 0
    const read = await warp.transaction(async (tx) => {
      runs++
      const first = await tx.get('note:1')
      await warp.set('note:1', 'new')
      await warp.set('note:2', 'new')
      await warp.key('sum:1').increment(5)
      await warp.key('tags:1').add('new')
      await warp.delete('brief:1')
      const tags = tx.key('tags:1')
      return [
        ...[first, await tx.get('note:1'), await tx.get('note:2'), await tx.get('sum:1'), await tx.get('brief:1')],
        ...[
          await tags.get(),
          await tags.has('old'),
          await tags.has('new'),
          [...(await tx.getMany(['sum:1', 'note:2'] as const)).keys()],
        ],
      ]
    }, EVENTUAL)
    expect(read).toEqual(['old', 'old', undefined, 5, 1, new Set(['old']), true, false, ['sum:1']])
    expect([runs, await warp.get('note:1'), await warp.get('sum:1')]).toEqual([1, 'new', 10])
  })

  it('is never in the way of another one: writes merge', async () => {
    const { warp } = await open()
    let runs = 0
    const both = [1, 2].map((value) =>
      warp.transaction(async (tx) => {
        runs++
        await tx.get('note:1')
        await tx.get('sum:1')
        tx.set('note:1', value)
        tx.key('sum:1').increment(value)
      }, EVENTUAL),
    )
    await Promise.all(both)
    expect([runs, await warp.get('note:1'), await warp.get('sum:1')]).toEqual([2, 2, 3])
  })

  it('keeps what it reads from compaction for a minute, and then begins again with the present', async () => {
    const { warp, pass } = await open()
    await warp.set('note:1', 'old')
    const reads: unknown[] = []
    await warp.transaction(async (tx) => {
      await tx.get('sum:1')
      if (reads.length < 2) for (const value of ['new', 'newest']) await warp.set('note:1', value)
      await warp.compact()
      reads.push(await tx.get('note:1'))
      if (reads.length > 1) return
      pass(61_000)
      for (const value of ['new', 'newest']) await warp.set('note:2', value)
      await warp.compact()
      reads.push(
        await tx.get('note:2').then(
          () => 'there',
          (error: unknown) => (error as { code: string }).code,
        ),
      )
      await tx.get('note:1')
    }, EVENTUAL)
    expect(reads).toEqual(['old', 'WARP_E_TXN_ABORTED', 'newest'])
  })

  it('expects nothing of a key, since nobody could say what it will be', async () => {
    const { warp } = await open()
    // The compiler does not offer it.
    const compare = (tx: unknown) =>
      (tx as { compareAndSet(...given: unknown[]): Promise<void> }).compareAndSet('note:1', 'absent', 1)
    const expecting = (tx: unknown) => (tx as { expect(...given: unknown[]): Promise<void> }).expect('note:1', 'absent')
    for (const refused of [compare, expecting]) {
      await expect(warp.transaction(refused, EVENTUAL)).rejects.toMatchObject({
        code: 'WARP_E_MODE',
        outcome: 'failed',
      })
    }
    expect(await warp.get('note:1')).toBeUndefined()
  })

  it('has keys of no other mode', async () => {
    const { warp } = await open()
    const mixed = warp.transaction((tx) => {
      tx.set('note:1', 1)
      ;(tx as unknown as EventualTransaction<Record<string, Keys['note:*']>>).set('own:1', 1)
    }, EVENTUAL)
    await expect(mixed).rejects.toMatchObject({ code: 'WARP_E_MODE' })
    expect(await warp.get('note:1')).toBeUndefined()
  })

  it('is bounded in keys and bytes', async () => {
    const { warp } = await open()
    const many = warp.transaction((tx) => {
      for (let i = 0; i <= TRANSACTION_KEYS_MAX; i++) tx.set(`note:${i}`, i)
    }, EVENTUAL)
    await expect(many).rejects.toMatchObject({ code: 'WARP_E_LIMIT', outcome: 'failed' })
    const long = warp.transaction((tx) => {
      for (let i = 0; i < 5; i++) tx.set(`note:${i}`, 'x'.repeat(TRANSACTION_BYTES_MAX / 5))
    }, EVENTUAL)
    await expect(long).rejects.toMatchObject({
      ...{ code: 'WARP_E_LIMIT', outcome: 'failed', details: { limit: TRANSACTION_BYTES_MAX } },
      message: expect.stringMatching(/^transaction:/) as string,
    })
    expect(await warp.get('note:0')).toBeUndefined()
  })

  it('is in the past at one moment, however many are written in a millisecond', async () => {
    const { warp } = await open()
    await warp.set('note:1', 1)
    const names = Array.from({ length: TRANSACTION_KEYS_MAX }, (_, i) => `sum:${i}` as const)
    const moments: Set<number>[] = []
    for (let round = 0; round < 20; round++) {
      await warp.transaction((tx) => {
        for (const name of names) tx.key(name).increment()
      }, EVENTUAL)
      const times = new Set<number>()
      for (const name of names)
        for await (const { timeMs } of warp.log(name, { newestFirst: true })) {
          times.add(timeMs)
          break
        }
      moments.push(times)
    }
    expect(moments.map(({ size }) => size)).toEqual(moments.map(() => 1))
    // More than fit one millisecond.
    expect(new Set(moments.flatMap((times) => [...times])).size).toBeGreaterThan(1)
  })

  it('is told in one turn to watches and projections', async () => {
    const { warp } = await open()
    const projection = await warp.project({
      name: 'n',
      keys: 'sum:*',
      initial: () => 0,
      apply: (count: number) => count + 1,
    })
    const watch = warp.watch('sum:*')
    const batches: number[] = []
    const watching = (async () => {
      for await (const { changes } of watch.batches()) batches.push(changes.length)
    })()
    for (let i = 0; i < 3; i++) {
      await warp.transaction((tx) => {
        for (let name = 0; name < 200; name++) tx.key(`sum:${name}`).increment()
      }, EVENTUAL)
      expect(projection.state).toBe(200 * (i + 1))
      // The watch takes the batch.
      await new Promise((resolve) => setImmediate(resolve))
    }
    watch.close()
    await watching
    expect(batches.every((count) => count === 200)).toBe(true)
  })
})
