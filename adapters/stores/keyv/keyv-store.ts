/**
 * Rows in a Keyv of the user's. Keyv can get and set, and not compare: one replica at a time may
 * write a key. Value, meta and token are one object, so a reader sees them of one moment.
 */
import type { Keyv } from 'keyv'
import { checkOptions, optionNames, refusedOption } from '../../../crdt/checked-options.ts'
import { isWarpError } from '../../../crdt/warp-error.ts'
import type {
  ListRequest,
  PrimaryStore,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreCodec,
  StoreRequest,
  StoreRow,
} from '../../../src/ports/primary-store.ts'
import { codecOf } from '../../../src/ports/stores/codecs.ts'
import { firstKeys } from '../../../src/ports/stores/key-order.ts'
import { allOf, OneWriter } from '../../../src/ports/stores/one-writer.ts'
import { storeError, untilAborted } from '../../../src/ports/stores/store-error.ts'
import { type KeptRow, keptRow, rowOf } from './kept-row.ts'

export interface KeyvStoreOptions {
  /** Shown to people, behind `keyv:`. Default: the namespace of the Keyv, or `rows`. */
  readonly name?: string
  readonly codec?: 'json' | 'bytes' | StoreCodec
}

const OPTIONS = optionNames<KeyvStoreOptions>({ name: true, codec: true })

export function keyvStore(keyv: Keyv, options: KeyvStoreOptions = {}): PrimaryStore {
  checkOptions('keyvStore', options, OPTIONS)
  checkKeyv(keyv)
  return new KeyvStore(keyv, options)
}

function checkKeyv(keyv: Keyv): void {
  const given: unknown = keyv
  if (typeof given !== 'object' || given === null || typeof (given as Keyv).getMany !== 'function')
    throw refusedOption('keyvStore', 'keyv', given, 'give a Keyv')
  // Otherwise Keyv answers "nothing there" while its store is down.
  if (!keyv.throwOnErrors)
    throw refusedOption(
      'keyvStore: keyv',
      'throwOnErrors',
      keyv.throwOnErrors,
      'make the Keyv with throwOnErrors: true',
    )
  if (keyv.ttl !== undefined)
    throw refusedOption('keyvStore: keyv', 'ttl', keyv.ttl, 'leave it out: rows have to stay until Warp removes them')
}

class KeyvStore implements PrimaryStore {
  readonly name: string
  readonly comparesAndSets = false
  readonly codec: StoreCodec
  readonly #keyv: Keyv
  readonly #writer: OneWriter
  /** Errors come with each request as well. */
  readonly #unheard = (): void => undefined

  constructor(keyv: Keyv, { name, codec }: KeyvStoreOptions) {
    this.name = `keyv:${name ?? keyv.namespace ?? 'rows'}`
    this.codec = codecOf('keyvStore', codec)
    this.#keyv = keyv
    keyv.on('error', this.#unheard)
    this.#writer = new OneWriter({
      read: (keys) => this.#read(keys),
      write: (key, row) => this.#write(key, row),
      erase: (key) => this.#call(`removing '${key}'`, async () => void (await keyv.delete(key))),
    })
  }

  close(): Promise<void> {
    this.#keyv.off('error', this.#unheard)
    return Promise.resolve()
  }

  readRows(keys: readonly string[], { signal }: StoreRequest): Promise<(StoreRow | undefined)[]> {
    return untilAborted(this.name, signal, () => this.#read(keys))
  }

  compareAndSet(changes: readonly RowChange[], { signal }: StoreRequest): Promise<RowOutcome[]> {
    return untilAborted(this.name, signal, () => this.#writer.compareAndSet(changes, signal))
  }

  purge(rows: readonly PurgedRow[], { signal }: StoreRequest): Promise<number> {
    return untilAborted(this.name, signal, () => this.#writer.purge(rows, signal))
  }

  /** Reads all that is there: Keyv knows neither order nor beginnings. */
  listKeys(request: ListRequest): Promise<string[]> {
    return untilAborted(this.name, request.signal, () =>
      this.#call('listing keys', async () => {
        const entries = this.#entries()
        const keys: string[] = []
        for await (const [key, kept] of entries) {
          if (request.signal.aborted) return []
          if (rowOf(kept, this.codec)?.value !== undefined) keys.push(key)
        }
        return firstKeys(keys, request)
      }),
    )
  }

  #entries(): AsyncIterable<[string, unknown]> {
    const { iterator } = this.#keyv
    if (iterator === undefined) {
      const message = 'its store cannot list keys; choose a store of Keyv that has an iterator'
      throw storeError({ store: this.name, failure: 'broken', message })
    }
    return iterator.call(this.#keyv, this.#keyv.namespace) as AsyncIterable<[string, unknown]>
  }

  async #read(keys: readonly string[]): Promise<(StoreRow | undefined)[]> {
    if (keys.length === 0) return []
    const kept = await this.#call('reading', () => this.#getAll(keys))
    return keys.map((_, index) => rowOf(kept[index], this.codec))
  }

  /** Over a store that cannot get many, Keyv's `getMany` answers "nothing there" for what failed. */
  #getAll(keys: readonly string[]): Promise<readonly unknown[]> {
    const { store } = this.#keyv as { readonly store: { readonly getMany?: unknown } }
    if (store.getMany !== undefined) return this.#keyv.getMany<KeptRow>([...keys])
    return allOf(keys.map((key) => this.#keyv.get<KeptRow>(key)))
  }

  async #write(key: string, row: StoreRow): Promise<void> {
    const isKept = await this.#call(`writing '${key}'`, () => this.#keyv.set(key, keptRow(row)))
    if (isKept) return
    const message = `writing '${key}' failed, and Keyv does not say why`
    throw storeError({ store: this.name, failure: 'transient', message, key, outcome: 'indeterminate' })
  }

  async #call<Answer>(doing: string, call: () => Promise<Answer>): Promise<Answer> {
    try {
      return await call()
    } catch (cause) {
      if (isWarpError(cause)) throw cause
      const message = `${doing} failed: ${cause instanceof Error ? cause.message : String(cause)}`
      throw storeError({ store: this.name, failure: 'transient', message, cause, outcome: 'indeterminate' })
    }
  }
}
