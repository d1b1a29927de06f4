/** Names by the moment at which they are to be looked at, the earliest first: a binary heap. */
export class DueQueue<Name> {
  readonly #heap: { readonly name: Name; readonly dueMs: number }[] = []

  /** `Infinity` if there is none. */
  get earliestMs(): number {
    return this.#heap[0]?.dueMs ?? Infinity
  }

  push(name: Name, dueMs: number): void {
    const heap = this.#heap
    let at = heap.push({ name, dueMs }) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.dueMs <= heap[at]!.dueMs) return
      this.#swap(at, parent)
      at = parent
    }
  }

  /** The first one that is due by then; `undefined` if none is. */
  take(nowMs: number): Name | undefined {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.dueMs > nowMs) return undefined
    this.#swap(0, heap.length - 1)
    heap.pop()
    for (let at = 0; ;) {
      const left = at * 2 + 1
      if (left >= heap.length) return first.name
      const right = left + 1
      const least = right < heap.length && heap[right]!.dueMs < heap[left]!.dueMs ? right : left
      if (heap[at]!.dueMs <= heap[least]!.dueMs) return first.name
      this.#swap(at, least)
      at = least
    }
  }

  clear(): void {
    this.#heap.length = 0
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const former = heap[a]!
    heap[a] = heap[b]!
    heap[b] = former
  }
}
