/**
 * Bytes on the wire of a mesh of engines, as their number grows: what one sends in a second in which
 * nothing happens, the mesh's own part of that, and what a write costs for each receiver. On the
 * network in memory and on virtual time, so that the figures are the same on each machine; without
 * the heads of IP, UDP and TCP.
 */
import { register } from '../crdt/register.ts'
import { ALL_PARTS, type Warp, openWarpOn } from '../src/index.ts'
import { CountedMesh } from '../test/support/counted-mesh.ts'
import type { BenchContext } from './support/bench.ts'
import { formatCount } from './support/table.ts'

export const question = 'How many bytes does a mesh put on the wire when nothing happens, and for a write?'

const KEYS = { 'note:*': register<string>() }
const WRITE_BYTES = 200
/** Between two writes: ten a second; and between two that are alone. */
const PAUSE_MS = 100
const ALONE_MS = 60_000

interface Traffic {
  readonly processes: number
  readonly idle: number
  readonly packets: number
  readonly bare: number
  /** One of ten a second, and one that nothing follows for a minute. */
  readonly perWrite: number
  readonly alone: number
}

export async function run(context: BenchContext): Promise<void> {
  const all: Traffic[] = []
  for (const count of context.sizes([3, 8, 16, 32], 64, [3])) all.push(await measure(context, count))
  context.report(
    `idle, and a write of ${WRITE_BYTES} bytes`,
    [
      'processes',
      'bytes per second and process, idle',
      'of these the mesh’s own',
      'datagrams',
      'bytes per receiver of one of ten writes a second',
      'of a write alone',
    ],
    all.map(({ processes, idle, bare, packets, perWrite, alone }) => [
      String(processes),
      formatCount(idle),
      formatCount(bare),
      packets.toFixed(2),
      formatCount(perWrite),
      formatCount(alone),
    ]),
  )
  const few = all.find(({ processes }) => processes === 3)
  const many = all.find(({ processes }) => processes === 32)
  if (few !== undefined && many !== undefined) {
    context.goal('idle, a process of 32 against one of 3, bytes', many.idle / few.idle, { atMost: 2 })
    context.goal('the same, datagrams', many.packets / few.packets, { atMost: 2 })
    context.goal('the mesh’s own part of that, bytes', many.bare / few.bare, { atMost: 2 })
  }
  const dearest = Math.max(...all.map(({ perWrite }) => perWrite))
  context.goal('one of ten writes a second for each receiver, against its size', dearest / WRITE_BYTES, { atMost: 2 })
  const alone = Math.max(...all.map((traffic) => traffic.alone))
  context.goal('a write alone for each receiver, against its size', alone / WRITE_BYTES, { atMost: 2 })
}

async function measure(context: BenchContext, processes: number): Promise<Traffic> {
  const [idleMs, writes] = [context.size(120_000, 2000), context.size(100, 1)]
  const bare = await bareTraffic(processes, idleMs)
  const mesh = new CountedMesh(processes)
  const warps: Warp<typeof KEYS>[] = []
  for (const { env, transport } of mesh.members) {
    warps.push(await openWarpOn({ env, parts: ALL_PARTS }, { keys: KEYS, transports: [transport] }))
  }
  // Everybody has written once, so digests are as long as they get.
  for (const [i, warp] of warps.entries()) await warp.set(`note:${i}`, 'x'.padEnd(WRITE_BYTES, '.'))
  await mesh.env.advance(context.size(60_000, 5000))
  const idle = await mesh.sentIn(idleMs)
  const cost = async (count: number, pauseMs: number): Promise<number> => {
    let bytes = 0
    for (let i = 0; i < count; i++) {
      await warps[0]?.set('note:0', String(i).padEnd(WRITE_BYTES, '.'))
      bytes += (await mesh.bytesIn(pauseMs)) - (idle.bytes / idleMs) * pauseMs
    }
    return bytes / count / (processes - 1)
  }
  const perWrite = await cost(writes, PAUSE_MS)
  const alone = await cost(context.size(5, 1), ALONE_MS)
  if ((await warps.at(-1)?.get('note:0'))?.length !== WRITE_BYTES) throw new Error('a write has not arrived')
  await Promise.all([...warps.map((warp) => warp.close()), mesh.env.advance(10_000)])
  const perProcess = (sent: number): number => (sent * 1000) / idleMs / processes
  return {
    ...{ processes, idle: perProcess(idle.bytes), packets: perProcess(idle.datagrams) },
    ...{ bare: perProcess(bare.bytes), perWrite, alone },
  }
}

/** Of a mesh that no engine uses. */
async function bareTraffic(processes: number, ms: number): Promise<Awaited<ReturnType<CountedMesh['sentIn']>>> {
  const mesh = new CountedMesh(processes)
  const links = await Promise.all(mesh.members.map(({ transport }) => transport.open({ receive: () => undefined })))
  await mesh.env.advance(60_000)
  const sent = await mesh.sentIn(ms)
  await Promise.all([...links.map((link) => link.close()), mesh.env.advance(5000)])
  return sent
}
