/**
 * The calls of users that look at what a key is before they write it: compare-and-set, update, and
 * reads with a version. On strong keys the ordered log decides. On keys of mode `local` the process
 * does, in one turn. On eventual keys nobody could.
 */
import { checkOptions, isWholeFrom, optionNames } from '../../crdt/checked-options.ts'
import { shownValue } from '../../crdt/shown-kind.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { TOO_LONG } from '../cache/values.ts'
import type { Slot } from '../keys/key-table.ts'
import type { Keyspace } from '../keys/keyspace.ts'
import type { KeyStore } from '../store/key-store.ts'
import { readAtOnce, readInSteps } from '../store/read-steadily.ts'
import { setOf } from '../store/write-road/prepare.ts'
import { WRITE_OPTIONS, type Receipt, type WriteOptions } from '../store/write-road/receipt.ts'
import type { Target } from '../store/write-road/target.ts'
import { checkWriteOptions, verbName, type Writer } from '../store/write-road/writer.ts'
import type { Expectation } from './commands.ts'
import { expectationOf, isMet, type Expected } from './expectation.ts'
import type { StrongWriter } from './strong-writer.ts'
import type { StrongKeys } from './strong-keys.ts'
import { errorOf } from './verdict.ts'

/** How up to date what is read is to be. */
export type Consistency =
  /** Everything that anybody had been told before the call. The default of strong keys. */
  | 'linearizable'
  /** What this replica has. */
  | 'stale'

export interface Versioned<Value> {
  /** `undefined` if the key has none. */
  readonly value: Value | undefined
  /**
   * What `compareAndSet` takes as `{ version }`: 0 if the key has no value. It changes with every write of
   * the key. Of a strong key it is the same on every replica.
   */
  readonly version: number
}

/** `'conflict'`: the key was not as expected; `version` is its version where that was judged. */
export type CompareAndSet = { readonly kind: 'ok'; readonly receipt: Receipt } | Conflict
export interface Conflict {
  readonly kind: 'conflict'
  readonly version: number
}

export interface UpdateOptions extends WriteOptions {
  /** How often the key is read and written before it is given up. Default 100. */
  readonly triesMax?: number
}

export interface StrongParts {
  readonly store: KeyStore
  readonly writer: Writer
  /** `undefined` without an ordered log. */
  readonly strong: { readonly keys: StrongKeys; readonly writer: StrongWriter } | undefined
}

interface SetIf {
  readonly key: string
  readonly expected: Expected
  readonly next: unknown
}

const TRIES_MAX = 100
const UPDATE_OPTIONS = [...WRITE_OPTIONS, ...optionNames<Pick<UpdateOptions, 'triesMax'>>({ triesMax: true })]

export class StrongCalls {
  readonly #parts: StrongParts

  constructor(parts: StrongParts) {
    this.#parts = parts
  }

  /** Rejects with `WARP_E_CAS_CONFLICT`, and as `tryCompareAndSet` does. */
  async compareAndSet(key: string, expected: Expected, next: unknown, options: WriteOptions = {}): Promise<Receipt> {
    const outcome = await this.tryCompareAndSet(key, expected, next, options)
    if (outcome.kind === 'ok') return outcome.receipt
    throw errorOf({ ...outcome, key })
  }

  async tryCompareAndSet(
    key: string,
    expected: Expected,
    next: unknown,
    options: WriteOptions = {},
  ): Promise<CompareAndSet> {
    return this.#setIf('compareAndSet', { key, expected, next }, options)
  }

  async #setIf(call: string, { key, expected, next }: SetIf, options: WriteOptions): Promise<CompareAndSet> {
    const target = this.#target(key, call)
    checkWriteOptions(call, options, target.keyspace)
    const expectation = expectationOf(key, expected)
    const { keyspace } = target
    const { store } = this.#parts
    if (keyspace.mode === 'local') return this.#setLocally(target, expectation, { next, options })
    if (store.refusesWrites) this.#parts.writer.refuseNested(key)
    const change = { key, keyspace, verb: verbName(keyspace, setOf(target)), parameters: [next] }
    const outcome = await this.#strong.writer.writeIf([change], { expected: [expectation] }, options)
    if (outcome.kind === 'conflict') return { kind: 'conflict', version: outcome.version }
    return { kind: 'ok', receipt: outcome.receipts[0] as Receipt }
  }

  /**
   * Reads, has `change` make the next value, and writes that if the key is still what was read;
   * otherwise again. `undefined` leaves the key alone.
   */
  async update(
    key: string,
    change: (current: unknown) => unknown,
    given: UpdateOptions = {},
  ): Promise<Receipt | undefined> {
    checkOptions('update', given, UPDATE_OPTIONS)
    const { triesMax = TRIES_MAX, ...options } = given
    if (!isWholeFrom(triesMax, 1)) throw badTries(triesMax)
    const { keyspace } = this.#target(key, 'update')
    let consistency: Consistency | 'judged' = keyspace.mode === 'strong' ? 'linearizable' : 'stale'
    for (let tries = 0; tries < triesMax; tries++) {
      const { value, version } = await this.versioned(key, { consistency, signal: options.signal })
      const next = await change(value)
      if (next === undefined) return undefined
      const outcome = await this.#setIf('update', { key, expected: { version }, next }, options)
      if (outcome.kind === 'ok') return outcome.receipt
      // This replica has judged the write by now, so it has what stood in its way.
      if (keyspace.mode === 'strong') consistency = 'judged'
    }
    throw new WarpError(
      'WARP_E_CAS_CONFLICT',
      `'${key}' has changed each of the ${triesMax} times between reading and writing; nothing was written; ` +
        'try again later, or give triesMax',
      { details: { key, triesMax } },
    )
  }

  /** `'judged'`: as the next write will find it, whatever this replica's clock says. */
  async versioned(
    key: string,
    {
      consistency,
      signal,
    }: { readonly consistency?: Consistency | 'judged'; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<Versioned<unknown>> {
    const { keyspace } = this.#target(key, 'getVersioned')
    const isStrong = keyspace.mode === 'strong'
    if (isStrong && (consistency === undefined || consistency === 'linearizable')) await this.passed(key, signal)
    const { store } = this.#parts
    for (;;) {
      const now = this.#now(key, keyspace, consistency === 'judged')
      if (now !== TOO_LONG) return now
      await readInSteps(store, store.keys.find(key) as Slot, () => store.assertOpen())
    }
  }

  /** What the key is in this moment; `TOO_LONG` if that takes more than one step to find out. */
  #now(key: string, { mode }: Keyspace, asJudged = false): Versioned<unknown> | typeof TOO_LONG {
    const { store } = this.#parts
    store.assertOpen()
    const slot = store.keys.find(key)
    if (slot === undefined) return { value: undefined, version: 0 }
    const value = readAtOnce(store, slot)
    if (value === TOO_LONG) return TOO_LONG
    if (mode === 'strong') return this.#strong.keys.versioned(key, slot, asJudged ? undefined : { value })
    return { value, version: value === undefined ? 0 : store.keys.tipSequence[slot]! }
  }

  /** Settles when this replica has everything of the key that anybody had been told of. */
  async passed(key: string, signal?: AbortSignal): Promise<void> {
    const { keys } = this.#strong
    await keys.passed(keys.partitionOf(key), signal)
  }

  async #setLocally(
    { key, keyspace }: Target,
    expected: Expectation,
    { next, options }: { readonly next: unknown; readonly options: WriteOptions },
  ): Promise<CompareAndSet> {
    for (let now = this.#now(key, keyspace); ; now = this.#now(key, keyspace)) {
      if (now !== TOO_LONG) return this.#setAtOnce({ key, keyspace }, expected, { ...now, next, options })
      await this.versioned(key)
    }
  }

  /** Nothing may come between looking and writing, so nothing here waits before the write has been made. */
  async #setAtOnce(
    { key, keyspace }: Omit<Target, 'slot'>,
    expected: Expectation,
    { value, version, next, options }: Versioned<unknown> & { readonly next: unknown; readonly options: WriteOptions },
  ): Promise<CompareAndSet> {
    const { store, writer } = this.#parts
    if (!isMet(expected, version, () => value)) return { kind: 'conflict', version }
    const target = { key, keyspace, slot: store.keys.find(key) }
    const receipt = await writer.verb(target, setOf(target), [next], options)
    return { kind: 'ok', receipt: { ...receipt, version: receipt.dot?.sequence ?? version } }
  }

  /** Throws `WARP_E_MODE` for keys of mode `eventual`. */
  #target(key: string, call: string): Target {
    const { store } = this.#parts
    store.assertOpen()
    const slot = store.keys.find(key)
    const keyspace = store.keyspaceOfFound(key, slot)
    if (keyspace.mode !== 'eventual') return { key, keyspace, slot }
    throw new WarpError(
      'WARP_E_MODE',
      `${call} needs somebody who orders the writes of '${key}', and '${keyspace.pattern}' has mode 'eventual'; ` +
        `use mode 'strong' (with openWarp({ order })) or 'local', or a strategy that merges`,
      { details: { key, pattern: keyspace.pattern } },
    )
  }

  get #strong(): NonNullable<StrongParts['strong']> {
    const { strong } = this.#parts
    if (strong === undefined) throw new Error('assertion failed: a strong key without an ordered log')
    return strong
  }
}

function badTries(triesMax: unknown): WarpError {
  return new WarpError(
    'WARP_E_CONFIG',
    `update: triesMax is ${shownValue(triesMax)}; give a whole number of at least 1`,
  )
}
