/**
 * One load in the cluster, of keys with a store: what replicas tell each other is the row, and what the
 * teller knows of the key beside it. Never a merged value: what of that the row lacks would be hidden in
 * it from whoever gets it, and lost with the next row. The rules were modelled
 * (test/models/data-layer/store/replica/cluster.ts).
 */
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { FilledRow } from '../../ports/talk/copy-talk.ts'
import type { StoreRow } from '../../ports/primary-store.ts'
import type { Answer } from '../load-request.ts'
import type { StoredKey } from './stored-key.ts'
import type { StoredKeys } from './stored-keys.ts'

/** A row as it is told. */
export interface ToldRow {
  readonly value: Uint8Array | undefined
  readonly row: FilledRow
}

const NO_TOKEN = new Uint8Array(0)

export class RowFills {
  readonly #keys: StoredKeys
  /** What has been applied here. Live. */
  readonly #applied: VersionVector

  constructor(keys: StoredKeys, applied: VersionVector) {
    this.#keys = keys
    this.#applied = applied
  }

  /** The row of a key as it was read or written last; `undefined` if that is not known. */
  told(key: string): ToldRow | undefined {
    const stored = this.#keys.find(key)
    // While a write is under way nobody knows what the row is.
    if (stored?.row === undefined || stored.isBusy) return undefined
    const { row } = stored.row
    return { value: row?.value, row: { meta: row?.meta, token: row?.token ?? NO_TOKEN, known: stored.known() } }
  }

  /** What has come of the key is looked at. Before `answer`. */
  gather(key: string, keyspace: Keyspace): Promise<void> {
    return this.#keys.gatherSteps(this.#keys.of(key, keyspace))
  }

  /**
   * What a replica has told, as the answer of a load; `undefined` if the store has to be asked. Throws
   * `WARP_E_STORE` for a row that cannot be read.
   */
  answer(key: string, keyspace: Keyspace, { value, row }: ToldRow): Answer | undefined {
    const stored = this.#keys.of(key, keyspace)
    const told: StoreRow | undefined = row.meta === undefined ? undefined : { value, meta: row.meta, token: row.token }
    const base = this.#keys.baseOf(stored, told)
    return this.#fits(stored, base.vector, row.known) ? this.#keys.answerOf(stored, { row: told, base }) : undefined
  }

  /**
   * The row holds all that it is known to hold here, and what the teller knew beyond it is held here as
   * well, or has not been applied yet: never applied and let go of.
   */
  #fits(stored: StoredKey, vector: VersionVector, known: VersionVector): boolean {
    const { base } = stored
    if (!vector.dominates(stored.stored) || (base !== undefined && !vector.dominates(base.vector))) return false
    const here = vector.copy()
    // Without a base what was let go of may lie before what is held, and no number tells them apart.
    if (base !== undefined) here.join(stored.known())
    return [...known.entries()].every(([replica, sequence]) => {
      const held = here.get(replica)
      return held >= sequence || this.#applied.get(replica) <= held
    })
  }
}
