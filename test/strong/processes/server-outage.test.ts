/**
 * A NATS that goes away under load, stopped where it stands or killed: strong calls say in time what happened, the keys
 * of other modes go on, and afterwards everybody has everything.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { natsOrderedLog, natsTransport } from '../../../adapters/nats/index.ts'
import { openWarp, type Dot, type Warp } from '../../../adapters/node/index.ts'
import { counter } from '../../../crdt/index.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import { until } from '../../adapters/broker/log-client.ts'
import { byExtent } from '../../support/extent.ts'
import { NatsServers } from '../../support/nats-servers.ts'
import { describeOn } from '../../support/servers.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'

const OUTAGE_MS = byExtent({ some: 3000, all: 5000, soak: 10_000 })
/** What a strong call may take, and what a busy machine may add. */
const TIMEOUT_MS = 1000
const LATE_MS = 500
const STRONG_LINES = 8
const KEYS = {
  'stock:*': { strategy: counter(), mode: 'strong' },
  'visits:*': counter(),
  'own:*': { strategy: counter(), mode: 'local' },
} as const

type Kind = 'write' | 'read'

interface Call {
  readonly kind: Kind
  readonly begunMs: number
  readonly endedMs: number
  /** `ok`, or the code of the error. */
  readonly said: string
  readonly outcome?: string | undefined
  readonly dot?: Dot
}

/** One replica under load, and the two ways on which it reaches NATS. */
class Loaded {
  readonly calls: Call[] = []
  readonly counts = { visits: 0, own: 0 }
  readonly warp: Warp<typeof KEYS>
  readonly proxies: readonly TcpProxy[]
  #isOver = false
  #lines: Promise<unknown> = Promise.resolve()

  private constructor(warp: Warp<typeof KEYS>, proxies: readonly TcpProxy[]) {
    this.warp = warp
    this.proxies = proxies
  }

  static async open(server: string): Promise<Loaded> {
    const ways = [await TcpProxy.before(server), await TcpProxy.before(server)]
    const [order, transport] = ways.map(({ url }) => url) as [string, string]
    const warp = await openWarp({
      ...{ keys: KEYS, strong: { timeoutMs: TIMEOUT_MS } },
      order: natsOrderedLog({ servers: order, stream: 'away' }),
      transports: [natsTransport({ servers: transport, subject: 'away', heartbeatMs: 200 })],
    })
    const loaded = new Loaded(
      warp,
      ways.map(({ proxy }) => proxy),
    )
    onTestFinished(async () => {
      await warp.close()
      await Promise.all(loaded.proxies.map((proxy) => proxy.close()))
    })
    return loaded
  }

  begin(): void {
    const strong = Array.from({ length: STRONG_LINES }, (_, i) => this.#strong(i % 4 === 0 ? 'read' : 'write'))
    this.#lines = Promise.all([...strong, this.#others()])
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#lines
  }

  /** How often somebody has tried to connect. */
  get connectionsCounts(): readonly number[] {
    return this.proxies.map(({ connectionsCount }) => connectionsCount)
  }

  async #strong(kind: Kind): Promise<void> {
    const key = this.warp.key('stock:1')
    while (!this.#isOver) {
      const begunMs = performance.now()
      const end = (said: string, more: Partial<Call> = {}): void =>
        void this.calls.push({ ...{ kind, begunMs, endedMs: performance.now(), said }, ...more })
      try {
        await (kind === 'read' ? key.get() : key.increment())
        end('ok')
      } catch (error) {
        if (!isWarpError(error)) throw error
        const { replica, sequence } = error.details as unknown as Dot
        end(error.code, { outcome: error.outcome, dot: { replica, sequence } })
      }
      await pause(5)
    }
  }

  async #others(): Promise<void> {
    while (!this.#isOver) {
      for (let i = 0; i < 20; i++) {
        await this.warp.key('visits:1').increment()
        await this.warp.key('own:1').increment()
        this.counts.visits++
        this.counts.own++
      }
      await pause(5)
    }
  }
}

describeOn('nats', 'a NATS that goes away under load', () => {
  test.each(['stands still', 'is killed'] as const)(
    'and %s: strong calls say in time what happened, others go on, and all catch up',
    async (how) => {
      const unhandled: unknown[] = []
      const note = (error: unknown): void => void unhandled.push(error)
      process.on('unhandledRejection', note)
      onTestFinished(() => void process.off('unhandledRejection', note))
      const servers = await NatsServers.single()
      onTestFinished(() => servers.close())
      const { node } = servers
      const both = [await Loaded.open(node.url), await Loaded.open(node.url)]
      const okCount = (): number[] => both.map(({ calls }) => calls.filter(({ said }) => said === 'ok').length)
      const goesOn = async (): Promise<void> => {
        const before = okCount()
        await until(() => okCount().every((count, i) => count >= before[i]! + 100))
      }
      for (const one of both) one.begin()
      await goesOn()

      const before = both.map(({ counts }) => counts.visits)
      if (how === 'stands still') node.stand()
      else await node.end('SIGKILL')
      const connections = both.flatMap((one) => one.connectionsCounts)
      const awayMs = performance.now()
      await pause(OUTAGE_MS)
      const backMs = performance.now()
      const tries = both.flatMap((one) => one.connectionsCounts).map((count, i) => count - connections[i]!)
      const meanwhile = both.map(({ counts }, i) => counts.visits - before[i]!)
      if (how === 'stands still') node.goOn()
      else await node.startAgain()
      await goesOn()
      await Promise.all(both.map((one) => one.end()))

      const calls = both.flatMap((one) => one.calls)
      const longestMs = Math.max(...calls.map(({ begunMs, endedMs }) => endedMs - begunMs))
      expect(longestMs).toBeLessThan(TIMEOUT_MS + LATE_MS)
      const failed = calls.filter(({ said }) => said !== 'ok')
      const said = new Set(failed.map(({ kind, said: code, outcome }) => `${kind} ${code} ${outcome}`))
      const known = [
        ...['write WARP_E_TRANSPORT failed', 'write WARP_E_INDETERMINATE indeterminate'],
        ...['read WARP_E_TRANSPORT failed'],
      ]
      expect([...said].filter((one) => !known.includes(one))).toEqual([])
      // What was sent to one that stands still may have come there.
      const first =
        how === 'stands still' ? 'write WARP_E_INDETERMINATE indeterminate' : 'write WARP_E_TRANSPORT failed'
      expect(said.has(first)).toBe(true)
      // Nobody answers, so nobody may say that it was done.
      const done = calls.filter((one) => one.said === 'ok' && one.begunMs > awayMs && one.endedMs < backMs)
      expect(done).toEqual([])
      // Each line has tried again and again.
      expect(failed.length).toBeGreaterThan(both.length * STRONG_LINES)
      for (const count of meanwhile) expect(count).toBeGreaterThan(100)
      for (const count of tries) expect(count).toBeLessThanOrEqual(Math.ceil(OUTAGE_MS / 1000) + 1)

      const written = calls.filter(({ kind, said: code }) => kind === 'write' && code === 'ok').length
      const open = failed.filter(({ outcome }) => outcome === 'indeterminate')
      const resolved = await Promise.all(open.map(({ dot }, i) => both[i % 2]!.warp.resolve(dot!)))
      expect(resolved.filter(({ kind }) => kind === 'forgotten')).toEqual([])
      const stock = written + resolved.filter(({ kind }) => kind === 'ok').length
      const visits = both[0]!.counts.visits + both[1]!.counts.visits
      for (const { warp, counts } of both) {
        expect(await warp.get('stock:1')).toBe(stock)
        expect(await warp.get('own:1')).toBe(counts.own)
        await expect.poll(() => warp.get('visits:1'), { timeout: 60_000 }).toBe(visits)
      }
      expect(unhandled).toEqual([])
      console.info(
        `${how}: ${written} written, ${failed.length} refused or unknown, of which ${open.length} were asked about; ` +
          `the longest call took ${longestMs.toFixed(0)} ms; tries to connect in ${OUTAGE_MS} ms: ${tries.join(', ')}`,
      )
    },
  )
})
