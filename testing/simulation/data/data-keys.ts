/**
 * The keyspaces of a world that keeps its data elsewhere: those before its database, written behind
 * and through, and those before its API, with every kind of life.
 */
import { counter } from '../../../crdt/counter.ts'
import { custom, type Custom } from '../../../crdt/custom.ts'
import { register } from '../../../crdt/register.ts'
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { PrimaryStore } from '../../../src/ports/primary-store.ts'
import type { StoreFunctions } from '../../../src/ports/stores/function-store.ts'

/** Where one process finds its data. */
export interface SourcesOfLife {
  readonly store: PrimaryStore | StoreFunctions
  readonly load: (key: string) => Promise<number>
}

/** No load takes longer for who waits for it. */
export const LOAD_MS_MAX = 2000
const STORE_TIMEOUT_MS = 500
const LIFE_MS = 15_000
const SHORT_LIFE_MS = 6000

/** Rows of lists: everything that was ever appended is to be there, once. */
export const LISTS: readonly string[] = ['journal', 'ledger']
export const COUNTERS: readonly string[] = ['hits', 'sums']
export const REGISTERS: readonly string[] = ['name', 'title']
/** What the API has. */
export const LOADED: readonly string[] = ['item', 'shared', 'page', 'session']
/** Of these, those whose copies fall with leases, and with nothing else. */
export const LEASED = 'session'

/** Written through: who is refused has written nothing. */
export const THROUGH: readonly string[] = ['ledger', 'sums', 'title']

/** The database takes no such number, where writes wait for it. */
export const UNLUCKY = 7

export function spaceOf(key: string): string {
  return key.slice(0, key.indexOf(':'))
}

/** A value of its own for each key, so that an invalidation of a group is about few of them. */
export function tagOf(key: string): string {
  return `group of ${key}`
}

export function dataKeys({ store, load }: SourcesOfLife): KeyMap {
  const bounds = { hardTimeoutMs: LOAD_MS_MAX }
  // What was flushed by a process that lost its log is told to nobody: copies end, and then it is seen.
  const behind = { ...bounds, store, storeTimeoutMs: STORE_TIMEOUT_MS, ttlMs: LIFE_MS }
  const through = { ...behind, writes: 'through' as const }
  const tags = (key: string): readonly string[] => [tagOf(key)]
  const strategy = register<number>()
  return {
    'journal:*': { ...behind, strategy: appended() },
    'ledger:*': { ...through, strategy: appended() },
    'hits:*': { ...behind, strategy: counter(), flushDelayMs: 200, flushBatch: 2 },
    'sums:*': { ...through, strategy: counter(), jitterMs: 1000 },
    'name:*': { ...behind, strategy, tags },
    'title:*': { ...through, strategy, staleMs: LIFE_MS, throttleMs: 500 },
    'item:*': {
      ...{ ...bounds, strategy, load, tags, ttlMs: LIFE_MS, jitterMs: 1000, staleMs: LIFE_MS },
      ...{ throttleMs: 500, softTimeoutMs: 100, refreshAhead: 0.8 },
    },
    'shared:*': { ...bounds, strategy, load, tags, loads: 'cluster' },
    'page:*': { ...bounds, strategy, load: 'caller', tags, ttl: 'sliding', ttlMs: SHORT_LIFE_MS, staleMs: LIFE_MS },
    'session:*': { ...bounds, strategy, load },
  }
}

const NOWHERE: StoreFunctions = { load: () => undefined, save: () => undefined, remove: () => undefined }

/** What they are like; each process has its own way to where they are. */
export const DATA_KEYS: KeyMap = dataKeys({ store: NOWHERE, load: () => Promise.resolve(0) })

function appended(): Custom<readonly number[]> {
  return custom<readonly number[]>((old, next) => [...old, ...next])
}

/** What a constraint of the database says. */
export function refusesRow(key: string, value: unknown, before: unknown): Error | undefined {
  if (!THROUGH.includes(spaceOf(key))) return undefined
  const known = new Set(numbersOf(before))
  const isUnlucky = numbersOf(value).some((number) => number % UNLUCKY === 0 && !known.has(number))
  return isUnlucky && spaceOf(key) !== 'sums' ? new Error(`a constraint forbids multiples of ${UNLUCKY}`) : undefined
}

/** The numbers that a value is made of. */
export function numbersOf(value: unknown): readonly number[] {
  if (typeof value === 'number') return [value]
  return Array.isArray(value) ? (value as readonly number[]) : []
}
