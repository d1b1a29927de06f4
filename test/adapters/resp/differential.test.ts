import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { byExtent } from '../../support/extent.ts'
import { Judged, type Request } from '../../support/resp/judged.ts'
import {
  CONNECTION_REQUESTS,
  DECIMAL_REQUESTS,
  GENERIC_REQUESTS,
  STRING_REQUESTS,
  sequenceOf,
  TRANSACTIONS,
} from '../../support/resp/requests.ts'
import { describeOn } from '../../support/servers.ts'

/** Requests of one comparison. */
const REQUESTS_MAX = 60
const RUNS = byExtent({ some: 60, all: 300, soak: 20_000 })

const GROUPS: readonly (readonly [string, fc.Arbitrary<readonly Request[]>])[] = [
  ['strings', sequenceOf(STRING_REQUESTS, REQUESTS_MAX)],
  ['sums of decimals', sequenceOf(DECIMAL_REQUESTS, REQUESTS_MAX)],
  ['keys of any type', sequenceOf(fc.oneof(STRING_REQUESTS, GENERIC_REQUESTS), REQUESTS_MAX)],
  ['connections', sequenceOf(CONNECTION_REQUESTS, REQUESTS_MAX)],
  ['transactions', TRANSACTIONS],
]

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
        fc.asyncProperty(group, (all) => judged.compare(all)),
        { numRuns: RUNS },
      )
      expect(judged.comparedCount).toBeGreaterThan(RUNS)
      judged.close()
    })
  }
})
