/**
 * From a write on one replica until another one acts on it, at light load, against a datagram
 * through bare sockets. Both are half of a round trip: the other side answers with a write, or with
 * the same datagram.
 */
import type { BareProgram } from './bare-process.ts'
import type { MeshProgram } from './mesh-process.ts'
import type { BenchContext } from './support/bench.ts'
import { quantile } from './support/measure.ts'
import { ChildProgram } from '../test/support/child-program.ts'
import { formatNs } from './support/table.ts'

export const question = 'How long does a write take to another process, against a bare datagram?'

/** Rounds in which both take turns. */
const ROUNDS = 3
/** Not counted, and without pauses: programs are fast only when they have run for a while. */
const WARMUPS = 5000
const BYTES = 220
const PAUSE_MS = 2

export async function run(context: BenchContext): Promise<void> {
  const count = context.size(500, 10)
  const [bare, mesh] = [await openBare(), await openMesh()]
  for (const course of [bare, mesh]) await course.roundTrips(context.size(WARMUPS, 0), 0)
  const taken = { bare: [] as number[], mesh: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    taken.bare.push(...(await bare.roundTrips(count, PAUSE_MS)))
    taken.mesh.push(...(await mesh.roundTrips(count, PAUSE_MS)))
  }
  await Promise.all([bare.close(), mesh.close()])
  const oneWay = (times: readonly number[], share: number): number => quantile(times, share) / 2
  const row = (name: string, times: readonly number[]): [string, string, string] => [
    name,
    formatNs(oneWay(times, 0.5)),
    formatNs(oneWay(times, 0.99)),
  ]
  context.report(
    `one way, half of a round trip, a pause of ${PAUSE_MS} ms before each`,
    ['', 'median', 'p99'],
    [row('bare datagram, echoed', taken.bare), row('Warp, a write answered by a write', taken.mesh)],
  )
  const ratio = oneWay(taken.mesh, 0.5) / oneWay(taken.bare, 0.5)
  context.goal('Warp, median, in units of the bare datagram', ratio, { atMost: 3 })
}

interface Course {
  roundTrips(count: number, pauseMs: number): Promise<number[]>
  close(): Promise<void>
}

async function openBare(): Promise<Course> {
  const asking = new ChildProgram<BareProgram>('bench/bare')
  const answering = new ChildProgram<BareProgram>('bench/bare')
  const port = await answering.ask('echo')
  return {
    roundTrips: (count, pauseMs) => asking.ask('roundTrips', { port, count, bytes: BYTES, pauseMs }),
    close: async () => {
      await Promise.all([asking.end(), answering.end()])
    },
  }
}

async function openMesh(): Promise<Course> {
  const asking = new ChildProgram<MeshProgram>('bench/mesh')
  const answering = new ChildProgram<MeshProgram>('bench/mesh')
  const address = await asking.ask('open', { peers: [] })
  await answering.ask('open', { peers: [address] })
  await Promise.all([asking.ask('met', { count: 1 }), answering.ask('met', { count: 1 })])
  await answering.ask('answerPings')
  return {
    roundTrips: (count, pauseMs) => asking.ask('roundTrips', { count, bytes: BYTES, pauseMs }),
    close: async () => {
      await Promise.all([asking.end(), answering.end()])
    },
  }
}
