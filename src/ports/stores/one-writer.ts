/**
 * Compare-and-set over a store that can only get and set: read, compare here, set. Calls of this
 * process about one key wait for one another, so among them it is exact. Between two processes it
 * is not: both may read the same row, and the later one puts its row over the other's.
 */
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { PurgedRow, RowChange, RowOutcome, StoreRow } from '../primary-store.ts'
import { DONE, equalBytes, isAsExpected } from './rows.ts'

/** What such a store can do. */
export interface PlainRows {
  read(keys: readonly string[], signal: AbortSignal): Promise<(StoreRow | undefined)[]>
  write(key: string, row: StoreRow, signal: AbortSignal): Promise<void>
  erase(key: string, signal: AbortSignal): Promise<void>
}

/** Keys of one batch that are written at the same time. */
const WRITES_AT_ONCE = 16

export class OneWriter {
  readonly #rows: PlainRows
  /** The last call of each key that is under way. */
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(rows: PlainRows) {
    this.#rows = rows
  }

  async compareAndSet(changes: readonly RowChange[], signal: AbortSignal): Promise<RowOutcome[]> {
    const outcomes: RowOutcome[] = []
    for (let from = 0; from < changes.length; from += WRITES_AT_ONCE) {
      const batch = changes.slice(from, from + WRITES_AT_ONCE)
      outcomes.push(
        ...(await allOf(batch.map((change) => this.#inTurn(change.key, () => this.#change(change, signal))))),
      )
    }
    return outcomes
  }

  async purge(rows: readonly PurgedRow[], signal: AbortSignal): Promise<number> {
    let purged = 0
    for (const row of rows) if (await this.#inTurn(row.key, () => this.#purge(row, signal))) purged++
    return purged
  }

  async #change({ key, expected, next }: RowChange, signal: AbortSignal): Promise<RowOutcome> {
    const [present] = await this.#rows.read([key], signal)
    if (!isAsExpected(present, expected)) return { kind: 'refused', row: present }
    try {
      await this.#rows.write(key, next, signal)
      return DONE
    } catch (error) {
      if (isWarpError(error, 'WARP_E_STORE') && error.details['failure'] === 'rejected')
        return { kind: 'rejected', error }
      throw error
    }
  }

  async #purge({ key, token }: PurgedRow, signal: AbortSignal): Promise<boolean> {
    const [row] = await this.#rows.read([key], signal)
    if (row === undefined || row.value !== undefined || !equalBytes(row.token, token)) return false
    await this.#rows.erase(key, signal)
    return true
  }

  #inTurn<Answer>(key: string, run: () => Promise<Answer>): Promise<Answer> {
    const before = this.#turns.get(key) ?? Promise.resolve()
    const answer = before.then(run, run)
    const turn: Promise<void> = answer.then(
      () => this.#end(key, turn),
      () => this.#end(key, turn),
    )
    this.#turns.set(key, turn)
    return answer
  }

  #end(key: string, turn: Promise<unknown>): void {
    if (this.#turns.get(key) === turn) this.#turns.delete(key)
  }
}

/** All answers, or the first failure once all have ended: none fails with nobody listening. */
export async function allOf<Answer>(requests: readonly Promise<Answer>[]): Promise<Answer[]> {
  await Promise.allSettled(requests)
  return Promise.all(requests)
}
