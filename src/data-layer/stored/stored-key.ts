/** What is known here of one key whose truth is in a store. */
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { Position } from '../../operation/position.ts'
import type { StoreRow } from '../../ports/primary-store.ts'
import type { Base } from './rows/base.ts'
import { isIn, putIn, type OpenOperation } from './rows/open-operation.ts'

/** A row as it was read or written last, from which the next write is made. */
export interface KnownRow {
  readonly row: StoreRow | undefined
  readonly base: Base
}

export class StoredKey {
  readonly key: string
  readonly keyspace: Keyspace
  /** `undefined`: unknown, as the key was not loaded since it was last let go of. Not the same as empty. */
  base: Base | undefined
  row: KnownRow | undefined
  /**
   * The operations that the store is known to hold. May be too small; wrong only where somebody has put
   * an old row back, which the validator finds out.
   */
  stored: VersionVector = new VersionVector()
  /** Operations in the log up to `gathered` that the base lacks or, if there is none, that are not known stored. */
  open: OpenOperation[] = []
  gathered: Position = 0
  /** A write to the store is under way: there is one at a time. */
  isBusy = false
  /** What the store will never take: until somebody writes the key again. */
  isRejected = false
  /** How often in a row a write found another row than the one that it was made from. */
  refusalsCount = 0
  /** While its order is not settled, what was loaded last is served until then. */
  servedUntilMs = 0
  #generation = 0
  readonly #waiting: (() => void)[] = []
  /** The base with the operations on top, as far as they have been looked at. */
  #top: { readonly base: Base; readonly operationsCount: number; readonly folded: Base } | undefined

  constructor(key: string, keyspace: Keyspace) {
    this.key = key
    this.keyspace = keyspace
  }

  /** How often all that was known has been forgotten. */
  get generation(): number {
    return this.#generation
  }

  /** Whether the store is known to hold the operation. */
  isStored(operation: OpenOperation): boolean {
    return isIn(this.stored, operation)
  }

  isCovered(operation: OpenOperation): boolean {
    return this.base === undefined ? this.isStored(operation) : isIn(this.base.vector, operation)
  }

  /** Whether anything that has been looked at is not known to be in the store. */
  get isDirty(): boolean {
    return this.open.some((operation) => !this.isStored(operation))
  }

  /** All that is known of it here: what the base holds, and the operations. */
  known(): VersionVector {
    const known = this.base === undefined ? new VersionVector() : this.base.vector.copy()
    for (const operation of this.open) putIn(known, operation)
    return known
  }

  /** The value so far, made by `fold` unless nothing has changed. */
  folded(base: Base, fold: (from: Base, operations: readonly OpenOperation[]) => Base): Base {
    const top = this.#top
    const isSame = top?.base === base && top.operationsCount <= this.open.length
    if (isSame && top.operationsCount === this.open.length) return top.folded
    const fresh = isSame ? this.open.slice(top.operationsCount) : this.open
    const folded = fold(isSame ? top.folded : base, fresh)
    this.#top = { base, operationsCount: this.open.length, folded }
    return folded
  }

  /** The write to the store is over. */
  release(): void {
    this.isBusy = false
    this.#waiting.shift()?.()
  }

  /** Waits until no write to the store is under way, and begins one. */
  async acquire(): Promise<void> {
    while (this.isBusy) await new Promise<void>((go) => this.#waiting.push(go))
    this.isBusy = true
  }

  /** Nothing counts any more of what was known, though a write to the store may be under way. */
  forget(): void {
    this.forgetRow()
    this.stored = new VersionVector()
    this.open = []
    this.gathered = 0
    this.#generation++
  }

  /** What the row holds is not known any more. */
  forgetRow(): void {
    this.base = undefined
    this.row = undefined
    this.refold()
  }

  /** Whatever was folded counts no more. */
  refold(): void {
    this.#top = undefined
  }
}
