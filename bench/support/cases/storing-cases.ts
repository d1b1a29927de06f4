/** Cases J, K and L: a store that is written. Only Warp has one, so they are gone with Warp alone. */
import { setTimeout as pause } from 'node:timers/promises'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { openWarp } from '../../../adapters/node/index.ts'
import { redisStore } from '../../../adapters/redis/index.ts'
import { counter, register } from '../../../crdt/index.ts'
import { RedisClients } from '../rivals/redis-clients.ts'
import { openOnMesh } from '../rivals/warp-mesh.ts'
import type { Case, CaseWorld } from './caching-cases.ts'
import { answer, become, expect } from './verdict.ts'

/** With logs in memory a write waits a second for another replica to have it, before it is flushed. */
const UNSHARED_MS = 2000
const NEVER_MS = 3_600_000

/** Two replicas before one Redis; the second one flushes after so long. */
async function onRedis({ redisUrl = '', prefix }: CaseWorld, flushDelayMs: number) {
  const clients = new RedisClients()
  const redis = clients.open(redisUrl)
  const replicas = await openOnMesh({ count: 2 }, (transport, which) => {
    const store = redisStore(clients.open(redisUrl), { prefix })
    const behind = { store, ...(which === 1 ? { flushDelayMs } : {}) }
    return openWarp({
      keys: { 'k:*': { strategy: register<string>(), ...behind }, 'c:*': { strategy: counter(), ...behind } },
      transports: [transport],
    })
  })
  const [a, b] = replicas as [(typeof replicas)[number], (typeof replicas)[number]]
  const row = async (key: string): Promise<string> => (await redis.get(`${prefix}${key}`)) ?? 'nothing'
  return {
    ...{ a, b, row },
    rowBecomes: (key: string, wanted: string) => become(() => row(key), wanted),
    close: async () => {
      await Promise.all([a.warp.close(), b.warp.close()])
      clients.close()
    },
  }
}

async function j(world: CaseWorld): Promise<void> {
  const { a, b, row, rowBecomes, close } = await onRedis(world, 50)
  try {
    b.cutOff()
    await pause(100)
    await Promise.all([a.warp.set('k:1', 'a'), a.warp.key('c:1').increment(1)])
    await pause(5)
    await Promise.all([b.warp.set('k:1', 'b'), b.warp.key('c:1').increment(10)])
    await pause(UNSHARED_MS)
    const onBothSides = (await row('k:1')) !== 'nothing'
    b.rejoin()
    const [count, latest] = [await rowBecomes('c:1', '11'), await rowBecomes('k:1', '"b"')]
    expect(onBothSides && count === '11' && latest === '"b"', `the store holds ${count} and ${latest}`)
    const reads = async (): Promise<string> => {
      const got: unknown[] = []
      for (const { warp } of [a, b]) got.push(await warp.get('k:1'), await warp.get('c:1'))
      return got.join()
    }
    const got = await become(reads, 'b,11,b,11')
    expect(got === 'b,11,b,11', `replicas read ${got}`)
  } finally {
    await close()
  }
}

async function k(world: CaseWorld): Promise<void> {
  const { a, b, rowBecomes, close } = await onRedis(world, NEVER_MS)
  try {
    b.cutOff()
    await pause(100)
    await b.warp.key('c:1').increment(10)
    await pause(50)
    await a.warp.key('c:1').increment(1)
    const before = await rowBecomes('c:1', '1')
    b.rejoin()
    const after = await rowBecomes('c:1', '11')
    expect(before === '1' && after === '11', `the store holds ${before}, then ${after}`)
  } finally {
    await close()
  }
}

async function l(): Promise<void> {
  const store = memoryStore()
  const reason = new Error('no bad rows')
  store.refuse((_key, value) => (new TextDecoder().decode(value) === '"bad"' ? reason : undefined))
  const keys = { 'k:*': { strategy: register<string>(), store, writes: 'through' } } as const
  const replicas = await openOnMesh({ count: 2 }, (transport) => openWarp({ keys, transports: [transport] }))
  try {
    const [a, b] = replicas.map(({ warp }) => warp)
    await a!.set('k:1', 'good')
    const seen = new Set<string>()
    const look = setInterval(() => {
      for (const warp of [a!, b!]) seen.add(String(warp.peek('k:1')))
    }, 1)
    const refusal = await answer(
      a!.set('k:1', 'bad').then(
        () => 'none',
        (error: unknown) => error as { code?: string; cause?: unknown },
      ),
      'the write',
    )
    await pause(500)
    clearInterval(look)
    expect(typeof refusal !== 'string' && refusal.code === 'WARP_E_STORE', 'the write gave another error, or none')
    const got = [...seen, await a!.get('k:1'), await b!.get('k:1')]
    expect(!got.includes('bad'), `replicas read ${got.join()}`)
  } finally {
    await Promise.all(replicas.map(({ warp }) => warp.close()))
  }
}

export const STORING_CASES: readonly Case[] = [
  { letter: 'J', steps: 'written behind on both sides of a cut', needsRedis: 'all', run: j },
  { letter: 'K', steps: 'an early increment arrives after the flush', needsRedis: 'all', run: k },
  { letter: 'L', steps: 'the store refuses a write', needsRedis: 'nobody', run: l },
]
