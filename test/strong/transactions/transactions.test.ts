/** What a transaction gives and refuses, on strong keys and on local ones. */
import { afterEach, describe, expect, it } from 'vitest'
import { counter, register, set } from '../../../crdt/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { memoryOrderedLog } from '../../../adapters/memory/index.ts'
import type { Transaction } from '../../../src/api/transactions/typed-transaction.ts'
import { TRANSACTION_KEYS_MAX } from '../../../src/limits.ts'

const KEYS = {
  'account:*': { strategy: register<number>(), mode: 'strong' },
  'hits:*': { strategy: counter(), mode: 'strong' },
  'tags:*': { strategy: set<string>(), mode: 'strong' },
  'note:*': { strategy: register<number>(), mode: 'local' },
  'seen:*': { strategy: counter(), mode: 'local' },
  'shared:*': register<number>(),
  'loaded:*': { strategy: register<number>(), load: () => 1 },
} as const

type Order = ReturnType<typeof memoryOrderedLog>

const opened: { close(): Promise<void> }[] = []
async function open(order: Order = memoryOrderedLog()) {
  const warp = await openWarp({ keys: KEYS, order })
  opened.push(warp)
  return warp
}
type Opened = Awaited<ReturnType<typeof open>>

afterEach(async () => void (await Promise.all(opened.splice(0).map((warp) => warp.close()))))

/** Runs the same on keys that a log decides about, and on those of this process. */
const PLACES = [
  ['strong', 'account', 'hits'],
  ['local', 'note', 'seen'],
] as const

describe.each(PLACES)('a transaction of %s keys', (mode, plain, counted) => {
  const options = { mode } as const
  const a = `${plain}:a` as 'account:a'
  const b = `${plain}:b` as 'account:b'
  const hits = `${counted}:1` as 'hits:1'
  // The types are those of one mode: the keys of the other have the same shape.
  const as = options as { readonly mode: 'strong' }

  it('gives what its function returns, and has written all of it', async () => {
    const warp = await open()
    const sum = await warp.transaction(async (tx) => {
      expect(await tx.get(a)).toBe(undefined)
      tx.set(a, 10)
      tx.set(b, 20)
      tx.key(hits).increment(3)
      return ((await tx.get(a)) ?? 0) + ((await tx.get(b)) ?? 0)
    }, as)
    expect(sum).toBe(30)
    expect(await warp.getMany([a, b, hits])).toEqual(
      new Map<string, unknown>([
        [a, 10],
        [b, 20],
        [hits, 3],
      ]),
    )
  })

  it('shows its own writes to its own reads, and to nobody else before it is done', async () => {
    const warp = await open()
    await warp.set(a, 1)
    await warp.transaction(async (tx) => {
      tx.set(a, 2)
      tx.set(a, 3)
      tx.delete(b)
      expect(await tx.getMany([a, b])).toEqual(new Map([[a, 3]]))
      expect(await warp.get(a)).toBe(1)
      tx.delete(a)
      expect(await tx.get(a)).toBe(undefined)
      tx.set(a, 4)
    }, as)
    expect(await warp.get(a)).toBe(4)
  })

  it('writes nothing if its function throws, and throws the very same', async () => {
    const warp = await open()
    await warp.set(a, 1)
    const reason = new RangeError('not enough')
    const failed = warp.transaction((tx) => {
      tx.set(a, 2)
      tx.set(b, 2)
      throw reason
    }, as)
    await expect(failed).rejects.toBe(reason)
    await expect(
      warp.tryTransaction((tx) => {
        tx.set(b, 2)
        return Promise.reject(reason)
      }, as),
    ).rejects.toBe(reason)
    expect(await warp.getMany([a, b])).toEqual(new Map([[a, 1]]))
  })

  it('is tried again when a key that it has read is written meanwhile', async () => {
    const warp = await open()
    let tries = 0
    await warp.transaction(async (tx) => {
      const value = (await tx.get(a)) ?? 0
      if (tries++ < 3) await warp.set(a, tries * 10)
      tx.set(b, value + 1)
    }, as)
    expect([tries, await warp.get(b)]).toEqual([4, 31])
  })

  it('never shows its function what was not true at one moment', async () => {
    const warp = await open()
    await warp.transaction((tx) => {
      tx.set(a, 50)
      tx.set(b, 50)
    }, as)
    const seen: unknown[] = []
    await warp.transaction(async (tx) => {
      const one = (await tx.get(a)) ?? 0
      if (seen.length === 0) {
        await warp.transaction((other) => {
          other.set(a, 40)
          other.set(b, 60)
        }, as)
        seen.push('moved')
      }
      const other = (await tx.get(b)) ?? 0
      seen.push(one + other)
    }, as)
    expect(seen).toEqual(['moved', 100])
  })

  it('is tried again where its function makes an error of its own of a read that failed', async () => {
    const warp = await open()
    let tries = 0
    const value = await warp.transaction(async (tx) => {
      await tx.get(a)
      if (tries++ === 0) await warp.set(a, 1)
      try {
        return await tx.get(b)
      } catch (error) {
        throw new Error('wrapped', { cause: error })
      }
    }, as)
    expect([value, tries]).toEqual([undefined, 2])
  })

  it('writes nothing of a try that read what has changed, though its function hides it', async () => {
    const warp = await open()
    let tries = 0
    await warp.transaction(async (tx) => {
      const before = (await tx.get(a)) ?? 0
      if (tries++ === 0) await warp.set(a, 1)
      await tx.get(b).catch(() => 0)
      if (!tx.signal.aborted) tx.set(b, before)
    }, as)
    expect([await warp.get(b), tries]).toEqual([1, 2])
  })

  it('is given up after its tries, and names the key', async () => {
    const warp = await open()
    let tries = 0
    const run = async (tx: Transaction<typeof KEYS, 'strong'>) => {
      await tx.get(a)
      await warp.set(a, ++tries)
      tx.set(b, 1)
    }
    const failed = warp.transaction(run, { ...as, triesMax: 3 })
    await expect(failed).rejects.toMatchObject({
      code: 'WARP_E_TXN_ABORTED',
      outcome: 'failed',
      details: { key: a, tries: 3 },
    })
    expect(tries).toBe(3)
    const { version } = await warp.getVersioned(a)
    expect(await warp.tryTransaction(run, as)).toEqual({ kind: 'conflict', key: a, version: version + 1 })
    expect([tries, await warp.get(b)]).toEqual([4, undefined])
  })

  it('says what it has written', async () => {
    const warp = await open()
    const outcome = await warp.tryTransaction((tx) => {
      tx.set(a, 1)
      tx.set(b, 2)
      return 'done'
    }, as)
    const [versioned, other] = [await warp.getVersioned(a), await warp.getVersioned(b)]
    expect(outcome).toMatchObject({
      kind: 'ok',
      value: 'done',
      receipt: { ack: mode === 'strong' ? 'broker' : 'memory' },
    })
    if (outcome.kind === 'ok') expect(outcome.receipt.dot).toBeDefined()
    if (outcome.kind === 'ok' && mode === 'strong')
      expect(outcome.receipt.versions).toEqual(
        new Map([
          [a, versioned.version],
          [b, other.version],
        ]),
      )
    const empty = await warp.tryTransaction(async (tx) => tx.get(a), as)
    expect(empty).toMatchObject({ kind: 'ok', value: 1, receipt: { dot: undefined } })
  })

  it('expects of a key what was read before, and is not tried again where that is not so', async () => {
    const warp = await open()
    await warp.set(a, 1)
    const { version } = await warp.getVersioned(a)
    await warp.transaction(async (tx) => {
      await tx.compareAndSet(a, { version }, 2)
      await tx.expect(b, 'absent')
      tx.set(b, 2)
    }, as)
    expect(await warp.getMany([a, b])).toEqual(
      new Map([
        [a, 2],
        [b, 2],
      ]),
    )
    let tries = 0
    const run = async (tx: Transaction<typeof KEYS, 'strong'>) => {
      tries++
      tx.set(b, 9)
      await tx.compareAndSet(a, { version }, 3)
    }
    const now = await warp.getVersioned(a)
    await expect(warp.transaction(run, as)).rejects.toMatchObject({
      code: 'WARP_E_TXN_ABORTED',
      details: { key: a, version: now.version },
    })
    expect(await warp.tryTransaction(run, as)).toEqual({ kind: 'conflict', key: a, version: now.version })
    await expect(warp.transaction((tx) => tx.expect(a, { value: 3 }), as)).rejects.toMatchObject({
      code: 'WARP_E_TXN_ABORTED',
    })
    await warp.transaction((tx) => tx.expect(a, { value: 2 }), as)
    expect([tries, await warp.get(a), await warp.get(b)]).toEqual([2, 2, 2])
    await expect(warp.transaction((tx) => tx.expect(a, {} as 'absent'), as)).rejects.toMatchObject({
      code: 'WARP_E_CONFIG',
    })
  })

  it('has verbs work on what the key is when it is decided: nobody stands in their way', async () => {
    const warp = await open()
    let tries = 0
    await warp.transaction(async (tx) => {
      tries++
      tx.key(hits).increment()
      await warp.key(hits).increment(10)
      tx.set(b, 1)
    }, as)
    expect([tries, await warp.get(hits)]).toEqual([1, 11])
  })

  it('takes one write of each key, but for what a register is set to, and deletes', async () => {
    const warp = await open()
    const refused = { code: 'WARP_E_MODE' }
    const twice = warp.transaction((tx) => {
      tx.key(hits).increment()
      tx.key(hits).increment()
    }, as)
    await expect(twice).rejects.toMatchObject(refused)
    const read = warp.transaction(async (tx) => {
      tx.key(hits).increment()
      await tx.get(hits)
    }, as)
    await expect(read).rejects.toMatchObject(refused)
    const expected = warp.transaction(async (tx) => {
      tx.set(a, 1)
      await tx.expect(a, 'absent')
    }, as)
    await expect(expected).rejects.toMatchObject(refused)
    await warp.key(hits).increment(5)
    await warp.transaction((tx) => {
      tx.key(hits).increment()
      tx.key(hits).delete()
    }, as)
    expect((await warp.get(hits)) ?? 0).toBe(0)
  })

  it('is refused for keys of two modes, whichever comes first', async () => {
    const warp = await open()
    const other = mode === 'strong' ? 'note:1' : 'account:1'
    const mixed = warp.transaction((tx) => {
      tx.set(a, 1)
      tx.set(other as 'account:1', 1)
    })
    await expect(mixed).rejects.toMatchObject({ code: 'WARP_E_MODE' })
    const told = warp.transaction((tx) => tx.set(other as 'account:1', 1), as)
    await expect(told).rejects.toMatchObject({ code: 'WARP_E_MODE' })
    expect([await warp.get(a), await warp.get(other)]).toEqual([undefined, undefined])
  })

  it('ends with its signal, also while its function waits for ever, and has written nothing', async () => {
    const warp = await open()
    const controller = new AbortController()
    let inner: AbortSignal | undefined
    const failed = warp.transaction(
      async (tx) => {
        inner = tx.signal
        tx.set(a, 1)
        controller.abort(new Error('enough'))
        await new Promise(() => undefined)
      },
      { ...as, signal: controller.signal },
    )
    await expect(failed).rejects.toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'failed' })
    expect(inner?.aborted).toBe(true)
    const late = warp.transaction((tx) => tx.set(a, 1), { ...as, signal: controller.signal })
    await expect(late).rejects.toMatchObject({ code: 'WARP_E_ABORTED', outcome: 'failed' })
    expect(await warp.get(a)).toBe(undefined)
  })

  it('is over when its function has ended: what is kept of it does nothing', async () => {
    const warp = await open()
    const kept = await warp.transaction((tx) => ({ tx }), as)
    expect(() => kept.tx.set(a, 1)).toThrow(expect.objectContaining({ code: 'WARP_E_CLOSED' }) as Error)
    await expect(kept.tx.get(a)).rejects.toMatchObject({ code: 'WARP_E_CLOSED' })
    expect(await warp.get(a)).toBe(undefined)
  })

  it('writes what it was given when it was given', async () => {
    const warp = await open()
    const tags = ['x']
    await warp.transaction((tx) => {
      tx.set(a, tags as unknown as number)
      tags.push('y')
    }, as)
    expect(await warp.get(a)).toEqual(['x'])
    await expect(warp.transaction((tx) => tx.set(a, undefined as unknown as number), as)).rejects.toMatchObject({
      code: 'WARP_E_UNENCODABLE',
    })
  })

  it('has a bound for its keys', async () => {
    const warp = await open()
    const write = (count: number) =>
      warp.transaction((tx) => {
        for (let i = 0; i < count; i++) tx.set(`${plain}:${i}` as 'account:1', i)
      }, as)
    await expect(write(TRANSACTION_KEYS_MAX + 1)).rejects.toMatchObject({ code: 'WARP_E_LIMIT' })
    expect(await warp.get(`${plain}:0` as 'account:0')).toBe(undefined)
    await write(TRANSACTION_KEYS_MAX)
    expect(await warp.get(`${plain}:255` as 'account:255')).toBe(255)
  })

  it('gives each write a life of its own', async () => {
    const warp = await open()
    await expect(warp.transaction((tx) => tx.set(a, 1, { ttlMs: 0 }), as)).rejects.toMatchObject({
      code: 'WARP_E_LIMIT',
    })
    await warp.transaction((tx) => {
      tx.set(a, 1, { ttlMs: 1 })
      tx.set(b, 1)
    }, as)
    await expect.poll(() => warp.get(a)).toBe(undefined)
    expect(await warp.get(b)).toBe(1)
  })

  it('of several that take from one account, none takes what another has taken', async () => {
    const order = memoryOrderedLog()
    const first = await open(order)
    const others = mode === 'strong' ? [await open(order), await open(order)] : [first, first]
    await first.set(a, 100)
    const take = (warp: Opened): Promise<unknown> =>
      warp.transaction(
        async (tx) => {
          const [left = 0, taken = 0] = [await tx.get(a), await tx.get(b)]
          await Promise.resolve()
          tx.set(a, left - 1)
          tx.set(b, taken + 1)
        },
        { ...as, triesMax: 1000 },
      )
    await Promise.all(Array.from({ length: 30 }, (_, i) => take([first, ...others][i % 3] as Opened)))
    expect(await first.getMany([a, b])).toEqual(
      new Map([
        [a, 70],
        [b, 30],
      ]),
    )
  })
})

describe('a transaction', () => {
  it('asks queries of a key', async () => {
    const warp = await open()
    await warp.key('tags:1').add('x')
    await warp.transaction((tx) => tx.key('tags:1').add('y'))
    expect(await warp.transaction((tx) => tx.key('tags:1').get())).toEqual(new Set(['x', 'y']))
  })

  it('is refused for keys whose truth is elsewhere', async () => {
    const warp = await open()
    const loaded = warp.transaction((tx) => tx.get('loaded:1'), { mode: 'eventual' })
    await expect(loaded).rejects.toMatchObject({ code: 'WARP_E_MODE' })
  })

  it('is refused for keys of two partitions, and taken for those that braces keep together', async () => {
    const warp = await open(memoryOrderedLog({ partitions: 8 }))
    const apart = warp.transaction((tx) => {
      for (let i = 0; i < 20; i++) tx.set(`account:${i}`, i)
    })
    await expect(apart).rejects.toMatchObject({
      code: 'WARP_E_MODE',
      message: expect.stringContaining('braces') as string,
    })
    await warp.transaction((tx) => {
      for (let i = 0; i < 20; i++) tx.set(`account:{1}:${i}`, i)
    })
    expect(await warp.get('account:{1}:19')).toBe(19)
  })

  it('may name keys of another partition in another try', async () => {
    const warp = await open(memoryOrderedLog({ partitions: 8 }))
    let tries = 0
    await warp.transaction(async (tx) => {
      const key = `account:{${tries++}}` as const
      await tx.get(key)
      if (tries < 8) await warp.set(key, 1)
      tx.set(key, 2)
    })
    expect(await warp.get('account:{7}')).toBe(2)
  })

  it('sees what another replica had been told before', async () => {
    const order = memoryOrderedLog({ delayMs: 2, jitterMs: 5 })
    const [one, other] = [await open(order), await open(order)]
    for (let i = 1; i <= 20; i++) {
      await one.set('account:a', i)
      expect(await other.transaction((tx) => tx.get('account:a'))).toBe(i)
    }
  })

  it('is not run inside code that may only read', async () => {
    const warp = await open()
    let refused: unknown
    await using projection = await warp.project({
      name: 'nested',
      initial: () => 0,
      apply: (state: number) => {
        warp.transaction((tx) => tx.set('note:2', 1), { mode: 'local' }).catch((error: unknown) => (refused = error))
        return state + 1
      },
    })
    await warp.set('note:1', 1)
    await expect.poll(() => refused).toMatchObject({ code: 'WARP_E_CONFIG' })
    void projection
  })

  it.each([
    ['a function that is none', (warp: Opened) => warp.transaction(1 as never)],
    ['an option that is none', (warp: Opened) => warp.transaction(() => 1, { tries: 1 } as object)],
    ['tries that are none', (warp: Opened) => warp.tryTransaction(() => 1, { triesMax: 0 })],
    ['a mode that is none', (warp: Opened) => warp.transaction(() => 1, { mode: 'weak' as never })],
  ])('refuses %s', async (_, call) => {
    await expect(call(await open())).rejects.toMatchObject({ code: 'WARP_E_CONFIG' })
  })

  it('needs no key', async () => {
    const warp = await open()
    expect(await warp.transaction(() => 7)).toBe(7)
  })
})
