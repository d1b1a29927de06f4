/**
 * What is known while a projection reads the log, of the whole and of each key. The live state is
 * ahead of it.
 */
import { hlcToMs, type Hlc } from '../../crdt/time/hlc.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Resident } from '../merge/resident.ts'
import type { Budget } from '../operation/budget.ts'
import type { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { Position } from '../operation/position.ts'
import type { Expired } from '../store/expirations/expirations.ts'
import type { ExpiryMark } from '../store/expirations/expiry-mark.ts'
import { isForFold } from './register-pass.ts'

export interface Pass<State> {
  state: State
  /** The state that it goes on from has taken in what lay before, and the lives that had ended. */
  readonly through: Position
  readonly told: ExpiryMark
  /** By slot. */
  readonly keys: (SeenKey | undefined)[]
  /** The state of the engine has been replaced since it began. */
  isOutdated: boolean
  /** What one step of it spends from. */
  readonly budget: Budget
  /** Lives that have ended since it first came to the end of the log. */
  live: Expired[] | undefined
  /** Keys whose life was over that have been forgotten since the last step. */
  readonly gone: { readonly slot: Slot; readonly key: string }[]
}

/**
 * One key, as far as a rebuild has come with it. The live state is ahead. There is one for each key
 * that a rebuild has met, so it is one flat object.
 */
export class SeenKey {
  readonly key: string
  /** The snapshot that it goes on from; 0 if there is none. */
  readonly snapshot: Position
  version: number
  resident: Resident | undefined = undefined
  /** It is a register of which all operations are read: the greatest of them says the value. */
  isGreatestValue = false
  /** The newest operation that has been read. */
  readThrough: Position = 0
  /** Where the greatest of them lies; 0 if that is not known. */
  greatest: Position = 0
  /** Its stamp; `hlc` is 0 if that is not known. */
  hlc: Hlc = 0
  replica = '' as ReplicaId
  sequence = 0
  lifeMs = 0
  /** Its life has ended since. */
  hasEnded = false

  constructor(key: string, snapshot: Position, version: number) {
    this.key = key
    this.snapshot = snapshot
    this.version = version
  }

  /** One more operation has been read. */
  take(operation: OperationReader, position: Position): void {
    this.version++
    this.readThrough = position
    this.hasEnded = false
    if (this.isGreatestValue && isForFold(operation)) this.isGreatestValue = false
  }

  /** The operation at `position` is the greatest so far. */
  rise(operation: OperationReader, position: Position): void {
    this.greatest = position
    this.hlc = operation.hlc
    this.replica = operation.replica
    this.sequence = operation.sequence
    this.lifeMs = operation.lifeMs
  }
}

/** The end of the life that has been read; where `lifeMs` is not known, 0. */
export function endOf(seen: SeenKey, slot: Slot, lifeMs: number): Expired {
  const { key, hlc, replica, sequence, version, readThrough: head } = seen
  return { key, slot, hlc, replica, sequence, version, head, endMs: hlcToMs(hlc) + lifeMs, isLate: true }
}
