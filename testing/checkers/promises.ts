/**
 * Which acknowledged writes a machine still owes: an acknowledgement promises that the operation
 * outlives what its level covers, and what has happened to the machine since then may be more than
 * that.
 *
 * | level | no longer owed after |
 * |---|---|
 * | `memory` | any end of the process |
 * | `logged` | a power failure, and what ends `durable` |
 * | `durable` | a lost disk, an older copy of it, bit rot, a machine that has left for good |
 * | `broker` | nothing: the ordered log has it |
 */
import type { ReachedAck } from '../../src/store/write-road/receipt.ts'
import type { CallRecord, LifeEventKind, RunHistory } from '../simulation/report/run-history.ts'

const ENDS_DURABLE: readonly LifeEventKind[] = ['disk lost', 'restored', 'bit rot', 'left']
const ENDS_LOGGED: readonly LifeEventKind[] = [...ENDS_DURABLE, 'power failure']
const ENDS_MEMORY: readonly LifeEventKind[] = [...ENDS_LOGGED, 'killed', 'refused']

/** A call, as far as it has been acknowledged. */
export interface Acknowledged extends Pick<CallRecord, 'machine' | 'outcome' | 'endedMs'> {
  readonly receipt?: { readonly ack: ReachedAck }
}

/** For each machine, when it last suffered something of each class. */
export class Promises {
  readonly #lastMs = new Map<string, { memory: number; logged: number; durable: number }>()

  constructor(history: RunHistory) {
    for (const { machine, kind, atMs } of history.lives) {
      const last = this.#lastMs.get(machine) ?? { memory: -1, logged: -1, durable: -1 }
      this.#lastMs.set(machine, last)
      if (ENDS_MEMORY.includes(kind)) last.memory = atMs
      if (ENDS_LOGGED.includes(kind)) last.logged = atMs
      if (ENDS_DURABLE.includes(kind)) last.durable = atMs
    }
  }

  /**
   * Whether the write has been acknowledged and nothing has happened since that its level does not
   * cover.
   */
  isOwed({ machine, outcome, receipt, endedMs }: Acknowledged): boolean {
    if (outcome !== 'ok' || receipt === undefined) return false
    const { ack } = receipt
    return ack === 'broker' || (this.#lastMs.get(machine)?.[ack] ?? -1) < endedMs
  }
}
