/**
 * What every implementation of a primary store must do, as a suite for any test runner: hand it the
 * runner's `test` function and a way to make an empty store.
 *
 * ```ts
 * primaryStoreSuite({ test, create: async () => ({ store: myStore(await emptyTable()) }) })
 * ```
 */
import { KEYS, LISTING, LONG_KEYS } from './keys.ts'
import { type Check, never, Place, type PrimaryStoreSubject } from './place.ts'
import { RACES } from './races.ts'
import { OUTSIDERS, REQUESTS } from './requests.ts'
import { BYTES, ROWS, TOMBSTONES } from './rows.ts'

export interface PrimaryStoreSuiteOptions {
  readonly test: (name: string, run: () => Promise<void>) => unknown
  readonly create: () => PrimaryStoreSubject | Promise<PrimaryStoreSubject>
  /** `'json'`: the store holds nothing but JSON. Default `'bytes'`. */
  readonly values?: 'bytes' | 'json'
  /**
   * What the store cannot do, and says so in its documentation: compare (one writer a key), keep
   * tombstones, meta and token for others, list its keys, hold keys of 1,024 bytes. Their checks are
   * left out.
   */
  readonly without?: readonly ('comparing' | 'meta' | 'listing' | 'long keys')[]
}

export function primaryStoreSuite({ test, create, values = 'bytes', without = [] }: PrimaryStoreSuiteOptions): void {
  const checks: Readonly<Record<string, Check>> = {
    ...ROWS,
    ...KEYS,
    ...REQUESTS,
    ...(values === 'bytes' ? BYTES : {}),
    ...(without.includes('long keys') ? {} : LONG_KEYS),
    ...(without.includes('meta') ? {} : TOMBSTONES),
    ...(without.includes('comparing') ? {} : { ...RACES, ...OUTSIDERS }),
    ...(without.includes('listing') ? {} : LISTING),
  }
  for (const [name, check] of Object.entries(checks)) {
    test(name, async () => {
      const place = new Place(await create())
      try {
        await place.store.check?.(never())
        await check(place)
      } finally {
        await place.close()
      }
    })
  }
}
