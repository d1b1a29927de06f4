/**
 * A NATS that stands still for ten seconds, and one that is killed and started again, while keys of all modes are
 * written. What writes of local and eventual keys take before and meanwhile, what becomes of strong ones, whether
 * everybody catches up, and whether memory comes back.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { natsOrderedLog, natsTransport } from '../adapters/nats/index.ts'
import { openWarp, type Dot, type Warp } from '../adapters/node/index.ts'
import { isWarpError } from '../crdt/warp-error.ts'
import { ChildProgram } from '../test/support/child-program.ts'
import { PrivateServer } from '../test/support/private-server.ts'
import type { OrderProgram } from './order-process.ts'
import type { BenchContext } from './support/bench.ts'
import { quantile, retainedBytes } from './support/measure.ts'
import { ORDER_KEYS, ORDER_NAMES, countOnceUp } from './support/order-keys.ts'
import { formatNs } from './support/table.ts'

export const question = 'What does an outage of the broker cost those who write keys of each mode?'

const KEYS_COUNT = 1000
/** Writes that are timed together: a single one is shorter than the clock's step. */
const WRITES = 50
const VALUE = 'x'.repeat(90)
const STRONG_LINES = 8
const ROUNDS = 3
const TIMEOUT_MS = 2000

const OUTAGES = ['stands still', 'is killed'] as const
type Outage = (typeof OUTAGES)[number]

export async function run(context: BenchContext): Promise<void> {
  const rows: (readonly string[])[] = []
  const kept: number[] = []
  for (const outage of OUTAGES) {
    const rounds: Measured[] = []
    for (let i = 0; i < context.size(ROUNDS, 1); i++) {
      const measured = await measure(context, outage)
      if (measured !== undefined) rounds.push(measured)
    }
    const last = rounds.at(-1)
    if (last === undefined) continue
    rows.push([`NATS ${outage}`, ...last.cells])
    for (const mode of ['local', 'free'] as const)
      kept.push(
        quantile(
          rounds.map((round) => round.kept[mode]),
          0.5,
        ),
      )
  }
  if (rows.length === 0) {
    context.report('nothing was measured', ['', ''], [['there is no server', 'scripts/servers install nats']])
    return
  }
  const head = ['', 'a local write before', 'meanwhile', 'an eventual write before', 'meanwhile', 'strong calls']
  const more = ['refused', 'unknown', 'longest', 'caught up after', 'MB before', 'MB after']
  context.report(
    `NATS is away for ${outageMs(context) / 1000} s: the last of ${ROUNDS} rounds`,
    [...head, ...more],
    rows,
  )
  const least = Math.min(...kept)
  context.goal('speed meanwhile ÷ before, median of rounds, the least', least, { atLeast: 0.9 })
}

function outageMs(context: BenchContext): number {
  return context.size(10_000, 500)
}

interface Measured {
  /** Of local and of eventual writes: their speed meanwhile, in units of that before. */
  readonly kept: Readonly<Record<'local' | 'free', number>>
  readonly cells: readonly string[]
}

async function measure(context: BenchContext, outage: Outage): Promise<Measured | undefined> {
  const server = await PrivateServer.startIfAny('nats')
  if (server === undefined) return undefined
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('unhandledRejection', note)
  const other = new ChildProgram<OrderProgram>('bench/order')
  await other.ask('open', { servers: server.url })
  const warp = await openWarp({
    ...{ keys: ORDER_KEYS, strong: { timeoutMs: TIMEOUT_MS } },
    order: natsOrderedLog({ servers: server.url, stream: ORDER_NAMES.stream }),
    transports: [natsTransport({ servers: server.url, subject: ORDER_NAMES.subject })],
  })
  try {
    const load = new Load(warp)
    const strong = new StrongLoad(warp)
    // V8 has compiled what it runs.
    await load.runFor(context.size(5000, 100))
    const before = await load.runFor(outageMs(context))
    const bytesBefore = retainedBytes()
    if (outage === 'stands still') server.stand()
    else await server.kill()
    const during = await load.runFor(outageMs(context))
    const sinceMs = performance.now()
    if (outage === 'stands still') server.goOn()
    else await server.startAgain()
    await strong.end()
    const [key, value] = load.last
    await other.ask('sees', { key, value })
    const caughtUpMs = performance.now() - sinceMs
    const written = await strong.writtenCount()
    for (const count of [await countOnceUp(warp), await other.ask('count')])
      context.check(count === written, `the strong counter is ${count}, and ${written} increments count`)
    context.check(unhandled.length === 0, `unhandled rejections: ${String(unhandled[0])}`)
    context.check(strong.longestMs < TIMEOUT_MS + 1000, `a strong call took ${strong.longestMs.toFixed(0)} ms`)
    const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)
    const { local, free } = during
    return {
      kept: { local: before.localShare / during.localShare, free: before.freeShare / during.freeShare },
      cells: [
        ...[before.local, local, before.free, free].map((ns) => formatNs(ns)),
        ...[strong.callsCount, strong.refusedCount, strong.unknown.length].map(String),
        ...[`${strong.longestMs.toFixed(0)} ms`, `${(caughtUpMs / 1000).toFixed(1)} s`],
        ...[megabytes(bytesBefore), megabytes(retainedBytes())],
      ],
    }
  } finally {
    await warp.close()
    await other.end()
    process.off('unhandledRejection', note)
    await server.close()
  }
}

/**
 * What one write takes, in nanoseconds, and in units of plain work that was timed beside it: machines get slower and
 * faster as they please, and before and meanwhile are two times. Medians.
 */
interface Period {
  readonly local: number
  readonly free: number
  readonly localShare: number
  readonly freeShare: number
}

/** Writes keys of the replica's own and shared ones, some ten thousand in a second. */
class Load {
  readonly #warp: Warp<typeof ORDER_KEYS>
  readonly #plain = new Map<number, string>()
  #number = 0

  constructor(warp: Warp<typeof ORDER_KEYS>) {
    this.#warp = warp
  }

  /** The last eventual write. */
  get last(): readonly [key: `free:${number}`, value: string] {
    return [`free:${this.#number % KEYS_COUNT}`, `${this.#number}${VALUE}`]
  }

  async runFor(ms: number): Promise<Period> {
    const [local, free, localShare, freeShare]: [number[], number[], number[], number[]] = [[], [], [], []]
    const until = performance.now() + ms
    while (performance.now() < until) {
      const plainNs = await this.#time((key, value) => Promise.resolve(this.#plain.set(key, JSON.stringify({ value }))))
      const localNs = await this.#time((key, value) => this.#warp.set(`own:${key}`, value))
      const freeNs = await this.#time((key, value) => this.#warp.set(`free:${key}`, value))
      local.push(localNs)
      free.push(freeNs)
      localShare.push(localNs / plainNs)
      freeShare.push(freeNs / plainNs)
      await pause(5)
    }
    const median = (times: readonly number[]): number => quantile(times, 0.5)
    return {
      ...{ local: median(local), free: median(free) },
      ...{ localShare: median(localShare), freeShare: median(freeShare) },
    }
  }

  async #time(write: (key: number, value: string) => Promise<unknown>): Promise<number> {
    const since = process.hrtime.bigint()
    for (let i = 0; i < WRITES; i++) {
      this.#number++
      await write(this.#number % KEYS_COUNT, `${this.#number}${VALUE}`)
    }
    return Number(process.hrtime.bigint() - since) / WRITES
  }
}

/** Increments a strong counter all the time, some three hundred times in a second, until `end`. */
class StrongLoad {
  readonly unknown: Dot[] = []
  callsCount = 0
  refusedCount = 0
  longestMs = 0
  #okCount = 0
  #isOver = false
  readonly #warp: Warp<typeof ORDER_KEYS>
  readonly #lines: Promise<unknown>

  constructor(warp: Warp<typeof ORDER_KEYS>) {
    this.#warp = warp
    this.#lines = Promise.all(Array.from({ length: STRONG_LINES }, () => this.#line()))
  }

  /** Once strong writes are done again. */
  async end(): Promise<void> {
    const before = this.#okCount
    while (this.#okCount < before + STRONG_LINES) await pause(5)
    this.#isOver = true
    await this.#lines
  }

  /** How many count, also of those whose answers were lost. */
  async writtenCount(): Promise<number> {
    const became = await Promise.all(this.unknown.map((dot) => this.#warp.resolve(dot)))
    return this.#okCount + became.filter(({ kind }) => kind === 'ok').length
  }

  async #line(): Promise<void> {
    while (!this.#isOver) {
      const sinceMs = performance.now()
      this.callsCount++
      try {
        await this.#warp.key('count:1').increment()
        this.#okCount++
      } catch (error) {
        if (!isWarpError(error) || error.outcome === undefined) throw error
        if (error.outcome === 'failed') this.refusedCount++
        else this.unknown.push(error.details as unknown as Dot)
      }
      this.longestMs = Math.max(this.longestMs, performance.now() - sinceMs)
      await pause(20)
    }
  }
}
