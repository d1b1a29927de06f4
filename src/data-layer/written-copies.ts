/**
 * What is written to keys whose truth is a function that loads: no store takes it, so a write is an
 * invalidation of its key that brings a copy along. The copy is kept if its writer had seen all that
 * is known here of the key: every invalidation that is about it, and every write of it. Of two writes
 * that had not seen each other neither is known to be what the source holds: both are void.
 *
 * The rules were modelled (test/models/data-layer); "load alone" in docs/data-layer.md.
 */
import type { Dot } from '../../crdt/time/dot.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import { OPERATION_KIND } from '../operation/envelope/kinds.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Entered } from '../store/write-road/draft.ts'
import { TOO_LONG } from '../cache/values.ts'
import type { CopyRules, Source } from '../keys/source/source.ts'
import { OldestFirst } from '../../crdt/oldest-first.ts'
import type { Invalidations } from './invalidations.ts'
import type { Keeper } from './keeper.ts'
import type { Loads } from './loads.ts'

/** Keys of which it is remembered who wrote them last. */
const KEYS_MAX = 65_536

export interface WrittenCopiesOptions {
  readonly store: KeyStore
  readonly keeper: Keeper
  readonly loads: Loads
  readonly invalidations: Invalidations
}

export class WrittenCopies {
  readonly #options: WrittenCopiesOptions
  readonly #reader: OperationReader
  /** The newest writes of each key: more than one while they have not seen each other. */
  readonly #newest = new OldestFirst<string, readonly Dot[]>()

  constructor(options: WrittenCopiesOptions) {
    this.#options = options
    this.#reader = new OperationReader(options.store.table)
    options.store.subscribe((entered) => {
      const { source } = entered.keyspace
      // Where there is a store, what is written goes there (`stored/`).
      if (source !== undefined && source.store === undefined) this.#entered(entered, source)
    })
  }

  /** The newest writes of a key that are remembered: more than one while they have not seen each other. */
  newest(key: string): readonly Dot[] {
    return this.#newest.get(key) ?? []
  }

  /** `into` is what has to be seen of what is not remembered any more. */
  forgetAll(into: VersionVector): void {
    for (const key of [...this.#newest.keys()]) this.#forget(key, into)
  }

  #entered(entered: Entered, source: Source): void {
    const { store, keeper, loads } = this.#options
    const { slot, position, replica, sequence, kind } = entered
    if (kind !== OPERATION_KIND.update && kind !== OPERATION_KIND.delete) return
    const key = store.keys.keys[slot] as string
    loads.voidsKey(key)
    const { bytes, start, end } = store.log.record(position)
    const operation = this.#reader.load(bytes, start, end)
    const hasSeen = (dot: Dot): boolean => operation.observed(dot.replica, dot.sequence)
    const before = this.#newest.get(key) ?? []
    const isNewest = before.every(hasSeen)
    this.#note(key, isNewest ? [{ replica, sequence }] : [...before, { replica, sequence }])
    const value = isNewest && store.keys.tip[slot] === position ? this.#valueAt(entered) : TOO_LONG
    const lifeMs = entered.lifeMs || undefined
    if (value === TOO_LONG || !this.#isKept(key, { value, lifeMs, rules: source.rules, hasSeen })) keeper.drop(key)
  }

  /** Keeps what was written, if its writer had seen all that is known of the key. Returns whether it has. */
  #isKept(
    key: string,
    {
      value,
      lifeMs,
      rules,
      hasSeen,
    }: { value: unknown; lifeMs: number | undefined; rules: CopyRules; hasSeen: (dot: Dot) => boolean },
  ): boolean {
    const { keeper, invalidations } = this.#options
    try {
      const tags = value === undefined ? [] : (rules.tags?.(key, value) ?? [])
      if (!invalidations.isSeenBy(key, tags, hasSeen)) return false
      return keeper.keep(key, { value, begin: invalidations.count, rules, tags, lifeMs })
    } catch {
      // Users' code that names its tags, weighs it, or says how long it lives: who reads the key is told,
      // by the load.
      return false
    }
  }

  #valueAt({ slot, kind }: Entered): unknown {
    if (kind === OPERATION_KIND.delete) return undefined
    try {
      return this.#options.store.values.readShort(slot)
    } catch {
      // Whoever reads it is told why, by the load.
      return TOO_LONG
    }
  }

  #note(key: string, dots: readonly Dot[]): void {
    this.#newest.delete(key)
    this.#newest.set(key, dots)
    if (this.#newest.size <= KEYS_MAX) return
    this.#forget(this.#newest.oldest() as string, this.#options.invalidations.forgotten)
  }

  #forget(key: string, into: VersionVector): void {
    for (const { replica, sequence } of this.#newest.get(key) ?? []) into.raise(replica, sequence)
    this.#newest.delete(key)
  }
}
