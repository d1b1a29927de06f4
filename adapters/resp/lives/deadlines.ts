/**
 * When keys are to be looked at, the earliest first: a binary heap, with the moment of each key beside it.
 * A later moment replaces nothing, because whoever looks at the earlier one is told how it is by then; so a
 * life that is made longer with every request costs nothing here.
 */
interface Entry {
  readonly atMs: number
  readonly name: string
}

/** Entries that count no more, beside as many as there are keys, before the heap is made anew. */
const VOID_MAX = 1024

export class Deadlines {
  #heap: Entry[] = []
  readonly #atMs = new Map<string, number>()

  get size(): number {
    return this.#atMs.size
  }

  /** Entries that are held; those too that count no more. */
  get heldCount(): number {
    return this.#heap.length
  }

  /** When the next key may be due; `Infinity`: never. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Infinity
  }

  /** The key that is due next. */
  get first(): string | undefined {
    return this.#heap[0]?.name
  }

  add(name: string, atMs: number): void {
    if ((this.#atMs.get(name) ?? Infinity) <= atMs) return
    this.#atMs.set(name, atMs)
    this.#push({ name, atMs })
    if (this.#heap.length > this.#atMs.size * 2 + VOID_MAX) this.#renew()
  }

  /** Takes out a key that is due by then. */
  take(nowMs: number): string | undefined {
    while (this.nextMs <= nowMs) {
      const { name, atMs } = this.#pop()
      if (this.#atMs.get(name) !== atMs) continue
      this.#atMs.delete(name)
      return name
    }
    return undefined
  }

  #renew(): void {
    this.#heap = Array.from(this.#atMs, ([name, atMs]) => ({ name, atMs })).sort((a, b) => a.atMs - b.atMs)
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.push(entry) - 1
    while (at > 0) {
      const above = (at - 1) >>> 1
      if ((heap[above] as Entry).atMs <= entry.atMs) break
      heap[at] = heap[above] as Entry
      at = above
    }
    heap[at] = entry
  }

  #pop(): Entry {
    const heap = this.#heap
    const [first, last] = [heap[0] as Entry, heap.pop() as Entry]
    if (heap.length === 0) return first
    let at = 0
    for (;;) {
      let below = at * 2 + 1
      if (below + 1 < heap.length && (heap[below + 1] as Entry).atMs < (heap[below] as Entry).atMs) below++
      if (below >= heap.length || (heap[below] as Entry).atMs >= last.atMs) break
      heap[at] = heap[below] as Entry
      at = below
    }
    heap[at] = last
    return first
  }
}
