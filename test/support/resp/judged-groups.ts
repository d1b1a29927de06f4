/** Registers tests that compare the sidecar with a server, a group of commands each, in both protocols. */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWarp, type Warp } from '../../../adapters/node/index.ts'
import { respServer, type RespServer } from '../../../adapters/resp/index.ts'
import { redis, type Redis } from '../../../crdt/index.ts'
import { describeOn } from '../servers.ts'
import { Judged, type Request } from './judged.ts'

export type Group = readonly [name: string, sequences: fc.Arbitrary<readonly Request[]>]

const JUDGES = { valkey: 'Valkey', redis: 'Redis' } as const

/** `runs`: sequences of each group and protocol, half of them for each judge. */
export function compareGroups(groups: readonly Group[], runs: number): void {
  for (const judge of ['valkey', 'redis'] as const) compareWith(judge, groups, Math.ceil(runs / 2))
}

function compareWith(judge: keyof typeof JUDGES, groups: readonly Group[], runs: number): void {
  describeOn(judge, `the sidecar answers as ${JUDGES[judge]} does`, (url) => {
    let warp: Warp<{ '*': Redis }>
    let server: RespServer
    let comparedCount = 0

    beforeAll(async () => {
      warp = await openWarp({ keys: { '*': redis() } })
      server = await respServer(warp, { port: 0 })
    })

    afterAll(async () => {
      process.stdout.write(`compared with ${JUDGES[judge]}: ${comparedCount} commands\n`)
      await server.close()
      await warp.close()
    })

    for (const protocol of [2, 3] as const) {
      test.each(groups)(`%s, RESP${protocol}`, async (_name, sequences) => {
        const judged = await Judged.open(JUDGES[judge], Number(new URL(url).port), server.port, protocol)
        await fc.assert(
          fc.asyncProperty(sequences, (all) => judged.compare(all)),
          { numRuns: runs },
        )
        expect(judged.comparedCount).toBeGreaterThan(runs)
        comparedCount += judged.comparedCount
        judged.close()
      })
    }
  })
}
