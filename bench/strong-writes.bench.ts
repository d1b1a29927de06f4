/**
 * Strong writes against the bare client of the same broker: JetStream publishes that are acknowledged,
 * as many under way, of as many bytes. A strong write goes to the log, comes back, is judged and applied,
 * and only then its promise settles. And linearizable reads: one barrier serves all that wait.
 */
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { memoryOrderedLog } from '../adapters/memory/index.ts'
import { natsOrderedLog } from '../adapters/nats/index.ts'
import { openWarp } from '../adapters/node/index.ts'
import { register } from '../crdt/index.ts'
import type { OrderedLog } from '../src/ports/ordered-log.ts'
import type { BenchContext } from './support/bench.ts'
import { freshName, serverOf } from './support/engines.ts'
import type { Contestant, Running } from './support/measure.ts'

export const question = 'What does a strong write cost, against a bare publish that is acknowledged?'

const UNDER_WAY = 256
const VALUE = 'x'.repeat(100)
const KEYS = { 'k:*': { strategy: register<string>(), mode: 'strong', retain: 'latest' } } as const
const BARE = 'JetStream publish, 256 under way'
const STRONG = 'Warp set on JetStream, 256 under way'

export async function run(context: BenchContext): Promise<void> {
  const nats = serverOf('nats')
  const operations = context.size(10_000, UNDER_WAY)
  if (nats === undefined)
    console.error('strong-writes: NATS IS NOT RUNNING, only the log in memory is measured: scripts/servers start nats')
  const rivals: Contestant[] =
    nats === undefined
      ? []
      : [
          { name: BARE, open: () => bare(nats, operations) },
          { name: STRONG, open: () => strong(operations, () => logOn(nats)) },
        ]
  const memory = { name: 'Warp set on memoryOrderedLog', open: () => strong(operations, () => memoryOrderedLog()) }
  await context.compare({
    title: `writes of 100 bytes, ${nats === undefined ? 'no NATS to compare with' : 'one server with JetStream'}`,
    baseline: rivals[0]?.name ?? memory.name,
    operations,
    batches: 2,
    rounds: 5,
    goals: nats === undefined ? [] : [{ of: STRONG, atLeast: 0.5 }],
    contestants: [...rivals, memory],
  })
  if (nats !== undefined) await reads(context, nats)
}

async function bare(servers: string, operations: number): Promise<Running> {
  const connection = await connect({ servers })
  const manager = await jetstreamManager(connection)
  const stream = freshName()
  await manager.streams.add({ name: stream, subjects: [`${stream}.>`] })
  const publisher = jetstream(connection)
  const payload = new TextEncoder().encode(VALUE)
  let published = 0
  return {
    batch: () => inFlight(operations, async () => void (await publisher.publish(`${stream}.0`, payload))),
    async verify() {
      published = (await manager.streams.info(stream)).state.messages
      if (published === 0 || published % operations !== 0) throw new Error(`${published} messages are there`)
    },
    async close() {
      await manager.streams.delete(stream)
      await connection.close()
    },
  }
}

async function strong(operations: number, log: () => OrderedLog): Promise<Running> {
  const warp = await openWarp({ keys: KEYS, order: log() })
  let count = 0
  return {
    batch: () => inFlight(operations, async () => void (await warp.set(`k:${count++ % 1000}`, VALUE))),
    async verify() {
      if ((await warp.get('k:0')) !== VALUE) throw new Error('what was written is not there')
    },
    close: () => warp.close(),
  }
}

/** Keeps so many calls under way. */
async function inFlight(operations: number, call: () => Promise<void>): Promise<void> {
  let left = operations
  const line = async (): Promise<void> => {
    while (left-- > 0) await call()
  }
  await Promise.all(Array.from({ length: UNDER_WAY }, line))
}

async function reads(context: BenchContext, nats: string): Promise<void> {
  const operations = context.size(10_000, UNDER_WAY)
  const open = async (batch: (warp: Opened) => Promise<void>): Promise<Running> => {
    const warp = await openWarp({ keys: KEYS, order: logOn(nats) })
    await warp.set('k:0', VALUE)
    return {
      batch: () => batch(warp),
      async verify() {
        if ((await warp.get('k:0')) !== VALUE) throw new Error('what was written is not there')
      },
      close: () => warp.close(),
    }
  }
  const each = 'a barrier for each'
  const batched = 'linearizable reads, 256 under way'
  await context.compare({
    title: 'linearizable reads',
    baseline: each,
    operations,
    batches: 1,
    rounds: 3,
    goals: [{ of: batched, atLeast: 10 }],
    contestants: [
      {
        name: each,
        open: () =>
          open(async (warp) => {
            for (let i = 0; i < operations; i++) await warp.get('k:0')
          }),
      },
      { name: batched, open: () => open((warp) => inFlight(operations, async () => void (await warp.get('k:0')))) },
    ],
  })
}

type Opened = Awaited<ReturnType<typeof openWarp<typeof KEYS>>>

function logOn(servers: string): OrderedLog {
  return natsOrderedLog({ servers, stream: freshName() })
}
