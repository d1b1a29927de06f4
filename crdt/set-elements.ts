/**
 * The elements of a `set`, by their identities, and their order. What comes is sorted a thousand at a
 * time, and lists in order are merged with others of about their length, as a log-structured merge
 * tree does (O'Neil et al. 1996): so a look merges a few lists. To sort all elements for a read would
 * take longer than anything else (`npm run bench -- holds`).
 */
import type { Dot } from './time/dot.ts'
import { guardedSet, isLoose, sharedSet } from './encoding/shared-value.ts'

export interface Element<T> {
  readonly identity: string
  readonly value: T
  /** What keeps it in. Empty once it is out. */
  readonly dots: readonly Dot[]
}

/** So many are sorted at once. */
const SORTED_AT_ONCE = 1024
/** And so many are merged in a step. */
const MERGED_AT_ONCE = 4096

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
  /** How often something has come or gone. */
  #changesCount = 0
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

  /** Makes what readers see, a thousand elements at a time, unless the elements change meanwhile. */
  *valueSteps(): Generator<undefined, void> {
    if (this.#value !== undefined || this.size <= SORTED_AT_ONCE) return
    const changesCount = this.#changesCount
    this.#sortAdded()
    let all: Kept<T>[] = []
    // From the short ones to the long ones, as they are merged where nobody can wait.
    for (const list of [...this.#lists].reverse()) {
      const merging = mergedSteps(list, all)
      for (let step = merging.next(); ; step = merging.next()) {
        if (this.#changesCount !== changesCount) return
        if (step.done === true) {
          all = step.value
          break
        }
        yield undefined
      }
    }
    const values = new Set<T>()
    for (const { value } of all) {
      values.add(value)
      if (values.size % SORTED_AT_ONCE > 0) continue
      yield undefined
      if (this.#changesCount !== changesCount) return
    }
    this.#lists.splice(0, this.#lists.length, all)
    this.#hasGone = false
    this.#value = guardedSet(values, { hasLoose: this.#hasLoose })
  }

  #add(element: Kept<T>): void {
    this.#changesCount++
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
    this.#changesCount++
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
  const merging = mergedSteps(one, other)
  for (let step = merging.next(); ; step = merging.next()) if (step.done === true) return step.value
}

function* mergedSteps<T>(one: readonly Kept<T>[], other: readonly Kept<T>[]): Generator<undefined, Kept<T>[]> {
  const all: Kept<T>[] = []
  const take = (element: Kept<T>): void => {
    if (element.dots.length > 0) all.push(element)
  }
  let at = 0
  for (let i = 0; i < other.length; i++) {
    const element = other[i] as Kept<T>
    for (let next = one[at]; next !== undefined && next.identity < element.identity; next = one[++at]) {
      take(next)
      if (at % MERGED_AT_ONCE === 0) yield undefined
    }
    take(element)
    if (i % MERGED_AT_ONCE === 0) yield undefined
  }
  for (; at < one.length; at++) {
    take(one[at] as Kept<T>)
    if (at % MERGED_AT_ONCE === 0) yield undefined
  }
  return all
}
