/**
 * Sessions that move between replicas which are cut off from each other and from the ordered log at
 * random: each reads at least what it has written and read before (W18, W19), or is told that it cannot.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Session, Warp } from '../adapters/node/index.ts'
import { isWarpError } from '../crdt/warp-error.ts'
import { sessionWorld, type KEYS, type SessionWorld } from '../test/sessions/world.ts'
import { runs } from './seed.ts'

const CALLS = ['write', 'read', 'count', 'look'] as const
const SESSIONS = 3
const REPLICAS = ['a', 'b', 'c'] as const

interface Call {
  readonly kind: (typeof CALLS)[number]
  readonly by: number
  readonly key: number
  readonly at: number
}
interface Trouble {
  readonly kind: 'cut' | 'heal' | 'wait'
  readonly at: number
}

const call: fc.Arbitrary<Call> = fc.record({
  kind: fc.constantFrom(...CALLS),
  by: fc.nat(SESSIONS - 1),
  key: fc.nat(2),
  at: fc.nat(REPLICAS.length - 1),
})
const trouble: fc.Arbitrary<Trouble> = fc.record({
  kind: fc.constantFrom('cut', 'heal', 'wait'),
  at: fc.nat(REPLICAS.length - 1),
})
const steps = fc.array(fc.oneof({ weight: 8, arbitrary: call }, { weight: 3, arbitrary: trouble }), {
  ...{ minLength: 5, maxLength: 60 },
})

it('no session goes back, on whatever replica its calls are made (W18, W19)', async () => {
  let answeredCount = 0
  const property = fc.asyncProperty(steps, fc.nat(1000), async (history, seed) => {
    const world = await sessionWorld(seed, 2)
    const replicas: readonly Warp<typeof KEYS>[] = [world.a, world.b, await world.open('c')]
    await world.env.advance(2000)
    const users = Array.from({ length: SESSIONS }, () => new User())
    for (const step of history) {
      if ('by' in step) {
        const session = (replicas[step.at] as Warp<typeof KEYS>).session(users[step.by]?.token, { timeoutMs: 200 })
        if (await world.until((users[step.by] as User).makes(step, session))) answeredCount++
      } else await befalls(world, step)
    }
    for (let at = 0; at < REPLICAS.length; at++) await befalls(world, { kind: 'heal', at })
    await world.close()
  })
  await fc.assert(property, runs(200))
  expect(answeredCount).toBeGreaterThan(100)
})

async function befalls({ env, network, order }: SessionWorld, { kind, at }: Trouble): Promise<void> {
  const name = REPLICAS[at] as string
  if (kind === 'wait') await env.advance(at * 150)
  else if (kind === 'heal') {
    network.heal()
    order.reconnect(name)
  } else {
    for (const other of REPLICAS) if (other !== name) network.cut(name, other)
    order.disconnect(name)
  }
}

/** Knows what it has been shown or has written. Fails where it is shown less. */
class User {
  token: string | undefined
  readonly #elements = new Map<string, ReadonlySet<string>>()
  readonly #counts = new Map<string, number>()

  /** Whether it was answered. */
  async makes({ kind, key, at }: Call, session: Session<typeof KEYS>): Promise<boolean> {
    try {
      await this[kind](session, key, at)
      return true
    } catch (error) {
      if (!isWarpError(error)) throw error
      // The write of a strong key that is cut off from the log is in doubt, and counts for nothing here.
      expect(['WARP_E_TOKEN_BEHIND', 'WARP_E_INDETERMINATE', 'WARP_E_TRANSPORT']).toContain(error.code)
      return false
    } finally {
      this.token = session.token
    }
  }

  async write(session: Session<typeof KEYS>, key: number, at: number): Promise<void> {
    const known = this.#elements.get(`seen:${key}`) ?? new Set()
    const element = `${at} ${known.size} ${key}`
    await session.key(`seen:${key}`).add(element)
    this.#elements.set(`seen:${key}`, new Set([...known, element]))
  }

  async read(session: Session<typeof KEYS>, key: number): Promise<void> {
    const now = (await session.get(`seen:${key}`)) ?? new Set<string>()
    for (const element of this.#elements.get(`seen:${key}`) ?? [])
      expect(now.has(element), `${element} of seen:${key}`).toBe(true)
    this.#elements.set(`seen:${key}`, new Set(now))
  }

  async count(session: Session<typeof KEYS>, key: number): Promise<void> {
    await session.key(`hits:${key}`).increment()
    this.#counts.set(`hits:${key}`, (this.#counts.get(`hits:${key}`) ?? 0) + 1)
  }

  async look(session: Session<typeof KEYS>, key: number): Promise<void> {
    const now = (await session.get(`hits:${key}`)) ?? 0
    expect(now, `hits:${key}`).toBeGreaterThanOrEqual(this.#counts.get(`hits:${key}`) ?? 0)
    this.#counts.set(`hits:${key}`, now)
  }
}
