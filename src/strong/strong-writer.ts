/** Writes of strong keys: from the write road, and those with a condition. */
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { TRANSACTION_KEYS_MAX } from '../limits.ts'
import { checkedLife } from '../operation/envelope/operation-fields.ts'
import type { Acknowledger } from '../store/write-road/acknowledger.ts'
import type { Receipt, Settlement, WriteOptions } from '../store/write-road/receipt.ts'
import type { StrongChange, StrongWrites } from '../store/write-road/strong-write.ts'
import type { Change, Expectation } from './commands.ts'
import type { Decided, StrongKeys } from './strong-keys.ts'
import { errorOf, type Verdict } from './verdict.ts'

/** What a write expects of keys, some of which it may not change. */
export interface Conditions {
  readonly expected?: readonly Expectation[]
}

export type Outcome =
  | { readonly kind: 'ok'; readonly receipts: readonly Receipt[] }
  | { readonly kind: 'conflict'; readonly key: string; readonly version: number }

export class StrongWriter implements StrongWrites {
  readonly #keys: StrongKeys
  readonly #acknowledger: Acknowledger

  constructor(keys: StrongKeys, acknowledger: Acknowledger) {
    this.#keys = keys
    this.#acknowledger = acknowledger
  }

  async write(changes: readonly StrongChange[], options: WriteOptions): Promise<readonly Receipt[]> {
    const outcome = await this.writeIf(changes, {}, options)
    if (outcome.kind === 'ok') return outcome.receipts
    throw errorOf(outcome)
  }

  /**
   * Writes all of it if every key is as expected. Throws what a verb refuses, and as
   * `Submitter.submit` rejects.
   */
  async writeIf(
    changes: readonly StrongChange[],
    { expected = [] }: Conditions,
    options: WriteOptions,
  ): Promise<Outcome> {
    const partition = this.#partitionOf([...changes, ...expected].map(({ key }) => key))
    const lifeMs = options.ttlMs === undefined ? 0 : checkedLife(options.ttlMs)
    const { signal, fence } = options
    const command = { kind: 'write', expected, changes: changes.map((one) => changeOf(one, lifeMs)), fence } as const
    const decided = await this.#keys.submit(partition, command, { signal })
    const { verdict } = decided
    if (verdict.kind === 'conflict') return verdict
    if (verdict.kind !== 'done') throw errorOf(verdict)
    return { kind: 'ok', receipts: await this.#receipts(decided, verdict, changes.length, options) }
  }

  async #receipts(
    { dot }: Decided,
    { version, versions }: Extract<Verdict, { kind: 'done' }>,
    count: number,
    options: WriteOptions,
  ): Promise<readonly Receipt[]> {
    const settled = await this.#settled(dot, version, options)
    return Array.from({ length: count }, (_, i) => ({ ...settled, dot, version: versions?.[i] ?? version }))
  }

  /**
   * It is part of this replica's log by now: more is waited for only where it is asked for. Other
   * replicas hold it under the name that the ordered log gives it.
   */
  async #settled(dot: Dot, version: number, { ack, acks, signal }: WriteOptions): Promise<Settlement> {
    if (ack === undefined && acks === undefined) return { ack: 'broker' }
    const ordered = version === 0 ? undefined : { replica: this.#keys.orderedId(dot), sequence: version }
    const settled = await this.#acknowledger.settled(ordered, { ack: ack ?? 'memory', acks }, signal)
    return ack === undefined ? { ...settled, ack: 'broker' } : settled
  }

  /** Throws `WARP_E_MODE`, `WARP_E_LIMIT`. */
  #partitionOf(keys: readonly string[]): number {
    const [first = ''] = keys
    if (new Set(keys).size > TRANSACTION_KEYS_MAX) throw tooManyKeys(keys.length)
    const partition = this.#keys.partitionOf(first)
    const other = keys.find((key) => this.#keys.partitionOf(key) !== partition)
    if (other !== undefined) throw twoPartitions(first, other)
    return partition
  }
}

function changeOf(change: StrongChange, lifeMs: number): Change {
  const { key, keyspace, verb, parameters } = change
  const of = { key, strategy: keyspace.code }
  if (verb === undefined) return { ...of, parameters: [], lifeMs: 0 }
  return { ...of, verb, parameters: parameters as readonly Encodable[], lifeMs: change.lifeMs ?? lifeMs }
}

function tooManyKeys(count: number): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `a strong write names ${count} keys, and ${TRANSACTION_KEYS_MAX} are the most; nothing was written; use several`,
    { details: { count, limit: TRANSACTION_KEYS_MAX } },
  )
}

export function twoPartitions(one: string, other: string): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    `'${one}' and '${other}' are in different partitions of the ordered log, and cannot be written as one; ` +
      'give them a part in braces in common, such as {order:7}:total and {order:7}:items',
    { details: { one, other } },
  )
}
