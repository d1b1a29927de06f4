import { expect, test } from 'vitest'
import { newReplicaId } from '../../src/keys/domain-writer.ts'
import { virtualEnv } from '../../testing/world/virtual-env.ts'

test('the lowest bit of a fresh id is clear, and all others are random', () => {
  const env = virtualEnv({ seed: 1 })
  const ids = Array.from({ length: 200 }, () => BigInt(`0x${newReplicaId(env)}`))
  expect(ids.filter((id) => (id & 1n) === 1n)).toEqual([])
  const set = ids.reduce((all, id) => all | id, 0n)
  const clear = ids.reduce((all, id) => all & id, 0xffff_ffff_ffff_ffffn)
  expect([set, clear]).toEqual([0xffff_ffff_ffff_fffen, 0n])
})
