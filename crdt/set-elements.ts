/**
 * The elements of a `set`, by their identities, and their order. The order is kept from one look to
 * the next, and what has come since is merged in: to sort all of them for each read after a change
 * would take longer than anything else (`npm run bench -- holds`).
 */
import type { Dot } from './time/dot.ts'
import { isLoose, sharedSet } from './encoding/shared-value.ts'

export interface Element<T> {
  readonly identity: string
  readonly value: T
  /** What keeps it in. Empty once it is out. */
  readonly dots: readonly Dot[]
}

const ADDED_MIN = 1024

type Kept<T> = Omit<Element<T>, 'dots'> & { dots: readonly Dot[] }

export class Elements<T> {
  readonly #byIdentity = new Map<string, Kept<T>>()
  /** In the order of their identities, as of the last look. */
  #ordered: Kept<T>[] = []
  /** What has come since then. */
  #added: Kept<T>[] = []
  /** Some of `#ordered` have gone since then. */
  #hasGone = false
  #value: ReadonlySet<T> | undefined
  /** Whether any element that was ever in is loose. */
  #hasLoose = false

  get size(): number {
    return this.#byIdentity.size
  }

  has(identity: string): boolean {
    return this.#byIdentity.has(identity)
  }

  get(identity: string): Element<T> | undefined {
    return this.#byIdentity.get(identity)
  }

  /** Says what keeps an element in; nothing takes it out. */
  set(identity: string, value: T, dots: readonly Dot[]): void {
    const known = this.#byIdentity.get(identity)
    if (known !== undefined) {
      known.dots = dots
      if (dots.length === 0) this.#remove(identity)
    } else if (dots.length > 0) this.#add({ identity, value, dots })
  }

  /** In the order of their identities. Not to be changed, and valid until the next change. */
  inOrder(): readonly Element<T>[] {
    if (this.#hasGone) this.#ordered = this.#ordered.filter(isIn)
    this.#hasGone = false
    const added = this.#added.filter(isIn).sort((a, b) => (a.identity < b.identity ? -1 : 1))
    this.#added = []
    if (added.length > 0) this.#ordered = merged(this.#ordered, added)
    return this.#ordered
  }

  /** What readers see, the same until something changes; `undefined` if nothing is in. */
  get value(): ReadonlySet<T> | undefined {
    if (this.size === 0) return undefined
    const hasLoose = this.#hasLoose
    this.#value ??= sharedSet(
      this.inOrder().map(({ value }) => value),
      { hasLoose },
    )
    return this.#value
  }

  #add(element: Kept<T>): void {
    this.#byIdentity.set(element.identity, element)
    // Nobody may ever look.
    if (this.#added.length > 2 * this.size + ADDED_MIN) this.#added = this.#added.filter(isIn)
    this.#added.push(element)
    this.#hasLoose ||= isLoose(element.value)
    this.#value = undefined
  }

  #remove(identity: string): void {
    this.#byIdentity.delete(identity)
    this.#hasGone = true
    this.#value = undefined
  }
}

function isIn<T>({ dots }: Element<T>): boolean {
  return dots.length > 0
}

/** Of two lists in order, whose elements differ, one in order. */
function merged<T>(one: readonly Kept<T>[], other: readonly Kept<T>[]): Kept<T>[] {
  const all: Kept<T>[] = []
  let at = 0
  for (const element of other) {
    for (let next = one[at]; next !== undefined && next.identity < element.identity; next = one[++at]) all.push(next)
    all.push(element)
  }
  for (; at < one.length; at++) all.push(one[at] as Kept<T>)
  return all
}
