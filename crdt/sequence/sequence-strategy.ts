/**
 * What `list()` and `text()` have in common: everything but the kind of their content. Indexes are
 * checked here: one that lies beyond the end is refused with `WARP_E_LIMIT` rather than bent to
 * fit, for it means that the caller looked at another state than the one that is written to.
 */
import type { Applied, Prepare } from '../strategy.ts'
import type { Chunk } from './block-order.ts'
import type { Block, ContentKind, Run } from './sequence.ts'
import type { Encodable } from '../encoding/encodable.ts'
import { expectArray, finished, inOneGo } from '../encoding/stored-state.ts'
import type { Rename, SequencePayload } from './sequence-operation.ts'
import { ROOT, Sequence } from './sequence.ts'
import { applyChange, readPayload, renameChange, writePayload } from './sequence-operation.ts'
import { decodeSequence, encodeSequence } from './sequence-snapshot.ts'
import { shownKind } from '../shown-kind.ts'
import { WarpError } from '../warp-error.ts'

/** The elements and what they read as; the value is kept until the next operation. */
export interface SequenceState<Content extends Encodable, Value> {
  readonly sequence: Sequence<Content>
  value: Value | undefined
  /** Whether any element that was ever in is loose (`shared-value.ts`). */
  hasLoose: boolean
}

export interface SequenceContent<Content extends Encodable, Value> extends ContentKind<Content> {
  is(content: unknown): boolean
  /** What some contents read as, one behind the other. */
  read(contents: readonly Content[]): Value
  /** The value of a sequence whose parts read so: one that many readers share. */
  whole(parts: readonly Value[], hasLoose: boolean): Value
  /** Whether a reader could change an element of it. */
  isLoose(content: Content): boolean
}

/** The fields of `Strategy` that do not depend on the verbs. */
export interface SequenceFold<Content extends Encodable, Value> {
  readonly fold: 'any'
  readonly deletes: 'observed'
  initial(): SequenceState<Content, Value>
  apply(
    state: SequenceState<Content, Value>,
    operation: Applied<SequencePayload<Content>>,
  ): SequenceState<Content, Value>
  read(state: SequenceState<Content, Value>): Value | undefined
  isEmpty(state: SequenceState<Content, Value>): boolean
  encodeState(state: SequenceState<Content, Value>): Encodable
  encodeStateSteps(state: SequenceState<Content, Value>): Iterable<Encodable | undefined>
  decodeState(encoded: Encodable): SequenceState<Content, Value>
  decodeStateSteps(items: Iterable<Encodable>): Generator<undefined, SequenceState<Content, Value>>
  piecesOf(state: SequenceState<Content, Value>): number
  rebase(payload: SequencePayload<Content>, rename: Rename): SequencePayload<Content>
}

export function sequenceFold<Content extends Encodable, Value>(
  kind: SequenceContent<Content, Value>,
): SequenceFold<Content, Value> {
  const isContent = (content: unknown): boolean => kind.is(content)
  return {
    fold: 'any',
    deletes: 'observed',
    initial: () => ({ sequence: new Sequence(kind), value: undefined, hasLoose: false }),
    apply: (state, operation) => {
      const change = readPayload(operation.payload, isContent)
      applyChange(state.sequence, operation, change)
      state.value = undefined
      state.hasLoose ||= change.content !== undefined && kind.isLoose(change.content)
      return state
    },
    read: (state) => {
      const { order } = state.sequence
      if (state.value === undefined && order.first !== undefined)
        state.value = kind.whole(
          order.chunks.map((chunk) => shownOf(chunk, kind)),
          state.hasLoose,
        )
      return state.value
    },
    // A removed element may still be named as a neighbour, so tombstones count: see sequence.ts.
    isEmpty: (state) => state.sequence.order.first === undefined,
    encodeState: (state) => inOneGo(encodeSequence(state.sequence, kind)),
    encodeStateSteps: (state) => encodeSequence(state.sequence, kind),
    decodeState: (encoded) => finished(decodeSteps(expectArray(encoded), kind)),
    decodeStateSteps: (items) => decodeSteps(items, kind),
    piecesOf: (state) => state.sequence.order.blockCount,
    rebase: (payload, rename) => writePayload(renameChange(readPayload(payload, isContent), rename)),
  }
}

function* decodeSteps<Content extends Encodable, Value>(
  items: Iterable<Encodable>,
  kind: SequenceContent<Content, Value>,
): Generator<undefined, SequenceState<Content, Value>> {
  const sequence = yield* decodeSequence(items, kind)
  let hasLoose = false
  for (const { content } of sequence.order.blocks()) hasLoose ||= kind.isLoose(content)
  return { sequence, value: undefined, hasLoose }
}

/** What a chunk reads as: made anew only if something of it has changed since. */
function shownOf<Content extends Encodable, Value>(
  chunk: Chunk<Block<Content>>,
  kind: SequenceContent<Content, Value>,
): Value {
  const shown = (chunk.shown ??= kind.read(
    chunk.blocks.filter(({ deleted }) => !deleted).map(({ content }) => content),
  ))
  return shown as Value // only this function sets it
}

/**
 * Removes `deleteCount` elements at `index` and inserts the content there, as one operation;
 * `undefined` if that is nothing.
 */
export function spliceSequence<Content extends Encodable, Value>(
  prepare: Prepare<SequenceState<Content, Value>>,
  at: { readonly index: number; readonly deleteCount: number },
  content: Content | undefined,
): SequencePayload<Content> | undefined {
  const { sequence } = prepare.state()
  const length = sequence.order.visibleCount
  checkRange(at.index, at.deleteCount, length)
  if (at.deleteCount === 0 && content === undefined) return undefined
  const removed: readonly Run[] = at.deleteCount === 0 ? NO_RUNS : sequence.runsAt(at.index, at.deleteCount)
  return writePayload({ removed, content, place: content === undefined ? ROOT : sequence.placeAt(at.index) })
}

const NO_RUNS: readonly Run[] = []

function checkRange(index: number, deleteCount: number, length: number): void {
  if (typeof index !== 'number')
    throw new WarpError('WARP_E_CONFIG', `the index is ${shownKind(index)}; give a whole number`)
  if (!Number.isSafeInteger(index) || index < 0 || index > length) {
    throw new WarpError('WARP_E_LIMIT', `index ${index} is not between 0 and the length, ${length}`, {
      details: { index, length },
    })
  }
  if (typeof deleteCount !== 'number')
    throw new WarpError('WARP_E_CONFIG', `the count is ${shownKind(deleteCount)}; give a whole number`)
  if (!Number.isSafeInteger(deleteCount) || deleteCount < 0 || index + deleteCount > length) {
    throw new WarpError(
      'WARP_E_LIMIT',
      `cannot remove ${deleteCount} elements at index ${index} of ${length}; at most ${length - index} are there`,
      { details: { index, deleteCount, length } },
    )
  }
}
