/**
 * A map that finds its oldest entry at once, however many there are. V8 keeps the places of deleted
 * entries until it makes a table anew: whoever asks a plain `Map` for its first key, deletes it and
 * asks again walks over all those places, half a million of them in a map of a million. Here one
 * iterator goes on where it was.
 *
 *     const queue = new OldestFirst<string, number>()
 *     queue.set('a', 1).set('b', 2)
 *     queue.oldest()   // 'a'
 *     queue.delete('a')
 *     queue.oldest()   // 'b'
 *
 * A key that is set anew stays where it is, as in a `Map`; delete it first to make it the youngest.
 */
export class OldestFirst<Key, Value> extends Map<Key, Value> {
  /** Everything that it has passed is deleted, but for `#first`. */
  #ahead: IterableIterator<Key> | undefined
  #first: { readonly key: Key } | undefined

  /** The key that came first; `undefined` if there is none. */
  oldest(): Key | undefined {
    this.#ahead ??= this.keys()
    this.#first ??= this.#next(this.#ahead)
    return this.#first?.key
  }

  override delete(key: Key): boolean {
    if (this.#first?.key === key) this.#first = undefined
    return super.delete(key)
  }

  override clear(): void {
    super.clear()
    this.#first = undefined
    this.#ahead = undefined
  }

  #next(ahead: Iterator<Key, undefined>): { readonly key: Key } | undefined {
    const { done, value } = ahead.next()
    if (done !== true) return { key: value }
    // An iterator that has come to the end sees nothing that comes later.
    this.#ahead = undefined
    return undefined
  }
}
