/** Strategies by the codes that operations carry, for messages to people. */
import type { Keyspaces } from '../keys/keyspace.ts'

/** Warp's own, by code. They are fixed for ever. */
const OWN = [
  ...[
    '',
    'register',
    'multi-value',
    'counter',
    'bounded-counter',
    'set',
    'map',
    'max',
    'min',
    'custom',
    'list',
    'text',
  ],
  ...['yjs', 'automerge', 'recent', 'redis'],
]

/** What a strategy is called; of one of a user's own that is not registered here, its code. */
export function strategyName(code: number, keyspaces: Keyspaces): string {
  const registered = keyspaces.list.find((keyspace) => keyspace.code === code)
  return registered?.strategy.kind ?? ownStrategyName(code)
}

/** The same where it is not known what is registered. */
export function ownStrategyName(code: number): string {
  return OWN[code] ?? `code ${code}`
}
