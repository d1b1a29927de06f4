/**
 * A sequence as an encodable. Equal sets of operations give equal snapshots: replicas are listed in
 * order, and blocks are merged as far as they go, so that neither the order of arrival nor where
 * blocks happened to be split can show.
 *
 *     snapshot = [replicas, group*]      replicas that have elements, in order
 *     group    = [run*]                  at most 4,096 runs
 *     run      = [flags, replica, sequence, index, content | count, (replica, sequence, index)?]
 *     flags    = 1 removed (then a count instead of the content) + 2 typed + 4 left child + 8 has a parent other than the root
 *
 * Replicas are places in `replicas`. The runs are in the order of the sequence, at most 4,096
 * elements each.
 */
import type { Block, ContentKind, ElementId, Place } from './sequence.ts'
import type { Encodable } from '../encoding/encodable.ts'
import type { ReplicaId } from '../time/replica-id.ts'
import { Sequence, continues, elementOf } from './sequence.ts'
import { expectArray, expectCount, expectReplica, malformedState } from '../encoding/stored-state.ts'

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

/** With the check that elements have the type of this sequence's. */
interface CheckedContent<Content extends Encodable> extends ContentKind<Content> {
  is(content: unknown): boolean
}

/** In steps, see `Strategy.encodeStateSteps`. */
export function* encodeSequence<Content extends Encodable>(
  sequence: Sequence<Content>,
  kind: ContentKind<Content>,
): Generator<Encodable | undefined, void> {
  const replicas = yield* replicasOf(sequence)
  yield replicas
  const places = new Map(replicas.map((replica, i) => [replica, i]))
  let group: Encodable[] = []
  let left = ELEMENTS_PER_STEP
  for (const run of mergedRuns(sequence)) {
    if (run === undefined) {
      yield undefined
      continue
    }
    const content = run.contents.reduce((all, part) => kind.join(all, part), kind.none)
    for (let from = 0; from < run.count; from += ENTRIES_MAX) {
      const to = Math.min(run.count, from + ENTRIES_MAX)
      const part = run.deleted ? to - from : kind.slice(content, run.count, from, to)
      group.push(encodeRun(run, from, part, places))
      left -= to - from
      if (left <= 0) {
        yield undefined
        left = ELEMENTS_PER_STEP
      }
      if (group.length < ENTRIES_MAX) continue
      yield group
      group = []
    }
  }
  if (group.length > 0) yield group
}

/**
 * In steps, see `Strategy.decodeStateSteps`. Throws `WARP_E_PROTOCOL`: a peer's snapshot may hold
 * anything.
 */
export function* decodeSequence<Content extends Encodable>(
  items: Iterable<Encodable>,
  kind: CheckedContent<Content>,
): Generator<undefined, Sequence<Content>> {
  let replicas: readonly ReplicaId[] | undefined
  const sequence = new Sequence<Content>(kind)
  for (const item of items) {
    if (replicas === undefined) replicas = expectArray(item).map(expectReplica)
    else {
      for (const run of expectArray(item))
        sequence.restore(decodeRun(expectArray(run), replicas, { kind, chunk: sequence.order.anyChunk }))
    }
    yield undefined
  }
  if (replicas === undefined) throw malformedState('no list of replicas')
  yield* sequence.linkSteps()
  return sequence
}

/** So many blocks are looked at in a step. */
const BLOCKS_PER_STEP = 4096
/** And so many elements, characters say, are cut out of long runs. */
const ELEMENTS_PER_STEP = 65_536

/** Replicas that have elements, in order. */
function* replicasOf<Content extends Encodable>(
  sequence: Sequence<Content>,
): Generator<undefined, readonly ReplicaId[]> {
  const replicas = new Set<ReplicaId>()
  let left = BLOCKS_PER_STEP
  for (const { replica } of sequence.order.blocks()) {
    replicas.add(replica)
    if (--left > 0) continue
    yield undefined
    left = BLOCKS_PER_STEP
  }
  return [...replicas].sort()
}

/** The maximal runs, in order. */
function* mergedRuns<Content extends Encodable>(
  sequence: Sequence<Content>,
): Generator<Merged<Content> | undefined, void> {
  let last: Merged<Content> | undefined
  let left = BLOCKS_PER_STEP
  for (const block of sequence.order.blocks()) {
    if (--left === 0) {
      yield undefined
      left = BLOCKS_PER_STEP
    }
    if (last !== undefined && last.deleted === block.deleted && continues(last, block)) {
      last.count += block.count
      last.contents.push(block.content)
      continue
    }
    if (last !== undefined) yield last
    const { replica, sequence: number, index, parent, side, typed, deleted, count } = block
    last = { replica, sequence: number, index, parent, side, typed, deleted, count, contents: [block.content] }
  }
  if (last !== undefined) yield last
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
  into: { readonly kind: CheckedContent<Content>; readonly chunk: Block<Content>['chunk'] },
): Block<Content> {
  const { kind, chunk } = into
  const flags = expectCount(run[0])
  const part = run[4]
  const deleted = (flags & FLAG_REMOVED) !== 0
  if (!deleted && !kind.is(part)) throw malformedState('elements of another type')
  const content = deleted ? kind.none : (part as Content) // checked by its kind
  const count = deleted ? expectCount(part) : kind.count(content)
  // A number is not all that a million removed elements cost: the next snapshot writes a run for
  // each 4,096 of them.
  if (count === 0 || count > ENTRIES_MAX) throw malformedState('a run of no elements, or of too many')
  return {
    ...readElement(replicas, run, 1),
    parent: (flags & FLAG_PARENT) === 0 ? undefined : readElement(replicas, run, 5),
    side: (flags & FLAG_LEFT) === 0 ? 'right' : 'left',
    count,
    typed: (flags & FLAG_TYPED) !== 0,
    deleted,
    content,
    before: undefined,
    after: undefined,
    chunk,
  }
}

/** The three places of a run that name an element. */
function readElement(replicas: readonly ReplicaId[], run: readonly Encodable[], at: number): ElementId {
  const replica = replicas[expectCount(run[at])]
  if (replica === undefined) throw malformedState('an element of no replica')
  return { replica, sequence: expectCount(run[at + 1]), index: expectCount(run[at + 2]) }
}
