/**
 * From the text of a key to its slot. A JavaScript `Map` of a million keys doubles its room in one
 * go, and the write of one key would wait for that: 57 ms at 2^20 keys, 137 at 2^21. So a large
 * index is 64 maps, chosen by some characters of the key. A small one is a single map, which is
 * read faster; when it has become large, each new key moves some others along.
 */

/** Names a key inside this process, for as long as the table's `generation` does not change. */
export type Slot = number

/** A map doubles beyond 2^18 keys in some 15 ms. */
const ONE_MAP_MAX = 200_000
const MAPS = 64
/** Keys that move with each new one. */
const MOVED_AT_ONCE = 64

export class SlotIndex {
  /** Until there are too many. */
  #one = new Map<string, Slot>()
  #many: readonly Map<string, Slot>[] | undefined
  /** Goes through those that have yet to move from one map to the many. */
  #moving: IterableIterator<[string, Slot]> | undefined
  #size = 0
  readonly #oneMax: number

  /** `oneMax`: how many keys one map may have; for tests. */
  constructor(oneMax: number = ONE_MAP_MAX) {
    this.#oneMax = oneMax
  }

  get size(): number {
    return this.#size
  }

  get(key: string): Slot | undefined {
    const many = this.#many
    if (many === undefined) return this.#one.get(key)
    const slot = many[mapOf(key)]!.get(key)
    return slot === undefined && this.#moving !== undefined ? this.#one.get(key) : slot
  }

  /** Takes a key in that is not here. */
  add(key: string, slot: Slot): void {
    this.#size++
    if (this.#many === undefined) {
      this.#one.set(key, slot)
      if (this.#size > this.#oneMax) this.#split()
      return
    }
    this.#many[mapOf(key)]!.set(key, slot)
    if (this.#moving !== undefined) this.#move(this.#many, this.#moving)
  }

  delete(key: string): void {
    const many = this.#many
    const isMoved = many?.[mapOf(key)]!.delete(key) ?? false
    // One that has moved still stands where it was.
    const wasInOne = (many === undefined || this.#moving !== undefined) && this.#one.delete(key)
    if (isMoved || wasInOne) this.#size--
  }

  #split(): void {
    this.#many = Array.from({ length: MAPS }, () => new Map<string, Slot>())
    this.#moving = this.#one.entries()
  }

  #move(many: readonly Map<string, Slot>[], moving: IterableIterator<[string, Slot]>): void {
    for (let i = 0; i < MOVED_AT_ONCE; i++) {
      const next = moving.next()
      if (next.done === true) {
        this.#moving = undefined
        this.#one = new Map()
        return
      }
      const [key, slot] = next.value
      many[mapOf(key)]!.set(key, slot)
    }
  }
}

/** Keys differ at their end mostly; those of one suffix differ in the middle. */
function mapOf(key: string): number {
  const last = key.length - 1
  const middle = last >> 1
  return (
    (key.charCodeAt(last) +
      10 * key.charCodeAt(last - 1) +
      100 * key.charCodeAt(last - 2) +
      key.charCodeAt(middle) +
      10 * key.charCodeAt(middle - 1)) &
    (MAPS - 1)
  )
}
