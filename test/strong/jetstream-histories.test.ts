/**
 * Histories of strong keys on a real JetStream cluster of three: clients at three replicas, whose answers
 * get lost on the way, while servers are killed and replicas are replaced. Every history has to be
 * linearizable. `EXTENT=soak` runs 200 of them; `HISTORIES=folder` keeps each as text, for other checkers.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { natsOrderedLog } from '../../adapters/nats/index.ts'
import { openWarp } from '../../adapters/node/index.ts'
import { register } from '../../crdt/index.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { formatHistory } from '../../testing/history/history-text.ts'
import { HistoryRecorder, type OpenCall } from '../../testing/history/recorder.ts'
import { checkLinearizability } from '../../testing/linearizability/check-linearizability.ts'
import { registerModel } from '../../testing/linearizability/models.ts'
import { seededRandom, type Random } from '../../testing/world/random.ts'
import { byExtent } from '../support/extent.ts'
import { type NatsNode, NatsServers } from '../support/nats-servers.ts'
import { describeOn } from '../support/servers.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const HISTORIES = byExtent({ some: 2, all: 10, soak: 200 })
const ROUNDS = byExtent({ some: 20, all: 200, soak: 1000 })
const SEED = Number(process.env['SEED'] ?? 1)
const CLIENTS = 8
const CALLS = 25
const KEYS = { 'k:*': { strategy: register<number>(), mode: 'strong' } } as const
const TEST_MS = byExtent({ some: 300_000, all: 1_800_000, soak: 7_200_000 })

type Replica = Awaited<ReturnType<typeof openWarp<typeof KEYS>>>

describeOn('nats', 'strong keys on a JetStream cluster of three', () => {
  let servers: NatsServers

  beforeAll(async () => {
    servers = await NatsServers.cluster()
  }, TEST_MS)
  afterAll(() => servers.close(), TEST_MS)

  test(
    'every history is linearizable, though answers are lost, servers are killed and replicas replaced',
    async () => {
      let indeterminate = 0
      let calls = 0
      for (let i = 0; i < HISTORIES; i++) {
        const seed = SEED + i
        const recorder = await runHistory(servers, seed)
        const history = { header: { note: `seed ${seed}` }, events: recorder.history().events }
        keep(seed, formatHistory(history))
        const verdict = checkLinearizability(history, registerModel)
        expect(verdict.kind === 'violation' ? `seed ${seed}: ${verdict.text}` : verdict.kind).toBe('linearizable')
        calls += history.events.filter(({ type }) => type === 'invoke').length
        indeterminate += history.events.filter(({ type }) => type === 'info').length
      }
      console.info(`${HISTORIES} histories, ${calls} calls, ${indeterminate} indeterminate`)
    },
    TEST_MS,
  )

  test(
    'of six contenders that expect the same version one wins at most',
    async () => {
      const order = { servers: servers.urls, stream: `rounds-${SEED}` }
      const replicas = await Promise.all([0, 1, 2].map(() => openWarp({ keys: KEYS, order: natsOrderedLog(order) })))
      try {
        let version = 0
        for (let round = 1; round <= ROUNDS; round++) {
          const expected = { version }
          const tries = Array.from({ length: 6 }, (_, i) =>
            (replicas[i % 3] as Replica).tryCompareAndSet('k:1', expected, round * 10 + i),
          )
          const won = (await Promise.all(tries)).filter(({ kind }) => kind === 'ok')
          expect(won, `round ${round}`).toHaveLength(1)
          version = (await (replicas[round % 3] as Replica).getVersioned('k:1')).version
        }
      } finally {
        await Promise.all(replicas.map((one) => one.close()))
      }
    },
    TEST_MS,
  )
})

async function runHistory(servers: NatsServers, seed: number): Promise<HistoryRecorder> {
  const random = seededRandom(seed)
  const places = await Promise.all([0, 1, 2].map((i) => Place.open(servers, { seed, node: i })))
  const recorder = new HistoryRecorder(() => Math.round(performance.now()))
  let isOver = false
  const clients = Array.from({ length: CLIENTS }, (_, i) =>
    client(recorder, { name: i, place: places[i % 3] as Place, random: random.fork(`client ${i}`) }),
  )
  const trouble = makeTrouble(servers, places, { random: random.fork('trouble'), isOver: () => isOver })
  await Promise.all(clients)
  isOver = true
  await trouble
  await Promise.all(places.map((place) => place.close()))
  return recorder
}

/** Where clients call: a replica, with a proxy between it and its server. */
class Place {
  readonly proxy: TcpProxy
  readonly #stream: string
  readonly #url: string
  warp!: Replica

  private constructor(proxy: TcpProxy, url: string, stream: string) {
    this.proxy = proxy
    this.#url = url
    this.#stream = stream
  }

  static async open(
    servers: NatsServers,
    { seed, node }: { readonly seed: number; readonly node: number },
  ): Promise<Place> {
    const { proxy, url } = await TcpProxy.before(servers.urls[node] as string)
    const place = new Place(proxy, url, `history-${seed}`)
    await place.replace()
    return place
  }

  /** Another replica, which knows nothing, in the place of the one that is here. */
  async replace(): Promise<void> {
    const former = this.warp as Replica | undefined
    const connect = { ignoreClusterUpdates: true }
    const order = natsOrderedLog({ servers: this.#url, stream: this.#stream, connect })
    this.warp = await openWarp({ keys: KEYS, order, strong: { timeoutMs: 2000 } })
    await former?.close()
  }

  async close(): Promise<void> {
    await this.warp.close()
    await this.proxy.close()
  }
}

interface Client {
  readonly name: number
  readonly place: Place
  readonly random: Random
}

async function client(recorder: HistoryRecorder, { name, place, random }: Client): Promise<void> {
  for (let i = 0; i < CALLS; i++) {
    const key = `k:${random.below(2)}` as const
    const value = name * 1000 + i
    const { warp } = place
    const kind = random.below(4)
    if (kind === 0) {
      await end(recorder.invoke(name, { f: 'read', key }), async () => (await warp.get(key)) ?? null)
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

async function end(call: OpenCall, body: () => Promise<number | boolean | null>): Promise<void> {
  try {
    call.ok(await body())
  } catch (error) {
    if (isWarpError(error) && error.outcome === 'failed' && error.code !== 'WARP_E_CLOSED') call.failed()
    else call.indeterminate()
  }
}

/** Answers are held back and then lost, all the time; now and then a server or a replica goes. */
async function makeTrouble(
  servers: NatsServers,
  places: readonly Place[],
  { random, isOver }: { readonly random: Random; readonly isOver: () => boolean },
): Promise<void> {
  const node = random.below(4) === 0 ? servers.nodes[random.below(3)] : undefined
  const server = node === undefined ? undefined : away(node, random)
  while (!isOver()) {
    const place = places[random.below(places.length)] as Place
    place.proxy.holdAnswers()
    await pause(20 + random.below(60))
    place.proxy.cut()
    place.proxy.release()
    if (random.below(10) === 0) await place.replace().catch(() => undefined)
    await pause(30 + random.below(120))
  }
  await server
}

async function away(node: NatsNode, random: Random): Promise<void> {
  await node.end(random.below(2) === 0 ? 'SIGKILL' : 'SIGTERM')
  await pause(500 + random.below(1000))
  await node.startAgain()
}

function keep(seed: number, text: string): void {
  const folder = process.env['HISTORIES']
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  writeFileSync(path.join(folder, `strong-${seed}.jsonl`), text)
}
