/**
 * The same eventual writes over the mesh and over each broker that there is, and the same strong writes on
 * each ordered log: what docs/deployment.md decides by. Two processes on one machine, all on loopback.
 */
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { OrderedLog } from '../src/ports/ordered-log.ts'
import { ChildProgram } from '../test/support/child-program.ts'
import { PrivateServer } from '../test/support/private-server.ts'
import type { MeshProgram } from './mesh-process.ts'
import type { BenchContext } from './support/bench.ts'
import { ENGINES, freshName, serverOf, type EngineName } from './support/engines.ts'
import { quantile } from './support/measure.ts'
import { formatNs } from './support/table.ts'

export const question = 'What does a write cost over each transport, and on each ordered log?'

const ROUNDS = 3
/** Not counted: programs are fast only when they have run for a while. */
const WARMUPS = 500
const BYTES = 220
const PAUSE_MS = 2
/** Operations under way. */
const WINDOW = 16_384
const PER_TURN = 512
const UNDER_WAY = 256
const KEYS = { 'k:*': { strategy: register<string>(), mode: 'strong', retain: 'latest' } } as const

/** Where the server of each engine listens. */
type Urls = ReadonlyMap<EngineName, string>

/** What replicas meet over: a broker that listens there, or `undefined`, the mesh. */
type Carrier = { readonly engine: EngineName; readonly at: string } | undefined

export async function run(context: BenchContext): Promise<void> {
  const servers: PrivateServer[] = []
  const urls = new Map<EngineName, string>()
  for (const name of ['nats', 'redis'] as const) {
    const server = await PrivateServer.startIfAny(ENGINES[name].server)
    if (server === undefined) continue
    servers.push(server)
    urls.set(name, server.url)
  }
  // Three brokers take a while to start: those that are there.
  const kafka = serverOf('kafka')
  if (kafka === undefined) console.error('transports: KAFKA IS NOT RUNNING: scripts/servers start kafka')
  else urls.set('kafka', kafka)
  try {
    await eventual(context, urls)
    await strong(context, urls)
  } finally {
    for (const server of servers) await server.close()
  }
}

async function eventual(context: BenchContext, urls: Urls): Promise<void> {
  const operations = context.size(100_000, 2048)
  const carriers: readonly Carrier[] = [undefined, ...[...urls].map(([engine, at]) => ({ engine, at }))]
  const [rates, latencies] = [valuesOf(carriers), valuesOf(carriers)]
  for (let round = 0; round < context.size(ROUNDS, 1); round++) {
    for (const carrier of carriers) {
      rates.get(carrier)!.push(await writesPerSecond(carrier, operations))
      latencies.get(carrier)!.push(...(await roundTrips(context, carrier)))
    }
  }
  context.report(
    'eventual writes of 220 to 256 bytes, from one process to another',
    ['over', 'one way, median', 'p99', 'a second, from write to applied'],
    carriers.map((carrier) => {
      const times = latencies.get(carrier)!
      const oneWay = (share: number): string => formatNs(quantile(times, share) / 2)
      return [carrier?.engine ?? 'mesh', oneWay(0.5), oneWay(0.99), rounded(quantile(rates.get(carrier)!, 0.5))]
    }),
  )
}

async function strong(context: BenchContext, urls: Urls): Promise<void> {
  const engines = [...urls.keys()]
  const [alone, together] = [valuesOf(engines), valuesOf(engines)]
  for (let round = 0; round < context.size(ROUNDS, 1); round++) {
    for (const engine of engines) {
      const { times, perSecond } = await strongWrites(context, ENGINES[engine].order(urls.get(engine)!, freshName()))
      alone.get(engine)!.push(...times)
      together.get(engine)!.push(perSecond)
    }
  }
  context.report(
    'strong writes of 100 bytes: one NATS server, one Redis that flushes each write, three brokers of Kafka',
    ['on', 'one at a time, median', 'p99', `a second, ${UNDER_WAY} under way`],
    engines.map((engine) => {
      const times = alone.get(engine)!
      const [median, p99] = [formatNs(quantile(times, 0.5)), formatNs(quantile(times, 0.99))]
      return [engine, median, p99, rounded(quantile(together.get(engine)!, 0.5))]
    }),
  )
}

function valuesOf<Of>(all: readonly Of[]): Map<Of, number[]> {
  return new Map(all.map((one) => [one, []]))
}

function rounded(perSecond: number): string {
  return String(Number(perSecond.toPrecision(2)))
}

interface Pair {
  readonly one: ChildProgram<MeshProgram>
  readonly other: ChildProgram<MeshProgram>
  close(): Promise<void>
}

/** Two replicas that have met; the second tells the first how much has arrived. */
async function openPair(carrier: Carrier): Promise<Pair> {
  const [one, other] = [new ChildProgram<MeshProgram>('bench/mesh'), new ChildProgram<MeshProgram>('bench/mesh')]
  const over = carrier === undefined ? {} : { over: { ...carrier, name: freshName() } }
  const replication = { inboxFramesMax: 100_000 }
  const address = await one.ask('open', { peers: [], replication, ...over })
  const credit = { port: await one.ask('creditPort'), every: WINDOW / 4 }
  const peers = carrier === undefined ? [address] : []
  await other.ask('open', { peers, replication, credit, ...over })
  await Promise.all([one.ask('met', { count: 1 }), other.ask('met', { count: 1 })])
  return { one, other, close: async () => void (await Promise.all([one.end(), other.end()])) }
}

async function writesPerSecond(carrier: Carrier, operations: number): Promise<number> {
  const pair = await openPair(carrier)
  const writing = { operations, keys: 1000, kind: 'note', textBytes: BYTES, perTurn: PER_TURN, window: WINDOW } as const
  let seconds = 0
  for (let times = 1; times <= 2; times++) {
    const startedMs = performance.now()
    await pair.one.ask('write', writing)
    await pair.other.ask('applied', { count: operations * times })
    seconds = (performance.now() - startedMs) / 1000
  }
  await pair.close()
  return operations / seconds
}

async function roundTrips(context: BenchContext, carrier: Carrier): Promise<number[]> {
  const pair = await openPair(carrier)
  await pair.other.ask('answerPings')
  await pair.one.ask('roundTrips', { count: context.size(WARMUPS, 1), bytes: BYTES, pauseMs: 0 })
  const taken = await pair.one.ask('roundTrips', { count: context.size(300, 5), bytes: BYTES, pauseMs: PAUSE_MS })
  await pair.close()
  return taken
}

/** The times of single writes in nanoseconds, and how many there are a second while many are under way. */
async function strongWrites(
  context: BenchContext,
  order: OrderedLog,
): Promise<{ readonly times: readonly number[]; readonly perSecond: number }> {
  const warp = await openWarp({ keys: KEYS, order })
  const value = 'x'.repeat(100)
  let count = 0
  const write = (): Promise<unknown> => warp.set(`k:${count++ % 1000}`, value)
  const line = async (writes: number): Promise<void> => {
    for (let i = 0; i < writes; i++) await write()
  }
  const together = async (writes: number): Promise<number> => {
    const startedMs = performance.now()
    await Promise.all(Array.from({ length: UNDER_WAY }, () => line(writes)))
    return (UNDER_WAY * writes * 1000) / (performance.now() - startedMs)
  }
  await together(context.size(10, 1))
  const perSecond = await together(context.size(40, 1))
  const times: number[] = []
  for (let i = 0; i < context.size(300, 5); i++) {
    const startedMs = performance.now()
    await write()
    times.push((performance.now() - startedMs) * 1e6)
  }
  if ((await warp.get('k:0')) !== value) throw new Error('what was written is not there')
  await warp.close()
  return { times, perSecond }
}
