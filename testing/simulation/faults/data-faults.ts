/** What befalls a database and an API that all machines share. Only where data is kept elsewhere. */
import type { StoreTroubles } from '../../../src/ports/stores/store-troubles.ts'
import type { DataSources } from '../data/data-sources.ts'
import { CALM_STORE } from '../data/simulated-rows.ts'
import { CALM_SOURCE, type SourceTroubles } from '../data/simulated-source.ts'
import { type Fault, type FaultContext, logUniform } from './fault.ts'

export type DataFault =
  | 'slow store'
  | 'failing store'
  | 'lost replies of the store'
  | 'store stands still'
  | 'slow loads'
  | 'failing loads'
  | 'hanging loads'

const LASTS_MS = [200, 15_000] as const

export const DATA_FAULTS: Readonly<Record<DataFault, Fault>> = {
  'slow store': ofStore('slow store', (context) => ({
    latencyMs: logUniform(context.random, 5, 800),
    replyMs: logUniform(context.random, 5, 800),
    jitterMs: logUniform(context.random, 5, 800),
  })),
  /** All requests, or some of them. */
  'failing store': ofStore('failing store', ({ random }) => ({ failure: random.pick([0.2, 0.6, 1]) })),
  'lost replies of the store': ofStore('lost replies of the store', ({ random }) => ({
    lostReply: random.pick([0.2, 0.6, 1]),
  })),
  /** What is asked for meanwhile is carried out afterwards, though everybody may have given it up. */
  'store stands still': {
    everyMs: [8000, 40_000],
    strike: (context) =>
      strike(context, 'store stands still', ({ rows }) => {
        rows.store.stall()
        return () => rows.store.resume()
      }),
  },
  'slow loads': ofSource('slow loads', ({ random }) => ({ latencyMs: logUniform(random, 20, 1500) })),
  'failing loads': ofSource('failing loads', ({ random }) => ({ failure: random.pick([0.2, 0.6, 1]) })),
  'hanging loads': ofSource('hanging loads', ({ random }) => ({ hanging: random.pick([0.1, 0.5, 1]) })),
}

function ofStore(kind: DataFault, draw: (context: FaultContext) => StoreTroubles): Fault {
  return {
    everyMs: [5000, 30_000],
    strike: (context) =>
      strike(context, kind, ({ rows }) => {
        const troubles = draw(context)
        rows.store.set(troubles)
        const names = Object.keys(troubles) as (keyof StoreTroubles)[]
        return () => rows.store.set(Object.fromEntries(names.map((name) => [name, CALM_STORE[name]])))
      }),
  }
}

function ofSource(kind: DataFault, draw: (context: FaultContext) => Partial<SourceTroubles>): Fault {
  return {
    everyMs: [5000, 30_000],
    strike: (context) =>
      strike(context, kind, ({ source }) => {
        const troubles = draw(context)
        source.troubles = { ...source.troubles, ...troubles }
        const names = Object.keys(troubles) as (keyof SourceTroubles)[]
        return () => {
          const calm = Object.fromEntries(names.map((name) => [name, CALM_SOURCE[name]]))
          source.troubles = { ...source.troubles, ...calm }
        }
      }),
  }
}

/** `begin` returns what ends it. */
function strike(context: FaultContext, kind: DataFault, begin: (data: DataSources) => () => void): boolean {
  const { world, random } = context
  if (world.data === undefined) return false
  world.struck(kind)
  context.until(logUniform(random, ...LASTS_MS), begin(world.data))
  return true
}
