/** What many simulations came to: for the summary of `warp sim`, of a soak and of the test run. */
import { DATA_FAULT_KINDS, FAULT_KINDS, ORDER_FAULT_KINDS, type FaultKind } from '../faults/fault-plan.ts'
import { OLD_REFUSED, RAISED, TAKEN_BACK, UPGRADED, WAY_BACK_REFUSED } from './version-counts.ts'
import type { Simulated } from '../simulate.ts'

/** Kinds that are there all the time, by what the network counts of them. */
const COUNTED_BY_NETWORK: Partial<Record<FaultKind, string>> = {
  loss: 'network: lostFrames',
  repeat: 'network: repeatedFrames',
  'late repeat': 'network: repeatedFrames',
  reorder: 'network: reorderedFrames',
}

export interface FaultCount {
  readonly kind: FaultKind
  /** Runs that had it in their plan. */
  readonly runsCount: number
  readonly count: number
  /** While a write was waiting for its acknowledgement. */
  readonly duringWritesCount: number
}

export class SimulationTotals {
  runsCount = 0
  virtualMs = 0
  callsCount = 0
  readonly failed: Simulated[] = []
  readonly occurred: Map<string, number> = new Map()
  readonly exempted: Map<string, number> = new Map()
  readonly #planned = new Map<FaultKind, number>()

  add(simulated: Simulated): void {
    this.runsCount++
    this.virtualMs += simulated.virtualMs
    this.callsCount += simulated.history.calls.length
    if (!simulated.isClean) this.failed.push(simulated)
    for (const kind of simulated.faults) addTo(this.#planned, kind, 1)
    for (const [what, count] of simulated.occurred) addTo(this.occurred, what, count)
    for (const [why, count] of simulated.exempted) addTo(this.exempted, why, count)
  }

  /** All kinds that there are anyway, or of `kinds`: those that were never drawn too. */
  faults(kinds: readonly FaultKind[] = FAULT_KINDS): FaultCount[] {
    return kinds.map((kind) => {
      const name = COUNTED_BY_NETWORK[kind] ?? kind
      return {
        kind,
        runsCount: this.#planned.get(kind) ?? 0,
        count: this.occurred.get(name) ?? 0,
        duringWritesCount: this.occurred.get(`${kind} during writes`) ?? 0,
      }
    })
  }

  /** What came of the machines whose build was exchanged. */
  #versions(): string {
    const counts = [UPGRADED, RAISED, TAKEN_BACK, WAY_BACK_REFUSED, OLD_REFUSED]
    return counts.map((what) => `${this.occurred.get(what) ?? 0} ${what}`).join(', ')
  }

  /** What the runs came to, and a line for each fault that was drawn for any of them. */
  text(): string {
    const hours = (this.virtualMs / 3_600_000).toFixed(2)
    const drawn = this.faults([...FAULT_KINDS, ...DATA_FAULT_KINDS, ...ORDER_FAULT_KINDS]).filter(
      ({ runsCount }) => runsCount > 0,
    )
    return [
      `${this.runsCount} runs, ${hours} virtual hours, ${this.callsCount} calls, ${this.failed.length} with violations`,
      ...drawn.map(
        ({ kind, runsCount, count, duringWritesCount }) =>
          `  ${kind.padEnd(22)} ${column(count)} times, ${column(duringWritesCount)} during writes, in ${column(runsCount)} runs`,
      ),
      ...(this.#planned.has('mixed versions') ? [`  versions: ${this.#versions()}`] : []),
      ...[...this.exempted].sort().map(([why, count]) => `  not judged: ${why}: ${count}`),
    ].join('\n')
  }
}

function addTo<Key>(map: Map<Key, number>, key: Key, by: number): void {
  map.set(key, (map.get(key) ?? 0) + by)
}

function column(count: number): string {
  return String(count).padStart(8)
}
