/**
 * One change, computed as far as it is looked at: a consumer that only wants to know which key
 * changed pays for no more.
 */
import type { KeyStore } from '../store/key-store.ts'
import type { OperationRecord } from '../store/kept-operation.ts'
import type { Cursor, ValueChange } from './change.ts'
import type { Position } from '../operation/position.ts'
import { keepOperation } from '../store/kept-operation.ts'

export interface ChangeSource {
  readonly store: KeyStore
  /** Behind the operation at `position`, or before all if it is 0. */
  cursor(position: Position): Cursor
}

export class LazyChange implements ValueChange {
  readonly kind = 'value'
  readonly key: string
  readonly version: number
  readonly #source: ChangeSource
  readonly #position: Position
  #operation: OperationRecord | undefined

  constructor(source: ChangeSource, key: string, version: number, position: Position) {
    this.#source = source
    this.key = key
    this.version = version
    this.#position = position
  }

  /** Where the operation lies in the log. */
  get position(): Position {
    return this.#position
  }

  get value(): unknown {
    const { store } = this.#source
    const slot = store.keys.find(this.key)
    return slot === undefined ? undefined : store.values.read(slot)
  }

  get operation(): OperationRecord {
    return (this.#operation ??= keepOperation(this.#source.store, this.key, this.version, this.#position))
  }

  get cursor(): Cursor {
    return this.#source.cursor(this.#position)
  }
}
