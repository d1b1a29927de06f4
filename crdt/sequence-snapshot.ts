/**
 * A sequence as an encodable. Equal sets of operations give equal snapshots: replicas are listed in order, and blocks are merged
 * as far as they go, so that neither the order of arrival nor where blocks happened to be split can show.
 *
 *     snapshot = [replicas, group*]      replicas that have elements, in order
 *     group    = [run*]                  at most 4,096 runs
 *     run      = [flags, replica, sequence, index, content | count, (replica, sequence, index)?]
 *     flags    = 1 removed (then a count instead of the content) + 2 typed + 4 left child + 8 has a parent other than the root
 *
 * Replicas are places in `replicas`. The runs are in the order of the sequence, at most 4,096 elements each.
 */
import type { Block, ContentKind, ElementId, Place } from './sequence.ts'
import type { Encodable } from './encodable.ts'
import type { ReplicaId } from './replica-id.ts'
import { Sequence, continues, elementOf } from './sequence.ts'
import { WarpError } from './warp-error.ts'

const ENTRIES_MAX = 4096
const FLAG_REMOVED = 1
const FLAG_TYPED = 2
const FLAG_LEFT = 4
const FLAG_PARENT = 8

/** A maximal run: the first block of it and all that was merged into it. */
interface Merged<Content> extends ElementId, Place {
  readonly typed: boolean
  readonly deleted: boolean
  count: number
  readonly contents: Content[]
}

export function encodeSequence<Content extends Encodable>(
  sequence: Sequence<Content>,
  kind: ContentKind<Content>,
): Encodable {
  const merged = mergeBlocks(sequence)
  const replicas = [...new Set(merged.map((run) => run.replica))].sort()
  const places = new Map(replicas.map((replica, i) => [replica, i]))
  const groups: Encodable[][] = []
  for (const run of merged) {
    const content = run.contents.reduce((all, part) => kind.join(all, part), kind.none)
    for (let from = 0; from < run.count; from += ENTRIES_MAX) {
      const to = Math.min(run.count, from + ENTRIES_MAX)
      const part = run.deleted ? to - from : kind.slice(content, run.count, from, to)
      let group = groups[groups.length - 1]
      if (group === undefined || group.length === ENTRIES_MAX) groups.push((group = []))
      group.push(encodeRun(run, from, part, places))
    }
  }
  return [replicas, ...groups]
}

export function decodeSequence<Content extends Encodable>(
  encoded: Encodable,
  kind: ContentKind<Content>,
): Sequence<Content> {
  const [replicas, ...groups] = encoded as readonly [readonly ReplicaId[], ...(readonly Encodable[])[]] // see the grammar
  const sequence = new Sequence<Content>(kind)
  for (const group of groups) {
    for (const run of group) {
      sequence.restore(decodeRun(run as readonly Encodable[], replicas, { kind, chunk: sequence.order.anyChunk }))
    }
  }
  sequence.link()
  return sequence
}

function mergeBlocks<Content extends Encodable>(sequence: Sequence<Content>): Merged<Content>[] {
  const merged: Merged<Content>[] = []
  let last: Merged<Content> | undefined
  for (const block of sequence.order.blocks()) {
    if (last !== undefined && last.deleted === block.deleted && continues(last, block)) {
      last.count += block.count
      last.contents.push(block.content)
      continue
    }
    const { replica, sequence: number, index, parent, side, typed, deleted, count } = block
    last = { replica, sequence: number, index, parent, side, typed, deleted, count, contents: [block.content] }
    merged.push(last)
  }
  return merged
}

function encodeRun<Content extends Encodable>(
  run: Merged<Content>,
  from: number,
  part: Encodable,
  places: ReadonlyMap<ReplicaId, number>,
): Encodable {
  const { replica, sequence, index } = elementOf(run, from)
  const parent = from === 0 ? run.parent : elementOf(run, from - 1)
  const left = from === 0 && run.side === 'left'
  const flags =
    (run.deleted ? FLAG_REMOVED : 0) |
    (run.typed ? FLAG_TYPED : 0) |
    (left ? FLAG_LEFT : 0) |
    (parent === undefined ? 0 : FLAG_PARENT)
  const encoded: Encodable[] = [flags, placeOf(places, replica), sequence, index, part]
  if (parent !== undefined) encoded.push(placeOf(places, parent.replica), parent.sequence, parent.index)
  return encoded
}

function placeOf(places: ReadonlyMap<ReplicaId, number>, replica: ReplicaId): number {
  return places.get(replica) as number // a parent is an element that is there
}

function decodeRun<Content extends Encodable>(
  run: readonly Encodable[],
  replicas: readonly ReplicaId[],
  into: { readonly kind: ContentKind<Content>; readonly chunk: Block<Content>['chunk'] },
): Block<Content> {
  const [flags = 0, at, sequence, index, part] = run as readonly (number | undefined)[] // by the grammar
  const deleted = (flags & FLAG_REMOVED) !== 0
  const content = deleted ? into.kind.none : (part as Encodable as Content)
  return {
    ...readElement(replicas, at, sequence, index),
    parent: (flags & FLAG_PARENT) === 0 ? undefined : readElement(replicas, ...(run.slice(5) as number[])),
    side: (flags & FLAG_LEFT) === 0 ? 'right' : 'left',
    count: deleted ? Number(part) : into.kind.count(content),
    typed: (flags & FLAG_TYPED) !== 0,
    deleted,
    content,
    before: undefined,
    after: undefined,
    chunk: into.chunk,
  }
}

function readElement(replicas: readonly ReplicaId[], at = -1, sequence?: number, index?: number): ElementId {
  const replica = replicas[at]
  if (replica === undefined || sequence === undefined || index === undefined) throw malformed()
  return { replica, sequence, index }
}

function malformed(): WarpError {
  return new WarpError('WARP_E_PROTOCOL', 'malformed snapshot of a sequence')
}
