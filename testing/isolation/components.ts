/**
 * Strongly connected components, by Tarjan's algorithm with a stack of its own, since a history may
 * be longer than the call stack is deep. Linear in nodes and edges. Only components of two and more
 * are of interest: each contains a cycle, and no cycle leaves one.
 *
 * 1. Robert Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Computing 1(2), 1972.
 */
export function components<Node>(nodes: readonly Node[], successors: (node: Node) => readonly Node[]): Node[][] {
  return new Tarjan(successors).run(nodes)
}

interface Visit<Node> {
  readonly node: Node
  readonly successors: readonly Node[]
  next: number
}

class Tarjan<Node> {
  readonly #successors: (node: Node) => readonly Node[]
  readonly #order = new Map<Node, number>()
  readonly #low = new Map<Node, number>()
  readonly #stack: Node[] = []
  readonly #onStack = new Set<Node>()
  readonly #path: Visit<Node>[] = []
  readonly #found: Node[][] = []

  constructor(successors: (node: Node) => readonly Node[]) {
    this.#successors = successors
  }

  run(nodes: readonly Node[]): Node[][] {
    for (const node of nodes) {
      if (this.#order.has(node)) continue
      this.#enter(node)
      for (let visit = this.#path.at(-1); visit !== undefined; visit = this.#path.at(-1)) this.#goOn(visit)
    }
    return this.#found
  }

  #enter(node: Node): void {
    this.#order.set(node, this.#order.size)
    this.#low.set(node, this.#order.size - 1)
    this.#stack.push(node)
    this.#onStack.add(node)
    this.#path.push({ node, successors: this.#successors(node), next: 0 })
  }

  #goOn(visit: Visit<Node>): void {
    const successor = visit.successors[visit.next++]
    if (visit.next > visit.successors.length) this.#leave(visit.node)
    else if (!this.#order.has(successor as Node)) this.#enter(successor as Node)
    else if (this.#onStack.has(successor as Node)) this.#lower(visit.node, this.#order.get(successor as Node) ?? 0)
  }

  #lower(node: Node, to: number): void {
    this.#low.set(node, Math.min(this.#low.get(node) ?? 0, to))
  }

  #leave(node: Node): void {
    this.#path.pop()
    const low = this.#low.get(node) ?? 0
    const above = this.#path.at(-1)
    if (above !== undefined) this.#lower(above.node, low)
    if (low !== this.#order.get(node)) return
    const component = this.#stack.splice(this.#stack.lastIndexOf(node))
    for (const member of component) this.#onStack.delete(member)
    if (component.length > 1) this.#found.push(component)
  }
}
