/**
 * Puts a state of a partition in the place of what a replica has. A state of up to so many keys and bytes
 * is one group of records, and taken over in the turn in which it is written: nobody sees keys of two
 * states, also after a crash. A larger one is put in place in steps. A crash in the middle leaves the old
 * place with keys of either state then, and the state is taken again before anything else is judged.
 */
import { decode } from '../../../crdt/encoding/encoding.ts'
import type { Encodable } from '../../../crdt/encoding/encodable.ts'
import { expectArray, expectCount, expectText } from '../../../crdt/encoding/stored-state.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { writeForgotten } from '../../compaction/forgotten.ts'
import type { Keyspace } from '../../keys/keyspace.ts'
import type { Slot } from '../../keys/key-table.ts'
import { RECORD_KIND } from '../../log/log.ts'
import { writeSnapshotHead, type KeySnapshot } from '../../merge/snapshot-record.ts'
import { Budget } from '../../operation/budget.ts'
import type { Position } from '../../operation/position.ts'
import type { KeyStore } from '../../store/key-store.ts'
import { installSnapshot, type Forgotten } from '../../store/recovered.ts'
import { cannotJudge, targetOf } from '../judge.ts'
import type { DomainWriter } from '../../keys/domain-writer.ts'
import { malformedState, slotsOf, type PartitionKeys, type ReadState } from './partition-state.ts'

/** A group is written in one turn: within these bounds that is some 20 ms. */
const AT_ONCE_KEYS_MAX = 1000
const AT_ONCE_BYTES_MAX: number = 2 * 1024 * 1024

/** What a partition of the engine lets be done to its keys as a whole. */
export interface WholeState {
  /** A key is gone, as has been written. */
  forget(slot: Slot, written: Forgotten): void
  /** A key has another state now. */
  replaced(slot: Slot): void
  /** All of it has been done: who follows the keys begins anew. */
  reset(): void
}

export interface InstallOptions {
  readonly whole: WholeState
  /** Writes what there is beside the keys, as the last records of a group. */
  readonly note: () => void
}

/** Returns how many keys there are. Throws `CannotJudge`: then it is to be done again. */
export async function installPartition(
  keys: PartitionKeys,
  state: ReadState,
  options: InstallOptions,
): Promise<number> {
  const bytes = state.items.reduce((sum, { length }) => sum + length, 0)
  const isSmall = state.items.length <= AT_ONCE_KEYS_MAX && bytes <= AT_ONCE_BYTES_MAX
  try {
    return isSmall ? installAtOnce(keys, state, options) : await installInSteps(keys, state, options)
  } catch (error) {
    throw cannotJudge(error)
  }
}

/** All is written before any of it counts: what throws leaves everything as it was. */
function installAtOnce(
  { store, writer }: PartitionKeys,
  { items }: ReadState,
  { whole, note }: InstallOptions,
): number {
  const written: WrittenKey[] = []
  const gone: (readonly [Slot, Forgotten])[] = []
  store.appendAll([], () => {
    for (const item of items) written.push(writeKey(store, writer, item))
    const kept = new Set(written.map(({ key }) => key))
    for (const slot of slotsOf(store, writer))
      if (!kept.has(store.keys.keys[slot] as string)) gone.push([slot, writeForgotten(store, slot)])
    note()
  })
  for (const one of written) takeKey(store, one, whole)
  for (const [slot, forgotten] of gone) whole.forget(slot, forgotten)
  return written.length
}

async function installInSteps(
  { store, writer }: PartitionKeys,
  { items }: ReadState,
  { whole, note }: InstallOptions,
): Promise<number> {
  const budget = new Budget(store.env)
  const kept = new Set<string>()
  for (const item of items) {
    const written = writeKey(store, writer, item)
    takeKey(store, written, whole)
    kept.add(written.key)
    budget.spend(1, item.length)
    if (budget.isSpent) await budget.rest()
  }
  for (const slot of slotsOf(store, writer)) {
    if (!kept.has(store.keys.keys[slot] as string)) whole.forget(slot, writeForgotten(store, slot))
    budget.spend(1, 0)
    if (budget.isSpent) await budget.rest()
  }
  store.appendAll([], note)
  return kept.size
}

interface WrittenKey {
  readonly key: string
  readonly keyspace: Keyspace
  readonly slot: Slot | undefined
  readonly snapshot: Omit<KeySnapshot, 'state'>
  readonly position: Position
}

function writeKey(store: KeyStore, { replica }: DomainWriter, item: Uint8Array): WrittenKey {
  const [text, strategy, count, hlc, sequence, lifeMs, state] = expectArray(decode(item))
  const key = expectText(text)
  const { keyspace, slot } = targetOf(store, key)
  if (keyspace.code !== strategy) throw otherStrategy(key)
  const { log, keys } = store
  const through = log.end
  const version = Math.max(expectCount(count), slot === undefined ? 0 : keys.version[slot]!)
  const snapshot = {
    ...{ key, strategy: keyspace.code, present: true, through, baseVersion: version, version },
    ...{ hlc: expectCount(hlc), replica, sequence: expectCount(sequence), lifeMs: expectCount(lifeMs) },
    vector: VersionVector.from([[replica, expectCount(sequence)]]),
  }
  const writer = log.begin()
  writeSnapshotHead(writer, snapshot, store.table)
  writer.raw(bytesOf(state))
  return { key, keyspace, slot, snapshot, position: log.commit(RECORD_KIND.snapshot, 0) }
}

function takeKey(
  store: KeyStore,
  { key, keyspace, slot: known, snapshot, position }: WrittenKey,
  whole: WholeState,
): void {
  const slot = known ?? store.addKey(key, keyspace, snapshot.through)
  store.values.drop(slot)
  installSnapshot(store.keys, slot, snapshot, position)
  // How long the key that was here lived says nothing about this one.
  store.values.prolong(slot, keyspace)
  whole.replaced(slot)
}

function bytesOf(state: Encodable | undefined): Uint8Array {
  if (state instanceof Uint8Array) return state
  throw malformedState('has a key without a state')
}

function otherStrategy(key: string): WarpError {
  return new WarpError(
    'WARP_E_STRATEGY',
    `'${key}' is in the snapshot of the ordered log with another strategy than it is registered with here`,
    { details: { key } },
  )
}
