/**
 * The mesh's transport against NATS core on the same frames: from one process to another one that
 * counts them, with the same bytes under way. The mesh goes straight there and seals what it sends;
 * NATS goes through its server, in plain text. So this is what each asks of a service that has the
 * choice.
 */
import { ChildProgram } from '../test/support/child-program.ts'
import type { CarrierProgram } from './carrier-process.ts'
import type { BenchContext } from './support/bench.ts'
import { serverOf } from './support/engines.ts'
import type { Running } from './support/measure.ts'

export const question = 'How many frames a second does the mesh carry, against NATS core?'

interface Course {
  readonly frameBytes: number
  readonly frames: number
  /** Frames under way. */
  readonly window: number
  readonly perTurn: number
}

export async function run(context: BenchContext): Promise<void> {
  const nats = serverOf('nats')
  if (nats === undefined)
    console.error('mesh-nats: NATS IS NOT RUNNING, the mesh is measured alone: scripts/servers start nats')
  const courses: readonly Course[] = [
    { frameBytes: 1024, frames: context.size(50_000, 500), window: 512, perTurn: 16 },
    { frameBytes: 16 * 1024, frames: context.size(10_000, 100), window: 256, perTurn: 16 },
    { frameBytes: 256 * 1024, frames: context.size(1000, 20), window: 16, perTurn: 2 },
  ]
  for (const course of courses) await compare(context, course, nats)
}

async function compare(context: BenchContext, course: Course, nats: string | undefined): Promise<void> {
  const mesh = { name: 'mesh', open: () => open(course, {}) }
  const rival = nats === undefined ? [] : [{ name: 'NATS core', open: () => open(course, { nats }) }]
  await context.compare({
    title: `frames of ${course.frameBytes / 1024} KiB, ${nats === undefined ? 'no NATS to compare with' : 'from one process to another'}`,
    baseline: rival[0]?.name ?? mesh.name,
    operations: course.frames,
    batches: 3,
    rounds: 5,
    contestants: [...rival, mesh],
  })
}

async function open({ frames, ...course }: Course, carrier: { readonly nats?: string }): Promise<Running> {
  const sender = new ChildProgram<CarrierProgram>('bench/carrier')
  const receiver = new ChildProgram<CarrierProgram>('bench/carrier')
  const address = await sender.ask('open', { ...carrier, peers: [] })
  const credit = { port: await sender.ask('creditPort'), every: greatestDivisor(frames, course.window / 4) }
  await receiver.ask('open', { ...carrier, peers: [address], credit })
  await Promise.all([sender.ask('met'), receiver.ask('met')])
  let sent = 0
  return {
    async batch() {
      sent += frames
      await sender.ask('send', { frames, ...course })
    },
    async verify() {
      const arrived = await receiver.ask('arrivedCount')
      if (arrived !== sent) throw new Error(`${arrived} of ${sent} frames have arrived`)
    },
    close: async () => {
      await Promise.all([sender.end(), receiver.end()])
    },
  }
}

/** So many frames that the last one is told too. */
function greatestDivisor(frames: number, atMost: number): number {
  for (let every = atMost; every > 1; every--) if (frames % every === 0) return every
  return 1
}
