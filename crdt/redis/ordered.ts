/**
 * Items in an order, by rank: chunks of some hundred, each in order. Finding, putting in and taking
 * out cost a binary search and moving within a chunk; a rank costs a walk over the chunks' lengths.
 */
const CHUNK_ITEMS_MAX = 1024

export class Ordered<Item> {
  readonly #compare: (a: Item, b: Item) => number
  readonly #chunks: Item[][] = []
  #size = 0

  constructor(compare: (a: Item, b: Item) => number) {
    this.#compare = compare
  }

  get size(): number {
    return this.#size
  }

  /** No item that is in may compare as equal. */
  add(item: Item): void {
    this.#size++
    const last = this.#chunks.at(-1)
    if (last === undefined) this.#chunks.push([item])
    else if (this.#compare(last.at(-1) as Item, item) < 0) this.#append(last, item)
    else this.#insert(item)
  }

  /** The item that compares as equal. */
  find(like: Item): Item | undefined {
    const isBefore = (item: Item): boolean => this.#compare(item, like) < 0
    const [chunk, at] = this.#firstNot(isBefore)
    const found = this.#chunks[chunk]?.[at]
    return found !== undefined && this.#compare(found, like) === 0 ? found : undefined
  }

  /** Takes out the item that compares as equal; `false` if there is none. */
  remove(like: Item): boolean {
    const [index, at] = this.#firstNot((item) => this.#compare(item, like) < 0)
    const chunk = this.#chunks[index]
    if (chunk === undefined || this.#compare(chunk[at] as Item, like) !== 0) return false
    this.#size--
    if (at === 0) chunk.shift()
    else chunk.splice(at, 1)
    if (chunk.length === 0) this.#chunks.splice(index, 1)
    return true
  }

  /** How many items there are before the first one of which `isBefore` does not hold. */
  rankOf(isBefore: (item: Item) => boolean): number {
    const [index, at] = this.#firstNot(isBefore)
    let rank = at
    for (let i = 0; i < index; i++) rank += (this.#chunks[i] as Item[]).length
    return rank
  }

  at(rank: number): Item | undefined {
    if (rank < 0 || rank >= this.#size) return undefined
    const [index, at] = this.#place(rank)
    return this.#chunks[index]?.[at]
  }

  /** Items from a rank on. Not to be changed meanwhile. */
  *from(rank: number): Generator<Item, void> {
    if (rank >= this.#size) return
    let [index, at] = this.#place(Math.max(rank, 0))
    for (; index < this.#chunks.length; index++, at = 0) {
      const chunk = this.#chunks[index] as Item[]
      for (; at < chunk.length; at++) yield chunk[at] as Item
    }
  }

  /** Items from a rank on, towards the first one. */
  *backFrom(rank: number): Generator<Item, void> {
    if (rank < 0 || this.#size === 0) return
    let [index, at] = this.#place(Math.min(rank, this.#size - 1))
    for (;;) {
      const chunk = this.#chunks[index] as Item[]
      for (; at >= 0; at--) yield chunk[at] as Item
      if (--index < 0) return
      at = (this.#chunks[index] as Item[]).length - 1
    }
  }

  #append(last: Item[], item: Item): void {
    if (last.length < CHUNK_ITEMS_MAX) last.push(item)
    else this.#chunks.push([item])
  }

  #insert(item: Item): void {
    const [index, at] = this.#firstNot((other) => this.#compare(other, item) < 0)
    const chunk = this.#chunks[index] as Item[]
    if (at === 0 && index === 0 && chunk.length >= CHUNK_ITEMS_MAX) this.#chunks.unshift([item])
    else {
      chunk.splice(at, 0, item)
      if (chunk.length > CHUNK_ITEMS_MAX) this.#chunks.splice(index + 1, 0, chunk.splice(chunk.length >>> 1))
    }
  }

  /** From the nearer end. */
  #place(rank: number): [chunk: number, at: number] {
    if (rank < this.#size / 2) {
      let [index, left] = [0, rank]
      while (left >= (this.#chunks[index] as Item[]).length) left -= (this.#chunks[index++] as Item[]).length
      return [index, left]
    }
    let [index, left] = [this.#chunks.length - 1, this.#size - 1 - rank]
    while (left >= (this.#chunks[index] as Item[]).length) left -= (this.#chunks[index--] as Item[]).length
    return [index, (this.#chunks[index] as Item[]).length - 1 - left]
  }

  #firstNot(isBefore: (item: Item) => boolean): [chunk: number, at: number] {
    const index = firstNot(this.#chunks, (chunk) => isBefore(chunk.at(-1) as Item))
    const chunk = this.#chunks[index]
    return [index, chunk === undefined ? 0 : firstNot(chunk, isBefore)]
  }
}

function firstNot<Item>(items: readonly Item[], isBefore: (item: Item) => boolean): number {
  let [from, to] = [0, items.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (isBefore(items[middle] as Item)) from = middle + 1
    else to = middle
  }
  return from
}
