/**
 * The first step of a write: from an intent to a draft. A strategy's verb turns the intent into a
 * payload. Whatever is refused here is refused before anything exists.
 */
import { normalForm } from '../../../crdt/encoding/normal-form.ts'
import { detached } from '../../../crdt/encoding/shared-value.ts'
import { isRegister } from '../../../crdt/register.ts'
import { hlcToMs, type Hlc } from '../../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Prepare, Verb } from '../../../crdt/strategy.ts'
import { isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import { nestedWrite } from '../../keys/key-refusals.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import { Resident } from '../../merge/resident.ts'
import type { KeyStore } from '../key-store.ts'
import { assertOwner, isPerhapsOthers } from './owner-check.ts'
import { FoldFirst, type Target } from './target.ts'

export interface PreparationOptions {
  /** So many operations of the same group come before this one. */
  readonly ahead?: number
  /** The caller can wait: a state that takes more than one step is not folded here. */
  readonly canWait?: boolean
}

/**
 * What a verb may look at, and what it has left behind: the draft's stamp, and a state to adopt.
 */
export class Preparation implements Prepare<unknown> {
  readonly replica: ReplicaId
  readonly sequence: number
  readonly #store: KeyStore
  readonly #target: Target
  /** The state of a key that does not exist yet, or begins another life. */
  fresh: Resident | undefined
  /** The operation's stamp, once it matters. */
  hlc: Hlc | undefined

  readonly #canWait: boolean
  /** The state was asked for and has to be folded in steps. */
  isUnfolded = false

  constructor(store: KeyStore, target: Target, { ahead = 0, canWait = false }: PreparationOptions = {}) {
    this.#canWait = canWait
    const writer = store.writerOf(target.keyspace)
    this.replica = writer.replica
    this.sequence = writer.sequence + 1 + ahead
    this.#store = store
    this.#target = target
  }

  state(): unknown {
    const { slot, keyspace } = this.#target
    if (slot !== undefined && !this.#beginsLife(slot)) return this.#stateAt(slot)
    this.fresh ??= new Resident(keyspace.strategy.initial(), 0)
    return this.fresh.state
  }

  /** Throws `WARP_E_STRATEGY` where the operation would not count, and `FoldFirst`. */
  assertOwner(): void {
    const { slot } = this.#target
    if (slot === undefined || !isPerhapsOthers(this.#store, this.#target) || this.#beginsLife(slot)) return
    assertOwner(this.#store, this.#target, this.#canWait)
  }

  #stateAt(slot: Slot): unknown {
    const { values } = this.#store
    if (!this.#canWait) return values.resident(slot).state
    const resident = values.residentShort(slot)
    if (resident !== undefined) return resident.state
    this.isUnfolded = true
    throw new FoldFirst(this.#target.key)
  }

  #beginsLife(slot: Slot): boolean {
    if (this.#store.values.lifeMs(slot, this.#target.keyspace) === 0) return false
    this.hlc ??= this.#store.clock.tick()
    return this.#store.values.isOver(slot, hlcToMs(this.hlc))
  }
}

/** Runs a verb. Returns its payload, `undefined` if nothing has to be written. */
export function prepare(
  store: KeyStore,
  target: Target,
  verb: Verb<unknown>,
  { preparation, parameters }: { readonly preparation: Preparation; readonly parameters: readonly unknown[] },
): unknown {
  const writer = store.writerOf(target.keyspace)
  const before = writer.sequence
  try {
    preparation.assertOwner()
    // Spreading costs as much as the rest of a short verb, and most verbs take one parameter.
    const payload = parameters.length === 1 ? verb(preparation, parameters[0]) : verb(preparation, ...parameters)
    // The verb may have caught what it was told.
    if (preparation.isUnfolded) throw new FoldFirst(target.key)
    // If the verb has written elsewhere meanwhile, what it made may name a dot that is taken now.
    if (writer.sequence !== before || writer.replica !== preparation.replica) throw nestedWrite(target.key)
    checkCodec(target.keyspace, payload)
    return payload
  } catch (error) {
    forgetPrepared(store, target)
    throw namingKey(target.key, error)
  }
}

/**
 * Throws `WARP_E_UNENCODABLE` for the value of a register that the codec of its store cannot keep.
 * Nobody waits for the store where writes go behind, so later there is nobody left to be told.
 */
function checkCodec({ strategy, source }: Keyspace, payload: unknown): void {
  if (source?.store?.writes !== 'behind' || !isRegister(strategy) || payload === undefined) return
  const { codec } = source.store.store
  try {
    codec.encode(payload)
  } catch {
    // The store is given what the log makes of it. What the log refuses says so in its own words.
    codec.encode(normalForm(detached(payload)))
  }
}

/** A strategy does not know of which key it is: a merge that fails says it here. */
function namingKey(key: string, error: unknown): unknown {
  if (!isWarpError(error, 'WARP_E_MERGE') || error.details['key'] !== undefined) return error
  const { message, details, cause, outcome } = error
  return new WarpError('WARP_E_MERGE', `'${key}': ${message}`, { details: { ...details, key }, cause, outcome })
}

/**
 * The verb that `set`, `write` and `setMany` run. Throws `WARP_E_MODE` if the key's strategy has
 * none.
 */
export function setOf({ key, keyspace }: Target): Verb<unknown> {
  const { set } = keyspace.strategy.verbs as { readonly set?: Verb<unknown> }
  if (set !== undefined) return set
  const verbs = Object.keys(keyspace.strategy.verbs as object).join(', ')
  throw new WarpError(
    'WARP_E_MODE',
    `'${key}' has no set: its strategy '${keyspace.strategy.kind}' offers ${verbs}; use warp.key(key)`,
  )
}

/** A verb that works on the state itself may have changed it halfway: it is folded again. */
export function forgetPrepared(store: KeyStore, { slot, keyspace }: Target): void {
  if (slot !== undefined && keyspace.strategy.appliesOnPrepare === true) store.values.drop(slot)
}
