/**
 * Patterns that come and go while the engine runs. A known key remembers its keyspace, so a change
 * walks the key table, in steps between which other work proceeds.
 *
 * A key that has operations may not come under a strategy that cannot read them: the whole change
 * is refused, before anything of it is done. The walk that asks this also watches what is written
 * meanwhile, so no key slips through between the question and the change.
 */
import { asError, WarpError } from '../../crdt/warp-error.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { Slot } from '../keys/key-table.ts'
import { compilePattern } from '../keys/pattern.ts'
import type { KeyStore } from './key-store.ts'

/** About a millisecond of pattern matching. */
const KEYS_PER_STEP = 2_048

export class Registration {
  readonly #store: KeyStore
  /** Told of every key whose keyspace has changed. */
  readonly #onMoved: (slot: Slot) => void
  /** Changes wait for one another. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(store: KeyStore, onMoved: (slot: Slot) => void) {
    this.#store = store
    this.#onMoved = onMoved
  }

  /**
   * Settles when every known key that the pattern matches is read by its definition. Throws what
   * opening throws for a pattern, and `WARP_E_CONFIG` if a key that has operations would change its
   * strategy or mode.
   */
  register(pattern: string, definition: unknown): Promise<Keyspace> {
    return this.#next(() => this.#register(pattern, definition))
  }

  /**
   * Settles when no key is read by the pattern any more. Its keys fall to the next pattern that
   * matches them, or to none. Throws `WARP_E_CONFIG` for a pattern that is not registered.
   */
  unregister(pattern: string): Promise<void> {
    return this.#next(() => this.#unregister(pattern))
  }

  #next<T>(change: () => Promise<T>): Promise<T> {
    const done = this.#last.then(change)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #register(pattern: string, definition: unknown): Promise<Keyspace> {
    const { keyspaces } = this.#store
    // The rules for patterns are asked first: an ambiguous one is refused though no key matches it.
    const keyspace = keyspaces.tried(pattern, definition)
    const { matches } = compilePattern(pattern)
    const isTaken = (key: string, owner: Keyspace): boolean =>
      matches(key) && (owner === keyspaces.unregistered || keyspaces.isNarrower(keyspace, owner))
    let added = keyspace
    await this.#afterAll(
      (key, owner) => {
        if (isTaken(key, owner)) this.#assertReadable(key, owner, keyspace)
      },
      () => (added = keyspaces.add(pattern, definition)),
    )
    await this.#move(() => true)
    return added
  }

  async #unregister(pattern: string): Promise<void> {
    const { keyspaces } = this.#store
    compilePattern(pattern)
    const keyspace = keyspaces.at(pattern)
    if (keyspace === undefined) {
      throw new WarpError('WARP_E_CONFIG', `'${pattern}' is not registered; give a pattern as it was registered`, {
        details: { pattern },
      })
    }
    await this.#afterAll(
      (key, owner) => {
        const heir = owner === keyspace ? keyspaces.findWithout(key, keyspace) : undefined
        if (heir !== undefined) this.#assertReadable(key, owner, heir)
      },
      () => keyspaces.remove(keyspace),
    )
    await this.#move(({ index }) => index === keyspace.index)
  }

  /** Asks about every key that exists when `change` is called, and calls it if nothing objects. */
  async #afterAll(ask: (key: string, owner: Keyspace) => void, change: () => void): Promise<void> {
    const store = this.#store
    const askSlot = (slot: Slot): void => {
      const key = store.keys.keys[slot]
      if (key !== undefined) ask(key, store.keyspaceFor(key, slot))
    }
    // What is written meanwhile is asked about as it is written.
    let objection: unknown
    const stop = store.subscribe(({ slot }) => {
      try {
        askSlot(slot)
      } catch (error) {
        objection ??= error
      }
    })
    try {
      await this.#walk(askSlot)
      // No break from here on: nothing is written between the last question and the change.
      if (objection !== undefined) throw asError(objection)
      change()
    } finally {
      stop()
    }
  }

  /** Gives each key the keyspace that it falls into now. */
  async #move(concerns: (place: { readonly index: number }) => boolean): Promise<void> {
    const { keys, keyspaces, values } = this.#store
    await this.#walk((slot) => {
      const key = keys.keys[slot]
      const index = keys.keyspace[slot]!
      if (key === undefined || !concerns({ index })) return
      const next = keyspaces.find(key) ?? keyspaces.unregistered
      if (next.index === index) return
      keys.keyspace[slot] = next.index
      values.forget(slot)
      keys.setExpiresAt(slot, 0)
      this.#onMoved(slot)
    })
  }

  async #walk(visit: (slot: Slot) => void): Promise<void> {
    const { keys, env } = this.#store
    for (let slot = 0; slot < keys.slotsUsed; slot++) {
      if (slot % KEYS_PER_STEP === KEYS_PER_STEP - 1) {
        await env.yield()
        this.#store.assertOpen()
      }
      visit(slot)
    }
  }

  #assertReadable(key: string, from: Keyspace, to: Keyspace): void {
    if (from === this.#store.keyspaces.unregistered) return
    const isSame = from.strategy.code === to.strategy.code && from.mode === to.mode
    if (isSame) return
    const [old, next] = [from, to].map(({ strategy, mode }) => `'${strategy.kind}' in mode '${mode}'`)
    throw new WarpError(
      'WARP_E_CONFIG',
      `'${key}' has been written as ${old}, and '${to.pattern}' would read it as ${next}; ` +
        `use the same strategy and mode, or a pattern that does not match the key`,
      { details: { key, pattern: to.pattern } },
    )
  }
}
