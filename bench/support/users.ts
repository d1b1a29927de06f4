/** The workload that the benches of registers share: keys `user:0` … and small objects. */
import type { BenchContext } from './bench.ts'

export interface User {
  readonly name: string
  readonly email: string
  readonly age: number
  readonly active: boolean
}

export type UserKey = `user:${string}`

export function userKeys(count: number): UserKey[] {
  return Array.from({ length: count }, (_, i): UserKey => `user:${i}`)
}

export function userOf(i: number): User {
  return flat({ name: `user number ${i}`, email: `user-${i}@example.org`, age: i % 100, active: i % 2 === 0 })
}

/**
 * With texts in one piece, as values have that came from somewhere, and not chained as
 * concatenation leaves them.
 */
function flat(user: User): User {
  return JSON.parse(JSON.stringify(user)) as User
}

/** Keys in an order in which each occurs as often as chance has it. */
export function uniformly<Item>(context: BenchContext, items: readonly Item[], count: number): Item[] {
  const random = context.random('uniformly')
  return Array.from({ length: count }, () => random.pick(items))
}

/** Lets what waits for the loop's next turn run: watchers, flushers. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
