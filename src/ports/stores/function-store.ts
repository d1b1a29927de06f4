/**
 * A store made of functions of the user's: load a value, save it, remove it. It keeps neither meta
 * nor token for others, and it cannot compare: one replica at a time may write a key, and what this
 * process wrote is known only until it ends. `docs/stores.md` says what that does not cover.
 *
 * Meta and token of the rows that were written here last are remembered. A value that is not the
 * one which was written here counts as an outsider's.
 */
import { checkOptions, isWholeFrom, optionNames, refusedOption, requireOptions } from '../../../crdt/checked-options.ts'
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
} from '../primary-store.ts'
import { OldestFirst } from '../../../crdt/oldest-first.ts'
import { codecOf } from './codecs.ts'
import { OneWriter } from './one-writer.ts'
import { equalBytes, outsidersRow } from './rows.ts'
import { storeError, untilAborted } from './store-error.ts'

export interface StoreFunctions<Value = unknown> {
  /** `undefined`: there is none. */
  load(key: string, request: StoreRequest): Value | undefined | Promise<Value | undefined>
  /**
   * To refuse a value for good, throw a `WarpError` with the code `WARP_E_STORE` and
   * `details: { failure: 'rejected' }`. After any other error the engine tries again.
   */
  save(key: string, value: Value, request: StoreRequest): void | Promise<void>
  /** Also of a key that is not there. */
  remove(key: string, request: StoreRequest): void | Promise<void>
  /** Keys in the order of their code points, for warming up and validating. */
  list?(request: ListRequest): readonly string[] | Promise<readonly string[]>
}

export interface FunctionStoreOptions {
  /** Shown to people, behind `functions:`. Default `rows`. */
  readonly name?: string
  /** How values are compared and measured; the functions never see its bytes. Default `'json'`. */
  readonly codec?: 'json' | 'bytes' | StoreCodec
  /** Of how many keys meta and token are remembered. Default 10,000. */
  readonly rememberedKeys?: number
}

const FUNCTIONS = optionNames<StoreFunctions>({ load: true, save: true, remove: true, list: true })
const OPTIONS = optionNames<FunctionStoreOptions>({ name: true, codec: true, rememberedKeys: true })
const REMEMBERED_KEYS = 10_000
const EXAMPLE = '{ load, save, remove }'

export function functionStore<Value>(
  functions: StoreFunctions<Value>,
  options: FunctionStoreOptions = {},
): PrimaryStore {
  requireOptions('functionStore', functions, FUNCTIONS, EXAMPLE)
  for (const name of ['load', 'save', 'remove'] as const) {
    const given: unknown = functions[name]
    if (typeof given !== 'function') throw refusedOption('functionStore', name, given, `give ${EXAMPLE}`)
  }
  checkOptions('functionStore', options, OPTIONS)
  const { rememberedKeys = REMEMBERED_KEYS } = options
  if (!isWholeFrom(rememberedKeys, 1))
    throw refusedOption('functionStore', 'rememberedKeys', rememberedKeys, 'give a whole number from 1 on')
  return new Functions(functions, { ...options, rememberedKeys })
}

class Functions implements PrimaryStore {
  readonly name: string
  readonly comparesAndSets = false
  readonly keepsMeta = false
  readonly codec: StoreCodec
  readonly #functions: StoreFunctions
  readonly #writer: OneWriter
  readonly #rememberedMax: number
  /** Rows as they were written here, the latest last. */
  readonly #remembered = new OldestFirst<string, StoreRow>()

  constructor(functions: StoreFunctions, options: FunctionStoreOptions & { readonly rememberedKeys: number }) {
    this.name = `functions:${options.name ?? 'rows'}`
    this.codec = codecOf('functionStore', options.codec)
    this.#functions = functions
    this.#rememberedMax = options.rememberedKeys
    this.#writer = new OneWriter({
      read: (keys, signal) => Promise.all(keys.map((key) => this.#read(key, signal))),
      write: (key, row, signal) => this.#write(key, row, signal),
      // Nothing is there any more but what is remembered.
      erase: (key) => Promise.resolve(void this.#remembered.delete(key)),
    })
  }

  readRows(keys: readonly string[], { signal }: StoreRequest): Promise<(StoreRow | undefined)[]> {
    return untilAborted(this.name, signal, () => Promise.all(keys.map((key) => this.#read(key, signal))))
  }

  compareAndSet(changes: readonly RowChange[], { signal }: StoreRequest): Promise<RowOutcome[]> {
    return untilAborted(this.name, signal, () => this.#writer.compareAndSet(changes, signal))
  }

  purge(rows: readonly PurgedRow[], { signal }: StoreRequest): Promise<number> {
    return untilAborted(this.name, signal, () => this.#writer.purge(rows, signal))
  }

  listKeys(request: ListRequest): Promise<string[]> {
    return untilAborted(this.name, request.signal, async () => {
      const { list } = this.#functions
      if (list === undefined) {
        const message = 'it cannot list its keys; give functionStore a function list'
        throw storeError({ store: this.name, failure: 'broken', message })
      }
      const keys = await this.#call('listing', undefined, () => list.call(this.#functions, request))
      return [...keys]
    })
  }

  async #read(key: string, signal: AbortSignal): Promise<StoreRow | undefined> {
    const value = await this.#call('loading', key, () => this.#functions.load(key, { signal }))
    const bytes = value === undefined ? undefined : this.codec.encode(value)
    const remembered = this.#remembered.get(key)
    if (remembered !== undefined && equalBytes(remembered.value, bytes)) return remembered
    return bytes === undefined ? undefined : outsidersRow(bytes)
  }

  async #write(key: string, row: StoreRow, signal: AbortSignal): Promise<void> {
    const { value } = row
    if (value === undefined) await this.#call('removing', key, () => this.#functions.remove(key, { signal }))
    else await this.#call('saving', key, () => this.#functions.save(key, this.codec.decode(value), { signal }))
    this.#remembered.delete(key)
    this.#remembered.set(key, row)
    if (this.#remembered.size > this.#rememberedMax) this.#remembered.delete(this.#remembered.oldest() as string)
  }

  async #call<Answer>(doing: string, key: string | undefined, call: () => Answer | Promise<Answer>): Promise<Answer> {
    try {
      return await call()
    } catch (cause) {
      if (isWarpError(cause, 'WARP_E_STORE')) throw cause
      const what = key === undefined ? doing : `${doing} '${key}'`
      const message = `${what} failed: ${cause instanceof Error ? cause.message : String(cause)}`
      throw storeError({ store: this.name, failure: 'transient', message, cause, key, outcome: 'indeterminate' })
    }
  }
}
