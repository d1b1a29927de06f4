/**
 * Finds the slot of a key from its bytes in UTF-8, usually without making a text of them: a small
 * table, direct-mapped by a hash of the bytes, remembers the slots found last, and what it says is
 * compared with the key itself. What it does not know is asked of the key table. On the way in of
 * foreign operations a text per operation costs more in garbage than in making it
 * (`bench/mesh-throughput`).
 */
import type { KeyTable, Slot } from './key-table.ts'
import { textOf } from '../operation/text.ts'

/** 64 KiB, and 8 MiB at most. */
const ENTRIES_MIN = 16_384
const ENTRIES_MAX = 2_097_152
/** Longer keys are not compared one character at a time. */
const BYTES_MAX = 64

export class KeyFinder {
  readonly #keys: KeyTable
  /** Slots plus one. Grows with the table, and then begins to learn anew. */
  #slots = new Int32Array(ENTRIES_MIN)

  constructor(keys: KeyTable) {
    this.#keys = keys
  }

  /** The slot of the key `bytes[start, end)`. Throws `WARP_E_PROTOCOL` if it is not UTF-8. */
  find(bytes: Uint8Array, start: number, end: number): Slot | undefined {
    if (end - start > BYTES_MAX) return this.#keys.find(textOf(bytes, start, end))
    if (this.#keys.size > this.#slots.length && this.#slots.length < ENTRIES_MAX) this.#grow()
    const at = entryOf(bytes, start, end) & (this.#slots.length - 1)
    const slot = this.#slots[at]! - 1
    if (slot >= 0 && isSame(this.#keys.keys[slot], bytes, start, end)) return slot
    const found = this.#keys.find(textOf(bytes, start, end))
    if (found !== undefined) this.#slots[at] = found + 1
    return found
  }

  #grow(): void {
    let entries = this.#slots.length
    while (entries < this.#keys.size * 2 && entries < ENTRIES_MAX) entries *= 2
    this.#slots = new Int32Array(entries)
  }
}

/** FNV-1a, its upper half folded into the lower one. */
function entryOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash ^ (hash >>> 16)
}

/**
 * ASCII only: there a character is its byte. `text` is `undefined` where the slot has been freed.
 */
function isSame(text: string | undefined, bytes: Uint8Array, start: number, end: number): boolean {
  if (text === undefined || text.length !== end - start) return false
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!
    if (byte > 0x7f || text.charCodeAt(i - start) !== byte) return false
  }
  return true
}
