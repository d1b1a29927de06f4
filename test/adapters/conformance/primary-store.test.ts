import { describe, expect, test } from 'vitest'
import { primaryStoreSuite } from '../../../adapters/conformance/primary-store/suite.ts'
import { memoryStore } from '../../../adapters/memory/memory-store.ts'
import type { PrimaryStore, RowChange } from '../../../src/ports/primary-store.ts'
import { functionStore } from '../../../src/ports/stores/function-store.ts'
import { type MemoryStore, memoryStoreOn } from '../../../src/ports/stores/memory-store.ts'
import { storeError } from '../../../src/ports/stores/store-error.ts'
import { virtualEnv } from '../../../testing/world/virtual-env.ts'

const REJECTED = 'the row that is rejected'

function subjectOf(store: MemoryStore) {
  store.refuse((key) => (key === REJECTED ? new Error('a constraint') : undefined))
  return {
    store,
    rejectedKey: REJECTED,
    outsider: (key: string, value: Uint8Array | undefined) => {
      store.put(key, value)
      return Promise.resolve()
    },
  }
}

describe('the memory store', () => {
  primaryStoreSuite({ test, create: () => subjectOf(memoryStore()) })
})

describe('the memory store, slow and out of order', () => {
  primaryStoreSuite({ test, create: () => subjectOf(memoryStore({ latencyMs: 1, replyMs: 1, jitterMs: 3 })) })
})

describe('the memory store in virtual time', () => {
  primaryStoreSuite({ test, create: () => subjectOf(memoryStoreOn(virtualEnv())) })
})

describe('a store of functions', () => {
  primaryStoreSuite({
    test,
    values: 'json',
    without: ['meta'],
    create: () => {
      const values = new Map<string, unknown>()
      const store = functionStore({
        load: (key) => Promise.resolve(values.get(key)),
        save: (key, value) => {
          if (key === REJECTED)
            throw storeError({ store: 'mine', failure: 'rejected', message: 'a constraint; choose another key' })
          values.set(key, value)
        },
        remove: (key) => void values.delete(key),
        list: ({ prefix, after = '', limit }) => {
          const rank = (key: string): Buffer => Buffer.from(key)
          const keys = [...values.keys()].filter((key) => key.startsWith(prefix) && rank(key).compare(rank(after)) > 0)
          return keys.sort((a, b) => rank(a).compare(rank(b))).slice(0, limit)
        },
      })
      return {
        store,
        rejectedKey: REJECTED,
        outsider: (key, value) => {
          if (value === undefined) values.delete(key)
          else values.set(key, JSON.parse(new TextDecoder().decode(value)))
          return Promise.resolve()
        },
      }
    },
  })
})

/** Names of the checks that a store which is wrong in one way fails. */
async function failures(wrong: (store: MemoryStore) => Partial<PrimaryStore>): Promise<string[]> {
  const failed: string[] = []
  const runs: Promise<void>[] = []
  primaryStoreSuite({
    test: (name, run) => runs.push(run().catch(() => void failed.push(name))),
    create: () => {
      const right = memoryStore()
      const store: PrimaryStore = Object.assign(Object.create(right) as PrimaryStore, delegated(right), wrong(right))
      return { ...subjectOf(right), store }
    },
  })
  await Promise.all(runs)
  return failed
}

/** The methods of a store, bound to it: private fields want their own object. */
function delegated(store: MemoryStore): PrimaryStore {
  return {
    name: store.name,
    codec: store.codec,
    comparesAndSets: true,
    readRows: (keys, request) => store.readRows(keys, request),
    compareAndSet: (changes, request) => store.compareAndSet(changes, request),
    purge: (rows, request) => store.purge(rows, request),
    listTombstones: (request) => store.listTombstones(request),
    listKeys: (request) => store.listKeys(request),
  }
}

/** Compares less than it should, by taking the rest of what is expected from the row that is there. */
function comparing(pick: (change: RowChange, present: NonNullable<RowChange['expected']>) => RowChange) {
  return (store: MemoryStore): Partial<PrimaryStore> => ({
    compareAndSet: (changes, request) =>
      store.compareAndSet(
        changes.map((change) => {
          const present = store.row(change.key)
          return present === undefined || change.expected === undefined ? change : pick(change, present)
        }),
        request,
      ),
  })
}

describe('the suite finds a store that', () => {
  test('compares the token alone', async () => {
    const found = await failures(
      comparing((change, present) => ({ ...change, expected: { ...change.expected!, value: present.value } })),
    )
    expect(found).toContain('an update with the right token and another value is refused')
    expect(found).toContain("a write from before an outsider's change is refused")
  })

  test('compares the value alone', async () => {
    const found = await failures(
      comparing((change, present) => ({ ...change, expected: { ...change.expected!, token: present.token } })),
    )
    expect(found).toContain('an update with the right value and another token is refused')
  })

  test('compares nothing', async () => {
    const found = await failures((store) => ({
      compareAndSet: (changes, request) =>
        store.compareAndSet(
          changes.map((change) => ({ ...change, expected: store.row(change.key) })),
          request,
        ),
    }))
    expect(found).toContain('of eight updates of one row one is done, and its row is there')
    expect(found).toContain('an insert is refused where there is a row')
  })

  test('forgets what was deleted', async () => {
    const found = await failures((store) => ({
      readRows: async (keys, request) =>
        (await store.readRows(keys, request)).map((row) => (row?.value === undefined ? undefined : row)),
    }))
    expect(found).toContain('a delete leaves a tombstone with its meta and token')
  })

  test('takes capitals for small letters', async () => {
    const found = await failures((store) => ({
      readRows: (keys, request) =>
        store.readRows(
          keys.map((key) => key.toLowerCase()),
          request,
        ),
      compareAndSet: (changes, request) =>
        store.compareAndSet(
          changes.map((change) => ({ ...change, key: change.key.toLowerCase() })),
          request,
        ),
    }))
    expect(found).toContain('keys are told apart by every character')
  })

  test('purges whatever has no value', async () => {
    const found = await failures((store) => ({
      purge: (rows, request) =>
        store.purge(
          rows.map((row) => ({ ...row, token: store.row(row.key)?.token ?? row.token })),
          request,
        ),
    }))
    expect(found).toEqual(['purging removes a tombstone that has this token, and no other row'])
  })

  test('looks for tombstones in the first rows only', async () => {
    const found = await failures((store) => ({
      listTombstones: async (request) => ({ rows: (await store.listTombstones(request)).rows }),
    }))
    expect(found).toEqual(['tombstones are found by looking through the rows, page by page'])
  })

  test('lists in the order of UTF-16', async () => {
    const found = await failures((store) => ({
      listKeys: async (request) => {
        const all = await store.listKeys({ ...request, after: undefined, limit: 1000 })
        return all
          .sort()
          .filter((key) => key > (request.after ?? ''))
          .slice(0, request.limit)
      },
    }))
    expect(found).toEqual(['keys are listed in the order of their code points, page by page'])
  })

  test('does not look at the signal', async () => {
    const signal = new AbortController().signal
    const found = await failures((store) => ({ readRows: (keys) => store.readRows(keys, { signal }) }))
    expect(found).toEqual(['a request whose signal has fired is not made'])
  })
})
