/**
 * Keys that are forgotten altogether: nothing of them is left but a note, for as long as older
 * records of the key may be in the log.
 */
import type { Slot } from '../keys/key-table.ts'
import { RECORD_KIND, type Log } from '../log/log.ts'
import type { KeyStore } from '../store/key-store.ts'
import type { Forgotten } from '../store/recovered.ts'

/**
 * Writes that a key is forgotten, so that its records are ignored when the log is read again, and
 * forgets it.
 */
export function forgetKey(store: KeyStore, slot: Slot): Forgotten {
  const forgotten = writeForgotten(store, slot)
  store.removeKey(slot)
  return forgotten
}

/** The same, for a caller who forgets it as soon as that is written. */
export function writeForgotten({ keys, log }: KeyStore, slot: Slot): Forgotten {
  const writer = log.begin()
  writer.text(keys.keys[slot] as string)
  // Records of the key lie up to here: a snapshot may come behind the operations that it holds.
  const through = Math.max(keys.head[slot]!, keys.snapshot[slot]!)
  writer.f64(through)
  return { position: log.commit(RECORD_KIND.forget, 0), through }
}

/**
 * Writes that all keys are forgotten but those that never leave this replica, into the log or a group
 * of it.
 */
export function forgetAll(log: Pick<Log, 'begin' | 'commit' | 'end'>): Forgotten {
  const through = log.end
  const writer = log.begin()
  writer.text('')
  writer.f64(through)
  return { position: log.commit(RECORD_KIND.forget, 0), through }
}
