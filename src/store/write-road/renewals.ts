/**
 * Touches: operations that begin the life of a key anew and leave its value as it is. `touch` writes
 * them, and so do reads of keys whose patterns ask for that: the read only notes the key, and the
 * operation follows when the work in progress is done, for a read may be in the middle of a fold.
 * They are thinned out: within a quarter of a life after the last write or touch there is none.
 */
import { hlcToMs } from '../../../crdt/time/hlc.ts'
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { Slot } from '../../keys/key-table.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { EngineEvent } from '../event.ts'
import type { KeyStore } from '../key-store.ts'
import { assertOwner } from './owner-check.ts'
import type { Target } from './target.ts'

/** So many keys are touched before other work has its turn. */
const KEYS_PER_STEP = 128

/**
 * Writes a touch if the key has a value whose life that would prolong by enough. Returns whether it
 * has. Throws `WARP_E_MODE` where lives do not slide across replicas, `WARP_E_STRATEGY` of another
 * strategy's key, and what `append` throws.
 */
export function renew(store: KeyStore, { key, keyspace, slot }: Target): boolean {
  if (!keyspace.isTouched) throw doesNotSlide(key)
  const { values, env, clock } = store
  assertOwner(store, { key, keyspace, slot }, false)
  if (slot === undefined || !values.isTouchDue(slot, keyspace, env.now())) return false
  const hlc = clock.tick()
  // In the order of operations a life may be over that is not by the clock.
  if (values.expiresAt(slot, keyspace) <= Math.max(hlcToMs(hlc), env.now()) || !values.hadValue(slot)) return false
  store.append({ key, keyspace, slot, kind: OPERATION_KIND.touch, payload: undefined, hlc })
  return true
}

export interface RenewalParts {
  readonly observe: (event: EngineEvent) => void
  /** A touch has been written. */
  readonly written: () => void
}

export class Renewals {
  readonly #store: KeyStore
  readonly #parts: RenewalParts
  readonly #due = new Set<Slot>()
  #hasFailed = false

  constructor(store: KeyStore, parts: RenewalParts) {
    this.#store = store
    this.#parts = parts
    store.values.onTouchDue = (slot) => {
      this.#due.add(slot)
      if (this.#due.size === 1) store.env.defer(() => this.#writeDue())
    }
  }

  #writeDue(): void {
    let left = KEYS_PER_STEP
    for (const slot of this.#due) {
      if (left-- === 0) {
        void this.#store.env.yield().then(() => this.#writeDue())
        return
      }
      this.#due.delete(slot)
      this.#write(slot)
    }
  }

  #write(slot: Slot): void {
    const key = this.#store.keys.keys[slot]
    const keyspace = this.#store.keyspaceFor(key ?? '', slot)
    if (key === undefined || !keyspace.isTouched) return
    try {
      this.#store.assertOpen()
      if (renew(this.#store, { key, keyspace, slot })) this.#parts.written()
      this.#hasFailed = false
    } catch (error) {
      if (this.#hasFailed || isWarpError(error, 'WARP_E_CLOSED')) return
      this.#hasFailed = true
      this.#parts.observe({ kind: 'touch:failed', key, error: asError(error) })
    }
  }
}

function doesNotSlide(key: string): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `'${key}' cannot be touched: its life does not slide across replicas; register its pattern with ` +
      "ttlMs, ttl: 'sliding' and sliding: 'replicas', or write the value again",
    { details: { key } },
  )
}
