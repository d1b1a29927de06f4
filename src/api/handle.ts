/**
 * Handles: one key, looked up once. A handle remembers the slot of its key, so that reading through
 * it is a compare and two loads. For each strategy a class is made whose methods are the strategy's
 * verbs and queries.
 *
 * The slot is good while the table's generation is; afterwards it is looked up again.
 */
import { checkOptions } from '../../crdt/checked-options.ts'
import { detached } from '../../crdt/encoding/shared-value.ts'
import type { AnyStrategy, Query, Verb } from '../../crdt/strategy.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { DataLayer } from '../data-layer/data-layer.ts'
import type { KeyStore } from '../store/key-store.ts'
import { foldUntilShort, readAtOnce, readInSteps } from '../store/read-steadily.ts'
import type { KeyTable, Slot } from '../keys/key-table.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Keyspace, Keyspaces } from '../keys/keyspace.ts'
import type { At, ExplainOptions, Explanation, LogOptions } from '../history/explanation.ts'
import type { OperationRecord } from '../store/kept-operation.ts'
import type { Watch, WatchOptions } from '../watch/change.ts'
import type { WatchHub } from '../watch/watch.ts'
import { TOO_LONG } from '../cache/values.ts'
import { HOT_MORTAL_VISITED, HOT_VISITED, type Residency } from '../cache/residency.ts'
import type { HistoryPart } from './parts.ts'
import type { KeyHandle } from './public.ts'
import type { StrongLink } from './links/strong-link.ts'
import { WRITE_OPTIONS, type Receipt, type WriteOptions } from '../store/write-road/receipt.ts'
import { NO_OPTIONS, rejected, type Target, type Writer } from '../store/write-road/writer.ts'

/** What handles work with. */
export interface HandleParts {
  readonly store: KeyStore
  readonly writer: Writer
  readonly history: HistoryPart
  readonly watches: WatchHub
  /** Where keys are read that load. */
  readonly copies: () => CopyReads | undefined
  /** What reads of strong keys wait for. */
  readonly strong: Pick<StrongLink, 'readable'>
}

/** What reads of keys that load go through. */
export type CopyReads = Pick<DataLayer, 'get' | 'peek'>

/** Shared by handles, so that each of them fits a line of the processor's cache. */
interface HandleContext extends HandleParts {
  readonly keys: KeyTable
  readonly residency: Residency
  readonly keyspace: Keyspace
  readonly keyspaces: Keyspaces
  readonly options: WriteOptions
}

const UNKNOWN = -1

export class Handle implements KeyHandle, Target {
  readonly key: string
  readonly #context: HandleContext
  #slot: Slot = UNKNOWN
  #generation = UNKNOWN

  constructor(context: HandleContext, key: string) {
    this.key = key
    this.#context = context
  }

  /** Throws `WARP_E_UNREGISTERED_KEY` if the key belongs to another pattern by now, or to none. */
  get keyspace(): Keyspace {
    this.#assertRegistered()
    return this.#context.keyspace
  }

  /** The key's slot, `undefined` while the key does not exist. */
  get slot(): Slot | undefined {
    const { keys } = this.#context
    if (this.#generation === keys.generation && this.#slot !== UNKNOWN) return this.#slot
    const slot = keys.find(this.key)
    if (slot === undefined) return undefined
    this.#generation = keys.generation
    this.#slot = slot
    return slot
  }

  peek(): unknown {
    const { keys, residency } = this.#context
    const slot = this.#slot
    if (this.#generation === keys.generation) {
      const state = residency.states[slot]
      if (state === HOT_VISITED) return residency.values[slot]
      if (state === HOT_MORTAL_VISITED && residency.clock.showsBefore(keys.expiresAt(slot)))
        return residency.values[slot]
    }
    return this.#peekSlowly()
  }

  get(): Promise<unknown> {
    try {
      this.#assertRegistered()
      const { store, keyspace, copies } = this.#context
      if (keyspace.source !== undefined) {
        store.assertOpen()
        return (copies() as CopyReads).get(this.key, keyspace)
      }
      if (keyspace.mode === 'strong') return this.#getStrong()
      return this.#getHere()
    } catch (error) {
      return rejected(this.#context.store, error)
    }
  }

  /** Throws what is refused. */
  async #getStrong(): Promise<unknown> {
    this.#context.store.assertOpen()
    await this.#context.strong.readable(this.key, this.#context.keyspace, undefined)
    return this.#getHere()
  }

  #getHere(): Promise<unknown> {
    try {
      const { store } = this.#context
      const { slot } = this
      if (slot === undefined) {
        store.assertOpen()
        return store.turns.settled(undefined)
      }
      const value = readAtOnce(store, slot)
      if (value !== TOO_LONG) return store.turns.settled(value)
      return readInSteps(store, slot, () => store.assertOpen())
    } catch (error) {
      return rejected(this.#context.store, error)
    }
  }

  write(value: unknown): Dot | undefined {
    return this.#context.writer.write(this.key, this.keyspace, this.slot, value)
  }

  delete(): Promise<Receipt> {
    return this.#context.writer.delete(this, this.#context.options)
  }

  touch(): Promise<Receipt> {
    try {
      return this.#context.writer.touch(
        { key: this.key, keyspace: this.keyspace, slot: this.slot },
        this.#context.options,
      )
    } catch (error) {
      return rejected(this.#context.store, error)
    }
  }

  async *log(options?: LogOptions): AsyncGenerator<OperationRecord, void, undefined> {
    this.#context.store.assertOpen()
    this.#assertRegistered()
    yield* this.#context.history.log(this.key, options)
  }

  async getAt(at: At): Promise<unknown> {
    this.#context.store.assertOpen()
    this.#assertRegistered()
    return this.#context.history.getAt(this.key, at)
  }

  async explain(options?: ExplainOptions): Promise<Explanation> {
    this.#context.store.assertOpen()
    this.#assertRegistered()
    return this.#context.history.explain(this.key, options)
  }

  watch(options?: WatchOptions): Watch {
    this.#context.store.assertOpen()
    return this.#context.watches.watchKey(this.key, options)
  }

  with(options: WriteOptions): Handle {
    checkOptions('with', options, WRITE_OPTIONS)
    return new (this.constructor as typeof Handle)({ ...this.#context, options }, this.key)
  }

  /** For the method `set` of registers. */
  protected runSet(value: unknown): Promise<Receipt> {
    try {
      return this.#context.writer.set(this.key, this.keyspace, this.slot, value, this.#context.options)
    } catch (error) {
      return rejected(this.#context.store, error)
    }
  }

  /** For the methods made from verbs. */
  protected runVerb(verb: Verb<unknown>, parameters: readonly unknown[]): Promise<Receipt> {
    return this.#context.writer.verb(this, verb, parameters, this.#context.options)
  }

  /** For the methods made from queries. */
  protected async runQuery(query: Query<unknown>, parameters: readonly unknown[]): Promise<unknown> {
    const { keyspace } = this
    const { store } = this.#context
    store.assertOpen()
    if (keyspace.mode === 'strong') await this.#context.strong.readable(this.key, keyspace, undefined)
    const { slot } = this
    if (slot !== undefined) await foldUntilShort(store, slot, () => store.assertOpen())
    const state: unknown = slot === undefined ? keyspace.strategy.initial() : store.values.state(slot)
    // An answer may be a piece of the state.
    return store.turns.settled(detached(query(state, ...parameters)))
  }

  /** A handle has the methods of the strategy that its key had when it was made. */
  #assertRegistered(): void {
    const { keyspace, keyspaces, store } = this.#context
    if (keyspaces.changesCount === 0) return
    // Throws itself where no pattern matches.
    const now = store.keyspaceOf(this.key)
    if (now === keyspace) return
    throw new WarpError(
      'WARP_E_UNREGISTERED_KEY',
      `'${this.key}' belongs to the pattern '${now.pattern}' by now; ask for another handle`,
      { details: { key: this.key } },
    )
  }

  #peekSlowly(): unknown {
    this.#assertRegistered()
    const { keyspace, copies } = this.#context
    if (keyspace.source !== undefined) {
      this.#context.store.assertOpen()
      return (copies() as CopyReads).peek(this.key)
    }
    const { slot } = this
    if (slot !== undefined) return this.#context.store.values.peek(slot)
    this.#context.store.assertOpen()
    return undefined
  }
}

/** How the handles to the keys of one keyspace are made. */
export function handleMaker(parts: HandleParts, keyspace: Keyspace): (key: string) => Handle {
  const { keys, values, keyspaces } = parts.store
  const context: HandleContext = {
    ...parts,
    keys,
    residency: values.residency,
    keyspace,
    keyspaces,
    options: NO_OPTIONS,
  }
  const KeyspaceHandle = keyspace.isRegister ? RegisterHandle : handleClass(keyspace.strategy)
  return (key) => new KeyspaceHandle(context, key)
}

/** The handles of registers, whose only verb needs no arguments gathered. */
class RegisterHandle extends Handle {
  set(value: unknown): Promise<Receipt> {
    return this.runSet(value)
  }
}

/** A class of handles with the verbs and queries of one strategy as methods. */
function handleClass(strategy: AnyStrategy): typeof Handle {
  class StrategyHandle extends Handle {
    static {
      for (const [name, verb] of Object.entries(strategy.verbs as Record<string, Verb<unknown>>)) {
        define(this.prototype, name, function (this: StrategyHandle, ...parameters: unknown[]) {
          return this.runVerb(verb, parameters)
        })
      }
      for (const [name, query] of Object.entries((strategy.queries ?? {}) as Record<string, Query<unknown>>)) {
        define(this.prototype, name, function (this: StrategyHandle, ...parameters: unknown[]) {
          return this.runQuery(query, parameters)
        })
      }
    }
  }
  return StrategyHandle
}

function define(prototype: object, name: string, value: unknown): void {
  Object.defineProperty(prototype, name, { value, writable: true, configurable: true })
}
