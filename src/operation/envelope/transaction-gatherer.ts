/** Gathers the operations of each transaction, which follow each other in a log and in an export. */
import { goesOn, type TransactionPart } from './operation-fields.ts'

export class TransactionGatherer<Item> {
  readonly #whole: (items: readonly Item[]) => void
  #items: Item[] = []
  /** What the last item says of its transaction. */
  #last: TransactionPart | undefined

  /** `whole` is handed all of one transaction that follow each other, or a single operation of none. */
  constructor(whole: (items: readonly Item[]) => void) {
    this.#whole = whole
  }

  /** Throws what `whole` throws. */
  add(item: Item, part: TransactionPart | undefined): void {
    if (this.#last !== undefined && !goesOn(this.#last, part)) this.end()
    this.#items.push(item)
    this.#last = part
    if (part === undefined || part.index === part.count - 1) this.end()
  }

  /** Nothing more comes. Throws what `whole` throws. */
  end(): void {
    const items = this.#items
    this.#items = []
    this.#last = undefined
    if (items.length > 0) this.#whole(items)
  }
}
