/**
 * A store that stands still for ten seconds, and one that is killed and started again, while copies are read, keys are
 * written behind and new ones are made. What reads take before and meanwhile, whether anything is lost, and whether
 * memory comes back.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import { isWarpError } from '../crdt/warp-error.ts'
import { PrivateServer } from '../test/support/private-server.ts'
import { storeOn, type StoreServer } from '../test/support/store-on.ts'
import type { BenchContext } from './support/bench.ts'
import { quantile, retainedBytes } from './support/measure.ts'
import { formatNs } from './support/table.ts'

export const question = 'What does an outage of the store cost those who read copies, write and make values?'

const COPIES_COUNT = 1000
/** Reads that are timed together: a single one is shorter than the clock's step. */
const READS = 100
const HARD_TIMEOUT_MS = 2000

const OUTAGES = ['stands still', 'is killed'] as const
type Outage = (typeof OUTAGES)[number]

export async function run(context: BenchContext): Promise<void> {
  const rows: string[][] = []
  const slower: number[] = []
  for (const name of ['postgres', 'valkey'] as const) {
    for (const outage of OUTAGES) {
      const measured = await measure(context, name, outage)
      if (measured === undefined) continue
      slower.push(measured.duringNs / measured.beforeNs)
      rows.push([`${name} ${outage}`, ...measured.cells])
    }
  }
  if (rows.length === 0) {
    context.report(
      'nothing was measured',
      ['', ''],
      [['there is no server', 'scripts/servers install postgres valkey']],
    )
    return
  }
  const seconds = outageMs(context) / 1000
  const head = [
    '',
    'a read, p99 before',
    'p99 meanwhile',
    'getOrSet, longest',
    'given up',
    'writes meanwhile',
    'caught up after',
  ]
  context.report(`the store is away for ${seconds} s`, [...head, 'MB before', 'MB after'], rows)
  context.goal('p99 of a read meanwhile ÷ before', Math.max(...slower), { atMost: 2 })
}

function outageMs(context: BenchContext): number {
  return context.size(10_000, 500)
}

interface Measured {
  readonly beforeNs: number
  readonly duringNs: number
  readonly cells: readonly string[]
}

async function measure(context: BenchContext, name: StoreServer, outage: Outage): Promise<Measured | undefined> {
  const server = await PrivateServer.startIfAny(name)
  if (server === undefined) return undefined
  const { store, close } = storeOn(name, server.url)
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  const stored = { strategy: register<string>(), store, storeTimeoutMs: 1000, hardTimeoutMs: HARD_TIMEOUT_MS }
  const warp = await openWarp({ keys: { 'k:*': stored } })
  try {
    const unstored = (): number => warp.stats().stores?.[0]?.unstoredKeysCount ?? 0
    const last = new Map<`k:${string}`, string>()
    const set = async (key: `k:${string}`, value: string): Promise<void> => {
      last.set(key, value)
      await warp.set(key, value)
    }
    const load = new Load({ get: (key) => warp.get(key), set, make: (key) => warp.getOrSet(key, () => 'made') })
    for (let i = 0; i < COPIES_COUNT; i++) await set(`k:${i}`, 'before')
    while (unstored() > 0) await pause(5)
    const before = await load.runFor(outageMs(context))
    const bytesBefore = retainedBytes()
    if (outage === 'stands still') server.stand()
    else await server.kill()
    const during = await load.runFor(outageMs(context))
    const since = performance.now()
    if (outage === 'stands still') server.goOn()
    else await server.startAgain()
    while (unstored() > 0) await pause(5)
    const caughtUpMs = performance.now() - since
    for (const key of during.made) last.set(key, 'made')
    warp.invalidateLocal('k:*')
    for (const [key, value] of last) context.check((await warp.get(key)) === value, `${key} is lost`)
    context.check(unhandled.length === 0, `unhandled rejections: ${String(unhandled[0])}`)
    context.check(during.longestMs < HARD_TIMEOUT_MS + 500, `getOrSet took ${during.longestMs.toFixed(0)} ms`)
    const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
    const cells = [
      formatNs(before.p99Ns),
      formatNs(during.p99Ns),
      `${during.longestMs.toFixed(0)} ms`,
      String(during.givenUpCount),
    ]
    const after = [String(during.writesCount), `${(caughtUpMs / 1000).toFixed(1)} s`]
    return {
      ...{ beforeNs: before.p99Ns, duringNs: during.p99Ns },
      cells: [...cells, ...after, megabytes(bytesBefore), megabytes(retainedBytes())],
    }
  } finally {
    await warp.close()
    await close()
    process.off('unhandledRejection', note)
    await server.close()
  }
}

interface Target {
  get(key: `k:${string}`): Promise<unknown>
  set(key: `k:${string}`, value: string): Promise<void>
  make(key: `k:${string}`): Promise<unknown>
}

interface Period {
  readonly p99Ns: number
  readonly longestMs: number
  readonly givenUpCount: number
  readonly writesCount: number
  readonly made: readonly `k:${string}`[]
}

/** Reads all the time; writes some two thousand and makes some fifty values in a second. */
class Load {
  readonly #target: Target
  #number = 0

  constructor(target: Target) {
    this.#target = target
  }

  async runFor(ms: number): Promise<Period> {
    const [reads, waits]: [number[], number[]] = [[], []]
    const made: `k:${string}`[] = []
    const making: Promise<void>[] = []
    let writesCount = 0
    const until = performance.now() + ms
    for (let turn = 0; performance.now() < until; turn++) {
      reads.push(await this.#reads())
      for (let i = 0; i < 10; i++) await this.#target.set(`k:${this.#number++ % COPIES_COUNT}`, String(this.#number))
      writesCount += 10
      if (turn % 4 === 0) {
        const key = `k:made ${this.#number++}` as const
        making.push(this.#make(key, waits, made))
      }
      await pause(5)
    }
    await Promise.all(making)
    const givenUpCount = making.length - made.length
    return { p99Ns: quantile(reads, 0.99), longestMs: Math.max(...waits), givenUpCount, writesCount, made }
  }

  /** What one read takes, in nanoseconds. */
  async #reads(): Promise<number> {
    const since = process.hrtime.bigint()
    for (let i = 0; i < READS; i++) await this.#target.get(`k:${(this.#number + i * 7) % COPIES_COUNT}`)
    return Number(process.hrtime.bigint() - since) / READS
  }

  /** Where too many requests hang, some are given up at the hard timeout: then there is no value. */
  async #make(key: `k:${string}`, waits: number[], made: `k:${string}`[]): Promise<void> {
    const since = performance.now()
    try {
      await this.#target.make(key)
      made.push(key)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOAD_TIMEOUT')) throw error
    } finally {
      waits.push(performance.now() - since)
    }
  }
}
