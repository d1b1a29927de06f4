/**
 * Keys whose truth is in a store: what their rows hold, and the operations that the rows lack. The
 * rules were modelled (test/models/data-layer/store); "Keyspaces with a store" in
 * docs/data-layer-model.md tells each with the schedule that needs it.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import { compareStamps, type Hlc } from '../../../crdt/time/hlc.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { RECORD_KIND } from '../../log/log.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { StoreSource } from '../../keys/source/store-source.ts'
import { cannotFold } from '../../merge/cannot-fold.ts'
import type { ChainReader } from '../../merge/folding/chain-reader.ts'
import type { Placed } from '../../merge/placed.ts'
import { Budget, STEP } from '../../operation/budget.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import type { Position } from '../../operation/position.ts'
import type { Env } from '../../ports/env.ts'
import type { StoreRow } from '../../ports/primary-store.ts'
import type { KeyStore, StoredOperations } from '../../store/key-store.ts'
import type { Invalidations } from '../invalidations.ts'
import { MISS, type Keeper } from '../keeper.ts'
import { Answer } from '../load-request.ts'
import { baseOf, type Base } from './rows/base.ts'
import { isIn, isPlacedBy, openOperation, type OpenOperation } from './rows/open-operation.ts'
import { foldOver, isBlind, isUnsettled, orderMatters } from './rows/row-fold.ts'
import { StoredKey, type KnownRow } from './stored-key.ts'

export interface StoredKeysOptions {
  readonly store: KeyStore
  readonly env: Env
  readonly keeper: Keeper
  readonly invalidations: Invalidations
}

/** The key with a row taken in. */
export interface Taken {
  readonly base: Base
  readonly open: OpenOperation[]
}

/** What is put together. */
type Folded = { readonly [Part in keyof Taken]: Readonly<Taken[Part]> }

/** A write that may be served without a look at the store. */
export interface Alone {
  readonly value: unknown
  readonly tags: readonly string[]
  /** How long it lives, ms, if the write says so. */
  readonly lifeMs: number | undefined
}

/** So many are looked at without a pause. */
const SHORT = { operations: STEP.operations, bytes: STEP.bytes }
/** While concurrent writes whose order matters are not settled, a key is loaded this often at most, ms. */
const UNSETTLED_MS = 100
const NO_TAGS: readonly string[] = []

export class StoredKeys implements StoredOperations {
  readonly #options: StoredKeysOptions
  readonly #store: KeyStore
  readonly #keys = new Map<string, StoredKey>()
  /** All that was in keys that have been let go of: a late operation of theirs says nothing by itself. */
  readonly #letGo = new VersionVector()
  #letGoStamp: Hlc = 0

  constructor(options: StoredKeysOptions) {
    this.#options = options
    this.#store = options.store
    this.forgetAll()
  }

  get count(): number {
    return this.#keys.size
  }

  [Symbol.iterator](): IterableIterator<StoredKey> {
    return this.#keys.values()
  }

  find(key: string): StoredKey | undefined {
    return this.#keys.get(key)
  }

  of(key: string, keyspace: Keyspace): StoredKey {
    const known = this.#keys.get(key)
    if (known?.keyspace === keyspace) return known
    const stored = new StoredKey(key, keyspace)
    this.#keys.set(key, stored)
    return stored
  }

  /** Nothing is known any more of what rows hold: at the start, or where a state was taken over. */
  forgetAll(): void {
    this.#letGo.join(this.#store.applied)
    this.#letGoStamp = Math.max(this.#letGoStamp, this.#store.clock.last)
    for (const [key, stored] of this.#keys) {
      stored.forget()
      // Who is writing it goes on with what there is now: operations may have other names by then.
      if (!stored.isBusy) this.#keys.delete(key)
    }
  }

  /**
   * Looks at what has come of a key since the last look. `false`: that is more than is looked at
   * without a pause; `gatherSteps` does it. Throws `WARP_E_UNKNOWN_OP`.
   */
  gather(stored: StoredKey): boolean {
    const chain = this.#chainOf(stored)
    if (chain === undefined || chain.head <= stored.gathered) return true
    const positions = this.#chains.positionsAfter(chain.head, Math.max(stored.gathered, chain.cut), SHORT)
    if (positions === undefined) return false
    this.#add(stored, positions, chain.head)
    return true
  }

  async gatherSteps(stored: StoredKey): Promise<void> {
    const budget = new Budget(this.#options.env)
    while (!this.gather(stored)) {
      const chain = this.#chainOf(stored)
      if (chain === undefined) return
      const { head, cut } = chain
      const { generation } = stored
      const hold = this.#store.holds.take(`reading '${stored.key}' for its store`)
      try {
        const after = Math.max(stored.gathered, cut)
        const positions = await budget.finish(this.#chains.positionsSteps({ head }, { after }, budget))
        // In pieces, the oldest first.
        while (positions.length > 0 && stored.generation === generation) {
          const piece = positions.splice(-SHORT.operations)
          this.#add(stored, piece, piece[0] as Position)
          await budget.rest()
        }
      } finally {
        hold.release()
      }
    }
  }

  #chainOf({ key }: StoredKey): { readonly head: Position; readonly cut: Position } | undefined {
    const slot = this.#store.keys.find(key)
    if (slot === undefined) return undefined
    const { head, cut } = this.#store.chain(slot)
    return { head, cut }
  }

  get #chains(): ChainReader {
    return this.#store.folder.chains
  }

  /** `positions`: the newest first. */
  #add(stored: StoredKey, positions: readonly Position[], through: Position): void {
    const { strategy } = stored.keyspace
    const fresh: OpenOperation[] = []
    for (let i = positions.length - 1; i >= 0; i--) {
      const position = positions[i] as Position
      const reader = this.#chains.read(position)
      if (reader.kind === OPERATION_KIND.touch) continue
      if (reader.kind !== OPERATION_KIND.update && reader.kind !== OPERATION_KIND.delete)
        throw cannotFold(strategy, reader.kind)
      const operation = openOperation(reader, position)
      if (!stored.isCovered(operation)) fresh.push(operation)
    }
    // In place: a key that waits for its store may have very many.
    stored.open.push(...fresh)
    stored.gathered = through
  }

  /** The key with a row of it taken in. All that has come of the key must have been gathered. */
  taken(stored: StoredKey, row: Base): Taken {
    const { strategy } = stored.keyspace
    stored.stored.join(row.vector)
    if (row.tip !== undefined && !this.#store.clock.isAhead(row.tip.hlc)) this.#store.clock.observe(row.tip.hlc)
    const { base, open } = stored
    const chains = this.#chains
    if (base?.name === row.name) {
      const known = stored.known()
      const isNews = !known.dominates(row.vector) || row.vector.dominates(known) || open.some(isPlacedBy(row.vector))
      if (!isNews && !isBlind({ strategy, base, operations: open, chains })) return { base, open }
    }
    if (base !== undefined && !row.vector.dominates(base.vector)) this.#gatherAnew(stored, row)
    return { base: row, open: stored.open.filter((operation) => !isIn(row.vector, operation)) }
  }

  /** The row lacks what the base held: somebody has put an old one back. */
  #gatherAnew(stored: StoredKey, row: Base): void {
    stored.base = row
    stored.open = []
    stored.gathered = 0
    stored.refold()
    this.gather(stored)
  }

  /**
   * Another replica has told what the row holds: of that, what is here is known stored. The rest says
   * nothing of what there is here, of which it may lack as much. Returns whether all has been looked at.
   */
  told(stored: StoredKey, vector: VersionVector): boolean {
    if (!this.gather(stored)) return false
    for (const operation of stored.open)
      for (const { replica, sequence } of [operation, ...operation.others])
        if (vector.includes(replica, sequence)) stored.stored.raise(replica, sequence)
    return true
  }

  /** What the key is with a row taken in. */
  fold(stored: StoredKey, { base, open }: Folded): Base {
    return foldOver({ strategy: stored.keyspace.strategy, base, operations: open, chains: this.#chains })
  }

  isBlind(stored: StoredKey, { base, open }: Folded): boolean {
    return isBlind({ strategy: stored.keyspace.strategy, base, operations: open, chains: this.#chains })
  }

  baseOf(stored: StoredKey, row: StoreRow | undefined): Base {
    const { codec } = (stored.keyspace.source?.store as StoreSource).store
    return baseOf(stored.key, row, { codec, table: this.#store.table })
  }

  /** From now on the key is what the row says, with what it lacks on top. */
  commit(stored: StoredKey, { base, open }: Taken): void {
    stored.base = base
    stored.open = open
    stored.refold()
    stored.servedUntilMs = this.#options.env.monotonic() + UNSETTLED_MS
    if (!stored.isDirty && this.#options.keeper.copies.find(stored.key) === undefined) this.letGo(stored)
  }

  /** What a load answers with. All that has come of the key has been gathered. */
  answer(key: string, keyspace: Keyspace, row: StoreRow | undefined): Answer {
    const stored = this.of(key, keyspace)
    return new RowAnswer(this, stored, () => ({ row, base: this.baseOf(stored, row) }))
  }

  /** The same of a row that has been read already. */
  answerOf(stored: StoredKey, known: KnownRow): Answer {
    return new RowAnswer(this, stored, () => known)
  }

  /** The value of a key whose copy is behind its operations; `MISS` if it has to be loaded. */
  caughtUp(key: string): unknown {
    const stored = this.#keys.get(key)
    if (stored === undefined) return MISS
    const { base } = stored
    if (base === undefined) {
      const alone = this.alone(key, stored.keyspace)
      return alone === undefined ? MISS : alone.value
    }
    try {
      if (!this.gather(stored) || this.#isUnsettled(stored, base)) return MISS
      return stored.folded(base, (from, operations) => this.#advance(stored, from, operations)).value
    } catch {
      // Whoever loads it is told why.
      return MISS
    }
  }

  /** What is known here of a key, settled or not; `undefined` where its row has not been read. */
  shown(key: string): unknown {
    const stored = this.#keys.get(key)
    if (stored?.base === undefined) return undefined
    if (!this.gather(stored)) return undefined
    return stored.folded(stored.base, (from, operations) => this.#advance(stored, from, operations)).value
  }

  /** Goes on from what has been folded, unless an operation belongs before it. */
  #advance(stored: StoredKey, from: Base, operations: readonly OpenOperation[]): Base {
    const { strategy } = stored.keyspace
    const base = stored.base as Base
    const isWhole = operations.length === stored.open.length
    const isSafe = strategy.fold === 'last' || !operations.some((operation) => orderMatters(strategy, operation))
    if (isWhole || isSafe) return this.fold(stored, { base: from, open: operations })
    return this.fold(stored, { base, open: stored.open })
  }

  #isUnsettled(stored: StoredKey, base: Base): boolean {
    const { strategy } = stored.keyspace
    if (strategy.fold === 'last') return false
    if (this.#options.env.monotonic() < stored.servedUntilMs) return false
    const folding = { strategy, base, operations: stored.open, chains: this.#chains }
    return isUnsettled(folding, stored.row?.base.vector ?? base.vector)
  }

  /**
   * The last write of a register, if its writer had seen every invalidation of the key: then it is
   * news, whatever the store holds. `undefined`: the store has to be asked.
   */
  alone(key: string, keyspace: Keyspace): Alone | undefined {
    const slot = this.#store.keys.find(key)
    if (slot === undefined || keyspace.strategy.fold !== 'last') return undefined
    try {
      return this.#aloneAt(slot, key, keyspace)
    } catch {
      // Whoever loads it is told why.
      return undefined
    }
  }

  #aloneAt(slot: Slot, key: string, keyspace: Keyspace): Alone | undefined {
    const { folder } = this.#store
    const stored = this.of(key, keyspace)
    const operation = this.#newestUnstored(slot, stored)
    if (operation === undefined) return undefined
    const none: Base = { value: undefined, vector: new VersionVector(), tip: undefined, name: '' }
    const { value } = this.fold(stored, { base: none, open: [operation] })
    const tags = value === undefined ? NO_TAGS : (keyspace.source?.rules.tags?.(key, value) ?? NO_TAGS)
    const reader = folder.chains.read(operation.position)
    const isSeen = this.#options.invalidations.isSeenBy(key, tags, ({ replica, sequence }) =>
      reader.observed(replica, sequence),
    )
    return isSeen ? { value, tags, lifeMs: reader.lifeMs || undefined } : undefined
  }

  /** The greatest operation of a key, unless the store may hold it, or a later one. */
  #newestUnstored(slot: Slot, stored: StoredKey): OpenOperation | undefined {
    const tip = this.#store.keys.tip[slot]!
    if (this.#chains.record(tip).kind !== RECORD_KIND.operation || !this.gather(stored)) return undefined
    const operation = stored.open.find(({ position }) => position === tip)
    if (operation === undefined || stored.isStored(operation) || !this.#isNewerThanRow(stored, operation))
      return undefined
    // One that was let go of here may have been later.
    const isLate = isIn(this.#letGo, operation) || operation.hlc <= this.#letGoStamp
    return isLate ? undefined : operation
  }

  #isNewerThanRow({ base }: StoredKey, operation: OpenOperation): boolean {
    return base?.tip === undefined || compareStamps(base.tip, operation) < 0
  }

  /**
   * The row of a key lacks what it has held: what is in the log of that is to go there again. Returns
   * whether anything is. All that has come of the key must have been gathered.
   */
  lost(stored: StoredKey, row: Base): boolean {
    stored.stored = row.vector.copy()
    stored.forgetRow()
    stored.open = []
    stored.gathered = 0
    return !this.gather(stored) || stored.isDirty
  }

  /** The copy of a key has gone: what is left of it is a floor, unless it is on its way to the store. */
  gone(key: string): void {
    const stored = this.#keys.get(key)
    if (stored !== undefined && !stored.isBusy && !stored.isDirty) this.letGo(stored)
  }

  letGo(stored: StoredKey): void {
    if (stored.base !== undefined) {
      this.#letGo.join(stored.base.vector)
      this.#letGoStamp = Math.max(this.#letGoStamp, stored.base.tip?.hlc ?? 0)
    }
    for (const operation of stored.open) this.#pass(operation)
    stored.forgetRow()
    // All of them are stored.
    stored.open = []
    // What is stored has to be known until compaction has taken the operations out of the log.
    if (this.#store.keys.find(stored.key) === undefined) this.#keys.delete(stored.key)
  }

  #pass({ replica, sequence, hlc }: Pick<Placed, 'replica' | 'sequence' | 'hlc'>): void {
    this.#letGo.raise(replica, sequence)
    this.#letGoStamp = Math.max(this.#letGoStamp, hlc)
  }

  /** Whether all that is in the log of a key is; `false` where that is more than is looked at at once. */
  isAllInLog(stored: StoredKey, is: (dot: Dot) => boolean): boolean {
    const chain = this.#chainOf(stored)
    if (chain === undefined) return true
    const positions = this.#chains.positionsAfter(chain.head, chain.cut, SHORT)
    return positions?.every((position) => is(this.#chains.read(position))) === true
  }

  isStored(key: string, operation: Placed): boolean {
    const stored = this.#keys.get(key)
    if (stored === undefined) return false
    const { replica, sequence, origin } = operation
    if (stored.stored.includes(replica, sequence)) return true
    return origin !== undefined && stored.stored.includes(origin.replica, origin.sequence)
  }

  compacted(key: string, operations: readonly Placed[]): void {
    for (const operation of operations) this.#pass(operation)
    const stored = this.#keys.get(key)
    if (stored === undefined) return
    const through = operations.at(-1)?.position ?? 0
    if (stored.open.some(({ position }) => position <= through)) {
      // They are in the store, and not in the base that is here.
      stored.open = stored.open.filter(({ position }) => position > through)
      stored.forgetRow()
      this.#options.keeper.drop(key)
    }
    if (this.#options.keeper.copies.find(key) === undefined) this.gone(key)
  }
}

class RowAnswer extends Answer {
  readonly #keys: StoredKeys
  readonly #stored: StoredKey
  readonly #read: () => KnownRow
  #known: KnownRow | undefined
  #taken: Taken | undefined

  constructor(keys: StoredKeys, stored: StoredKey, read: () => KnownRow) {
    super()
    this.#keys = keys
    this.#stored = stored
    this.#read = read
  }

  override value(): unknown {
    this.#known = this.#read()
    this.#keys.gather(this.#stored)
    this.#taken = this.#keys.taken(this.#stored, this.#known.base)
    return this.#keys.fold(this.#stored, this.#taken).value
  }

  override kept(): void {
    if (this.#taken === undefined) return
    this.#stored.row = this.#known
    this.#keys.commit(this.#stored, this.#taken)
  }

  override dropped(): void {
    if (!this.#stored.isBusy) this.#stored.row = undefined
  }
}
