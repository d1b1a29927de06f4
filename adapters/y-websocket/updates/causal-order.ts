/**
 * What an update builds on, found without a document: a struct may come when what its client wrote before
 * it, the elements left and right of it, and the type that it lies in are there or come earlier.
 */
import * as Y from 'yjs'

export type Struct = Y.Item | Y.GC
/** How far each client's writing is known. */
export type KnownUpTo = (client: number) => number

export interface DecodedUpdate {
  readonly structs: readonly (Struct | Y.Skip)[]
  readonly ds: { readonly clients: ReadonlyMap<number, readonly { readonly clock: number; readonly len: number }[]> }
}

/**
 * Gives the structs in an order in which each has its causes, as far as there is one. What is known behind
 * them is in `upTo`; whoever takes them all asks `isWhole` then. O(structs), and a round over the clients
 * for each time that one waits for another.
 */
export class CausalOrder {
  readonly #known: KnownUpTo
  readonly #passed = new Map<number, number>()
  readonly #byClient = new Map<number, Struct[]>()
  readonly #ds: DecodedUpdate['ds']
  #leftCount = 0

  constructor({ structs, ds }: DecodedUpdate, known: KnownUpTo) {
    this.#known = known
    this.#ds = ds
    for (const struct of structs) {
      if (struct instanceof Y.Skip) continue
      const { client } = struct.id
      const own = this.#byClient.get(client)
      if (own === undefined) this.#byClient.set(client, [struct])
      else own.push(struct)
      this.#leftCount++
    }
  }

  /** Whether every struct had its causes, and what is deleted is there. */
  get isWhole(): boolean {
    if (this.#leftCount > 0) return false
    for (const [client, ranges] of this.#ds.clients) {
      const end = this.upTo(client)
      for (const { clock, len } of ranges) if (clock + len > end) return false
    }
    return true
  }

  upTo(client: number): number {
    const passed = this.#passed.get(client) ?? 0
    return Math.max(passed, this.#known(client))
  }

  *structs(): Generator<Struct, void> {
    const clients = [...this.#byClient].map(([client, structs]) => ({ client, structs, at: { next: 0 } }))
    for (let isMoving = true; isMoving;) {
      const leftCount = this.#leftCount
      for (const { client, structs, at } of clients) yield* this.#fitting(client, structs, at)
      isMoving = this.#leftCount < leftCount
    }
  }

  *#fitting(client: number, structs: readonly Struct[], at: { next: number }): Generator<Struct, void> {
    for (; at.next < structs.length; at.next++) {
      const struct = structs[at.next]!
      if (!this.#mayCome(struct)) return
      this.#passed.set(client, Math.max(this.upTo(client), struct.id.clock + struct.length))
      this.#leftCount--
      yield struct
    }
  }

  #mayCome(struct: Struct): boolean {
    const { client, clock } = struct.id
    if (clock > this.upTo(client)) return false
    if (!(struct instanceof Y.Item)) return true
    const parent: unknown = struct.parent
    return this.#isThere(struct.origin) && this.#isThere(struct.rightOrigin) && (!isId(parent) || this.#isThere(parent))
  }

  #isThere(id: Y.ID | null): boolean {
    return id === null || id.clock < this.upTo(id.client)
  }
}

function isId(value: unknown): value is Y.ID {
  return value instanceof Y.ID
}
