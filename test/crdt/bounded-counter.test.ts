import { expect, test } from 'vitest'
import { boundedCounter } from '../../crdt/bounded-counter.ts'
import { REPLICA_IDS } from '../../testing/laws/reference-replica.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

const [A, B] = REPLICA_IDS as readonly [ReplicaId, ReplicaId]

test('replicas that are cut off cannot spend the same rights twice', () => {
  // a: +10 ──► (both see 10)   a: -10   ∥   b: -1 refused
  const { a, b } = threeReplicas(boundedCounter())
  a.write('increment', [10])
  exchange(a, b)
  a.write('decrement', [10])
  expect(b.value).toBe(10)
  expect(codeOf(() => b.write('decrement'))).toBe('WARP_E_BOUND')
  expect(exchange(a, b)).toEqual([0, 0])
})

test('transferred rights are spent where they arrive', () => {
  // a: +10 ──► a: transfer(b, 4) ──► b: -4
  const { a, b } = threeReplicas(boundedCounter())
  a.write('increment', [10])
  a.write('transfer', [B, 4])
  expect(codeOf(() => b.write('decrement', [4]))).toBe('WARP_E_BOUND')
  exchange(a, b)
  expect([b.query('rights', A), b.query('rights', B)]).toEqual([6, 4])
  b.write('decrement', [4])
  expect(exchange(a, b)).toEqual([6, 6])
})

test('transferred rights can no longer be spent where they came from', () => {
  const { a } = threeReplicas(boundedCounter())
  a.write('increment', [5])
  a.write('transfer', [B, 4])
  expect(codeOf(() => a.write('decrement', [2]))).toBe('WARP_E_BOUND')
  expect(codeOf(() => a.write('transfer', [B, 2]))).toBe('WARP_E_BOUND')
  a.write('decrement', [1])
  expect(a.value).toBe(4)
})

test('a refusal says what is available here and who holds the rest', () => {
  const { a, b } = threeReplicas(boundedCounter())
  a.write('increment', [3])
  a.write('transfer', [B, 1])
  exchange(a, b)
  expect(() => b.write('decrement', [2])).toThrow(`2 rights to decrement needed, 1 held by this replica (${B})`)
  expect(() => b.write('decrement', [2])).toThrow(`others hold: ${A} 2`)
})

test('with a max the room above min belongs to the holder until it hands it on', () => {
  // a holds 5 of [-2, 3]; b cannot increment before a transfer
  const { a, b } = threeReplicas(boundedCounter({ min: -2, max: 3, holder: A }))
  expect([a.value, a.query('rights', A, 'increment')]).toEqual([-2, 5])
  expect(codeOf(() => b.write('increment'))).toBe('WARP_E_BOUND')
  a.write('transfer', [B, 2, 'increment'])
  exchange(a, b)
  b.write('increment', [2])
  a.write('increment', [3])
  expect(codeOf(() => a.write('increment'))).toBe('WARP_E_BOUND')
  expect(exchange(a, b)).toEqual([3, 3])
})

test('what is decremented may be incremented again, by the replica that did it', () => {
  const { a, b } = threeReplicas(boundedCounter({ max: 2, holder: A }))
  a.write('increment', [2])
  a.write('transfer', [B, 1])
  exchange(a, b)
  b.write('decrement')
  expect(b.query('rights', B, 'increment')).toBe(1)
  b.write('increment')
  expect(exchange(a, b)).toEqual([2, 2])
})

test('bounds that contradict each other, amounts below 0 and rights that do not exist are refused', () => {
  expect(codeOf(() => boundedCounter({ min: 3, max: 2, holder: A }))).toBe('WARP_E_CONFIG')
  expect(codeOf(() => boundedCounter({ min: 0.5 }))).toBe('WARP_E_CONFIG')
  const { a } = threeReplicas(boundedCounter())
  expect(codeOf(() => a.write('increment', [-1]))).toBe('WARP_E_LIMIT')
  expect(codeOf(() => a.write('decrement', [-1]))).toBe('WARP_E_LIMIT')
  expect(codeOf(() => a.write('transfer', [B, 1, 'increment']))).toBe('WARP_E_CONFIG')
  expect(codeOf(() => a.write('transfer', ['somebody', 1]))).toBe('WARP_E_PROTOCOL')
})

test('a transfer to itself and amounts of 0 write nothing', () => {
  const { a } = threeReplicas(boundedCounter())
  a.write('increment', [1])
  expect(a.write('transfer', [A, 1])).toBeUndefined()
  expect(a.write('decrement', [0])).toBeUndefined()
})

test('a transfer that no verb makes is refused by apply, before a balance is touched', () => {
  const strategy = boundedCounter()
  const escrow = strategy.initial()
  for (const payload of [[B, -5, 0], [B, 1, 7], ['somebody', 1, 0], 'x', 0.5]) {
    const operation = { payload, hlc: 1, replica: A, sequence: 1, observed: () => false }
    expect(codeOf(() => strategy.apply(escrow, operation))).toBe('WARP_E_PROTOCOL')
  }
  expect(strategy.isEmpty(escrow)).toBe(true)
})
