/**
 * States kept in the log beside long chains, so that the first read of a key after an opening, or
 * after the cache let go of it, goes on from there (`merge/kept-record.ts`). Whoever retains a log
 * of 400,000 operations would otherwise fold all of them again each time.
 *
 * A state is kept when so many operations have been folded since the last one that this is worth a
 * record: never in the call that folded them, and for a part of the log's bytes that is bounded,
 * whatever the keys hold. What is not kept is folded, so nothing depends on it: a full disk, a state
 * that is too large and a key whose operations say how long they live are passed over.
 */
import type { AnyStrategy } from '../../crdt/strategy.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { Holds } from '../log/holds.ts'
import { RECORD_KIND, type Log } from '../log/log.ts'
import type { Chain } from '../merge/chain.ts'
import { foldNameOf, readKept, writeKept, type KeptState } from '../merge/kept-record.ts'
import { Resident } from '../merge/resident.ts'
import { enterUsersCode, leaveUsersCode } from '../merge/users-code.ts'
import type { Position } from '../operation/position.ts'
import type { ReplicaTable } from '../operation/replica-table.ts'
import type { Env } from '../ports/env.ts'

/** To fold so many operations takes some 10 ms. */
const KEPT_AFTER_OPERATIONS = 4096
/**
 * A record of a state may take so many bytes for each operation that has been folded since the last
 * one: a tenth of what the operations themselves take.
 */
const BYTES_PER_OPERATION = 4
/** A state of more pieces is not encoded in one step. */
const PIECES_MAX = 8192

export interface KeptStatesOptions {
  readonly log: Log
  readonly keys: KeyTable
  readonly table: ReplicaTable
  readonly env: Env
  readonly holds: Holds
  /** The state in memory of a key, if it is of use. */
  readonly residentOf: (slot: Slot) => Resident | undefined
  readonly keyspaceOf: (slot: Slot) => Keyspace
}

export class KeptStates {
  readonly #options: KeptStatesOptions
  /** Keys whose states are to be kept, the first one first. */
  readonly #due = new Set<Slot>()
  /** From how many operations on a state is worth keeping, where that is not the rule. */
  readonly #after = new WeakMap<Resident, number>()
  /** Names the folds that only this process knows. */
  #processName: string | undefined
  #isClosed = false

  constructor(options: KeptStatesOptions) {
    this.#options = options
  }

  /** A state to go on from, if one is kept that is part of `chain`. */
  restore(slot: Slot, strategy: AnyStrategy, chain: Chain): Resident | undefined {
    const { kept } = this.#options.keys
    if (kept.size === 0) return undefined
    const place = kept.get(slot)
    if (place === undefined || place.through <= chain.cut || place.through > chain.head) return undefined
    // The life of a value depends on the pattern of the key, which may have changed.
    if ((chain.lifeMs ?? 0) > 0) return undefined
    const resident = this.#read(slot, strategy)
    if (resident === undefined) kept.delete(slot)
    return resident
  }

  /** Whether restoring the state of a key will not touch the disk. */
  isResident(slot: Slot): boolean {
    const place = this.#options.keys.kept.get(slot)
    return place === undefined || this.#options.log.isResident(place.position)
  }

  /** A key has been folded. Its state is kept soon if that is worth it. */
  note(slot: Slot, resident: Resident): void {
    if (resident.unkeptCount < KEPT_AFTER_OPERATIONS || this.#due.has(slot)) return
    if (resident.unkeptCount < (this.#after.get(resident) ?? 0)) return
    this.#due.add(slot)
    if (this.#due.size === 1) this.#keepSoon()
  }

  /** The key is forgotten: its slot may become another key's. */
  forget(slot: Slot): void {
    this.#due.delete(slot)
    const place = this.#options.keys.kept.get(slot)
    if (place !== undefined) this.#discard(place.position)
  }

  /** All keys have been replaced. */
  reset(): void {
    this.#due.clear()
  }

  close(): void {
    this.#isClosed = true
    this.#due.clear()
  }

  /** In a later turn of the event loop: nothing else is under way then, and each key has a turn of its own. */
  #keepSoon(): void {
    void this.#options.env.yield().then(() => {
      const [slot] = this.#due
      if (slot === undefined || this.#isClosed) return
      this.#due.delete(slot)
      this.#keepInTurn(slot)
      if (this.#due.size > 0) this.#keepSoon()
    })
  }

  #keepInTurn(slot: Slot): void {
    const resident = this.#options.residentOf(slot)
    if (resident === undefined) return
    // While somebody copies or replaces everything, there is no haste.
    if (this.#options.holds.isWhole) return
    const { strategy } = this.#options.keyspaceOf(slot)
    const pieces = strategy.piecesOf?.(resident.state) ?? 1
    const isKept = pieces <= PIECES_MAX && this.keep(slot, resident.unkeptCount * BYTES_PER_OPERATION)
    if (!isKept) this.#after.set(resident, resident.unkeptCount * 2)
  }

  /**
   * Keeps the state that is in memory of a key now, if its record takes no more than `bytesMax`.
   * Returns whether it did.
   */
  keep(slot: Slot, bytesMax: number = Infinity): boolean {
    const { log, table, keys } = this.#options
    const resident = this.#options.residentOf(slot)
    const keyspace = this.#options.keyspaceOf(slot)
    if (resident === undefined || !isKeepable(resident, keyspace)) return false
    const { strategy } = keyspace
    const position = ((): number | undefined => {
      try {
        const state: KeptState = { fold: this.#foldOf(strategy), snapshot: this.#snapshotOf(slot, resident, strategy) }
        const writer = log.begin()
        writeKept(writer, state, table)
        return writer.at - writer.start > bytesMax ? undefined : log.commit(RECORD_KIND.kept, 0, writer)
      } catch {
        // It is only ever a shortcut. Who needs the disk, or the strategy, is told by its own call.
        return undefined
      }
    })()
    if (position === undefined) return false
    const before = keys.kept.get(slot)
    if (before !== undefined) this.#discard(before.position)
    keys.kept.set(slot, { position, through: resident.folded })
    resident.unkeptCount = 0
    return true
  }

  /** A place that was read from a checkpoint may hold nothing any more. */
  #discard(position: Position): void {
    try {
      this.#options.log.discard(position)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOG_CORRUPT')) throw error
    }
  }

  #snapshotOf(slot: Slot, resident: Resident, strategy: AnyStrategy): KeptState['snapshot'] {
    const { keys } = this.#options
    const version = keys.version[slot]!
    enterUsersCode()
    try {
      const { present, folded: through, hlc, replica, sequence, lifeMs, vector, firstNames } = resident
      return {
        key: keys.keys[slot] as string,
        strategy: strategy.code,
        ...{ present, through, hlc, replica, sequence, lifeMs, vector, firstNames },
        baseVersion: version,
        version,
        state: strategy.encodeState(resident.state),
      }
    } finally {
      leaveUsersCode()
    }
  }

  /** `undefined` if there is none, it is damaged, or another fold made it. */
  #read(slot: Slot, strategy: AnyStrategy): Resident | undefined {
    const { log, keys, table } = this.#options
    const { position, through } = keys.kept.get(slot) as { position: number; through: number }
    try {
      const record = log.record(position)
      if (record.kind !== RECORD_KIND.kept) return undefined
      const { fold, snapshot } = readKept(record.bytes, record.start, record.end, table)
      const isOurs = snapshot.key === keys.keys[slot] && snapshot.through === through
      if (!isOurs || snapshot.strategy !== strategy.code || fold !== this.#foldOf(strategy)) return undefined
      return this.#residentOf(snapshot, strategy, record.end - record.start)
    } catch (error) {
      if (isWarpError(error, 'WARP_E_LOG_CORRUPT') || isWarpError(error, 'WARP_E_PROTOCOL')) return undefined
      throw error
    }
  }

  #residentOf(snapshot: KeptState['snapshot'], strategy: AnyStrategy, bytes: number): Resident {
    enterUsersCode()
    try {
      const resident = new Resident(strategy.decodeState(snapshot.state), snapshot.through, snapshot)
      resident.bytes = bytes
      const { hlc, replica, sequence } = snapshot
      resident.keptTip = { hlc, replica, sequence }
      return resident
    } finally {
      leaveUsersCode()
    }
  }

  #foldOf(strategy: AnyStrategy): string {
    const name = foldNameOf(strategy)
    if (name !== undefined) return name
    this.#processName ??= `process ${this.#options.env.random(8).join('.')}`
    return this.#processName
  }
}

/**
 * Not where values have lives, or other strategies wrote as well: which operations count depends on
 * all of them.
 * Nor where operations are here more than once: then the key is folded from all of them anyway.
 * Nor documents, whose states are objects of a library that are handed out.
 */
function isKeepable(resident: Resident, { strategy, lifeMs, isLast }: Keyspace): boolean {
  if (isLast || lifeMs > 0 || resident.hasOwnLives || !resident.hasTip) return false
  if (resident.hasOthers || resident.repeats !== undefined) return false
  return strategy.isIntact === undefined && strategy.appliesOnPrepare !== true
}
