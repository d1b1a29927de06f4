import { expect, test } from 'vitest'
import { Candidates, CANDIDATES_MAX } from '../../../adapters/mesh/discovery/candidates.ts'
import type { Endpoint } from '../../../adapters/mesh/sockets/network.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

function at(index: number): Endpoint {
  return { host: `10.0.${index >> 8}.${index & 255}`, port: 7946 }
}

function full(source: 'told' | 'named'): Candidates {
  const candidates = new Candidates(virtualEnv())
  for (let i = 0; i < CANDIDATES_MAX; i++) candidates[source](at(i))
  return candidates
}

test('what is trusted most comes first', () => {
  const candidates = new Candidates(virtualEnv())
  candidates.named(at(1))
  candidates.named(at(2))
  candidates.told(at(2))
  expect(candidates.due().map(({ source }) => source)).toEqual(['static', 'introduced'])
})

test('hearsay takes no place of hearsay that has not had its chance', () => {
  const candidates = full('named')
  expect(candidates.named(at(5000))).toBeUndefined()
  candidates.unanswered(at(7))
  expect(candidates.named(at(5000))).toBeDefined()
  expect([...candidates.all()].map(({ endpoint }) => endpoint.host)).not.toContain(at(7).host)
  expect(candidates.count).toBe(CANDIDATES_MAX)
})

test('what we know ourselves takes a place of hearsay, and none of its kind', () => {
  const hearsay = full('named')
  expect(hearsay.lost(at(5000))).toBeDefined()
  expect(hearsay.told(at(5001))).toBeDefined()
  expect(hearsay.count).toBe(CANDIDATES_MAX)
  const told = full('told')
  expect(told.lost(at(5000))).toBeUndefined()
  expect(told.count).toBe(CANDIDATES_MAX)
})

test('what we were told and are not any more counts as hearsay', () => {
  const candidates = new Candidates(virtualEnv())
  candidates.told(at(1))
  candidates.untold(at(1))
  expect([...candidates.all()].map(({ source }) => source)).toEqual(['introduced'])
})

test('named again, a candidate is due at once, but not within a second of the last knock', async () => {
  const env = virtualEnv()
  const candidates = new Candidates(env)
  const candidate = candidates.named(at(1))
  if (candidate === undefined) throw new Error('an empty table has room')
  candidates.knocked(candidate)
  candidates.named(at(1))
  expect(candidate.dueMs).toBe(1000)
  for (let i = 0; i < 20; i++) candidates.unanswered(at(1))
  await env.advance(3000)
  candidates.named(at(1))
  expect(candidates.due()).toEqual([candidate])
})
