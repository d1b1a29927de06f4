import { expect, test } from 'vitest'
import { Gossip } from '../../../adapters/mesh/membership/gossip.ts'
import type { MemberRecord } from '../../../adapters/mesh/membership/member-record.ts'
import { idOf } from '../../support/membership-cluster.ts'

function news(index: number, incarnation = 0): MemberRecord {
  return { profile: { member: idOf(index), zone: '', roles: [] }, state: 'alive', incarnation }
}

test('news rides three times the logarithm of the cluster and no more', () => {
  const gossip = new Gossip()
  gossip.add(news(1))
  const rides = Array.from({ length: 20 }, () => gossip.take(6, 7).length)
  expect(rides.filter((count) => count > 0)).toHaveLength(9)
  expect(gossip.count).toBe(0)
})

test('what has ridden least goes first', () => {
  const gossip = new Gossip()
  gossip.add(news(1))
  gossip.take(1, 100)
  gossip.add(news(2))
  expect(gossip.take(1, 100)).toEqual([news(2)])
})

test('newer news of a member replaces the older', () => {
  const gossip = new Gossip()
  gossip.add(news(1))
  gossip.add(news(1, 5))
  expect(gossip.take(6, 100)).toEqual([news(1, 5)])
})
