/**
 * The keyspaces of a world with an ordered log: strong ones for every kind of call, and two that are
 * not strong, which go on whatever becomes of the log.
 */
import { counter } from '../../../crdt/counter.ts'
import { register } from '../../../crdt/register.ts'
import { set } from '../../../crdt/set.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'

export const ORDER_KEYS: KeyMap = {
  'doc:*': { strategy: register<number>(), mode: 'strong' },
  'sum:*': { strategy: counter(), mode: 'strong', retain: 'latest' },
  'tags:*': { strategy: set<number>(), mode: 'strong', retain: { versions: 5 } },
  'account:*': { strategy: register<number>(), mode: 'strong', retain: 'latest' },
  'done:*': { strategy: set<number>(), mode: 'strong' },
  'list:*': { strategy: register<readonly number[]>(), mode: 'strong', retain: 'latest' },
  'job:*': { strategy: register<string>(), mode: 'strong' },
  'step:*': { strategy: set<number>(), mode: 'strong', retain: 'latest' },
  'seen:*': set<number>(),
  'visit:*': { strategy: set<number>(), retain: 'latest' },
  'count:*': { strategy: counter(), retain: 'latest' },
}

/** Each call of them is judged by itself: every history has to be linearizable. */
export const JUDGED: readonly string[] = ['doc', 'sum', 'tags']

/** Money goes between these. What is in braces keeps them in one partition. */
export const ACCOUNTS: readonly string[] = Array.from({ length: 8 }, (_, i) => `account:{bank}:${i}`)
export const BALANCE = 100
export const TOTAL: number = BALANCE * ACCOUNTS.length

/** A transfer leaves its number in both of them, in the same transaction. */
export const DONE: readonly string[] = ['done:{bank}:one', 'done:{bank}:other']

/** Transactions at random read these, and append to them. */
export const LISTS: readonly string[] = Array.from({ length: 3 }, (_, i) => `list:{lists}:${i}`)

/** What users do in sessions: on strong keys, and on others. They only grow. */
export const SESSION_SPACES: readonly string[] = ['step', 'visit']
export const SESSION_USERS = 4

/** What is done under a lock is written here, with the lock's token as its fence. */
export function jobOf(lock: string): string {
  return `job:${lock}`
}

/** What is written there begins with the token. */
export function tokenOf(written: string): number {
  return Number(written.slice(0, written.indexOf(':')))
}

export const LEADER = 'leader'
/** Locks of one holder. */
export const ALONE: readonly string[] = ['x', 'y']
/** One that readers share. */
export const SHARED = 'shared'
/** A semaphore. */
export const POOL = 'pool'
export const POOL_PERMITS = 2

/** Those whose holders write under a fence: they are alone. */
export const FENCED: readonly string[] = [...ALONE, LEADER]
export const LOCKS: readonly string[] = [...FENCED, SHARED, POOL]

/** Keys that are there from the beginning, whether or not anybody has written them yet. */
export const STRONG_KEYS: readonly string[] = [...ACCOUNTS, ...DONE, ...LISTS, ...FENCED.map(jobOf)]

export function isStrong(key: string): boolean {
  return !['seen:', 'count:', 'visit:'].some((space) => key.startsWith(space))
}
