/**
 * One try of a transaction: what it has read, what it is going to write, and what its function is
 * handed.
 *
 * On eventual keys everything is read as of one moment, and nothing that has changed since is in the
 * way. Of other keys:
 *
 * Everything that the function reads was true at one moment: as soon as something has been read that
 * is no longer so, the next read fails, and the transaction is tried again (as in NOrec: Dalessandro,
 * Spear, Scott 2010; the property is opacity: Guerraoui, Kapałka 2008). So the function never meets
 * what no order of transactions would give, and a transaction that only reads needs no record: it
 * has its place between those whose writes it has seen and those that come after its last read.
 */
import { checkedLife } from '../../operation/envelope/operation-fields.ts'
import { detached } from '../../../crdt/encoding/shared-value.ts'
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import type { Query, Verb } from '../../../crdt/strategy.ts'
import { TOO_LONG } from '../../cache/values.ts'
import { TRANSACTION_KEYS_MAX } from '../../limits.ts'
import { whenAborted } from '../../ports/abort-signals.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { foldUntilShort } from '../../store/read-steadily.ts'
import { setOf } from '../../store/write-road/prepare.ts'
import type { Target } from '../../store/write-road/target.ts'
import { expectationOf, isMet, type Expected } from '../expectation.ts'
import { MomentGone, type Ground, type Looked } from './ground.ts'
import {
  notAsExpected,
  otherMode,
  over,
  overtaken,
  readBehindVerb,
  sourced,
  tooManyKeys,
  uncompared,
  type Changed,
} from './refusals.ts'
import {
  checkWrite,
  type AnyTransaction,
  type AnyTransactionKey,
  type TransactionWriteOptions,
} from './transaction-types.ts'
import { UNWRITTEN, Writes } from './writes.ts'

export interface AttemptParts {
  readonly store: KeyStore
  readonly beginning: {
    /** Where a try takes place that names this key first. Throws what is refused. */
    open(target: Target): Ground
    /** Settles when what is there is new enough to be read. */
    passed(ground: Ground): Promise<void>
  }
  /** Ends the try. */
  readonly signal: AbortSignal | undefined
}

/** Why nothing of the try is written. */
export interface Doom extends Changed {
  /** Another try would come to the same. */
  readonly isFinal: boolean
}

export class Attempt {
  readonly writes: Writes = new Writes()
  readonly view: AnyTransaction = new View(this)
  readonly #parts: AttemptParts
  readonly #seen = new Map<string, Looked>()
  /** Keys that are read or written. */
  readonly #keys = new Set<string>()
  /** What its function expects, whether it waits for that or not. */
  readonly #expected: Promise<void>[] = []
  #ground: Ground | undefined
  #first: string | undefined
  /** Of the ground, when all that was seen was found to be so. */
  #writesCount: number | undefined
  /** Something that was seen may change without a write. */
  #mayEnd = false
  #isOver = false
  #doom: Doom | undefined
  #controller: AbortController | undefined
  #stopListening: (() => void) | undefined

  constructor(parts: AttemptParts) {
    this.#parts = parts
  }

  /** `undefined`: no key has been named. */
  get ground(): Ground | undefined {
    return this.#ground
  }

  get seen(): ReadonlyMap<string, Looked> {
    return this.#seen
  }

  get doom(): Doom | undefined {
    return this.#doom
  }

  get signal(): AbortSignal {
    return (this.#controller ?? this.#listen()).signal
  }

  /** An expectation is kept to though the function does not wait for it, or hides that it was not met. */
  expecting(expected: Promise<void>): Promise<void> {
    this.#expected.push(expected)
    return this.settled(expected)
  }

  /** Rejects with the first expectation that was not met, or was refused. */
  async expectationsMet(): Promise<void> {
    await Promise.all(this.#expected)
  }

  /** The function has ended: nothing more is read or written. */
  end(): void {
    this.#isOver = true
    this.#ground?.end?.()
    this.#stopListening?.()
    if (this.#doom !== undefined) this.#controller?.abort(overtaken(this.#doom.key))
  }

  /**
   * What the function is given to wait for. The transaction knows by itself what has failed, so nobody
   * need wait; and a loop of reads lets the event loop turn.
   */
  settled<Result>(promise: Promise<Result>): Promise<Result> {
    const settled = this.#parts.store.turns.after(promise)
    ignoreOutcome(settled)
    return settled
  }

  async read(key: string): Promise<unknown> {
    const target = this.#target(key)
    const own = this.writes.valueOf(key)
    return own === UNWRITTEN ? (await this.#look(target)).value : own
  }

  /** Throws `WARP_E_MODE`, `WARP_E_LIMIT`, `WARP_E_UNENCODABLE`. */
  write(
    key: string,
    verbOf: (target: Target) => Verb<unknown> | undefined,
    parameters: readonly unknown[],
    options?: TransactionWriteOptions,
  ): void {
    checkWrite(options)
    const target = this.#target(key)
    const verb = verbOf(target)
    const lifeMs = options?.ttlMs === undefined ? 0 : checkedLife(options.ttlMs)
    this.writes.add({ target, ...(verb === undefined ? {} : { verb }), parameters, lifeMs })
  }

  async query(key: string, query: Query<unknown>, parameters: readonly unknown[]): Promise<unknown> {
    const target = this.#target(key)
    if (this.writes.has(key)) throw readBehindVerb(target)
    const { version } = await this.#look(target)
    const former = this.#ground?.formerState?.(key)
    const state = former === undefined ? this.#stateOf(target, version) : await this.#former(key, former)
    return detached(query(state, ...parameters))
  }

  #stateOf({ key, keyspace }: Target, version: number): unknown {
    const { store } = this.#parts
    const slot = store.keys.find(key)
    return slot === undefined || version === 0 ? keyspace.strategy.initial() : store.values.state(slot)
  }

  /** What is read of the past. If that is gone, another try begins with the present. */
  async #former<Result>(key: string, read: Promise<Result>): Promise<Result> {
    try {
      return await read
    } catch (error) {
      if (!(error instanceof MomentGone)) throw error
      this.#doom ??= { key, version: 0, isFinal: false }
      this.#controller?.abort(overtaken(key))
      throw overtaken(key)
    }
  }

  async expect(key: string, expected: Expected): Promise<void> {
    const target = this.#target(key)
    if (target.keyspace.mode === 'eventual') throw uncompared(target)
    const expectation = expectationOf(key, expected)
    this.writes.assertUnwritten(key)
    const { value, version } = await this.#look(target)
    if (isMet(expectation, version, () => value)) return
    this.#doom ??= { key, version, isFinal: true }
    throw notAsExpected({ key, version })
  }

  /** A key with the verbs and queries of its strategy. */
  keyOf(key: string): AnyTransactionKey {
    const { keyspace } = this.#target(key)
    const { verbs, queries = {} } = keyspace.strategy as {
      readonly verbs: Readonly<Record<string, Verb<unknown>>>
      readonly queries?: Readonly<Record<string, Query<unknown>>>
    }
    const handle: Record<string, unknown> = {
      get: () => this.view.get(key),
      delete: () => this.view.delete(key),
    }
    for (const [name, verb] of Object.entries(verbs))
      handle[name] = (...parameters: readonly unknown[]) => this.write(key, () => verb, parameters)
    for (const [name, query] of Object.entries(queries))
      handle[name] = (...parameters: readonly unknown[]) => this.settled(this.query(key, query, parameters))
    return handle as unknown as AnyTransactionKey
  }

  async #look(target: Target): Promise<Looked> {
    const ground = this.#ground as Ground
    await this.#parts.beginning.passed(ground)
    const { store } = this.#parts
    const { key } = target
    for (;;) {
      while (ground.unsettled !== undefined) await ground.unsettled
      this.#assertRunning()
      const looked = ground.look(key)
      if (looked instanceof Promise) return this.#former(key, looked)
      if (looked !== TOO_LONG) return this.#note(target, looked)
      const slot = store.keys.find(key)
      if (slot !== undefined) await foldUntilShort(store, slot, () => this.#assertRunning())
    }
  }

  /** Throws `WARP_E_TXN_ABORTED` if something that was seen is no longer so. */
  #note({ key, keyspace }: Target, looked: Looked): Looked {
    const { store } = this.#parts
    const ground = this.#ground as Ground
    const changed = this.#changed(ground)
    if (changed !== undefined) {
      this.#doom ??= { ...changed, isFinal: false }
      this.#controller?.abort(overtaken(changed.key))
      throw overtaken(changed.key)
    }
    if (this.#seen.size === 0) this.#writesCount = ground.writesCount
    this.#seen.set(key, looked)
    const slot = store.keys.find(key)
    this.#mayEnd ||= slot !== undefined && store.values.ttlMs(slot, keyspace) > 0
    return looked
  }

  #changed(ground: Ground): Changed | undefined {
    const { writesCount } = ground
    if (!this.#mayEnd && writesCount === this.#writesCount) return undefined
    for (const [key, { mark }] of this.#seen) {
      if (ground.markOf(key) === mark) continue
      const now = ground.look(key)
      return { key, version: now === TOO_LONG || now instanceof Promise ? 0 : now.version }
    }
    this.#writesCount = writesCount
    return undefined
  }

  /** Throws `WARP_E_MODE`, `WARP_E_LIMIT`, `WARP_E_UNREGISTERED_KEY`, `WARP_E_CLOSED`, `WARP_E_TXN_ABORTED`. */
  #target(key: string): Target {
    this.#assertRunning()
    const { store, beginning } = this.#parts
    const slot = store.keys.find(key)
    const target = { key, keyspace: store.keyspaceOfFound(key, slot), slot }
    if (target.keyspace.source !== undefined) throw sourced(target)
    const ground = this.#ground ?? beginning.open(target)
    if (target.keyspace.mode !== ground.mode) throw otherMode(target, ground.mode, this.#first)
    ground.admit(target)
    if (!this.#keys.has(key) && this.#keys.size === TRANSACTION_KEYS_MAX) throw tooManyKeys()
    this.#keys.add(key)
    this.#ground = ground
    this.#first ??= key
    return target
  }

  #assertRunning(): void {
    this.#parts.store.assertOpen()
    if (this.#isOver) throw over()
    if (this.#doom !== undefined) throw this.#doom.isFinal ? notAsExpected(this.#doom) : overtaken(this.#doom.key)
  }

  #listen(): AbortController {
    const controller = new AbortController()
    this.#controller = controller
    const { signal } = this.#parts
    if (this.#doom !== undefined) controller.abort(overtaken(this.#doom.key))
    else if (signal?.aborted === true) controller.abort(signal.reason)
    else this.#stopListening = whenAborted(signal, () => controller.abort(signal?.reason))
    return controller
  }
}

class View implements AnyTransaction {
  readonly #attempt: Attempt

  constructor(attempt: Attempt) {
    this.#attempt = attempt
  }

  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  get(key: string): Promise<unknown> {
    return this.#attempt.settled(this.#attempt.read(key))
  }

  getMany(keys: Iterable<string>): Promise<Map<string, unknown>> {
    return this.#attempt.settled(this.#getMany([...keys]))
  }

  set(key: string, value: unknown, options?: TransactionWriteOptions): void {
    this.#attempt.write(key, setOf, [value], options)
  }

  delete(key: string): void {
    this.#attempt.write(key, () => undefined, [])
  }

  key(key: string): AnyTransactionKey {
    return this.#attempt.keyOf(key)
  }

  expect(key: string, expected: Expected): Promise<void> {
    return this.#attempt.expecting(this.#attempt.expect(key, expected))
  }

  compareAndSet(key: string, expected: Expected, next: unknown, options?: TransactionWriteOptions): Promise<void> {
    return this.#attempt.expecting(this.#compareAndSet(key, expected, next, options))
  }

  async #getMany(keys: readonly string[]): Promise<Map<string, unknown>> {
    const values = new Map<string, unknown>()
    for (const key of keys) {
      const value = await this.#attempt.read(key)
      if (value !== undefined) values.set(key, value)
    }
    return values
  }

  async #compareAndSet(
    key: string,
    expected: Expected,
    next: unknown,
    options: TransactionWriteOptions | undefined,
  ): Promise<void> {
    await this.#attempt.expect(key, expected)
    this.set(key, next, options)
  }
}
