/**
 * Operations per second from one process to another, in batches: over streams, and in datagrams of
 * at most 1,200 bytes. The rival packs prepared operations into frames of the same size, sends them
 * through a bare socket, and counts the frames that arrive. Warp is shown twice: with frames
 * prepared as well, where applying is what counts, and all the way from `set` here to applied
 * there.
 */
import type { BareProgram } from './bare-process.ts'
import type { MeshProgram } from './mesh-process.ts'
import type { BenchContext } from './support/bench.ts'
import type { Contestant, Running } from './support/measure.ts'
import { ChildProgram } from '../test/support/child-program.ts'

export const question =
  'How many operations a second does the mesh carry and apply, against bare sockets that only count?'

/** Of an envelope beyond its text: header, key of eight characters, length of the text. */
const ENVELOPE_BYTES = 34
const KEYS = 1000

interface Course {
  readonly over: 'streams' | 'datagrams'
  readonly operations: number
  readonly operationBytes: number
  readonly batchBytes: number
  /** Operations under way. */
  readonly window: number
  readonly perTurn: number
}

export async function run(context: BenchContext): Promise<void> {
  const streams = { over: 'streams', batchBytes: 256 * 1024, perTurn: 512 } as const
  const datagrams = { over: 'datagrams', batchBytes: 1024, perTurn: 64 } as const
  await compare(context, {
    ...streams,
    operations: context.size(200_000, 2000),
    operationBytes: 256,
    window: 16_384,
  })
  await compare(context, {
    ...{ over: 'streams', batchBytes: 16 * 1024, perTurn: 64 },
    operations: context.size(200_000, 2000),
    operationBytes: 256,
    window: 4096,
  })
  await compare(context, { ...datagrams, operations: context.size(100_000, 1000), operationBytes: 256, window: 512 })
  await compare(context, {
    ...streams,
    operations: context.size(200_000, 2000),
    operationBytes: 64,
    window: 65_536,
  })
  await compare(context, { ...datagrams, operations: context.size(200_000, 1000), operationBytes: 64, window: 2048 })
}

async function compare(context: BenchContext, course: Course): Promise<void> {
  const small = course.operationBytes < 256
  const table = await context.compare({
    title: `operations of ${course.operationBytes} bytes over ${course.over}, in frames of ${course.batchBytes / 1024} KiB`,
    baseline: 'bare sockets',
    operations: course.operations,
    batches: 1,
    rounds: 5,
    warmups: 0,
    fresh: true,
    contestants: [
      { name: 'bare sockets', open: () => openBare(course) },
      meshContestant('Warp, frames prepared', course, true),
      meshContestant('Warp, from write to applied', course, false),
    ],
    ...(small ? {} : { goals: [{ of: 'Warp, frames prepared', atLeast: 0.3 }] }),
  })
  if (small) return
  const written = Number(table.rows[2]?.[3]?.replaceAll(',', ''))
  context.goal('from write to applied, per second', written, { atLeast: 150_000 })
}

/**
 * Timed once it has done the same work once: a process is fast only when it has run for a while.
 */
async function openBare(course: Course): Promise<Running> {
  const sender = new ChildProgram<BareProgram>('bench/bare')
  const receiver = new ChildProgram<BareProgram>('bench/bare')
  const { operations, operationBytes, batchBytes } = course
  const frameBytesMax = batchBytes + operationBytes
  let frames = 0
  if (course.over === 'streams') {
    await sender.ask('connectStream', { port: await receiver.ask('countStream') })
  } else {
    const creditPort = await sender.ask('creditPort')
    const port = await receiver.ask('countDatagrams', { creditPort, every: 32 })
    await sender.ask('connectDatagrams', { port })
  }
  const send = async (): Promise<void> => {
    const sizes = { operations, operationBytes, frameBytesMax: course.over === 'streams' ? frameBytesMax : 1200 - 58 }
    frames +=
      course.over === 'streams'
        ? await sender.ask('sendStream', sizes)
        : await sender.ask('sendDatagrams', {
            ...sizes,
            windowFrames: Math.floor((course.window * operationBytes) / 1100),
          })
    await receiver.ask('counted', { frames })
  }
  await send()
  return {
    batch: send,
    verify: () => undefined,
    close: async () => {
      await Promise.all([sender.end(), receiver.end()])
    },
  }
}

function meshContestant(name: string, course: Course, isPrepared: boolean): Contestant {
  return { name, open: () => openMesh(course, isPrepared) }
}

async function openMesh(course: Course, isPrepared: boolean): Promise<Running> {
  const sender = new ChildProgram<MeshProgram>('bench/mesh')
  const receiver = new ChildProgram<MeshProgram>('bench/mesh')
  const { operations, operationBytes, batchBytes, window, perTurn } = course
  const replication = { batchBytes, inboxFramesMax: 100_000 }
  const address = await sender.ask('open', { peers: [], replication })
  const credit = { port: await sender.ask('creditPort'), every: Math.floor(window / 4) }
  await receiver.ask('open', { peers: [address], replication, credit })
  await Promise.all([sender.ask('met', { count: 1 }), receiver.ask('met', { count: 1 })])
  const writing = { operations, keys: KEYS, kind: 'note', textBytes: operationBytes - ENVELOPE_BYTES, perTurn } as const
  let written = 0
  const prepare = async (): Promise<void> => {
    await sender.ask('hold')
    await sender.ask('write', writing)
  }
  const send = async (): Promise<void> => {
    written += operations
    if (isPrepared) await sender.ask('release', { window })
    else await sender.ask('write', { ...writing, window })
    await receiver.ask('applied', { count: written })
  }
  if (isPrepared) await prepare()
  await send()
  if (isPrepared) await prepare()
  return {
    batch: send,
    async verify() {
      const keys = await receiver.ask('keysCount')
      if (keys !== Math.min(KEYS, operations)) throw new Error(`${keys} keys have arrived`)
    },
    close: async () => {
      await Promise.all([sender.end(), receiver.end()])
    },
  }
}
