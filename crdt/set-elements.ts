/**
 * The elements of a `set`, by their identities, and their order. What comes is sorted a thousand at a
 * time, and lists in order are merged with others of about their length, as a log-structured merge
 * tree does (O'Neil et al. 1996): so a look merges a few lists. To sort all elements for a read would
 * take longer than anything else (`npm run bench -- holds`).
 */
import type { Dot } from './time/dot.ts'
import { isLoose, sharedSet } from './encoding/shared-value.ts'

export interface Element<T> {
  readonly identity: string
  readonly value: T
  /** What keeps it in. Empty once it is out. */
  readonly dots: readonly Dot[]
}

/** So many are sorted at once. */
const SORTED_AT_ONCE = 1024

type Kept<T> = Omit<Element<T>, 'dots'> & { dots: readonly Dot[] }

export class Elements<T> {
  readonly #byIdentity = new Map<string, Kept<T>>()
  /**
   * Lists in the order of identities, each at least twice as long as the next one when it was made.
   * Some of their elements may have gone.
   */
  readonly #lists: Kept<T>[][] = []
  /** What has come since the last list was made. */
  #added: Kept<T>[] = []
  /** Some elements of the lists have gone since the last look. */
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
    this.#sortAdded()
    while (this.#lists.length > 1) this.#mergeLast()
    const [all = []] = this.#lists
    const present = this.#hasGone ? all.filter(isIn) : all
    this.#hasGone = false
    this.#lists[0] = present
    return present
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
    this.#added.push(element)
    this.#hasLoose ||= isLoose(element.value)
    this.#value = undefined
    if (this.#added.length < SORTED_AT_ONCE) return
    this.#sortAdded()
    while (this.#isLastTooLong()) this.#mergeLast()
  }

  #sortAdded(): void {
    const added = this.#added.filter(isIn).sort((a, b) => (a.identity < b.identity ? -1 : 1))
    this.#added = []
    if (added.length > 0) this.#lists.push(added)
  }

  #isLastTooLong(): boolean {
    const [before, last] = this.#lists.slice(-2)
    return before !== undefined && last !== undefined && before.length < 2 * last.length
  }

  #mergeLast(): void {
    const last = this.#lists.pop() ?? []
    this.#lists.push(merged(this.#lists.pop() ?? [], last))
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

/** Of two lists in order one in order, without what has gone. Elements that are in differ. */
function merged<T>(one: readonly Kept<T>[], other: readonly Kept<T>[]): Kept<T>[] {
  const all: Kept<T>[] = []
  const take = (element: Kept<T>): void => {
    if (element.dots.length > 0) all.push(element)
  }
  let at = 0
  for (const element of other) {
    for (let next = one[at]; next !== undefined && next.identity < element.identity; next = one[++at]) take(next)
    take(element)
  }
  for (; at < one.length; at++) take(one[at] as Kept<T>)
  return all
}
