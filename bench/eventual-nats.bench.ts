/**
 * Eventual writes over NATS core, from `set` on one replica until another one has applied them, against bare messages of
 * as many bytes: operations that are ready are put together in batches and published, and the receiver counts them.
 */
import { ChildProgram } from '../test/support/child-program.ts'
import type { CarrierProgram } from './carrier-process.ts'
import type { MeshProgram } from './mesh-process.ts'
import type { BenchContext } from './support/bench.ts'
import { freshName, serverOf } from './support/engines.ts'
import type { Running } from './support/measure.ts'

export const question = 'How many eventual writes a second go over NATS core, against bare batches that are counted?'

const OPERATION_BYTES = 256
/** Of an envelope beyond its text: header, key of eight characters, length of the text. */
const ENVELOPE_BYTES = 34
const KEYS = 1000
/** Operations under way: 4 MiB. */
const WINDOW = 16_384
const PER_TURN = 512

export async function run(context: BenchContext): Promise<void> {
  const servers = serverOf('nats')
  if (servers === undefined) {
    context.report('nothing was measured', ['', ''], [['there is no server', 'scripts/servers start nats']])
    return
  }
  const operations = context.size(200_000, 2048)
  for (const batchKiB of [256, 16, 4]) {
    const course = { servers, batchBytes: batchKiB * 1024, operations: operations - (operations % 1024) }
    const single = { ...course, batchBytes: OPERATION_BYTES }
    const [bare, warp] = ['bare batches', 'Warp, from write to applied']
    await context.compare({
      title: `operations of ${OPERATION_BYTES} bytes, in batches of ${batchKiB} KiB`,
      baseline: bare,
      operations: course.operations,
      ...{ batches: 1, rounds: 5, warmups: 1, fresh: true },
      contestants: [
        { name: bare, open: () => openBare(course) },
        { name: 'bare, a message for each operation', open: () => openBare(single) },
        { name: warp, open: () => openWarp(course) },
      ],
      goals: [{ of: warp, atLeast: 0.4 }],
    })
  }
}

interface Course {
  readonly servers: string
  readonly batchBytes: number
  readonly operations: number
}

/** Timed once it has done the same work once: a process is fast only when it has run for a while. */
async function openBare({ servers, batchBytes, operations }: Course): Promise<Running> {
  const sender = new ChildProgram<CarrierProgram>('bench/carrier')
  const receiver = new ChildProgram<CarrierProgram>('bench/carrier')
  await sender.ask('open', { nats: servers, peers: [] })
  const perFrame = batchBytes / OPERATION_BYTES
  const window = WINDOW / perFrame
  const credit = { port: await sender.ask('creditPort'), every: Math.max(1, PER_TURN / perFrame) }
  await receiver.ask('open', { nats: servers, peers: [], credit })
  const frames = operations / perFrame
  const perTurn = Math.max(1, PER_TURN / perFrame)
  let sent = 0
  const batch = async (): Promise<void> => {
    sent += frames
    await sender.ask('send', {
      frames,
      window,
      perTurn,
      ...{ frameBytes: batchBytes, operationBytes: OPERATION_BYTES },
    })
  }
  await batch()
  return {
    batch,
    async verify() {
      const arrived = await receiver.ask('arrivedCount')
      if (arrived !== sent) throw new Error(`${arrived} of ${sent} batches have arrived`)
    },
    close: async () => {
      await Promise.all([sender.end(), receiver.end()])
    },
  }
}

async function openWarp({ servers, batchBytes, operations }: Course): Promise<Running> {
  const sender = new ChildProgram<MeshProgram>('bench/mesh')
  const receiver = new ChildProgram<MeshProgram>('bench/mesh')
  const over = { engine: 'nats', at: servers, name: freshName() } as const
  const replication = { batchBytes, inboxFramesMax: 100_000 }
  await sender.ask('open', { peers: [], over, replication })
  const credit = { port: await sender.ask('creditPort'), every: WINDOW / 4 }
  await receiver.ask('open', { peers: [], over, replication, credit })
  await Promise.all([sender.ask('met', { count: 1 }), receiver.ask('met', { count: 1 })])
  const textBytes = OPERATION_BYTES - ENVELOPE_BYTES
  const writing = { operations, keys: KEYS, kind: 'note', textBytes, perTurn: PER_TURN, window: WINDOW } as const
  let written = 0
  const batch = async (): Promise<void> => {
    written += operations
    await sender.ask('write', writing)
    await receiver.ask('applied', { count: written })
  }
  await batch()
  return {
    batch,
    async verify() {
      const keys = await receiver.ask('keysCount')
      if (keys !== Math.min(KEYS, operations)) throw new Error(`${keys} keys have arrived`)
    },
    close: async () => {
      await Promise.all([sender.end(), receiver.end()])
    },
  }
}
