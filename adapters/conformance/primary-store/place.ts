/** What the checks of a primary store share: rows to write, and short ways to write and read them. */
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { PrimaryStore, RowChange, RowOutcome, StoreRow } from '../../../src/ports/primary-store.ts'
import { assert, assertBytes, assertEqual } from '../assert.ts'

export interface PrimaryStoreSubject {
  /** Holds no rows. The suite calls `check`. */
  readonly store: PrimaryStore
  /** Another client of the same rows, for races. Default: the store itself. */
  readonly another?: () => PrimaryStore | Promise<PrimaryStore>
  /** Writes a value past Warp; without one, deletes what Warp wrote. */
  readonly outsider?: (key: string, value: Uint8Array | undefined) => Promise<void>
  /** The key of a row that the store will never take, whatever its value. */
  readonly rejectedKey?: string
  /** Called after each test, with everything closed. */
  readonly dispose?: () => void | Promise<void>
}

export type Check = (place: Place) => Promise<void>

const ENCODER = new TextEncoder()
const DECODER = new TextDecoder()

/** One store under test, and another client of the same rows where there is one. */
export class Place {
  readonly store: PrimaryStore
  readonly subject: PrimaryStoreSubject
  readonly #others: PrimaryStore[] = []
  #tokens = 0

  constructor(subject: PrimaryStoreSubject) {
    this.subject = subject
    this.store = subject.store
  }

  /** `count` clients of the same rows, the store under test among them. */
  async clients(count: number): Promise<PrimaryStore[]> {
    const clients = [this.store]
    while (clients.length < count) {
      const another = (await this.subject.another?.()) ?? this.store
      if (another !== this.store) this.#others.push(another)
      clients.push(another)
    }
    return clients
  }

  /** A row with a token of its own. Every value is the text of a JSON string: all stores take it. */
  fresh(text: string | undefined): StoreRow {
    return this.row(text === undefined ? undefined : valueOf(text))
  }

  row(value: Uint8Array | undefined): StoreRow {
    const number = ++this.#tokens
    const meta = Uint8Array.from({ length: 40 }, (_, index) => (number * 7 + index * 37) & 0xff)
    const token = Uint8Array.from(
      { length: 16 },
      (_, index) => (index < 4 ? number >>> (8 * index) : index * 17) & 0xff,
    )
    return { value, meta, token }
  }

  async write(change: RowChange, store: PrimaryStore = this.store): Promise<RowOutcome> {
    const [outcome, ...others] = await store.compareAndSet([change], never())
    assertEqual(others.length, 0, 'outcomes beyond that of the one change')
    assert(outcome !== undefined, 'there is an outcome for the change')
    return outcome
  }

  /** Writes a row that must be taken, over `expected`. */
  async put(key: string, next: StoreRow, expected?: StoreRow): Promise<StoreRow> {
    const outcome = await this.write({ key, expected, next })
    assertEqual(outcome.kind, 'done', `the outcome of writing ${JSON.stringify(key)}`)
    return next
  }

  async read(key: string): Promise<StoreRow | undefined> {
    const [row, ...others] = await this.store.readRows([key], never())
    assertEqual(others.length, 0, 'rows beyond that of the one key')
    return row
  }

  /** The key has this row, byte for byte. */
  async holds(key: string, expected: StoreRow | undefined): Promise<void> {
    const row = await this.read(key)
    assertRow(row, expected, `the row of ${JSON.stringify(key)}`)
  }

  /** Refused; and if the store brings the present row along, it is the present row. */
  async refuses(change: RowChange): Promise<void> {
    const present = await this.read(change.key)
    const outcome = await this.write(change)
    assertEqual(outcome.kind, 'refused', 'the outcome')
    if (outcome.kind === 'refused' && 'row' in outcome) assertRow(outcome.row, present, 'the row that came along')
    await this.holds(change.key, present)
  }

  async close(): Promise<void> {
    for (const store of this.#others) await store.close?.()
    await this.store.close?.()
    await this.subject.dispose?.()
  }
}

/** A request that nobody gives up. */
export function never(): { readonly signal: AbortSignal } {
  return { signal: new AbortController().signal }
}

export function valueOf(text: string): Uint8Array {
  return ENCODER.encode(JSON.stringify(text))
}

export function textOf(row: StoreRow | undefined): string | undefined {
  return row?.value === undefined ? undefined : (JSON.parse(DECODER.decode(row.value)) as string)
}

export function assertRow(actual: StoreRow | undefined, expected: StoreRow | undefined, what: string): void {
  assertEqual(actual === undefined, expected === undefined, `${what} is absent`)
  if (actual === undefined || expected === undefined) return
  assertEqual(actual.value === undefined, expected.value === undefined, `${what} is a tombstone`)
  if (actual.value !== undefined && expected.value !== undefined) assertBytes(actual.value, expected.value)
  assertBytes(actual.meta, expected.meta)
  assertBytes(actual.token, expected.token)
}

/** What the store will never take says so in its error, too. */
export function assertRejection(outcome: RowOutcome | undefined): void {
  assert(outcome?.kind === 'rejected' && isWarpError(outcome.error, 'WARP_E_STORE'), 'the error is WARP_E_STORE')
  assertEqual(outcome.error.details['failure'], 'rejected', 'details.failure')
}
