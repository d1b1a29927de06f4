/** One key pattern for each strategy, as the fixtures in test/fixtures were written with; and values as JSON that tells types apart. */
import * as Y from 'yjs'
import { automerge } from '../../crdt/documents/automerge.ts'
import { yjs } from '../../crdt/documents/yjs.ts'
import * as crdt from '../../crdt/index.ts'
import type { KeyMap } from '../../src/keys/typed-keys.ts'

/** `lasting:*` outlives every clock that a test may run by. */
export function everyStrategy() {
  const latest = { retain: 'latest' } as const
  return {
    'register:*': { strategy: crdt.register<unknown>(), ...latest },
    'lasting:*': { strategy: crdt.register<unknown>(), ...latest, ttlMs: 1_000_000_000_000 },
    'whole:*': { strategy: crdt.register<unknown>(), retain: 'all' },
    'multi-value:*': { strategy: crdt.multiValue<unknown>(), ...latest },
    'counter:*': { strategy: crdt.counter(), ...latest },
    'bounded-counter:*': { strategy: crdt.boundedCounter({ min: 0 }), ...latest },
    'set:*': { strategy: crdt.set<string>(), ...latest },
    'record:*': { strategy: crdt.map({ name: crdt.register<unknown>(), hits: crdt.counter() }), ...latest },
    'map:*': { strategy: crdt.map(crdt.counter()), ...latest },
    'max:*': { strategy: crdt.max<number>(), ...latest },
    'min:*': { strategy: crdt.min<number>(), ...latest },
    'list:*': { strategy: crdt.list<string | null>(), ...latest },
    'text:*': { strategy: crdt.text(), ...latest },
    'custom:*': { strategy: crdt.custom<string[]>((old, next) => [...old, ...next]), ...latest },
    'yjs:*': { strategy: yjs(), ...latest },
    'automerge:*': { strategy: automerge(), ...latest },
  } as const satisfies KeyMap
}

/** As JSON, with types that JSON has not told apart. */
export function plain(value: unknown): unknown {
  if (value === undefined) return ['absent']
  if (value instanceof Y.Doc) return ['yjs', value.getText('t').toJSON()]
  if (value instanceof Date) return ['date', value.getTime()]
  if (value instanceof Uint8Array) return ['bytes', ...value]
  if (value instanceof Set) return ['set', ...[...value].map(plain)]
  if (typeof value === 'bigint') return ['bigint', String(value)]
  if (Array.isArray(value)) return ['array', ...value.map(plain)]
  if (value === null || typeof value !== 'object') return value
  const fields = value as Record<string, unknown>
  return [
    'object',
    ...Object.keys(fields)
      .sort()
      .map((name) => [name, plain(fields[name])]),
  ]
}
