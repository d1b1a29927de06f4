/**
 * A text that several replicas write at once: `list()` whose elements are Unicode code points, kept
 * as strings. The algorithm, its costs and its source are in sequence.ts; what is said of lists in
 * list.ts holds here too.
 *
 * Indexes count code points, not UTF-16 code units: an index can then never fall inside a surrogate
 * pair, and every operation carries a well-formed string. `[...value].length` is a text's length,
 * and of text within the Basic Multilingual Plane `value.length` is the same. Graphemes of several
 * code points (a flag, a family) can still be torn apart by concurrent edits, as everywhere.
 *
 * Not for formatted text: `yjs()` has attributes and bindings to editors.
 */
import { takesNothing } from '../checked-options.ts'
import type { Prepare, Strategy } from '../strategy.ts'
import type { SequenceContent, SequenceState } from './sequence-strategy.ts'
import type { SequencePayload } from './sequence-operation.ts'
import { WarpError } from '../warp-error.ts'
import { sequenceFold, spliceSequence } from './sequence-strategy.ts'

export type TextState = SequenceState<string, string>
export type TextPayload = SequencePayload<string>

/**
 * Each verb makes one operation, or none if there is nothing to do. Indexes out of range throw
 * `WARP_E_LIMIT`.
 */
export type TextVerbs = {
  readonly insert: (prepare: Prepare<TextState>, index: number, text: string) => TextPayload | undefined
  readonly push: (prepare: Prepare<TextState>, text: string) => TextPayload | undefined
  readonly remove: (prepare: Prepare<TextState>, index: number, count?: number) => TextPayload | undefined
  readonly splice: (
    prepare: Prepare<TextState>,
    index: number,
    deleteCount: number,
    text: string,
  ) => TextPayload | undefined
}

/** A plain text. Indexes and counts are in Unicode code points. */
export function text(): Strategy<string, TextState, TextPayload, TextVerbs> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('text', arguments)
  return {
    kind: 'text',
    code: 11,
    foldsAs: 'text',
    ...sequenceFold(STRINGS),
    verbs: {
      insert: (prepare, index, added) => spliceSequence(prepare, { index, deleteCount: 0 }, wellFormed(added)),
      push: (prepare, added) =>
        spliceSequence(
          prepare,
          { index: prepare.state().sequence.order.visibleCount, deleteCount: 0 },
          wellFormed(added),
        ),
      remove: (prepare, index, count = 1) => spliceSequence(prepare, { index, deleteCount: count }, undefined),
      splice: (prepare, index, deleteCount, added) =>
        spliceSequence(prepare, { index, deleteCount }, wellFormed(added)),
    },
  }
}

const SURROGATE = /[\ud800-\udfff]/
const LONE_SURROGATE = /\p{Surrogate}/u

const STRINGS: SequenceContent<string, string> = {
  none: '',
  count: (content) => (SURROGATE.test(content) ? [...content].length : content.length),
  slice: (content, count, from, to) =>
    count === content.length ? content.slice(from, to) : [...content].slice(from, to).join(''),
  join: (left, right) => left + right,
  is: (content) => typeof content === 'string' && content !== '',
  read: (contents) => contents.join(''),
  whole: (parts) => parts.join(''),
  isLoose: () => false,
}

function wellFormed(added: string): string | undefined {
  if (typeof added !== 'string' || LONE_SURROGATE.test(added)) {
    throw new WarpError(
      'WARP_E_UNENCODABLE',
      'text to insert is not a well-formed string; keep surrogate pairs together',
    )
  }
  return added === '' ? undefined : added
}
