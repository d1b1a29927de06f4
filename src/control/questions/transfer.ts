/** The whole log at once: out as text, in from text, and trimmed. */
import type { Compaction } from '../../store/event.ts'
import type { Imported } from '../../transfer/imported.ts'
import type { Question } from '../question.ts'

/** Pieces of text, some lines each. */
export const EXPORT: Question<object, string> = {
  name: 'export',
  about: 'the whole log, as lines of JSON that import takes',
  changes: false,
  gives: 'text',
  parameters: {},
  answer: (warp, _, { signal }) => warp.export({ signal }),
}

/** Takes pieces of text, cut anywhere. */
export const IMPORT: Question<object, Imported> = {
  name: 'import',
  about: 'takes in what export wrote',
  changes: true,
  gives: 'item',
  takesInput: true,
  parameters: {},
  async *answer(warp, _, { signal, input }) {
    yield await warp.import(input, { signal })
  },
}

export interface Compacted extends Compaction {
  /** What the log takes up now. */
  readonly bytes: number
}

export const COMPACT: Question<object, Compacted> = {
  name: 'compact',
  about: 'folds away what the keys need not retain',
  changes: true,
  gives: 'item',
  parameters: {},
  async *answer(warp, _, { signal }) {
    const compaction = await warp.compact({ signal })
    yield { ...compaction, bytes: warp.stats().log.bytes }
  },
}
