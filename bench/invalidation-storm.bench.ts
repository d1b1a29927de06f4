/**
 * Three replicas invalidate the same pages while the source of these changes. Every replica has to end right,
 * nothing may be dropped, and an invalidation in a burst has to be small on the wire.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { openWarp, type WarpEvent } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import { PrivateServer } from '../test/support/private-server.ts'
import { TcpProxy } from '../test/support/tcp-proxy.ts'
import { seededRandom } from '../testing/world/random.ts'
import type { BenchContext } from './support/bench.ts'
import { ENGINES, freshName, type EngineName } from './support/engines.ts'
import { formatNs } from './support/table.ts'

export const question = 'What does a storm of invalidations cost on the wire, and does every replica end right?'

const REPLICAS = 3
const PAGES = 10_000
/** Under way at a time, on each replica. */
const BURST = 1024
const BYTES_MAX = 12
/** Between two looks at whether all has arrived. */
const LOOK_MS = 50

/** The source: which version of each page it has. */
type Source = number[]

export async function run(context: BenchContext): Promise<void> {
  const count = context.size(1_000_000, 6000)
  const rows: (readonly string[])[] = []
  const bytes = new Map<EngineName, number>()
  for (const engine of ['nats', 'redis'] as const) {
    const server = await PrivateServer.startIfAny(ENGINES[engine].server)
    if (server === undefined) continue
    try {
      const { bytesEach, nsEach, rightMs } = await measure(context, count, { engine, url: server.url })
      rows.push([engine, bytesEach.toFixed(1), formatNs(nsEach), `${(rightMs / 1000).toFixed(1)} s`])
      bytes.set(engine, bytesEach)
    } finally {
      await server.close()
    }
  }
  const [invalidations, pages] = [count, PAGES].map((number) => number.toLocaleString('en-US'))
  context.report(
    `${invalidations} invalidations of ${pages} pages by ${REPLICAS} replicas in one process`,
    ['', 'bytes on the wire, each', 'time, each', 'all replicas right after'],
    rows.length > 0 ? rows : [['there is no server', 'scripts/servers install nats valkey', '', '']],
  )
  for (const [engine, each] of bytes)
    context.goal(`bytes on the wire of an invalidation over ${engine}`, each, { atMost: BYTES_MAX })
}

interface Storm {
  readonly bytesEach: number
  readonly nsEach: number
  /** From the last invalidation until every page is right everywhere. */
  readonly rightMs: number
}

async function measure(
  context: BenchContext,
  count: number,
  { engine, url }: { readonly engine: EngineName; readonly url: string },
): Promise<Storm> {
  const { proxy, url: through } = await TcpProxy.before(url)
  const source: Source = Array.from({ length: PAGES }, () => 0)
  const troubles: WarpEvent[] = []
  const name = freshName()
  const replicas = await Promise.all(
    Array.from({ length: REPLICAS }, () =>
      openWarp({
        keys: { 'page:*': { strategy: register<number>(), load: (key: string) => source[numberOf(key)] } },
        transports: [ENGINES[engine].transport(through, name)],
        observe: (event) => {
          if (event.kind === 'transport:degraded') troubles.push(event)
        },
      }),
    ),
  )
  try {
    while (replicas.some((warp) => warp.peers().filter(({ state }) => state === 'up').length < REPLICAS - 1))
      await pause(LOOK_MS)
    const pages = source.map((_, page) => `page:${page}` as const)
    for (const warp of replicas) await warp.getMany(pages)
    const [bytesBefore, since] = [proxy.bytesSaid, process.hrtime.bigint()]
    await storm(replicas, source, count)
    const ns = Number(process.hrtime.bigint() - since)
    const rightSince = performance.now()
    await allRight(replicas, source)
    const rightMs = performance.now() - rightSince
    context.check(troubles.length === 0, `${engine} dropped: ${JSON.stringify(troubles[0])}`)
    return { bytesEach: (proxy.bytesSaid - bytesBefore) / count, nsEach: ns / count, rightMs }
  } finally {
    await Promise.all(replicas.map((warp) => warp.close()))
    await proxy.close()
  }
}

type Page = `page:${number}`

interface Replica {
  invalidate(page: Page): Promise<unknown>
  getMany(pages: readonly Page[]): Promise<ReadonlyMap<Page, number>>
}

/** The source changes, and one of the replicas says so. */
async function storm(replicas: readonly Replica[], source: Source, count: number): Promise<void> {
  const random = seededRandom('storm')
  for (let done = 0; done < count;) {
    const burst: Promise<unknown>[] = []
    for (let i = 0; i < BURST * REPLICAS && done < count; i++, done++) {
      const page = random.below(PAGES)
      source[page]!++
      burst.push(replicas[i % REPLICAS]!.invalidate(`page:${page}`))
    }
    await Promise.all(burst)
  }
}

/** Waits until each replica reads what the source has. A page that stays wrong ends the bench by its time limit. */
async function allRight(replicas: readonly Replica[], source: Source): Promise<void> {
  const pages = source.map((_, page) => `page:${page}` as const)
  for (const warp of replicas)
    for (;;) {
      const read = await warp.getMany(pages)
      if (pages.every((page, i) => read.get(page) === source[i])) break
      await pause(LOOK_MS)
    }
}

function numberOf(key: string): number {
  return Number(key.slice('page:'.length))
}
