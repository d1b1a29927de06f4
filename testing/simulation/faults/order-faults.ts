/**
 * What befalls an ordered log and the ways to it, as brokers and their documents have it. Only where
 * the world has an ordered log.
 */
import type { OrderedLogTroubles } from '../../../src/ports/ordered-memory/log-troubles.ts'
import { CALM_ORDER, type SimulatedOrder } from '../order/simulated-order.ts'
import { type Fault, type FaultContext, logUniform } from './fault.ts'

export type OrderFault =
  | 'lost appends'
  | 'lost answers of the log'
  | 'doubled appends'
  | 'redelivery'
  | 'late answers of the log'
  | 'holes in the log'
  | 'lost snapshots'
  | 'slow consumer'
  | 'cut off from the log'
  | 'log away'
  | 'clock of the log'

const LASTS_MS = [200, 15_000] as const
const CUT_MS = [50, 12_000] as const
/** So many are under way when a connection is cut, and so far. */
const CALLS_CUT = 3
const UNDER_WAY_MS = 6

export const ORDER_FAULTS: Readonly<Record<OrderFault, Fault>> = {
  'lost appends': ofLog('lost appends', ({ random }) => ({ appendsLost: random.pick([0.1, 0.4, 1]) })),
  'lost answers of the log': ofLog('lost answers of the log', ({ random }) => ({
    answersLost: random.pick([0.1, 0.4, 1]),
  })),
  /** By a client that has not heard of the answer, behind what comes in between. */
  'doubled appends': ofLog('doubled appends', ({ random }) => ({ repeated: random.pick([0.1, 0.5, 1]) })),
  redelivery: ofLog('redelivery', ({ random }) => ({ redelivered: random.pick([0.1, 0.5, 1]) })),
  /** The answer and the record come in either order. */
  'late answers of the log': ofLog('late answers of the log', ({ random }) => ({
    delayMs: logUniform(random, 2, 600),
    jitterMs: logUniform(random, 2, 600),
  })),
  'holes in the log': ofLog('holes in the log', ({ random }) => ({ holes: random.pick([0.1, 0.5]) })),
  'lost snapshots': ofLog('lost snapshots', ({ random }) => ({ snapshotsLost: random.pick([0.5, 1]) })),
  /** One machine falls behind, perhaps so far that the log has let go of what it needs next. */
  'slow consumer': {
    everyMs: [5000, 30_000],
    strike: (context) =>
      strike(context, 'slow consumer', LASTS_MS, (order) => {
        const { world, random } = context
        const { name } = random.pick(world.machines)
        order.set({ slowMs: logUniform(random, 5, 2000), batchRecords: random.pick([1, 4, 512]) }, name)
        return () => order.set({ slowMs: CALM_ORDER.slowMs, batchRecords: CALM_ORDER.batchRecords }, name)
      }),
  },
  'cut off from the log': {
    everyMs: [4000, 25_000],
    strike: (context) => {
      const { world, random } = context
      const { name } = random.pick(world.machines)
      return cut(context, 'cut off from the log', [name])
    },
  },
  'log away': {
    everyMs: [8000, 40_000],
    strike: (context) =>
      cut(
        context,
        'log away',
        context.world.machines.map(({ name }) => name),
      ),
  },
  /** Another server stamps the records, and its clock is not the same. */
  'clock of the log': {
    everyMs: [8000, 40_000],
    strike: (context) => {
      const { world, random } = context
      if (world.order === undefined) return false
      const byMs = random.between(-2000, 2000)
      world.struck('clock of the log', `${byMs} ms`)
      world.order.jump(byMs)
      return true
    },
  },
}

function ofLog(kind: OrderFault, draw: (context: FaultContext) => OrderedLogTroubles): Fault {
  return {
    everyMs: [5000, 30_000],
    strike: (context) =>
      strike(context, kind, LASTS_MS, (order) => {
        const troubles = draw(context)
        order.set(troubles)
        const names = Object.keys(troubles) as (keyof OrderedLogTroubles)[]
        return () => order.set(Object.fromEntries(names.map((name) => [name, CALM_ORDER[name]])))
      }),
  }
}

/** In the middle of what its users are doing. */
function cut(context: FaultContext, kind: OrderFault, names: readonly string[]): boolean {
  const { world, random } = context
  for (const machine of world.up())
    if (names.includes(machine.name)) for (let i = 0; i < CALLS_CUT; i++) world.call(machine, world.drawIntent(machine))
  const afterMs = random.pick([0, random.float() * UNDER_WAY_MS])
  world.after(afterMs, () => {
    if (world.nowMs >= context.endMs) return
    strike(context, kind, CUT_MS, (order) => {
      order.cut(names)
      return () => order.mend(names)
    })
  })
  return true
}

/** `begin` returns what ends it. */
function strike(
  context: FaultContext,
  kind: OrderFault,
  lastsMs: readonly [number, number],
  begin: (order: SimulatedOrder) => () => void,
): boolean {
  const { world, random } = context
  if (world.order === undefined) return false
  world.struck(kind)
  context.until(logUniform(random, ...lastsMs), begin(world.order))
  return true
}
