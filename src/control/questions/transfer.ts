/** The whole log at once: out as text, in from text, and trimmed. */
import type { Compaction } from '../../store/event.ts'
import type { Imported } from '../../transfer/imported.ts'
import { WarpError } from '../../../crdt/warp-error.ts'
import { question, type Question } from '../question.ts'
import type { Json } from '../tagged-json.ts'

/** Pieces of text, some lines each. */
export const EXPORT: Question<object, string> = question({
  name: 'export',
  parse: () => ({}),
  answer: (warp, _, { signal }) => warp.export({ signal }),
})

/** Takes pieces of text, cut anywhere. */
export const IMPORT: Question<object, Imported> = question({
  name: 'import',
  takesInput: true,
  parse: () => ({}),
  async *answer(warp, _, { signal, input }) {
    yield await warp.import(texts(input), { signal })
  },
})

export interface Compacted extends Compaction {
  /** What the log takes up now. */
  readonly bytes: number
}

export const COMPACT: Question<object, Compacted> = question({
  name: 'compact',
  parse: () => ({}),
  async *answer(warp, _, { signal }) {
    const compaction = await warp.compact({ signal })
    yield { ...compaction, bytes: warp.stats().log.bytes }
  },
})

async function* texts(input: AsyncIterable<Json>): AsyncGenerator<string, void, undefined> {
  for await (const item of input) {
    if (typeof item !== 'string') throw new WarpError('WARP_E_PROTOCOL', 'malformed question: an item is no text')
    yield item
  }
}
