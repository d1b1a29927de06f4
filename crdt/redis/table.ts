/**
 * Entries by name, and by place. Places are what a scan goes by, and what a random choice needs: the
 * last entry takes the place of one that goes. Whoever walks from the last place to the first one
 * therefore meets every entry that is there all the while, whatever comes and goes in between.
 */
export interface Placed {
  readonly name: string
  place: number
}

export class Table<Entry extends Placed> {
  readonly #byName = new Map<string, Entry>()
  readonly #byPlace: Entry[] = []

  get size(): number {
    return this.#byPlace.length
  }

  get(name: string): Entry | undefined {
    return this.#byName.get(name)
  }

  /** `undefined` beyond the last place. */
  at(place: number): Entry | undefined {
    return this.#byPlace[place]
  }

  /** Not to be changed meanwhile. */
  entries(): readonly Entry[] {
    return this.#byPlace
  }

  add(entry: Entry): void {
    entry.place = this.#byPlace.length
    this.#byPlace.push(entry)
    this.#byName.set(entry.name, entry)
  }

  remove(entry: Entry): void {
    const last = this.#byPlace.pop() as Entry
    if (last !== entry) {
      last.place = entry.place
      this.#byPlace[entry.place] = last
    }
    this.#byName.delete(entry.name)
  }
}
