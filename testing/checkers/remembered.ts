/**
 * What is remembered of each pair of names: of a session and a key, of a key and an element. Made
 * when it is first asked for.
 */
export class Remembered<Item> {
  readonly #items = new Map<string, Map<unknown, Item>>()
  readonly #make: () => Item

  constructor(make: () => Item) {
    this.#make = make
  }

  of(one: string, other: unknown): Item {
    const items = this.#items.get(one) ?? new Map<unknown, Item>()
    this.#items.set(one, items)
    const item = items.get(other) ?? this.#make()
    items.set(other, item)
    return item
  }
}
