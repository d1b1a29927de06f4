/**
 * What the scenario's replicas keep. Every process of it has the same strategies: the merge
 * function, too, runs in each of them.
 */
import { type Counter, counter } from '../../../crdt/counter.ts'
import { type Custom, custom } from '../../../crdt/custom.ts'
import { type Register, register } from '../../../crdt/register.ts'
import { type ObservedRemoveSet, set } from '../../../crdt/set.ts'
import { text } from '../../../crdt/sequence/text.ts'

export const NAMES = ['ann', 'ben', 'eve'] as const
export type Name = (typeof NAMES)[number]

export type Session = { readonly user: string; readonly page: string }

interface Expiring<T> {
  readonly strategy: Register<T>
  readonly ttlMs: number
}

export type Keys = {
  readonly 'session:*': Expiring<Session>
  readonly 'login-code:*': Expiring<string>
  readonly 'visits:*': Counter
  readonly 'cart:*': ObservedRemoveSet<string>
  readonly 'notes:*': Custom<string>
  readonly 'doc:*': ReturnType<typeof text>
}

/** Short enough to have passed at the end of the demo. */
export const LOGIN_CODE_TTL_MS = 2000

export const KEYS: Keys = {
  'session:*': { strategy: register<Session>(), ttlMs: 600_000 },
  'login-code:*': { strategy: register<string>(), ttlMs: LOGIN_CODE_TTL_MS },
  'visits:*': counter(),
  'cart:*': set<string>(),
  // Neither commutative nor idempotent: it converges because writes are folded in one order
  // everywhere.
  'notes:*': custom<string>((old, next) => `${old}, ${next}`),
  'doc:*': text(),
}

export const WRITTEN_KEYS = ['session:7', 'login-code:7', 'visits:home', 'cart:7', 'notes:7', 'doc:list'] as const
export type WrittenKey = (typeof WRITTEN_KEYS)[number]
