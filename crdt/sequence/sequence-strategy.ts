/**
 * What `list()` and `text()` have in common: everything but the kind of their content. Indexes are
 * checked here: one that lies beyond the end is refused with `WARP_E_LIMIT` rather than bent to
 * fit, for it means that the caller looked at another state than the one that is written to.
 */
import type { Applied, Prepare } from '../strategy.ts'
import type { ContentKind, Run } from './sequence.ts'
import type { Encodable } from '../encoding/encodable.ts'
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
}

export interface SequenceContent<Content extends Encodable, Value> extends ContentKind<Content> {
  is(content: unknown): boolean
  /** The value of a sequence with these contents. */
  read(contents: readonly Content[]): Value
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
  decodeState(encoded: Encodable): SequenceState<Content, Value>
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
    initial: () => ({ sequence: new Sequence(kind), value: undefined }),
    apply: (state, operation) => {
      applyChange(state.sequence, operation, readPayload(operation.payload, isContent))
      state.value = undefined
      return state
    },
    read: (state) => {
      const { order } = state.sequence
      if (state.value === undefined && order.first !== undefined) {
        const contents: Content[] = []
        for (const block of order.blocks()) if (!block.deleted) contents.push(block.content)
        state.value = kind.read(contents)
      }
      return state.value
    },
    // A removed element may still be named as a neighbour, so tombstones count: see sequence.ts.
    isEmpty: (state) => state.sequence.order.first === undefined,
    encodeState: (state) => encodeSequence(state.sequence, kind),
    decodeState: (encoded) => ({ sequence: decodeSequence(encoded, kind), value: undefined }),
    piecesOf: (state) => state.sequence.order.blockCount,
    rebase: (payload, rename) => writePayload(renameChange(readPayload(payload, isContent), rename)),
  }
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
