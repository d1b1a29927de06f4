/**
 * Locks of replicas in processes of their own, over a real log: holders that are stopped for longer than their time, and
 * go on as if nothing had been; waiters whose own time runs out meanwhile; holders that are killed.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { seededRandom } from '../../../testing/world/random.ts'
import { ChildProgram } from '../../support/child-program.ts'
import { byExtent } from '../../support/extent.ts'
import { NatsServers } from '../../support/nats-servers.ts'
import { describeOn } from '../../support/servers.ts'
import type { Had, LockProgram } from './lock-process.ts'
import { LockWitness } from './lock-witness.ts'

const ROUNDS = byExtent({ some: 3, all: 10, soak: 100 })
const SEED = Number(process.env['SEED'] ?? 1)
const TEST_MS = byExtent({ some: 300_000, all: 600_000, soak: 3_600_000 })
const TTL_MS = 1500
/** Whoever waits has the lock so long after its holder's time, at most. */
const WITHIN_MS = 500
/** A waiter that gives up while the lock is held. */
const WAIT_MS = 200

type Replica = ChildProgram<LockProgram>

describeOn('nats', 'locks of processes', () => {
  let servers: NatsServers
  let witness: LockWitness
  const waited: number[] = []

  beforeAll(async () => {
    servers = await NatsServers.single()
    witness = await LockWitness.open(order())
  })
  afterAll(async () => {
    await witness.close()
    await servers.close()
    const sorted = waited.sort((a, b) => a - b)
    console.info(`${sorted.length} locks were had ${sorted[0]} to ${sorted.at(-1)} ms after their last holder's time`)
  })

  const order = () => ({ servers: servers.node.url, stream: 'locks' })

  async function started(name: string): Promise<Replica> {
    const program: Replica = new ChildProgram<LockProgram>('test/strong/processes/lock')
    onTestFinished(() => program.end('SIGKILL'))
    await program.ask('open', { ...order(), name })
    return program
  }

  /** It was had in time: `dueMs` is when the times of those before were over, of so many one behind the other. */
  function expectInTime(name: string, { atMs }: Had, dueMs: number, deadCount = 1): void {
    const afterMs = Math.round(atMs - dueMs)
    expect(afterMs, `seed ${SEED}, ${name}`).toBeLessThanOrEqual(WITHIN_MS * deadCount)
    waited.push(afterMs)
  }

  test(
    'a holder that is stopped for longer than its time is replaced in time, and its writes are refused everywhere',
    async () => {
      const [a, b, c] = [await started('a'), await started('b'), await started('c')]
      for (let round = 1; round <= ROUNDS; round++) {
        const [name, key] = [`stopped ${round}`, `job:${round}`] as const
        // Every other one is renewed by itself, so it is stopped somewhere between two renewals.
        const isKept = round % 2 === 0
        const held = isKept ? await a.ask('keep', { name, ttlMs: TTL_MS }) : had(await acquired(a, name))
        await a.ask('hammer', { key, token: held.token })
        // The first in the queue gives up, and cannot say so.
        const givenUp = c.ask('acquire', { name, ttlMs: TTL_MS, waitMs: WAIT_MS })
        await witness.asked(name, 2)
        const next = acquired(b, name, key)
        await witness.asked(name, 3)
        if (!isKept) expect(await a.ask('renew', held)).toBe('ok')
        await Promise.all([a.stop(), c.stop()])
        const taken = had(await next)
        const dueMs = (await witness.lastRenewedMs(name, taken.atMs)) + TTL_MS
        expectInTime(name, taken, dueMs)
        // Not before, too. The clocks show whole ms.
        expect(taken.atMs - dueMs, name).toBeGreaterThanOrEqual(-1)
        expect(taken.token).toBeGreaterThan(held.token)

        a.go()
        c.go()
        expect(await givenUp).toBe('WARP_E_LOCK')
        expect(await a.ask('hammered', { key })).toBe('WARP_E_FENCED')
        if (!isKept) expect(await a.ask('renew', held)).toBe('WARP_E_LOCK')
        for (const one of [a, b, c]) {
          expect(await one.ask('write', { key, token: held.token })).toBe('WARP_E_FENCED')
          expect(await one.ask('holders', { name })).toEqual([taken.token])
        }
        expect(await b.ask('write', { key, token: taken.token })).toBe('ok')
        const past = await b.ask('past', { key })
        expect(past).toEqual([...past].sort((one, other) => one - other))
        expect(new Set(past)).toEqual(new Set([held.token, taken.token]))
        for (const one of [a, c]) expect(await one.ask('past', { key })).toEqual(past)
        expect(await b.ask('release', taken)).toBe('ok')
      }
    },
    TEST_MS,
  )

  test(
    'a lock cannot be renewed behind its time, though nobody has taken it',
    async () => {
      const [a, b] = [await started('a'), await started('b')]
      for (let round = 1; round <= ROUNDS; round++) {
        const name = `alone ${round}`
        const held = had(await acquired(a, name))
        await a.stop()
        await pause(TTL_MS + 50)
        a.go()
        expect(await a.ask('renew', held)).toBe('WARP_E_LOCK')
        const taken = had(await acquired(b, name))
        expect(taken.token).toBeGreaterThan(held.token)
        expect(await b.ask('release', taken)).toBe('ok')
      }
    },
    TEST_MS,
  )

  test(
    'holders that are killed lock nobody out for longer than their time',
    async () => {
      const random = seededRandom(SEED)
      const b = await started('b')
      for (let round = 1; round <= ROUNDS; round++) {
        const name = `killed ${round}`
        // In every third round who would be next is killed as well: one more holder that is dead.
        const dead = await Promise.all(round % 3 === 0 ? [started('dead'), started('next')] : [started('dead')])
        const kinds = dead.map(() => random.pick(['keep', 'acquire'] as const))
        for (const [i, one] of dead.entries()) {
          // The lock is not renewed and released as the other ones: it dies with whoever asks.
          one.ask(kinds[i]!, { name, ttlMs: TTL_MS }).catch(() => undefined)
          if (i === 0) await pause(random.below(400))
        }
        if (dead.length > 1) await witness.asked(name, 2)
        await Promise.all(dead.map((one) => one.end('SIGKILL')))
        const askedMs = Date.now()
        const taken = had(await acquired(b, name))
        // Some die before they have asked.
        const lastMs = await witness.lastBeforeMs(name, 'b')
        const dueMs = lastMs === 0 ? askedMs : Math.max(askedMs, lastMs + TTL_MS * dead.length)
        expectInTime(name, taken, dueMs, dead.length)
        expect(await b.ask('release', taken)).toBe('ok')
      }
    },
    TEST_MS,
  )
})

function acquired(replica: Replica, name: string, key?: `job:${string}`): Promise<Had | string> {
  return replica.ask('acquire', { name, ttlMs: TTL_MS, ...(key === undefined ? {} : { key }) })
}

function had(answer: Had | string): Had {
  if (typeof answer === 'string') throw new Error(answer)
  return answer
}
