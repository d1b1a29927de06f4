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
/** By then digests have told of it, and let it become stable. */
const WRITE_MS = 5000

interface Traffic {
  readonly processes: number
  readonly idle: number
  readonly bare: number
  readonly perWrite: number
}

export async function run(context: BenchContext): Promise<void> {
  const all: Traffic[] = []
  for (const count of context.sizes([3, 8, 16, 32], 64, [3])) all.push(await measure(context, count))
  context.report(
    `idle, and a write of ${WRITE_BYTES} bytes`,
    ['processes', 'bytes per second and process, idle', 'of these the mesh’s own', 'bytes per write and receiver'],
    all.map(({ processes, idle, bare, perWrite }) => [
      String(processes),
      formatCount(idle),
      formatCount(bare),
      formatCount(perWrite),
    ]),
  )
  const few = all.find(({ processes }) => processes === 3)
  const many = all.find(({ processes }) => processes === 32)
  if (few !== undefined && many !== undefined) {
    context.goal('idle, a process of 32 against one of 3', many.idle / few.idle, { atMost: 2 })
    context.goal('the mesh’s own part of that', many.bare / few.bare, { atMost: 2 })
  }
  const dearest = Math.max(...all.map(({ perWrite }) => perWrite))
  context.goal('a write for each receiver, against its size', dearest / WRITE_BYTES, { atMost: 2 })
}

async function measure(context: BenchContext, processes: number): Promise<Traffic> {
  const [idleMs, writes] = [context.size(60_000, 2000), context.size(20, 1)]
  const bare = await bareBytes(processes, idleMs)
  const mesh = new CountedMesh(processes)
  const warps: Warp<typeof KEYS>[] = []
  for (const { env, transport } of mesh.members) {
    warps.push(await openWarpOn({ env, parts: ALL_PARTS }, { keys: KEYS, transports: [transport] }))
  }
  // Everybody has written once, so digests are as long as they get.
  for (const [i, warp] of warps.entries()) await warp.set(`note:${i}`, 'x'.padEnd(WRITE_BYTES, '.'))
  await mesh.env.advance(context.size(60_000, 5000))
  const idleBytes = await mesh.bytesIn(idleMs)
  let bytes = 0
  for (let i = 0; i < writes; i++) {
    await warps[0]?.set('note:0', String(i).padEnd(WRITE_BYTES, '.'))
    bytes += (await mesh.bytesIn(WRITE_MS)) - (idleBytes / idleMs) * WRITE_MS
  }
  if ((await warps.at(-1)?.get('note:0'))?.length !== WRITE_BYTES) throw new Error('a write has not arrived')
  await Promise.all([...warps.map((warp) => warp.close()), mesh.env.advance(10_000)])
  const perProcess = (sent: number): number => (sent * 1000) / idleMs / processes
  return {
    ...{ processes, bare: perProcess(bare), idle: perProcess(idleBytes) },
    perWrite: bytes / writes / (processes - 1),
  }
}

/** Of a mesh that no engine uses. */
async function bareBytes(processes: number, ms: number): Promise<number> {
  const mesh = new CountedMesh(processes)
  const links = await Promise.all(mesh.members.map(({ transport }) => transport.open({ receive: () => undefined })))
  await mesh.env.advance(60_000)
  const bytes = await mesh.bytesIn(ms)
  await Promise.all([...links.map((link) => link.close()), mesh.env.advance(5000)])
  return bytes
}
