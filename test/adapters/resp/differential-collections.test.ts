/** As differential.test.ts, for hashes, sets, sorted sets and lists. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { byExtent } from '../../support/extent.ts'
import {
  GEO_REQUESTS,
  HASH_REQUESTS,
  LIST_REQUESTS,
  NAME_RANGE_REQUESTS,
  SET_REQUESTS,
  SORTED_SET_REQUESTS,
} from '../../support/resp/collection-requests.ts'
import { Judged } from '../../support/resp/judged.ts'
import { sequenceOf } from '../../support/resp/requests.ts'
import { describeOn } from '../../support/servers.ts'

const REQUESTS_MAX = 60
const RUNS = byExtent({ some: 40, all: 150, soak: 10_000 })

const GROUPS = [
  ['hashes', HASH_REQUESTS],
  ['sets', SET_REQUESTS],
  ['sorted sets', SORTED_SET_REQUESTS],
  ['ranges of names', NAME_RANGE_REQUESTS],
  ['lists', LIST_REQUESTS],
  ['places', GEO_REQUESTS],
] as const

describeOn('valkey', 'the sidecar answers as Valkey does', (url) => {
  let warp: Warp<{ '*': Redis }>
  let server: RespServer

  beforeAll(async () => {
    warp = await openWarp({ keys: { '*': redis() } })
    server = await respServer(warp, { port: 0 })
  })

  afterAll(async () => {
    await server.close()
    await warp.close()
  })

  for (const protocol of [2, 3] as const) {
    test.each(GROUPS)(`%s, RESP${protocol}`, async (_name, group) => {
      const judged = await Judged.open(Number(new URL(url).port), server.port, protocol)
      await fc.assert(
        fc.asyncProperty(sequenceOf(group, REQUESTS_MAX), (all) => judged.compare(all)),
        { numRuns: RUNS },
      )
      expect(judged.comparedCount).toBeGreaterThan(RUNS)
      judged.close()
    })
  }
})
