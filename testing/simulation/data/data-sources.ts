/**
 * Where the truth of a simulated world is that keeps its data elsewhere: a database and an API, the
 * same ones for all machines.
 */
import type { KeyMap } from '../../../src/keys/typed-keys.ts'
import type { LeaseId } from '../../../src/operation/leases/lease-note.ts'
import type { Random } from '../../world/random.ts'
import type { TimeLine } from '../../world/time-line.ts'
import type { Life } from '../life.ts'
import type { RunHistory } from '../report/run-history.ts'
import type { Trace } from '../report/trace.ts'
import { dataKeys, refusesRow } from './data-keys.ts'
import { SimulatedRows } from './simulated-rows.ts'
import { SimulatedSource } from './simulated-source.ts'

export interface DataSourcesOptions {
  readonly line: TimeLine
  readonly random: Random
  readonly history: RunHistory
  readonly trace: Trace
}

export class DataSources {
  readonly rows: SimulatedRows
  readonly source: SimulatedSource
  /** The lease that was granted last for each of a few purposes, whose name is a number. */
  readonly leases: Map<number, LeaseId> = new Map()

  constructor({ random, ...rest }: DataSourcesOptions) {
    this.rows = new SimulatedRows({ ...rest, random: random.fork('rows'), refuses: refusesRow })
    this.source = new SimulatedSource({ ...rest, random: random.fork('source') })
  }

  /** The keyspaces as one process sees them. */
  keysFor(life: Life): KeyMap {
    return dataKeys({ store: this.rows.viewOf(life), load: (key) => this.source.load(life, key) })
  }
}
