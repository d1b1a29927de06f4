/**
 * The calls of one object as the search walks them: a doubly linked list of invocations and returns
 * in the order of events, from which a call is lifted when it has been given its place, and into
 * which it is put back when that led nowhere. Both take constant time; the list itself says which
 * calls may come next: those invoked before the first return that is left.
 *
 * Indeterminate calls have no return. They are in a list of their own, since the search asks for
 * them last.
 *
 * Nodes are numbers: 2i + 1 is the invocation of call i, 2i + 2 its return, and 0 the head of
 * either list.
 */
import type { Call } from '../history/history.ts'

/** The end of a list. */
export const END = -1

export class CallList {
  readonly calls: readonly Call[]
  readonly #next: Int32Array
  readonly #previous: Int32Array
  readonly #nextIndeterminate: Int32Array
  readonly #previousIndeterminate: Int32Array
  /** Calls that returned and have not been lifted. */
  pendingCount = 0

  /** `calls` in the order of their invocations. */
  constructor(calls: readonly Call[]) {
    this.calls = calls
    const count = calls.length * 2 + 1
    this.#next = new Int32Array(count).fill(END)
    this.#previous = new Int32Array(count).fill(END)
    this.#nextIndeterminate = new Int32Array(count).fill(END)
    this.#previousIndeterminate = new Int32Array(count).fill(END)
    this.#link()
  }

  /**
   * The first invocation of a call that returned; a return stands there only if the list is wrong.
   */
  get first(): number {
    return this.#next[0]!
  }

  next(node: number): number {
    return this.#next[node]!
  }

  get firstIndeterminate(): number {
    return this.#nextIndeterminate[0]!
  }

  nextIndeterminate(node: number): number {
    return this.#nextIndeterminate[node]!
  }

  /**
   * When the first call has returned that has not been lifted: no call invoked later may come
   * before it.
   */
  get deadline(): number {
    for (let node = this.first; node !== END; node = this.next(node)) {
      if (isReturn(node)) return this.calls[callOf(node)]!.returnedAt
    }
    return Number.POSITIVE_INFINITY
  }

  lift(i: number): void {
    if (this.#isIndeterminate(i)) unlink(this.#nextIndeterminate, this.#previousIndeterminate, 2 * i + 1)
    else {
      unlink(this.#next, this.#previous, 2 * i + 1)
      unlink(this.#next, this.#previous, 2 * i + 2)
      this.pendingCount--
    }
  }

  /** Undoes the last `lift` that has not been undone, which was of `i`. */
  putBack(i: number): void {
    if (this.#isIndeterminate(i)) relink(this.#nextIndeterminate, this.#previousIndeterminate, 2 * i + 1)
    else {
      relink(this.#next, this.#previous, 2 * i + 2)
      relink(this.#next, this.#previous, 2 * i + 1)
      this.pendingCount++
    }
  }

  #isIndeterminate(i: number): boolean {
    return this.calls[i]!.outcome === 'indeterminate'
  }

  #link(): void {
    const nodes: { readonly node: number; readonly at: number }[] = []
    let last = 0
    this.calls.forEach((call, i) => {
      if (call.outcome === 'indeterminate') {
        connect(this.#nextIndeterminate, this.#previousIndeterminate, last, 2 * i + 1)
        last = 2 * i + 1
        return
      }
      nodes.push({ node: 2 * i + 1, at: call.invokedAt }, { node: 2 * i + 2, at: call.returnedAt })
      this.pendingCount++
    })
    nodes.sort((a, b) => a.at - b.at)
    nodes.forEach(({ node }, i) => connect(this.#next, this.#previous, i === 0 ? 0 : nodes[i - 1]!.node, node))
  }
}

export function isReturn(node: number): boolean {
  return node % 2 === 0
}

/** The call of an invocation or a return. */
export function callOf(node: number): number {
  return (node - 1) >> 1
}

function connect(next: Int32Array, previous: Int32Array, a: number, b: number): void {
  next[a] = b
  previous[b] = a
}

function unlink(next: Int32Array, previous: Int32Array, node: number): void {
  const [before, after] = [previous[node]!, next[node]!]
  next[before] = after
  if (after !== END) previous[after] = before
}

function relink(next: Int32Array, previous: Int32Array, node: number): void {
  const [before, after] = [previous[node]!, next[node]!]
  next[before] = node
  if (after !== END) previous[after] = node
}
