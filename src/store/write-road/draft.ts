/** An operation on its way into its key, and once it is in. */
import type { Hlc } from '../../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { OperationFields } from '../../operation/envelope/operation-fields.ts'
import type { VectorEntries } from '../../operation/envelope/vector-entries.ts'
import type { Position } from '../../operation/position.ts'

/** What to write: an intent that a strategy has turned into a payload. */
export interface Draft {
  readonly key: string
  readonly keyspace: Keyspace
  /** The key's slot, if it has one. */
  readonly slot: Slot | undefined
  readonly kind: number
  readonly payload: unknown
  /** The payload of a kind that is not applied here, as bytes. */
  readonly opaque?: Uint8Array | undefined
  /** The stamp, if it had to be known before the payload. */
  readonly hlc?: Hlc | undefined
  /**
   * Instead of the context that follows from what has been seen of the key: for operations that are
   * issued again.
   */
  readonly context?: VectorEntries
  /** The code of the strategy that made the payload, if it is not the keyspace's: alike. */
  readonly strategy?: number
  /**
   * Whether `context` names of the writer's own operations too all that had been seen, with `dots`
   * beyond it.
   */
  readonly isExact?: boolean
  readonly dots?: VectorEntries
  /** How long what it writes lives, ms; 0 or absent: as long as the key's pattern says. */
  readonly lifeMs?: number
  readonly fields?: OperationFields | undefined
}

/** An operation that has just entered a key. A flyweight: valid during the call. */
export interface Entered {
  readonly slot: Slot
  readonly keyspace: Keyspace
  readonly position: Position
  readonly kind: number
  /** The code of the strategy that made its payload; matters to updates alone. */
  readonly strategy: number
  readonly hlc: Hlc
  readonly replica: ReplicaId
  readonly sequence: number
  /** How long what it writes lives, ms; 0 if it does not say. */
  readonly lifeMs: number
  /**
   * The version that it made of its key. The key may be further: all operations of a group enter
   * before anybody is told.
   */
  readonly version: number
}

/** Told of every operation that enters, in log order. Must not throw. */
export type Subscriber = (entered: Entered) => void

/** Who is told. A list that is copied when it changes, so that telling costs no copy. */
export class Subscribers {
  #list: readonly Subscriber[] = []

  get isEmpty(): boolean {
    return this.#list.length === 0
  }

  /** Returns how to unsubscribe. */
  add(subscriber: Subscriber): () => void {
    this.#list = [...this.#list, subscriber]
    return () => {
      this.#list = this.#list.filter((other) => other !== subscriber)
    }
  }

  tell(entered: Entered): void {
    for (const subscriber of this.#list) subscriber(entered)
  }
}
