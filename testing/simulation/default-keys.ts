/**
 * The keyspaces of a simulation that is given none: every strategy that needs no package, with
 * different retention and times to live.
 */
import { boundedCounter } from '../../crdt/bounded-counter.ts'
import { counter } from '../../crdt/counter.ts'
import { custom } from '../../crdt/custom.ts'
import { max } from '../../crdt/extremum.ts'
import { list } from '../../crdt/sequence/list.ts'
import { map } from '../../crdt/map.ts'
import { multiValue } from '../../crdt/multi-value.ts'
import { register } from '../../crdt/register.ts'
import { set } from '../../crdt/set.ts'
import { text } from '../../crdt/sequence/text.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'

/** A merge function that cannot make sense of some pairs: it throws, on every replica alike. */
export function fussyMerge(old: number, next: number): number {
  if ((old + next) % 5 === 0) throw new RangeError('a multiple of five')
  return (old * 31 + next) % 1_000_003
}

export const DEFAULT_KEYS: KeyMap = {
  'doc:*': { strategy: register<number>(), retain: 'latest' },
  'audit:*': register<number>(),
  'brief:*': { strategy: register<number>(), ttlMs: 4000, retain: 'latest' },
  'sliding:*': { strategy: counter(), ttlMs: 6000, ttl: 'sliding' },
  'count:*': { strategy: counter(), retain: 'latest' },
  'tally:*': counter(),
  'stock:*': { strategy: boundedCounter({ min: 0 }), retain: { versions: 5 } },
  'cart:*': { strategy: set<number>(), retain: { forMs: 5000 } },
  'seen:*': { strategy: set<number>(), retain: 'latest' },
  'kept:*': set<number>(),
  'record:*': { strategy: map({ price: register<number>(), tags: set<number>(), views: counter() }), retain: 'latest' },
  'votes:*': map(counter()),
  'list:*': { strategy: list<number>(), retain: { versions: 8 } },
  'queue:*': list<number>(),
  'text:*': { strategy: text(), retain: 'latest' },
  'many:*': { strategy: multiValue<number>(), retain: 'latest' },
  'peak:*': { strategy: max<number>(), retain: 'latest' },
  'notes:*': custom<number[]>((old, next) => [...old.slice(-12), ...next]),
  'fussy:*': { strategy: custom(fussyMerge), retain: { versions: 4 } },
  'purse:*': { strategy: counter(), retain: 'latest' },
  'own:*': { strategy: counter(), mode: 'local' },
}
