/**
 * The validator: compares what is in memory of keys with their rows in the store, and finds what
 * nothing explains (`look.ts`). It believes what it has found twice, a second apart: what is on its
 * way between replicas has arrived by then, or is really missing. Healing lowers no version: a copy
 * goes, and what a row lacks goes on top of the row as it is.
 */
import { pause } from '../../ports/abort-signals.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { Budget } from '../../operation/budget.ts'
import type { Env } from '../../ports/env.ts'
import type { Drift, EngineEvent } from '../../store/event.ts'
import type { KeyStore } from '../../store/key-store.ts'
import type { StoredKey } from '../stored/stored-key.ts'
import type { Stores } from '../stored/stores.ts'
import { compared, lookAt, type Differing, type Look, type LookParts } from './look.ts'
import { storedTargets, type StoredTarget } from './stored-targets.ts'
import { checkValidate, type Validated, type ValidateOptions } from './validate-options.ts'

export interface ValidatorOptions extends Omit<LookParts, 'keys'> {
  readonly store: KeyStore
  readonly env: Env
  readonly stores: Stores
  readonly observe: (event: EngineEvent) => void
  /** The copy of a key of this replica goes, as by an invalidation. */
  readonly voids: (key: string) => void
}

/** Keys that one request reads. */
const BATCH_KEYS = 100
/** So long after the first look comes the second one, ms. */
const AGAIN_MS = 1000
/** Keys that wait for it; when there are more, nobody looks further. */
const SUSPECTS_MAX = 1000
const SECOND_MS = 1000

interface Suspect {
  readonly stored: StoredKey
  readonly dueMs: number
}

export class Validator {
  comparedCount = 0
  driftsCount = 0
  readonly #options: ValidatorOptions

  constructor(options: ValidatorOptions) {
    this.#options = options
  }

  /** Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`. */
  validate(pattern: string, wish: ValidateOptions = {}): AsyncGenerator<Drift, Validated, undefined> {
    checkValidate(wish)
    const { store } = this.#options
    store.assertOpen()
    const targets = storedTargets('validate', pattern, store)
    return new Walk(this.#options, { pattern, wish, targets, counts: this }).run()
  }
}

interface Wanted {
  readonly pattern: string
  readonly wish: ValidateOptions
  readonly targets: readonly StoredTarget[]
  /** Of the engine. */
  readonly counts: { comparedCount: number; driftsCount: number }
}

/** One walk through the keys that are in memory. */
class Walk {
  readonly #options: ValidatorOptions
  readonly #parts: LookParts
  readonly #wanted: Wanted
  #suspects: Suspect[] = []
  #comparedCount = 0
  #skippedCount = 0
  #driftsCount = 0

  constructor(options: ValidatorOptions, wanted: Wanted) {
    this.#options = options
    this.#wanted = wanted
    this.#parts = { ...options, keys: options.stores.keys }
  }

  async *run(): AsyncGenerator<Drift, Validated, undefined> {
    const { env } = this.#options
    const { perSecond } = this.#wanted.wish
    this.#check()
    let beganMs = env.monotonic()
    for await (const batch of this.#batches(Math.min(BATCH_KEYS, perSecond ?? BATCH_KEYS))) {
      await this.#lookFirst(batch)
      yield* this.#lookAgain()
      if (perSecond !== undefined) await this.#pause(beganMs + (batch.length / perSecond) * SECOND_MS)
      while (this.#suspects.length >= SUSPECTS_MAX) yield* this.#whenDue()
      beganMs = env.monotonic()
    }
    while (this.#suspects.length > 0) yield* this.#whenDue()
    return { comparedCount: this.#comparedCount, skippedCount: this.#skippedCount, driftsCount: this.#driftsCount }
  }

  /** Keys of one keyspace each. Those that come while this goes on need not be among them. */
  async *#batches(size: number): AsyncGenerator<StoredKey[]> {
    const { keys } = this.#parts
    const budget = new Budget(this.#options.env, () => this.#check())
    for (const { keyspace, isMeant } of this.#wanted.targets) {
      let batch: StoredKey[] = []
      let left = keys.count
      for (const stored of keys) {
        if (left-- === 0) break
        budget.spend(1, 0)
        if (budget.isSpent) await budget.pause()
        if (stored.keyspace === keyspace && isMeant(stored.key)) batch.push(stored)
        if (batch.length < size) continue
        yield batch
        batch = []
      }
      if (batch.length > 0) yield batch
    }
  }

  async #lookFirst(batch: readonly StoredKey[]): Promise<void> {
    const dueMs = this.#options.env.monotonic() + AGAIN_MS
    const { comparedCount, skippedCount } = await this.#look(batch, ({ stored }) => {
      this.#suspects.push({ stored, dueMs })
    })
    this.#comparedCount += comparedCount
    this.#skippedCount += skippedCount
    this.#wanted.counts.comparedCount += comparedCount
  }

  /** The second look at those that it is time for. */
  async *#lookAgain(): AsyncGenerator<Drift> {
    const nowMs = this.#options.env.monotonic()
    const due = this.#suspects.filter(({ dueMs }) => dueMs <= nowMs).slice(0, BATCH_KEYS)
    this.#suspects = this.#suspects.slice(due.length)
    for (const { keyspace } of this.#wanted.targets) {
      const batch = due.map(({ stored }) => this.#parts.keys.find(stored.key) ?? stored)
      const drifts: Drift[] = []
      await this.#look(
        batch.filter((stored) => stored.keyspace === keyspace),
        (look, differing) => drifts.push(this.#believe(look, differing)),
      )
      yield* drifts
    }
  }

  async *#whenDue(): AsyncGenerator<Drift> {
    await this.#pause((this.#suspects[0] as Suspect).dueMs)
    yield* this.#lookAgain()
  }

  /** At keys of one keyspace. `found` is told of each that differs, before anything else can happen. */
  async #look(
    batch: readonly StoredKey[],
    found: (look: Look, differing: Differing) => void,
  ): Promise<Pick<Validated, 'comparedCount' | 'skippedCount'>> {
    const looks: Look[] = []
    let skippedCount = 0
    for (const stored of batch) {
      const look = await lookAt(stored, this.#parts)
      if (look === 'moved') skippedCount++
      else if (look !== undefined) looks.push(look)
    }
    const [first] = looks
    if (first === undefined) return { comparedCount: 0, skippedCount }
    const { client } = this.#options.stores.way(first.stored.keyspace)
    const rows = await client.readRows(looks.map(({ stored }) => stored.key)).catch((error: unknown) => {
      // Who has been told to stop does not ask what failed by that.
      this.#check()
      throw error
    })
    this.#check()
    let comparedCount = 0
    for (const [i, look] of looks.entries()) {
      const differing = compared(look, rows[i], { ...this.#parts, digest: this.#wanted.wish.digest })
      if (differing === 'moved') skippedCount++
      else comparedCount++
      if (typeof differing === 'object') found(look, differing)
    }
    return { comparedCount, skippedCount }
  }

  /** It has been found twice. */
  #believe({ stored }: Look, differing: Differing): Drift {
    const { stores, observe } = this.#options
    const { mode = 'noop' } = this.#wanted.wish
    const { key } = stored
    const store = stores.way(stored.keyspace).client.store.name
    const healed = mode === 'heal' ? this.#heal(stored, differing) : 'none'
    this.#driftsCount++
    this.#wanted.counts.driftsCount++
    if (mode !== 'noop') observe({ kind: 'validator:drift', key, store, drift: differing.kind, healed })
    return { key, store, kind: differing.kind, healed }
  }

  /** Nothing can have happened since it was found. */
  #heal(stored: StoredKey, { kind, row }: Differing): Drift['healed'] {
    const { stores, voids } = this.#options
    if (row === undefined) return 'none'
    const isLeft = kind === 'row-lacks' && stores.keys.lost(stored, row)
    voids(stored.key)
    if (!isLeft) return 'voided'
    stores.way(stored.keyspace).flusher.note(stored, true)
    return 'flushing'
  }

  async #pause(untilMs: number): Promise<void> {
    const { env } = this.#options
    const { signal } = this.#wanted.wish
    const letGo = env.stayAlive?.()
    await pause(env, Math.max(0, untilMs - env.monotonic()), signal)
    letGo?.()
    this.#check()
  }

  #check(): void {
    const { wish, pattern } = this.#wanted
    if (wish.signal?.aborted === true)
      throw new WarpError('WARP_E_ABORTED', `validating '${pattern}' was given up`, {
        details: { pattern },
        cause: wish.signal.reason,
      })
    this.#options.store.assertOpen()
  }
}
