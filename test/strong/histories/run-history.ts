/** One history of strong keys: clients at three replicas of a broker, and the trouble that they meet. */
import { setTimeout as pause } from 'node:timers/promises'
import { openWarp } from '../../../adapters/node/index.ts'
import { register } from '../../../crdt/index.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { OrderedLog } from '../../../src/ports/ordered-log.ts'
import type { HistoryEvent, Process } from '../../../testing/history/history.ts'
import { HistoryRecorder, type OpenCall } from '../../../testing/history/recorder.ts'
import { seededRandom, type Random } from '../../../testing/world/random.ts'
import type { Broker, BrokerNode, BrokerWay } from './brokers.ts'

const CLIENTS = 8
const CALLS = 25
const KEYS = { 'k:*': { strategy: register<number>(), mode: 'strong' } } as const
/** Who has no answer after that says so, and goes on. */
const STRONG = { timeoutMs: 2000 }

type Key = `k:${number}`
export type Replica = Awaited<ReturnType<typeof openReplica>>

export interface HistoryOptions {
  readonly seed: number
  /** A server goes for a while, once the clients have begun. */
  readonly isServerEnded: boolean
}

/** What was done to them. */
export interface Trouble {
  /** So many times answers came late, and were lost. */
  late: number
  lost: number
  /** Replicas. */
  replaced: number
  /** Servers. */
  ended: number
}

export interface HistoryRun {
  readonly events: readonly HistoryEvent[]
  readonly trouble: Trouble
}

export function openReplica(order: OrderedLog, strong: { readonly timeoutMs?: number } = {}) {
  return openWarp({ keys: KEYS, order, strong })
}

export async function runHistory(broker: Broker, { seed, isServerEnded }: HistoryOptions): Promise<HistoryRun> {
  const random = seededRandom(seed)
  const log = `history-${seed}`
  const places = await Promise.all([0, 1, 2].map(async (i) => Place.open(await broker.way(log, i))))
  const recorder = new HistoryRecorder(() => Math.round(performance.now()))
  const trouble: Trouble = { late: 0, lost: 0, replaced: 0, ended: 0 }
  let isOver = false
  const clients = Array.from({ length: CLIENTS }, (_, i) =>
    client(recorder, { name: i, place: places[i % 3] as Place, random: random.fork(`client ${i}`) }),
  )
  const troubles = [troubleAnswers(recorder, places, { trouble, random: random.fork('trouble'), isOver: () => isOver })]
  const node = broker.nodes[random.below(Math.max(1, broker.nodes.length))]
  if (isServerEnded && node !== undefined)
    troubles.push(troubleServer(node, { trouble, random: random.fork('server') }))
  await Promise.all(clients)
  isOver = true
  await Promise.all(troubles)
  await Promise.all(places.map((place) => place.close()))
  return { events: recorder.history().events, trouble }
}

/** Where clients call: a replica, with proxies between it and its servers. */
class Place {
  readonly #way: BrokerWay
  warp: Replica

  private constructor(way: BrokerWay, warp: Replica) {
    this.#way = way
    this.warp = warp
  }

  static async open(way: BrokerWay): Promise<Place> {
    return new Place(way, await openReplica(way.order(), STRONG))
  }

  /** The servers are asked from now on, and what they say waits. */
  holdAnswers(): void {
    for (const proxy of this.#way.proxies) proxy.holdAnswers()
  }

  /** What waits comes late or is lost. */
  goOn(then: 'late' | 'lost'): void {
    for (const proxy of this.#way.proxies) {
      if (then === 'lost') proxy.cut()
      proxy.release()
    }
  }

  /** Another replica, which knows nothing, in the place of the one that is here. */
  async replace(): Promise<void> {
    const former = this.warp
    this.warp = await openReplica(this.#way.order(), STRONG)
    await former.close()
  }

  async close(): Promise<void> {
    await this.warp.close()
    for (const proxy of this.#way.proxies) await proxy.close()
  }
}

interface Client {
  readonly name: number
  readonly place: Place
  readonly random: Random
}

async function client(recorder: HistoryRecorder, { name, place, random }: Client): Promise<void> {
  for (let i = 0; i < CALLS; i++) {
    const key = keyOf(random)
    const value = name * 1000 + i
    const { warp } = place
    const kind = random.below(4)
    if (kind === 0) {
      await read(recorder, { process: name, key, warp })
    } else if (kind === 1) {
      await end(recorder.invoke(name, { f: 'write', key, value }), async () => {
        await warp.set(key, value)
        return null
      })
    } else {
      const known = warp.peek(key) ?? null
      const call = { f: 'cas', key, value: [known, value] }
      await end(recorder.invoke(name, call), async () => {
        const expected = known === null ? 'absent' : { value: known }
        return (await warp.tryCompareAndSet(key, expected, value)).kind === 'ok'
      })
    }
  }
}

interface Read {
  readonly process: Process
  readonly key: Key
  readonly warp: Replica
}

function read(recorder: HistoryRecorder, { process, key, warp }: Read): Promise<void> {
  return end(recorder.invoke(process, { f: 'read', key }), async () => (await warp.get(key)) ?? null)
}

function keyOf(random: Random): Key {
  return `k:${random.below(2)}`
}

async function end(call: OpenCall, body: () => Promise<number | boolean | null>): Promise<void> {
  try {
    call.ok(await body())
  } catch (error) {
    if (isWarpError(error) && error.outcome === 'failed' && error.code !== 'WARP_E_CLOSED') call.failed()
    else call.indeterminate()
  }
}

interface TroubleOptions {
  readonly trouble: Trouble
  readonly random: Random
}

/**
 * Answers are held back, all the time, and come late or are lost. Somebody begins to read meanwhile, while others go on:
 * a replica that reads by what it knew before reads what is old. Now and then a replica goes.
 */
async function troubleAnswers(
  recorder: HistoryRecorder,
  places: readonly Place[],
  { trouble, random, isOver }: TroubleOptions & { readonly isOver: () => boolean },
): Promise<void> {
  while (!isOver()) {
    const place = places[random.below(places.length)] as Place
    const then = random.below(2) === 0 ? 'late' : 'lost'
    place.holdAnswers()
    await pause(10 + random.below(30))
    const reading = read(recorder, { process: 'reader', key: keyOf(random), warp: place.warp })
    await pause(10 + random.below(30))
    place.goOn(then)
    trouble[then]++
    await reading
    if (random.below(10) === 0) {
      const isReplaced = await place.replace().then(
        () => true,
        () => false,
      )
      if (isReplaced) trouble.replaced++
    }
    await pause(30 + random.below(120))
  }
}

async function troubleServer(node: BrokerNode, { trouble, random }: TroubleOptions): Promise<void> {
  await pause(random.below(300))
  await node.end(random.below(2) === 0 ? 'SIGKILL' : 'SIGTERM')
  trouble.ended++
  await pause(500 + random.below(1000))
  await node.startAgain()
}
