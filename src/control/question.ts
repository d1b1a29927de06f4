/**
 * What can be asked of an open engine: the commands' common ground. A command asks by a question, whether the engine is in this process or in
 * another one behind the control socket, and gets the same items either way. Parameters and items are JSON; values in them are
 * tagged (`values.ts`). The list of all questions is `questions.ts`.
 */
import type { Warp } from '../api/public.ts'
import type { KeyMap } from '../keys/typed-keys.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import type { Json } from './tagged-json.ts'

/** An engine whose keys are known at run time only. */
export type AnyWarp = Warp<KeyMap>

/** What comes with a question. */
export interface Asked {
  /** The asker does not want the rest. The answer ends, with or without an error. */
  readonly signal: AbortSignal
  /** What the asker sends while it is answered, read at the answer's pace. Empty for most. */
  readonly input: AsyncIterable<Json>
}

export interface Question<Parameters extends object, Item> {
  readonly name: string
  /** Whether the asker sends items (`Asked.input`). Default `false`. */
  readonly takesInput?: boolean
  /** Parameters may come from a socket: takes what is right, throws `WARP_E_PROTOCOL` otherwise. */
  parse(fields: Fields): Parameters
  /** Items must be JSON. */
  answer(warp: AnyWarp, parameters: Parameters, asked: Asked): AsyncIterable<Item>
}

export type AnyQuestion = Question<object, unknown>

/** A question; with its types inferred. */
export function question<Parameters extends object, Item>(
  made: Question<Parameters, Item>,
): Question<Parameters, Item> {
  return made
}

/** Reads parameters. Each throws `WARP_E_PROTOCOL` if the field is missing (unless it may be) or is something else. */
export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>

  constructor(fields: unknown) {
    const isRecord = typeof fields === 'object' && fields !== null && !Array.isArray(fields)
    if (!isRecord) throw malformed('the parameters are no object')
    this.#fields = fields as Readonly<Record<string, unknown>>
  }

  text(name: string): string {
    const value = this.#own(name)
    if (typeof value !== 'string') throw malformed(`${name} is no text`)
    return value
  }

  optionalText(name: string): string | undefined {
    return this.#own(name) === undefined ? undefined : this.text(name)
  }

  flag(name: string): boolean {
    const value = this.#own(name) ?? false
    if (typeof value !== 'boolean') throw malformed(`${name} is neither true nor false`)
    return value
  }

  optionalNumber(name: string): number | undefined {
    const value = this.#own(name)
    if (value === undefined) return undefined
    if (typeof value !== 'number') throw malformed(`${name} is no number`)
    return value
  }

  optionalTextOrNumber(name: string): string | number | undefined {
    return typeof this.#own(name) === 'number' ? this.optionalNumber(name) : this.optionalText(name)
  }

  json(name: string): Json {
    const value = this.#own(name)
    if (value === undefined) throw malformed(`${name} is missing`)
    return value as Json // it came as JSON
  }

  list(name: string): readonly Json[] {
    const value = this.#own(name)
    if (!Array.isArray(value)) throw malformed(`${name} is no list`)
    return value as readonly Json[] // it came as JSON
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined
  }
}

function malformed(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed question: ${what}`)
}
