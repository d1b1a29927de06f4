/**
 * What an opening finds that it cannot read: keys that no pattern matches any more, and keys that
 * have been written by another strategy than the one that they are registered with now. All keys
 * are counted; of each pattern the strategies of some are looked up in the log.
 */
import type { Keyspaces } from '../../keys/keyspace.ts'
import type { KeyTable, Slot } from '../../keys/key-table.ts'
import { strategyName } from '../../merge/strategy-names.ts'
import { RECORD_KIND, type Log } from '../../log/log.ts'
import { readSnapshotHead } from '../../merge/snapshot-record.ts'
import { OPERATION_KIND } from '../../operation/envelope/kinds.ts'
import { OperationReader } from '../../operation/envelope/operation-reader.ts'
import type { ReplicaTable } from '../../operation/replica-table.ts'
import type { EngineEvent } from '../event.ts'

const EXAMPLES_MAX = 5
/** Of each pattern so many keys are looked up. */
const LOOKED_UP_MAX = 16

export interface UnreadableKeysOptions {
  readonly log: Log
  readonly keys: KeyTable
  readonly keyspaces: Keyspaces
  readonly table: ReplicaTable
}

interface Seen {
  count: number
  readonly slots: Slot[]
}

export class UnreadableKeys {
  readonly #options: UnreadableKeysOptions
  /** By the index of the keyspace. */
  readonly #seen: Seen[] = []
  readonly #reader: OperationReader

  constructor(options: UnreadableKeysOptions) {
    this.#options = options
    this.#reader = new OperationReader(options.table)
  }

  /** Takes note of a key. */
  look(slot: Slot): void {
    const seen = (this.#seen[this.#options.keys.keyspace[slot]!] ??= { count: 0, slots: [] })
    seen.count++
    if (seen.slots.length < LOOKED_UP_MAX) seen.slots.push(slot)
  }

  /** What there is to tell. Once all keys have been looked at. */
  *events(): Generator<EngineEvent> {
    const { keys, keyspaces } = this.#options
    for (const keyspace of keyspaces.list) {
      const { count: keysCount, slots } = this.#seen[keyspace.index] ?? { count: 0, slots: [] }
      if (keysCount === 0) continue
      if (keyspace === keyspaces.unregistered) {
        const examples = slots.slice(0, EXAMPLES_MAX).map((slot) => keys.keys[slot] as string)
        yield { kind: 'keys:unregistered', keysCount, examples }
        continue
      }
      for (const slot of slots) {
        const code = this.#codeOf(slot)
        if (code === undefined || code === keyspace.code) continue
        const [written, registered] = [strategyName(code, keyspaces), keyspace.strategy.kind]
        const { pattern } = keyspace
        yield { kind: 'strategy:changed', pattern, keysCount, key: keys.keys[slot] as string, written, registered }
        break
      }
    }
  }

  /** The code of the strategy that has written a key last; `undefined` if its newest record does not say. */
  #codeOf(slot: Slot): number | undefined {
    const { log, keys, table } = this.#options
    try {
      const { kind, bytes, start, end } = log.record(keys.tip[slot]!)
      if (kind === RECORD_KIND.snapshot) return readSnapshotHead(bytes, start, end, table).strategy
      const operation = this.#reader.load(bytes, start, end)
      return operation.kind === OPERATION_KIND.update ? operation.strategy : undefined
    } catch {
      // Whoever reads the key is told what is wrong with its record.
      return undefined
    }
  }
}
