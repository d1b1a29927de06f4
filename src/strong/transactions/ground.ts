/**
 * Where the keys of a transaction are, and who decides it: the ordered log for strong keys, this
 * process for local ones. Nobody decides about eventual ones (`eventual-ground.ts`): they merge.
 */
import { TOO_LONG } from '../../cache/values.ts'
import type { Slot } from '../../keys/key-table.ts'
import type { Mode } from '../../keys/typed-keys.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { foldUntilShort, readAtOnce } from '../../store/read-steadily.ts'
import type { WriteOptions } from '../../store/write-road/receipt.ts'
import { FoldFirst, type Target } from '../../store/write-road/target.ts'
import { verbName, type Writer } from '../../store/write-road/writer.ts'
import type { StrongKeys } from '../strong-keys.ts'
import { twoPartitions, type StrongWriter } from '../strong-writer.ts'
import type { Changed } from './refusals.ts'
import type { TransactionReceipt } from './transaction-types.ts'
import type { Written } from './writes.ts'

/** A key as it was looked at. */
export interface Looked {
  readonly value: unknown
  /** As `getVersioned` gives it; 0: the key has no value. */
  readonly version: number
  /** Changes with every write of the key that is taken in here, and when its life ends. */
  readonly mark: number
}

export type CommitOptions = Omit<WriteOptions, 'ttlMs'>

export type Committed =
  { readonly kind: 'ok'; readonly receipt: TransactionReceipt } | (Changed & { readonly kind: 'conflict' })

/** What was read, by key. */
export type Seen = ReadonlyMap<string, Looked>

export interface Ground {
  readonly mode: Mode
  /** Names it among all places. */
  readonly name: string
  /** Throws `WARP_E_MODE` for a key that cannot be written with the first one. */
  admit(target: Target): void
  /** Settles when what is here is as new as a transaction has to see it that begins now. */
  passed(signal: AbortSignal | undefined): Promise<void>
  /** What has to be waited for before anything is looked at: not all keys are of one moment. */
  readonly unsettled: Promise<unknown> | undefined
  /** `TOO_LONG`: it has to be folded in steps first. A promise: of what the key was. Rejects with `MomentGone`. */
  look(key: string): Looked | typeof TOO_LONG | Promise<Looked>
  /** The state that the key had, if that is not the present one. Rejects with `MomentGone`. */
  formerState?(key: string): Promise<unknown> | undefined
  /** The try is over. */
  end?(): void
  /** The mark of a key as it is now. */
  markOf(key: string): number
  /** As long as this is the same number, no mark has changed but by the end of a life. */
  readonly writesCount: number
  /** Writes, if everything is as it was seen. */
  commit(seen: Seen, writes: readonly Written[], options: CommitOptions): Promise<Committed>
}

/** What has been read as of one moment can be read no more. */
export class MomentGone extends Error {}

export const NOTHING: Looked = { value: undefined, version: 0, mark: 0 }

export interface StrongGroundOptions {
  readonly store: KeyStore
  readonly keys: StrongKeys
  readonly writer: StrongWriter
  /** The first key. */
  readonly first: string
  /** By the time of the log alone: what has met a conflict looks at keys as the log will, whatever this replica's clock says. */
  readonly asJudged: boolean
}

export class StrongGround implements Ground {
  readonly mode = 'strong'
  readonly #store: KeyStore
  readonly #keys: StrongKeys
  readonly #writer: StrongWriter
  readonly #first: string
  readonly #partition: number
  readonly #asJudged: boolean

  constructor({ store, keys, writer, first, asJudged }: StrongGroundOptions) {
    this.#store = store
    this.#keys = keys
    this.#writer = writer
    this.#first = first
    this.#partition = keys.partitionOf(first)
    this.#asJudged = asJudged
  }

  get name(): string {
    return `strong/${this.#partition}`
  }

  admit({ key }: Target): void {
    if (this.#keys.partitionOf(key) !== this.#partition) throw twoPartitions(this.#first, key)
  }

  passed(signal: AbortSignal | undefined): Promise<void> {
    return this.#keys.passed(this.#partition, signal)
  }

  get unsettled(): Promise<unknown> | undefined {
    return this.#keys.installing(this.#partition)
  }

  look(key: string): Looked | typeof TOO_LONG {
    const slot = this.#store.keys.find(key)
    if (slot === undefined) return NOTHING
    const value = readAtOnce(this.#store, slot)
    if (value === TOO_LONG) return TOO_LONG
    const versioned = this.#keys.versioned(key, slot, this.#asJudged ? undefined : { value })
    return { ...versioned, mark: versioned.version }
  }

  markOf(key: string): number {
    const slot = this.#store.keys.find(key)
    if (slot === undefined) return 0
    return this.#keys.versioned(key, slot, this.#asJudged ? undefined : NOTHING).version
  }

  get writesCount(): number {
    return this.#keys.sequenceOf(this.#partition)
  }

  async commit(seen: Seen, writes: readonly Written[], options: CommitOptions): Promise<Committed> {
    const changes = writes.map(({ target: { key, keyspace }, verb, parameters, lifeMs }) => ({
      ...{ key, keyspace, parameters, lifeMs },
      ...(verb === undefined ? {} : { verb: verbName(keyspace, verb) }),
    }))
    const expected = [...seen].map(([key, { version }]) => ({ key, version }))
    const outcome = await this.#writer.writeIf(changes, { expected }, options)
    return outcome.kind === 'conflict' ? outcome : { kind: 'ok', receipt: receiptOf(writes, outcome.receipts) }
  }
}

/** Keys that this process alone writes. */
export class LocalGround implements Ground {
  readonly mode = 'local'
  readonly unsettled = undefined
  readonly #store: KeyStore
  readonly #writer: Writer

  constructor(store: KeyStore, writer: Writer) {
    this.#store = store
    this.#writer = writer
  }

  get name(): string {
    return this.mode
  }

  get writesCount(): number {
    return this.#store.writers.local.sequence
  }

  admit(): void {
    // All keys of this mode are in one place.
  }

  passed(): Promise<void> {
    return Promise.resolve()
  }

  look(key: string): Looked | typeof TOO_LONG {
    const store = this.#store
    const slot = store.keys.find(key)
    if (slot === undefined) return NOTHING
    const value = readAtOnce(store, slot)
    if (value === TOO_LONG) return TOO_LONG
    return { value, version: value === undefined ? 0 : store.keys.tipSequence[slot]!, mark: this.#markAt(slot) }
  }

  markOf(key: string): number {
    const slot = this.#store.keys.find(key)
    return slot === undefined ? 0 : this.#markAt(slot)
  }

  /** Where the newest operation of the key lies: no other one ever does. */
  #markAt(slot: Slot): number {
    const { keys, values, env } = this.#store
    const keyspace = this.#store.keyspaceFor(keys.keys[slot] as string, slot)
    return values.expiresAt(slot, keyspace) <= env.now() ? 0 : keys.head[slot]!
  }

  commit(seen: Seen, writes: readonly Written[], options: CommitOptions): Promise<Committed> {
    const here = { store: this.#store, writer: this.#writer, changed: () => this.#changedOf(seen) }
    return writtenHere(here, writes, options)
  }

  #changedOf(seen: Seen): Changed | undefined {
    for (const [key, { mark }] of seen) {
      if (this.markOf(key) === mark) continue
      const now = this.look(key)
      return { key, version: now === TOO_LONG ? 0 : now.version }
    }
    return undefined
  }
}

interface Here {
  readonly store: KeyStore
  readonly writer: Writer
  /** What was read and is no longer so. */
  readonly changed: () => Changed | undefined
}

/** Writes as one what this process may decide, in one turn. */
export async function writtenHere(
  { store, writer, changed }: Here,
  writes: readonly Written[],
  options: CommitOptions,
): Promise<Committed> {
  for (;;) {
    store.assertOpen()
    // What was asked for before comes before.
    for (const { target } of writes) while (store.waiting.has(target.key)) await store.waiting.rest(target.key)
    // From here on in one turn.
    const conflict = changed()
    if (conflict !== undefined) return { kind: 'conflict', ...conflict }
    const intents = writes.map(({ target: { key, keyspace }, ...written }) => ({
      ...written,
      target: { key, keyspace, slot: store.keys.find(key) },
    }))
    try {
      const receipts = await writer.together(intents, options)
      return { kind: 'ok', receipt: receiptOf(writes, receipts) }
    } catch (error) {
      if (!(error instanceof FoldFirst)) throw error
      const slot = store.keys.find(error.key)
      if (slot !== undefined) await foldUntilShort(store, slot, () => store.assertOpen())
    }
  }
}

function receiptOf(
  writes: readonly Written[],
  receipts: readonly (Pick<TransactionReceipt, 'dot' | 'ack' | 'acks'> & { readonly version: number })[],
): TransactionReceipt {
  const versions = new Map(writes.map(({ target }, i) => [target.key, receipts[i]?.version ?? 0]))
  const last = receipts.findLast(({ dot }) => dot !== undefined)
  const { ack, acks } = receipts[0] ?? { ack: 'memory' as const }
  return { dot: last?.dot, ack, ...(acks === undefined ? {} : { acks }), versions }
}
