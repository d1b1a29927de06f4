/**
 * What every implementation of an ordered log must do, as a suite for any test runner: hand it the
 * runner's `test` function and a way to make an empty log.
 *
 * The port may lose answers, keep a record twice and hand it over again, so the suite appends again
 * until a record has a place, and counts each record once. It checks what comes, in which order,
 * and what never may.
 *
 * ```ts
 * orderedLogSuite({ test, create: async ({ partitions }) => ({ log: await myEmptyLog(partitions) }) })
 * ```
 */
import { CLOSING, GIVING_UP } from './ends.ts'
import { DELIVERY } from './delivery.ts'
import { BARRIERS } from './barriers.ts'
import { BROKEN, CONNECTIONS, OPERATORS } from './operators.ts'
import { LIMITS, ORDER } from './order.ts'
import { type Check, type OrderedLogSubject, Place } from './place.ts'
import { PROMISES } from './promises.ts'
import { SNAPSHOTS } from './snapshots.ts'
import { TRIMS } from './trims.ts'

/** How many partitions the checks want. */
const PARTITIONS = 3

export interface OrderedLogSuiteOptions {
  readonly test: (name: string, run: () => Promise<void>) => unknown
  readonly create: (wanted: { readonly partitions: number }) => OrderedLogSubject | Promise<OrderedLogSubject>
}

export function orderedLogSuite({ test, create }: OrderedLogSuiteOptions): void {
  const checks: Readonly<Record<string, Check>> = {
    ...PROMISES,
    ...ORDER,
    ...LIMITS,
    ...DELIVERY,
    ...BARRIERS,
    ...SNAPSHOTS,
    ...TRIMS,
    ...BROKEN,
    ...GIVING_UP,
    ...CLOSING,
    ...CONNECTIONS,
    ...OPERATORS,
  }
  for (const [name, check] of Object.entries(checks)) {
    test(name, async () => {
      const place = new Place(await create({ partitions: PARTITIONS }))
      try {
        await check(place)
      } finally {
        await place.close()
      }
      place.assertFine()
    })
  }
}
