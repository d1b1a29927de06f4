/**
 * One change, computed as far as it is looked at: a consumer that only wants to know which key
 * changed pays for no more.
 */
import { asError } from '../../crdt/warp-error.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { OperationRecord } from '../store/kept-operation.ts'
import type { ExpiryMark } from '../store/expirations/expiry-mark.ts'
import type { Expired } from '../store/expirations/expirations.ts'
import type { Cursor, ExpiredChange, ValueChange } from './change.ts'
import type { Position } from '../operation/position.ts'
import { keepOperation } from '../store/kept-operation.ts'
import { showFields } from '../store/shown.ts'

/** What has been told of lives that have ended, as a cursor keeps it. */
export interface ExpiryPlace {
  readonly told: ExpiryMark
  /** Lives whose last operation is here or later have not been told, whenever they ended. */
  readonly unseenFrom: Position
}

export interface ChangeSource {
  readonly store: KeyStore
  /** Behind the operation at `position`, or before all if it is 0. */
  cursor(position: Position, expiry: ExpiryPlace): Cursor
}

export class LazyChange implements ValueChange {
  static {
    showFields(this.prototype, ['kind', 'key', 'value', 'version', 'operation', 'cursor'])
  }

  readonly kind = 'value'
  readonly key: string
  readonly version: number
  readonly #source: ChangeSource
  readonly #position: Position
  readonly #expiry: ExpiryPlace
  #operation: OperationRecord | undefined
  /** What the value is, or why it cannot be read, if it is that of an earlier moment. */
  #settled: (() => unknown) | undefined

  constructor(
    source: ChangeSource,
    { key, version, position }: { readonly key: string; readonly version: number; readonly position: Position },
    expiry: ExpiryPlace,
  ) {
    this.#source = source
    this.key = key
    this.version = version
    this.#position = position
    this.#expiry = expiry
  }

  /** Where the operation lies in the log. */
  get position(): Position {
    return this.#position
  }

  get value(): unknown {
    return this.#settled === undefined ? this.#read() : this.#settled()
  }

  /** From now on the value is the one of now. */
  settle(): void {
    try {
      const value = this.#read()
      this.#settled = () => value
    } catch (error) {
      const reason = asError(error)
      this.#settled = () => {
        throw reason
      }
    }
  }

  #read(): unknown {
    const { store } = this.#source
    const slot = store.keys.find(this.key)
    return slot === undefined ? undefined : store.values.read(slot)
  }

  get operation(): OperationRecord {
    return (this.#operation ??= keepOperation(this.#source.store, this.key, this.version, this.#position))
  }

  get cursor(): Cursor {
    return this.#source.cursor(this.#position, this.#expiry)
  }
}

/** The end of a life, as it is told. */
export class LazyExpired implements ExpiredChange {
  static {
    showFields(this.prototype, ['kind', 'key', 'version', 'expiredAtMs', 'cursor'])
  }

  readonly kind = 'expired'
  readonly key: string
  readonly value = undefined
  readonly version: number
  readonly expiredAtMs: number
  readonly #source: ChangeSource
  readonly #position: Position
  readonly #expiry: ExpiryPlace

  /** `position` is that of the newest operation before. */
  constructor(source: ChangeSource, { key, version, endMs }: Expired, position: Position, expiry: ExpiryPlace) {
    this.#source = source
    this.key = key
    this.version = version
    this.expiredAtMs = endMs
    this.#position = position
    this.#expiry = expiry
  }

  get cursor(): Cursor {
    return this.#source.cursor(this.#position, this.#expiry)
  }
}
