/**
 * What can be asked of an open engine: the common ground of the command, of the control socket, and
 * of whatever shows an engine to people. A question has a name, a table of parameters, and an
 * answer of items; whoever asks it gets the same items, whether the engine is in this process or in
 * another one. Parameters and items are JSON; values in them are tagged (`tagged-json.ts`). The
 * list is `questions.ts`.
 */
import type { Warp } from '../api/public.ts'
import type { KeyMap } from '../keys/typed-keys.ts'
import type { ParameterTable } from './parameters.ts'

/** An engine whose keys are known at run time only. */
export type AnyWarp = Warp<KeyMap>

/** What comes with a question. */
export interface Asked {
  /** The asker does not want the rest. The answer ends, with or without an error. */
  readonly signal: AbortSignal
  /**
   * What the asker sends while it is answered: pieces of text, cut anywhere, read at the answer's
   * pace. Empty for most questions.
   */
  readonly input: AsyncIterable<string>
}

export interface Question<Parameters extends object, Item> {
  readonly name: string
  /** One line, without a full stop. */
  readonly about: string
  /** Whether asking it changes the data, or does work that others see. */
  readonly changes: boolean
  /**
   * `item`: exactly one. `items`: as many as there are, one by one. `text`: pieces of text, which
   * are lines when they are put together.
   */
  readonly gives: 'item' | 'items' | 'text'
  /** Whether the asker sends text (`Asked.input`). Default `false`. */
  readonly takesInput?: boolean
  readonly parameters: ParameterTable<Parameters>
  /**
   * Items must be JSON. An object among them has other properties than `error` alone, by which a
   * failure is told from an item.
   */
  answer(warp: AnyWarp, parameters: Parameters, asked: Asked): AsyncIterable<Item>
}

export type AnyQuestion = Question<object, unknown>

/** What a list of questions says of each. */
export interface QuestionDescription {
  readonly name: string
  readonly about: string
  readonly changes: boolean
  readonly gives: AnyQuestion['gives']
  readonly takesInput: boolean
  readonly parameters: readonly {
    readonly name: string
    readonly kind: string
    readonly about: string
    readonly isNeeded: boolean
  }[]
}

export function describeQuestion({
  name,
  about,
  changes,
  gives,
  takesInput,
  parameters,
}: AnyQuestion): QuestionDescription {
  const table = parameters as ParameterTable<Record<string, unknown>>
  return {
    ...{ name, about, changes, gives, takesInput: takesInput === true },
    parameters: Object.entries(table).map(([parameter, { kind, about: meaning, isOptional, fallback }]) => ({
      ...{ name: parameter, kind, about: meaning, isNeeded: !isOptional && fallback === undefined },
    })),
  }
}
