/** What a transaction is given and what it gives, where the types of keys do not matter. */
import { checkOptions, isWholeFrom, optionNames } from '../../../crdt/checked-options.ts'
import type { Dot } from '../../../crdt/time/dot.ts'
import { shownKind, shownValue } from '../../../crdt/shown-kind.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import type { Mode } from '../../keys/typed-keys.ts'
import type { Expected } from '../expectation.ts'
import { SETTLE_OPTIONS, type Settlement, type SettleOptions } from '../../store/write-road/receipt.ts'

export interface TransactionOptions<M extends Mode = Mode> extends SettleOptions {
  /**
   * Of which mode its keys are: one transaction, one mode. Default: that of the first key that it
   * names. To the compiler: `'strong'` if any key pattern is strong, else `'local'` if any is, else
   * `'eventual'`.
   */
  readonly mode?: M
  /**
   * How often the function is run at most, a whole number of at least 1. `transaction` runs it again,
   * after a short random pause, when a key that it has read has changed. Default 10; of
   * `tryTransaction` 1.
   */
  readonly triesMax?: number
  /** As `WriteOptions.fence`: of strong keys, the token of the lock under which this is written. */
  readonly fence?: number
}

/** What has been written. */
export interface TransactionReceipt extends Settlement {
  /** Names the transaction where its keys are strong, for `resolve`; else its last operation. `undefined`: nothing was written. */
  readonly dot: Dot | undefined
  /** By key, the version that it has made: of strong keys what `compareAndSet` takes. */
  readonly versions: ReadonlyMap<string, number>
}

/** `'conflict'`: `key` has another version than the one that was read or expected, and nothing was written. */
export type TransactionOutcome<Value> =
  | { readonly kind: 'ok'; readonly value: Value; readonly receipt: TransactionReceipt }
  | { readonly kind: 'conflict'; readonly key: string; readonly version: number }

/** What one write of a transaction may ask for. */
export interface TransactionWriteOptions {
  /** As `WriteOptions.ttlMs`. */
  readonly ttlMs?: number
}

/** Verbs and queries of the key's strategy are methods beside these. */
export interface AnyTransactionKey {
  get(): Promise<unknown>
  delete(): void
  readonly [verb: string]: (...parameters: readonly never[]) => unknown
}

/** What the function of a transaction is handed. */
export interface AnyTransaction {
  readonly signal: AbortSignal
  get(key: string): Promise<unknown>
  getMany(keys: Iterable<string>): Promise<Map<string, unknown>>
  set(key: string, value: unknown, options?: TransactionWriteOptions): void
  delete(key: string): void
  key(key: string): AnyTransactionKey
  expect(key: string, expected: Expected): Promise<void>
  compareAndSet(key: string, expected: Expected, next: unknown, options?: TransactionWriteOptions): Promise<void>
}

export type TransactionFunction = (transaction: AnyTransaction) => unknown

export const TRIES_MAX = 10
const OPTIONS = [
  ...SETTLE_OPTIONS,
  ...optionNames<Omit<TransactionOptions, keyof SettleOptions>>({ mode: true, triesMax: true, fence: true }),
]
const WRITE_OPTIONS = optionNames<TransactionWriteOptions>({ ttlMs: true })
const MODES: readonly unknown[] = ['local', 'eventual', 'strong'] satisfies Mode[]

/** Throws `WARP_E_CONFIG`. */
export function checkTransaction(call: string, run: unknown, options: TransactionOptions): void {
  if (typeof run !== 'function')
    throw new WarpError(
      'WARP_E_CONFIG',
      `${call} takes a function that is handed the transaction, not ${shownKind(run)}`,
    )
  checkOptions(call, options, OPTIONS)
  const { mode, triesMax = 1 } = options
  if (!isWholeFrom(triesMax, 1))
    throw new WarpError(
      'WARP_E_CONFIG',
      `${call}: triesMax is ${shownValue(triesMax)}; give a whole number of at least 1`,
      { details: { option: 'triesMax' } },
    )
  if (mode === undefined || MODES.includes(mode)) return
  throw new WarpError('WARP_E_CONFIG', `${call}: mode is ${shownKind(mode)}; use 'local', 'eventual' or 'strong'`, {
    details: { option: 'mode' },
  })
}

/** Throws `WARP_E_CONFIG`. */
export function checkWrite(options: TransactionWriteOptions | undefined): void {
  checkOptions('a write of a transaction', options, WRITE_OPTIONS)
}
