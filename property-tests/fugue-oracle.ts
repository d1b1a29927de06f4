/**
 * Fugue by the plainest means: a tree with a node per element, walked from scratch. Knows payloads (see
 * crdt/sequence/sequence-operation.ts) and nothing of blocks.
 */
import type { LawOperation } from '../testing/laws/law-operation.ts'

interface Node {
  readonly id: readonly [replica: string, sequence: number, index: number]
  readonly value: unknown
  removed: boolean
  readonly left: Node[]
  readonly right: Node[]
}

/** The visible elements, from the operations that are not cancelled, causes before effects. */
export function fugueElements(live: readonly LawOperation[]): unknown[] {
  const nodes = new Map<string, Node>()
  const root = nodeOf(['', 0, 0], undefined)
  for (const operation of live) {
    const [, content, left, replica, sequence, index] = operation.payload as readonly unknown[]
    const known = nodes.get(`${String(replica)} ${String(sequence)} ${String(index)}`)
    let siblings = known === undefined ? root.right : left === true ? known.left : known.right
    const elements = content === undefined ? [] : [...(content as Iterable<unknown>)]
    elements.forEach((value, i) => {
      const node = nodeOf([operation.replica, operation.sequence, i], value)
      nodes.set(node.id.join(' '), node)
      siblings.push(node)
      siblings = node.right
    })
    remove(operation, nodes)
  }
  const values: unknown[] = []
  walk(root, values)
  return values.slice(1) // without the root, which has no left children
}

function nodeOf(id: Node['id'], value: unknown): Node {
  return { id, value, removed: false, left: [], right: [] }
}

function remove(operation: LawOperation, nodes: ReadonlyMap<string, Node>): void {
  const [removed] = operation.payload as readonly [readonly (readonly [string, ...number[]])[]]
  for (const [replica, ...runs] of removed) {
    for (let at = 0; at < runs.length; at += 3) {
      for (const id of idsOf(replica, runs.slice(at))) {
        bury(nodes.get(id))
      }
    }
  }
}

function bury(node: Node | undefined): void {
  if (node !== undefined) node.removed = true
}

function idsOf(replica: string, [sequence = 0, index = 0, count = 0]: readonly number[]): string[] {
  return Array.from({ length: Math.abs(count) }, (_, i) =>
    count < 0 ? `${replica} ${sequence + i} ${index}` : `${replica} ${sequence} ${index + i}`,
  )
}

function walk(node: Node, values: unknown[]): void {
  for (const child of sorted(node.left)) walk(child, values)
  if (!node.removed) values.push(node.value)
  for (const child of sorted(node.right)) walk(child, values)
}

function sorted(nodes: readonly Node[]): Node[] {
  return [...nodes].sort((a, b) =>
    a.id[0] === b.id[0] ? a.id[1] - b.id[1] || a.id[2] - b.id[2] : a.id[0] < b.id[0] ? -1 : 1,
  )
}
