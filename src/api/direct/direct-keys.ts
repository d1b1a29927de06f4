/**
 * Keys for fronts that speak another protocol, whose commands ask the state of a key and write in the
 * same turn: nothing is promised per command, and no value is built to answer one. What is written is
 * there for whoever reads when the call returns, and goes into the log as any write does; whoever wants
 * to know how safe it is asks `settled` for `lastWritten`.
 *
 * For adapters of this package; applications have handles.
 */
import type { AnyStrategy, Verb } from '../../../crdt/strategy.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Env } from '../../ports/env.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { foldUntilShort } from '../../store/read-steadily.ts'
import { FoldFirst } from '../../store/write-road/target.ts'
import type { Writer } from '../../store/write-road/writer.ts'

export { FoldFirst }

/** Under this name an engine gives its `DirectKeys`: no property that applications meet by chance. */
export const DIRECT: unique symbol = Symbol.for('warp-engine.direct-keys')

/** Keys of a listing, and where it goes on; `next` is 0 at its end. */
export interface KeyPage {
  readonly keys: readonly string[]
  readonly next: number
}

export class DirectKeys {
  readonly env: Env
  readonly #store: KeyStore
  readonly #writer: Writer
  readonly #settledMs: () => number
  /** Folds under way. */
  readonly #folds = new Map<string, Promise<void>>()
  /** The key that was looked up last, if it was there. */
  #lastKey: string | undefined
  #lastSlot: Slot = 0

  /** `settledMs`: see there. */
  constructor(store: KeyStore, writer: Writer, settledMs: () => number) {
    this.env = store.env
    this.#store = store
    this.#writer = writer
    this.#settledMs = settledMs
  }

  get replica(): ReplicaId {
    return this.#store.writers.shared.replica
  }

  /**
   * No operation that was stamped before this moment, ms since 1970, is still to come; `Infinity` where no
   * other replica writes.
   */
  get settledMs(): number {
    return this.#settledMs()
  }

  /** Throws `WARP_E_UNREGISTERED_KEY`, `WARP_E_LIMIT`, `WARP_E_UNENCODABLE`; `WARP_E_CLOSED`. */
  strategy(key: string): AnyStrategy {
    this.#store.assertOpen()
    return this.#store.keyspaceOfFound(key, this.#slotOf(key)).strategy
  }

  /** The same by name, of keys that can be asked for here; `undefined` for others. Throws nothing. */
  kindOf(key: string): string | undefined {
    const keyspace = this.#store.keyspaceFor(key, this.#store.keys.find(key))
    const isReachable = keyspace !== this.#store.keyspaces.unregistered && !keyspace.isHidden && isHere(keyspace)
    return isReachable ? keyspace.strategy.kind : undefined
  }

  /**
   * The state of a key, `undefined` if it never had one, or its life is over. Not to be changed. Throws
   * as `strategy` does, `WARP_E_MODE` for keys whose truth is elsewhere, and `FoldFirst`.
   */
  state(key: string): unknown {
    const { store, slot } = this.#found(key)
    if (slot === undefined) return undefined
    const { values } = store
    if (values.residentShort(slot) === undefined) throw new FoldFirst(key)
    return values.state(slot)
  }

  /** The value that readers see. Throws as `state` does. */
  value(key: string): unknown {
    const { store, slot } = this.#found(key)
    if (slot === undefined) return undefined
    if (!store.values.isShort(slot)) throw new FoldFirst(key)
    return store.values.read(slot)
  }

  /**
   * Runs a verb of the key's strategy. `lifeMs` is how long what is written lives; 0: as long as the key's
   * pattern says. Returns whether anything was written. Throws what the verb throws, what writing throws,
   * and as `state` does.
   */
  write(key: string, verb: string, parameters: readonly unknown[], lifeMs = 0): boolean {
    const { keyspace, slot } = this.#found(key)
    const found = (keyspace.strategy.verbs as Readonly<Record<string, Verb<unknown> | undefined>>)[verb]
    if (found === undefined) throw noVerb(key, keyspace, verb)
    return this.#writer.writeNow({ key, keyspace, slot }, found, parameters, lifeMs)
  }

  /** As `write`: deletes what this replica has seen of the key. */
  delete(key: string): boolean {
    const { keyspace, slot } = this.#found(key)
    return slot !== undefined && this.#writer.writeNow({ key, keyspace, slot }, undefined, [])
  }

  /** When the value ends by its pattern's word, or its write's, ms; `Infinity`: never. */
  untilMs(key: string): number {
    const { store, keyspace, slot } = this.#found(key)
    return slot === undefined ? Infinity : store.values.expiresAt(slot, keyspace)
  }

  /** Changes with each operation that enters the key, from wherever. */
  version(key: string): number {
    const slot = this.#slotOf(key)
    return slot === undefined ? 0 : this.#store.keys.version[slot]!
  }

  /** What `run` writes is in the log as a whole, or not at all, after a crash. `run` must not throw. */
  together(run: () => void): void {
    this.#store.log.group(run)
  }

  /** Folds a key of which `FoldFirst` was thrown: once for all who wait for that. */
  fold(key: string): Promise<void> {
    const known = this.#folds.get(key)
    if (known !== undefined) return known
    const fold = this.#fold(key).finally(() => this.#folds.delete(key))
    this.#folds.set(key, fold)
    return fold
  }

  async #fold(key: string): Promise<void> {
    const store = this.#store
    const slot = store.keys.find(key)
    if (slot !== undefined) await foldUntilShort(store, slot, () => store.assertOpen())
  }

  /** Lets go of what is in memory of a key; whoever reads it next folds it again. */
  release(key: string): void {
    const { keys, values } = this.#store
    const slot = keys.find(key)
    if (slot !== undefined) values.drop(slot)
  }

  /**
   * Keys that are known, those that have been deleted too, from a place in their table on: 0, or `next`
   * of the page before. A key that is there all the time is listed once.
   */
  page(from: number, slotsMax: number): KeyPage {
    const { keys, keyspaces } = this.#store
    const end = Math.min(keys.slotsUsed, from + slotsMax)
    const page: string[] = []
    for (let slot = from; slot < end; slot++) {
      const key = keys.keys[slot]
      if (key === undefined || keys.head[slot] === 0) continue
      const keyspace = this.#store.keyspaceFor(key, slot)
      if (keyspace !== keyspaces.unregistered && isHere(keyspace)) page.push(key)
    }
    return { keys: page, next: end >= keys.slotsUsed ? 0 : end }
  }

  /** How many keys are known, those that have been deleted too as long as something of them is kept. */
  get keysCount(): number {
    return this.#store.keys.size
  }

  /** How many places the table of keys has. */
  get placesCount(): number {
    return this.#store.keys.slotsUsed
  }

  /** Told of each operation that enters, in the turn in which it does; must not throw. Returns how to end it. */
  onEntered(listener: (key: string) => void): () => void {
    const { keys } = this.#store
    return this.#store.subscribe(({ slot }) => {
      const key = keys.keys[slot]
      if (key !== undefined) listener(key)
    })
  }

  /** The newest operation that this replica has written and others are sent; `undefined` if there is none. */
  get lastWritten(): Dot | undefined {
    const { replica, sequence } = this.#store.writers.shared
    return sequence === 0 ? undefined : { replica, sequence }
  }

  /** A command asks for a key several times. */
  #slotOf(key: string): Slot | undefined {
    const { keys } = this.#store
    const last = this.#lastSlot
    if (key === this.#lastKey && keys.keys[last] === key) return last
    const slot = keys.find(key)
    if (slot === undefined) return undefined
    this.#lastKey = key
    this.#lastSlot = slot
    return slot
  }

  #found(key: string): { store: KeyStore; keyspace: Keyspace; slot: Slot | undefined } {
    const store = this.#store
    store.assertOpen()
    const slot = this.#slotOf(key)
    const keyspace = store.keyspaceOfFound(key, slot)
    if (!isHere(keyspace)) throw elsewhere(key, keyspace)
    return { store, keyspace, slot }
  }
}

/** Throws `WARP_E_CONFIG` for what is no engine. `what` is the call that was given it. */
export function directKeys(what: string, warp: unknown): DirectKeys {
  const ask = (warp as { readonly [DIRECT]?: () => DirectKeys } | null | undefined)?.[DIRECT]
  if (typeof ask !== 'function')
    throw new WarpError('WARP_E_CONFIG', `${what} needs an engine that is open; give what 'await openWarp(…)' returns`)
  return ask.call(warp)
}

/** Whether reads and writes of such keys need nobody else. */
function isHere({ mode, source }: Keyspace): boolean {
  return source === undefined && mode !== 'strong'
}

function elsewhere(key: string, { mode, pattern }: Keyspace): WarpError {
  const where = mode === 'strong' ? 'an ordered log decides about it' : 'its truth is in a source'
  return new WarpError(
    'WARP_E_MODE',
    `'${key}' cannot be reached by commands: ${where} (pattern '${pattern}'); use the engine's own calls`,
    { details: { key, pattern } },
  )
}

function noVerb(key: string, { strategy }: Keyspace, verb: string): WarpError {
  return new WarpError('WARP_E_MODE', `'${key}' has no ${verb}: its strategy '${strategy.kind}' does not offer it`, {
    details: { key },
  })
}
