import { expect, test } from 'vitest'
import { recent, type RecentBounds, type RecentEntry } from '../../crdt/recent.ts'
import { HLC_LOGICAL_STEPS } from '../../crdt/time/hlc.ts'
import { codeOf, exchange, threeReplicas } from '../support/three-replicas.ts'

const UNBOUNDED: RecentBounds = { countMax: Infinity, forMs: Infinity, bytesMax: Infinity }
const only = (bounds: Partial<RecentBounds>) => recent({ ...UNBOUNDED, ...bounds })

function lengths(value: unknown): number[] {
  return ((value ?? []) as readonly RecentEntry[]).map(({ bytes }) => bytes.length)
}

test('the newest so many stay, in canonical order, on every replica', () => {
  // a: 1, 2   ∥   b: 3, 4
  const { a, b, c } = threeReplicas(only({ countMax: 3 }))
  for (const size of [1, 2]) a.write('append', [new Uint8Array(size)])
  for (const size of [3, 4]) b.write('append', [new Uint8Array(size)])
  const [first, ...others] = exchange(a, b, c).map(lengths)
  expect(first).toHaveLength(3)
  for (const other of others) expect(other).toEqual(first)
})

test('what is older than so long before the newest goes', () => {
  const { a } = threeReplicas(only({ forMs: 100 / HLC_LOGICAL_STEPS }))
  // Their stamps are their walls.
  a.write('append', [new Uint8Array(1)], { wall: 1000 })
  a.write('append', [new Uint8Array(2)], { wall: 1050 })
  a.write('append', [new Uint8Array(3)], { wall: 1120 })
  expect(lengths(a.value)).toEqual([2, 3])
})

test('an old entry that arrives late finds no room that a newer one had to leave', () => {
  // b: 4 ── before a: 9, 2, of which 9 had to go
  const { a, b } = threeReplicas(only({ bytesMax: 10 }))
  b.write('append', [new Uint8Array(4)], { wall: 10 })
  a.write('append', [new Uint8Array(9)], { wall: 20 })
  a.write('append', [new Uint8Array(2)], { wall: 30 })
  expect(lengths(a.value)).toEqual([2])
  expect(exchange(a, b).map(lengths)).toEqual([[2], [2]])
})

test('a state that comes out of a snapshot has the same floor', () => {
  const strategy = only({ bytesMax: 10 })
  const { a, b } = threeReplicas(strategy)
  a.write('append', [new Uint8Array(9)], { wall: 20 })
  a.write('append', [new Uint8Array(2)], { wall: 30 })
  const late = b.write('append', [new Uint8Array(4)], { wall: 10 })
  if (late === undefined) throw new Error('nothing was written')
  const state = strategy.decodeState(strategy.encodeState(a.state as never))
  const applied = { ...late, observed: () => false }
  expect(lengths(strategy.read(strategy.apply(state, applied)))).toEqual([2])
})

test('a payload that no verb makes is refused before anything changes', () => {
  const strategy = only({ countMax: 1 })
  const operation = { hlc: 1, replica: 'aaaaaaaaaaaaaaaa' as never, sequence: 1, observed: () => false }
  expect(codeOf(() => strategy.apply(strategy.initial(), { ...operation, payload: 'text' }))).toBe('WARP_E_PROTOCOL')
  expect(codeOf(() => strategy.decodeState([[], [[[1, 'aaaaaaaaaaaaaaaa', 1, 'text']]]]))).toBe('WARP_E_PROTOCOL')
})
