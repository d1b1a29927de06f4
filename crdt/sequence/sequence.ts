/**
 * The sequence under `list()` and `text()`: Fugue (1).
 *
 * Every element has an id, (replica, sequence of the operation, index within the operation), and a
 * place in a tree: it is a right or a left child of another element or of the root. The sequence is
 * the tree's in-order walk: left children, the element, right children; siblings by id. The tree is
 * a function of the set of operations, so the order in which they arrived cannot show. An element
 * is inserted as a right child of its left neighbour if that has no right children yet, and
 * otherwise as a left child of its right neighbour; so what one replica writes in one go, forwards
 * or backwards, is one subtree, and a concurrent run cannot come to lie inside it.
 *
 * An operation's elements are a chain of right children; so are operations of one element each with
 * consecutive sequences (typing). Such a chain is stored as one *block* until something is put
 * inside. Two invariants keep the tree out of the way: only the first element of a block has
 * explicit left children, and only the last one has right children other than the continuation
 * inside the block. Blocks are split to keep them.
 *
 * A removed element stays as a tombstone (an id and a place, no content): it may be named by an
 * operation that is under way. Tombstones of a chain are merged, so a removed run costs one block.
 * They may go when all operations of the key are stable *and* every replica drops them at the same
 * point of its history; that takes agreement, so they go only with the key. A parent that is
 * unknown can only have been cancelled by a delete of the key which its writer had not seen; the
 * element then goes under the root, on every replica alike, for all of them fold the same
 * survivors.
 *
 * Cost: inserting and removing take about a microsecond at 10,000 blocks (see block-order.ts);
 * memory is per block, about 150 bytes, not per element. Where it differs from (1): plain Fugue,
 * not FugueMax, whose stricter rule for runs that are interwoven by three replicas would cost a
 * second id in each operation.
 *
 * (1) Weidner, Kleppmann: The Art of the Fugue: Minimizing Interleaving in Collaborative Text
 * Editing, 2023.
 */
import type { Encodable } from '../encoding/encodable.ts'
import type { ReplicaId } from '../time/replica-id.ts'
import { sortedSteps } from '../sorted-steps.ts'
import { BlockOrder } from './block-order.ts'
import type { Ordered } from './block-order.ts'

/** What the elements of a block are kept in. */
export interface ContentKind<Content extends Encodable> {
  readonly none: Content
  count(content: Content): number
  /** Elements `from` to `to` of a content that has `count` elements. */
  slice(content: Content, count: number, from: number, to: number): Content
  /** May change and return `left`. */
  join(left: Content, right: Content): Content
}

export interface ElementId {
  readonly replica: ReplicaId
  readonly sequence: number
  readonly index: number
}

/** A place in the tree. Without a parent: a right child of the root. */
export interface Place {
  readonly parent: ElementId | undefined
  readonly side: 'left' | 'right'
}

/**
 * `count` elements from `first` on: of one operation, or, if `typed`, of as many operations with
 * one element each and consecutive sequences.
 */
export interface Run {
  readonly first: ElementId
  readonly count: number
  readonly typed: boolean
}

export interface Block<Content> extends Ordered<Block<Content>>, ElementId, Place {
  readonly typed: boolean
  content: Content
  before: Block<Content>[] | undefined
  after: Block<Content>[] | undefined
}

/** So many blocks are linked in a step. */
const BLOCKS_PER_STEP = 4096

export const ROOT: Place = { parent: undefined, side: 'right' }

export class Sequence<Content extends Encodable> {
  readonly order: BlockOrder<Block<Content>> = new BlockOrder<Block<Content>>()
  readonly #kind: ContentKind<Content>
  readonly #byReplica = new Map<ReplicaId, Block<Content>[]>()
  readonly #roots: Block<Content>[] = []

  constructor(kind: ContentKind<Content>) {
    this.#kind = kind
  }

  /** Where an element goes that is inserted before the visible element `index`. */
  placeAt(index: number): Place {
    if (index === 0) {
      const first = this.order.first
      return first === undefined ? ROOT : { parent: elementOf(first, 0), side: 'left' }
    }
    const { block, offset } = this.order.at(index - 1)
    if (offset < block.count - 1) return { parent: elementOf(block, offset + 1), side: 'left' }
    const next = block.after === undefined ? undefined : this.order.next(block)
    if (next === undefined) return { parent: elementOf(block, offset), side: 'right' }
    return { parent: elementOf(next, 0), side: 'left' }
  }

  /** The ids of `count` visible elements from `index` on, which exist. */
  runsAt(index: number, count: number): Run[] {
    const runs: Run[] = []
    if (count === 0) return runs
    let { block, offset } = this.order.at(index)
    for (let rest = count; ; block = this.order.next(block) as Block<Content>) {
      if (block.deleted) continue
      const taken = Math.min(rest, block.count - offset)
      addRun(runs, { first: elementOf(block, offset), count: taken, typed: block.typed })
      offset = 0
      rest -= taken
      if (rest === 0) return runs
    }
  }

  insert(first: ElementId, place: Place, content: Content): void {
    const count = this.#kind.count(content)
    if (count === 0) return
    const host = place.parent === undefined ? undefined : this.#find(place.parent)
    const typed = count === 1
    if (typed && host !== undefined && this.#extend(host, first, place, content)) return
    const known = host === undefined ? ROOT : place
    const block: Block<Content> = {
      replica: first.replica,
      sequence: first.sequence,
      index: first.index,
      parent: known.parent,
      side: known.side,
      count,
      typed,
      deleted: false,
      content,
      before: undefined,
      after: undefined,
      chunk: this.order.anyChunk,
    }
    this.#index(block)
    this.#hang(block, host)
  }

  /** Removes those elements of the run that are there. */
  remove(run: Run): void {
    const blocks = this.#byReplica.get(run.first.replica)
    if (blocks === undefined) return
    const { sequence, index } = run.first
    const endSequence = run.typed ? sequence + run.count : sequence
    const endIndex = run.typed ? 0 : index + run.count
    for (let at = Math.max(0, lastNotAfter(blocks, sequence, index)); at < blocks.length; at++) {
      const block = blocks[at] as Block<Content>
      const from = offsetIn(block, sequence, index)
      const to = offsetIn(block, endSequence, endIndex)
      if (to === 0) return
      if (block.deleted || from >= to) continue
      if (to < block.count) this.#split(block, to)
      if (from > 0) this.#split(block, from)
      if (from > 0) at++
      at = this.#bury(blocks, at)
    }
  }

  /** Puts the blocks of a snapshot back, which come in order; `linkSteps` afterwards. */
  restore(block: Block<Content>): void {
    this.order.insertLast(block)
    const blocks = this.#byReplica.get(block.replica)
    if (blocks === undefined) this.#byReplica.set(block.replica, [block])
    else blocks.push(block)
  }

  /** Hangs all restored blocks into the tree. Yields where a step may end. */
  *linkSteps(): Generator<undefined, void> {
    for (const [replica, blocks] of this.#byReplica)
      this.#byReplica.set(replica, yield* sortedSteps(blocks, (a, b) => compareIds(a, b) < 0))
    let left = BLOCKS_PER_STEP
    for (const block of [...this.order.blocks()]) {
      const host = block.parent === undefined ? undefined : this.#find(block.parent)
      const siblings = this.#siblings(block, host)
      siblings.splice(rankAmong(siblings, block), 0, block)
      if (--left > 0) continue
      yield undefined
      left = BLOCKS_PER_STEP
    }
  }

  #extend(host: Block<Content>, first: ElementId, place: Place, content: Content): boolean {
    if (!host.typed || host.deleted || host.after !== undefined || place.side === 'left') return false
    if (host.replica !== first.replica || host.sequence + host.count !== first.sequence) return false
    if (place.parent?.sequence !== first.sequence - 1) return false
    host.content = this.#kind.join(host.content, content)
    host.count++
    this.order.adjust(host, 1)
    return true
  }

  #hang(block: Block<Content>, host: Block<Content> | undefined): void {
    const siblings = this.#siblings(block, host)
    const rank = rankAmong(siblings, block)
    const next = siblings[rank]
    const previous = siblings[rank - 1]
    const parent = block.side === 'left' ? this.#find(block.parent as ElementId) : host // a split may have moved it
    if (next !== undefined) this.order.insertBefore(startOf(next), block)
    else if (block.side === 'left')
      this.order.insertBefore(parent as Block<Content>, block) // left children have a parent
    else if (previous !== undefined) this.order.insertAfter(endOf(previous), block)
    else if (parent !== undefined) this.order.insertAfter(parent, block)
    else this.order.insertFirst(block)
    siblings.splice(rank, 0, block)
  }

  /**
   * The list of children that the block belongs to, after splitting its parent out of the middle of
   * a block.
   */
  #siblings(block: Block<Content>, host: Block<Content> | undefined): Block<Content>[] {
    if (host === undefined || block.parent === undefined) return this.#roots
    const offset = offsetIn(host, block.parent.sequence, block.parent.index)
    if (block.side === 'left') {
      const owner = offset === 0 ? host : this.#split(host, offset)
      return (owner.before ??= [])
    }
    if (offset < host.count - 1) this.#split(host, offset + 1)
    return (host.after ??= [])
  }

  /** Cuts the block and returns its second part, which starts at `offset`. */
  #split(block: Block<Content>, offset: number): Block<Content> {
    const { count, content } = block
    const rest: Block<Content> = {
      ...block,
      ...elementOf(block, offset),
      parent: elementOf(block, offset - 1),
      side: 'right',
      count: count - offset,
      content: block.deleted ? content : this.#kind.slice(content, count, offset, count),
      before: undefined,
    }
    if (!block.deleted) {
      block.content = this.#kind.slice(content, count, 0, offset)
      this.order.adjust(block, offset - count)
    }
    block.count = offset
    block.after = [rest]
    this.#index(rest)
    this.order.insertAfter(block, rest)
    return rest
  }

  /** Makes the block a tombstone and merges it with those beside it. Returns where it is now. */
  #bury(blocks: Block<Content>[], at: number): number {
    const block = blocks[at] as Block<Content>
    block.deleted = true
    block.content = this.#kind.none
    this.order.adjust(block, -block.count)
    this.#mergeTombstones(blocks, at)
    return at > 0 && this.#mergeTombstones(blocks, at - 1) ? at - 1 : at
  }

  #mergeTombstones(blocks: Block<Content>[], at: number): boolean {
    const left = blocks[at] as Block<Content>
    const right = blocks[at + 1]
    if (right === undefined || !left.deleted || !right.deleted || right.before !== undefined) return false
    if (left.after?.length !== 1 || left.after[0] !== right || !continues(left, right)) return false
    left.count += right.count
    left.after = right.after
    this.order.remove(right)
    blocks.splice(at + 1, 1)
    return true
  }

  #find(id: ElementId): Block<Content> | undefined {
    const blocks = this.#byReplica.get(id.replica)
    if (blocks === undefined) return undefined
    const block = blocks[lastNotAfter(blocks, id.sequence, id.index)]
    if (block === undefined) return undefined
    const offset = offsetIn(block, id.sequence, id.index)
    if (offset >= block.count) return undefined
    return block.typed && id.index > 0 ? undefined : block
  }

  #index(block: Block<Content>): void {
    const blocks = this.#byReplica.get(block.replica)
    if (blocks === undefined) this.#byReplica.set(block.replica, [block])
    else blocks.splice(lastNotAfter(blocks, block.sequence, block.index) + 1, 0, block)
  }
}

/** The id of the block's element at `offset`. */
export function elementOf(block: ElementId & { readonly typed: boolean }, offset: number): ElementId {
  const { replica, sequence, index } = block
  return block.typed ? { replica, sequence: sequence + offset, index: 0 } : { replica, sequence, index: index + offset }
}

/**
 * Whether `right` goes on with the ids of `left` and its first element is a right child of the last
 * one of `left`.
 */
export function continues<Content>(
  left: Run['first'] & { count: number; typed: boolean },
  right: Block<Content>,
): boolean {
  if (left.typed !== right.typed || left.replica !== right.replica || right.side === 'left') return false
  const next = elementOf(left, left.count)
  if (next.sequence !== right.sequence || next.index !== right.index) return false
  const last = elementOf(left, left.count - 1)
  const { parent } = right
  return parent?.replica === last.replica && parent.sequence === last.sequence && parent.index === last.index
}

/** Appends the run, to the last one if it goes on with its ids. */
export function addRun(runs: Run[], run: Run): void {
  const last = runs[runs.length - 1]
  if (last !== undefined && last.typed === run.typed && last.first.replica === run.first.replica) {
    const next = elementOf({ ...last.first, typed: last.typed }, last.count)
    if (next.sequence === run.first.sequence && next.index === run.first.index) {
      runs[runs.length - 1] = { ...last, count: last.count + run.count }
      return
    }
  }
  runs.push(run)
}

/** How many of the block's elements come before (sequence, index), by id. */
function offsetIn<Content>(block: Block<Content>, sequence: number, index: number): number {
  let offset: number
  if (block.typed) offset = sequence - block.sequence + (index > 0 ? 1 : 0)
  else if (sequence === block.sequence) offset = index - block.index
  else offset = sequence < block.sequence ? 0 : block.count
  return Math.max(0, Math.min(block.count, offset))
}

/** The last block that does not start after (sequence, index), by id; -1 if there is none. */
function lastNotAfter<Content>(blocks: readonly Block<Content>[], sequence: number, index: number): number {
  let low = 0
  let high = blocks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const block = blocks[middle] as Block<Content> // low <= middle < high
    if (block.sequence < sequence || (block.sequence === sequence && block.index <= index)) low = middle + 1
    else high = middle
  }
  return low - 1
}

function compareIds(a: ElementId, b: ElementId): number {
  if (a.replica !== b.replica) return a.replica < b.replica ? -1 : 1
  return a.sequence - b.sequence || a.index - b.index
}

function rankAmong<Content>(siblings: readonly Block<Content>[], block: Block<Content>): number {
  let rank = siblings.length
  while (rank > 0 && compareIds(siblings[rank - 1] as Block<Content>, block) > 0) rank--
  return rank
}

/** The first block of the subtree. */
function startOf<Content>(block: Block<Content>): Block<Content> {
  let start = block
  while (start.before?.[0] !== undefined) start = start.before[0]
  return start
}

/** The last block of the subtree. */
function endOf<Content>(block: Block<Content>): Block<Content> {
  let end = block
  for (let after = end.after; after !== undefined; after = end.after) end = after[after.length - 1] as Block<Content>
  return end
}
