/** What there is under a key, whatever its strategy. */
import type { Call } from './command.ts'

/** As TYPE answers. */
export type RedisType = 'none' | 'string' | 'hash' | 'set' | 'zset' | 'list' | 'stream'

/** What the values of Warp's own strategies are to a client of Redis; those that are not named are strings (JSON). */
const TYPES: Readonly<Record<string, RedisType>> = { set: 'set', map: 'hash', list: 'list' }

export function typeOf({ keys }: Call, key: string): RedisType {
  const { kind } = keys.strategy(key)
  return keys.value(key) === undefined ? 'none' : (TYPES[kind] ?? 'string')
}

export function isThere(call: Call, key: string): boolean {
  return typeOf(call, key) !== 'none'
}
