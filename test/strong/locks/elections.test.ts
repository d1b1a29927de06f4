/** Who leads: one at a time, again and again. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Term } from '../../../adapters/node/index.ts'
import { LockWorld, type Replica } from './lock-world.ts'

const TTL_MS = 1000

let world: LockWorld

beforeEach(() => {
  world = new LockWorld()
})

afterEach(() => world.close())

/** A candidate, and the terms that it had. */
class Candidate {
  readonly terms: Term[] = []
  readonly controller = new AbortController()
  readonly ended: Promise<void>

  constructor(replica: Replica, lead: (term: Term) => Promise<unknown> = ended) {
    this.ended = this.#campaign(replica, lead)
    // Of a process that is gone nobody hears anything.
    this.ended.catch(() => undefined)
  }

  get isLeading(): boolean {
    return this.terms.at(-1)?.signal.aborted === false
  }

  async #campaign(replica: Replica, lead: (term: Term) => Promise<unknown>): Promise<void> {
    for await (const term of replica.elect('leader', { ttlMs: TTL_MS, signal: this.controller.signal })) {
      this.terms.push(term)
      await lead(term)
    }
  }
}

function ended({ signal }: Term): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve())
  })
}

async function candidates(count: number): Promise<Map<string, Candidate>> {
  const all = new Map<string, Candidate>()
  for (let i = 0; i < count; i++) all.set(`r${i}`, new Candidate(await world.join(`r${i}`)))
  await world.env.advance(100)
  return all
}

it('elects one of several, for as long as it lives, and after its death another one', async () => {
  const all = await candidates(4)
  const tokens: number[] = []
  for (let left = 4; left > 1; left--) {
    await world.env.advance(10 * TTL_MS)
    const leading = [...all].filter(([, { isLeading }]) => isLeading)
    expect(leading).toHaveLength(1)
    const [name, { terms }] = leading[0]!
    expect(terms).toHaveLength(1)
    tokens.push(terms[0]!.token)
    world.kill(name)
    all.delete(name)
    await world.env.advance(TTL_MS + 500)
    expect([...all.values()].filter(({ isLeading }) => isLeading)).toHaveLength(1)
  }
  expect(tokens).toEqual([...new Set(tokens)].sort((x, y) => x - y))
})

it('a leader that is cut off for longer than its time stops, and campaigns again', async () => {
  const all = await candidates(2)
  const [first, second] = [all.get('r0')!, all.get('r1')!]
  expect(first.isLeading).toBe(true)
  world.order.disconnect('r0')
  await world.env.advance(TTL_MS + 500)
  expect([first.isLeading, second.isLeading]).toEqual([false, true])
  world.order.reconnect('r0')
  await world.env.advance(20_000)
  expect([first.isLeading, second.isLeading]).toEqual([false, true])
  world.kill('r1')
  await world.env.advance(TTL_MS + 500)
  expect(first.isLeading).toBe(true)
  expect(first.terms[1]!.token).toBeGreaterThan(second.terms[0]!.token)
})

it('who resigns lets another one lead, and stands for election again', async () => {
  const all = await candidates(2)
  const [first, second] = [all.get('r0')!, all.get('r1')!]
  await world.during(first.terms[0]!.resign())
  await world.env.runUntilIdle()
  expect([first.isLeading, second.isLeading]).toEqual([false, true])
  await world.during(second.terms[0]!.resign())
  await world.env.runUntilIdle()
  expect([first.isLeading, second.isLeading]).toEqual([true, false])
  expect(first.terms).toHaveLength(2)
})

it('ends by its signal, whether it leads or waits, and by leaving the loop', async () => {
  const all = await candidates(3)
  const [first, second, third] = [all.get('r0')!, all.get('r1')!, all.get('r2')!]
  second.controller.abort()
  await world.during(second.ended)
  expect(second.terms).toEqual([])
  first.controller.abort()
  await world.during(first.ended)
  await world.env.runUntilIdle()
  expect(third.isLeading).toBe(true)
  third.controller.abort()
  await world.during(third.ended)
  const replica = await world.join('r3')
  const once = async (): Promise<number> => {
    for await (const { token } of replica.elect('leader', { ttlMs: TTL_MS })) return token
    return 0
  }
  expect(await world.during(once())).toBeGreaterThan(third.terms[0]!.token)
  expect(replica.locks.list()).toEqual([])
})

it('a term is not over because nobody asks for the next one, nor because somebody does', async () => {
  const replica = await world.join('a')
  const candidate = new Candidate(replica, () => Promise.resolve())
  await world.env.advance(10 * TTL_MS)
  expect([candidate.isLeading, candidate.terms.length]).toEqual([true, 1])
})

it('ends, without an error, when its replica is closed', async () => {
  const all = await candidates(2)
  const first = all.get('r0')!
  await world.close()
  await first.ended
  expect(first.isLeading).toBe(false)
})
