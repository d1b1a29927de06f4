/**
 * Numbers by index, in pages: to take in one more never copies the others, and allocates some tens of
 * KiB at most. For tables that grow while something waits; a table that is there to stay has typed
 * arrays (`keys/key-table.ts`), which are read faster.
 */
const PAGE_BITS = 12
const PAGE_ENTRIES = 2 ** PAGE_BITS

export class PagedNumbers {
  readonly #pages: Float64Array[] = []

  /** Nothing has been written there: 0. `index` is an integer from 0. */
  get(index: number): number {
    return this.#pages[index >>> PAGE_BITS]?.[index % PAGE_ENTRIES] ?? 0
  }

  set(index: number, value: number): void {
    const at = index >>> PAGE_BITS
    while (this.#pages.length <= at) this.#pages.push(new Float64Array(PAGE_ENTRIES))
    this.#pages[at]![index % PAGE_ENTRIES] = value
  }
}
