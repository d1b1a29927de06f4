/** What `warp.health()` says, and that it never calls a replica ready that is not. */
import { describe, expect, test } from 'vitest'
import { memoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp, type Health, type HealthReasonCode, type Warp } from '../../adapters/node/index.ts'
import { counter } from '../../crdt/counter.ts'
import { register } from '../../crdt/register.ts'
import type { KeyMap } from '../../src/index.ts'
import { type FaultyFiles, faultyFiles } from '../../testing/world/faulty-files.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'
import { closeAll } from '../support/close-all.ts'

const keys = {
  'n:*': { strategy: counter(), retain: 'latest' },
  'r:*': { strategy: register<string>(), retain: 'latest' },
} as const

const reasons = (health: Health): HealthReasonCode[] =>
  Object.values(health.parts).flatMap((part) => part.reasons.map(({ code }) => code))

const shown = (warp: Pick<Warp<KeyMap>, 'health'>): { live: boolean; ready: boolean; reasons: string[] } => {
  const health = warp.health()
  return { live: health.live, ready: health.ready, reasons: reasons(health) }
}

const READY = { live: true, ready: true, reasons: [] }
const waits = (...codes: HealthReasonCode[]) => ({ live: true, ready: false, reasons: codes })

function world(link: object = {}) {
  const env = virtualEnv()
  const network = memoryNetwork({ env, ...link })
  const open = (name: string, replication: object = {}) =>
    openWarp({ keys, name, replication, env: env.fork({ label: name }), transports: [network.transport(name)] })
  return { env, network, open }
}

describe('a replica alone', () => {
  test('is ready, and not when it is being closed; asking it never throws', async () => {
    const warp = await openWarp({ keys, env: virtualEnv() })
    expect(shown(warp)).toEqual(READY)
    expect(Object.keys(warp.health().parts)).toEqual([
      'engine',
      'log',
      'replication',
      'projections',
      'compaction',
      'stores',
      'order',
    ])
    const closed = warp.close()
    expect(shown(warp)).toEqual(waits('closing'))
    await closed
    expect(shown(warp)).toEqual(waits('closing'))
  })

  test('whose log has failed is neither ready nor alive', async () => {
    const files = faultyFiles()
    const warp = await openWarp({ keys, env: virtualEnv(), log: files.store() })
    await warp.set('r:1', 'x', { ack: 'durable' })
    files.failNext('sync', 'EIO')
    await expect(warp.set('r:1', 'y', { ack: 'durable' })).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
    expect(shown(warp)).toEqual({ live: false, ready: false, reasons: ['log-poisoned'] })
    expect(warp.health().parts.log.state).toBe('failed')
    await expect(warp.close()).rejects.toMatchObject({ code: 'WARP_E_STORAGE_POISONED' })
  })

  test('whose disk is full is not ready until there is space, which it notices without a write', async () => {
    const files = faultyFiles()
    const warp = await openWarp({ keys, env: virtualEnv(), log: files.store() })
    await warp.set('r:1', 'x')
    files.spaceBytes = usedBytes(files)
    await expect(fill(warp)).rejects.toMatchObject({ code: 'WARP_E_STORAGE_FULL' })
    expect(shown(warp)).toEqual(waits('log-full'))
    files.spaceBytes = Infinity
    expect(shown(warp)).toEqual(READY)
    await warp.set('r:1', 'y')
    await warp.close()
  })

  test('waits for a projection that reads the log, and says which one has failed', async () => {
    await using warp = await openWarp({ keys, env: virtualEnv() })
    await warp.set('r:1', 'x')
    const projection = {
      name: 'names',
      initial: () => 0,
      apply: (state: number, { key }: { readonly key: string }) => {
        if (key === 'r:bad') throw new Error('cannot')
        return state + 1
      },
    }
    const starting = warp.project(projection)
    expect(shown(warp)).toEqual(waits('projection-reading'))
    await starting
    expect(shown(warp)).toEqual(READY)
    await warp.set('r:bad', 'x')
    expect(shown(warp)).toEqual({ live: true, ready: true, reasons: ['projection-failed'] })
    expect(warp.health().parts.projections.reasons).toMatchObject([{ details: { name: 'names' } }])
  })
})

describe('a replica with transports', () => {
  test('that hears nobody is ready once somebody would have been heard', async () => {
    const { env, open } = world()
    const a = await open('a')
    expect(shown(a)).toEqual(waits('listening'))
    await env.advance(9900)
    expect(shown(a)).toEqual(waits('listening'))
    await env.advance(200)
    expect(shown(a)).toEqual(READY)
    await closeAll(env, [a])
  })

  test('is not ready before it has what its peers had when they met, whatever they write meanwhile', async () => {
    const { env, open } = world({ delayMs: 20, bandwidth: 50_000 })
    const a = await open('a')
    const written = 2000
    for (let i = 0; i < written; i++) a.write(`r:${i}`, `${i}`)
    await env.advance(10_000)
    const b = await open('b', { windowBytes: 4096 })
    const seen = new Set<string>()
    let beats = 0
    for (; !b.health().ready && beats < 5000; beats++) {
      for (const reason of reasons(b.health())) seen.add(reason)
      a.write('r:hot', `${beats}`)
      await env.advance(20)
    }
    expect([...seen]).toEqual(['listening', 'catching-up'])
    expect(beats).toBeGreaterThan(50)
    const here = await b.getMany(Array.from({ length: written }, (_, i) => `r:${i}` as const))
    expect(here.size).toBe(written)
    await closeAll(env, [a, b])
  })

  test('is not ready before it has taken over the state of peers that have compacted', async () => {
    const { env, open } = world({ delayMs: 20, bandwidth: 50_000 })
    const [a, c] = [await open('a'), await open('c')]
    for (let i = 0; i < 500; i++) await a.set(`r:${i % 50}`, `${i}`.padEnd(500))
    await env.advance(20_000)
    expect((await a.compact()).droppedOperationsCount).toBeGreaterThan(0)
    const b = await open('b')
    await b.set('r:0', 'too early')
    const seen = new Set<string>()
    for (let i = 0; !b.health().ready && i < 5000; i++) {
      for (const reason of reasons(b.health())) seen.add(reason)
      await env.advance(20)
    }
    expect([...seen]).toContain('taking-over-state')
    expect(shown(b)).toEqual(READY)
    expect((await b.getMany(Array.from({ length: 50 }, (_, i) => `r:${i}` as const))).size).toBe(50)
    await closeAll(env, [a, b, c])
  })

  test('stays ready while it is cut off or lags, and says so', async () => {
    const { env, network, open } = world({ delayMs: 20, bandwidth: 100_000 })
    const [a, b] = [await open('a'), await open('b', { peerLaggingMs: 500 })]
    await env.advance(5000)
    expect([shown(a), shown(b)]).toEqual([READY, READY])
    network.cut('a', 'b')
    await env.advance(30_000)
    expect(shown(b)).toEqual({ live: true, ready: true, reasons: ['alone'] })
    for (let i = 0; i < 3000; i++) a.write(`r:${i}`, `${i}`.padEnd(100))
    network.heal()
    const seen = new Set<string>()
    for (let i = 0; i < 150; i++) {
      await env.advance(200)
      expect(b.health().ready).toBe(true)
      for (const reason of reasons(b.health())) seen.add(reason)
    }
    expect([...seen]).toContain('lagging')
    expect(shown(b)).toEqual(READY)
    await closeAll(env, [a, b])
  })
})

async function fill(warp: { set(key: 'r:2', value: string): Promise<unknown> }): Promise<never> {
  for (;;) await warp.set('r:2', 'x'.repeat(1000))
}

function usedBytes(files: FaultyFiles): number {
  return files.list().reduce((sum, name) => sum + files.bytes(name).length, 0)
}
