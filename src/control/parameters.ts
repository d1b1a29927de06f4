/**
 * What a question is asked with: a table of named parameters, each of a kind that is read from JSON
 * and from the text of a URL alike. What is missing, is something else or is not in the table is
 * refused with `WARP_E_PROTOCOL`, which names the parameter.
 */
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { parseExactJson } from './exact-json.ts'
import type { Json } from './tagged-json.ts'

export interface Parameter<Value> {
  /** As messages and lists of questions name it: `text`, `number`. */
  readonly kind: string
  /** One line, without a full stop. */
  readonly about: string
  /** What is taken where nothing is given. */
  readonly fallback?: Value
  readonly isOptional: boolean
  /** `undefined` if it is something else. */
  fromJson(given: unknown): Value | undefined
  fromText(text: string): Value | undefined
}

/** One parameter per property; those that may be absent are made by {@link optional}. */
export type ParameterTable<Parameters extends object> = {
  readonly [Name in keyof Parameters]-?: Parameter<Exclude<Parameters[Name], undefined>>
}

/**
 * How a question was asked: by a body of JSON, or by the query of a URL, where everything is text.
 */
export type AskedForm = 'json' | 'text'

const TEXT = {
  kind: 'text',
  fromJson: (given: unknown) => (typeof given === 'string' ? given : undefined),
  fromText: (text: string) => text,
} as const

const NUMBER = {
  kind: 'number',
  fromJson: (given: unknown) => (typeof given === 'number' ? given : undefined),
  fromText: (text: string) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : undefined),
} as const

export function text(about: string, fallback?: string): Parameter<string> {
  return made(TEXT, about, fallback)
}

export function number(about: string, fallback?: number): Parameter<number> {
  return made(NUMBER, about, fallback)
}

/** In a URL digits are a number. */
export function textOrNumber(about: string): Parameter<string | number> {
  return made(
    {
      kind: 'text or number',
      fromJson: (given: unknown) => NUMBER.fromJson(given) ?? TEXT.fromJson(given),
      fromText: (given: string) => NUMBER.fromText(given) ?? given,
    },
    about,
  )
}

const FLAGS: Readonly<Record<string, boolean>> = { true: true, false: false, '': true }

/** `false` unless given. In a URL `?dead`, `?dead=true`. */
export function flag(about: string): Parameter<boolean> {
  const fromJson = (given: unknown): boolean | undefined => (typeof given === 'boolean' ? given : undefined)
  const fromText = (given: string): boolean | undefined => (Object.hasOwn(FLAGS, given) ? FLAGS[given] : undefined)
  return made({ kind: 'true or false', fromJson, fromText }, about, false)
}

/** A tagged value (`tagged-json.ts`). In a URL it is JSON too. */
export function json(about: string): Parameter<Json> {
  return made({ kind: 'JSON', fromJson: (given: unknown) => given as Json, fromText: parsed }, about)
}

export function list(about: string): Parameter<readonly Json[]> {
  const fromJson = (given: unknown): readonly Json[] | undefined =>
    Array.isArray(given) ? (given as readonly Json[]) : undefined
  return made({ kind: 'list', fromJson, fromText: (given: string) => fromJson(parsed(given)) }, about)
}

export function optional<Value>(parameter: Parameter<Value>): Parameter<Value> {
  return { ...parameter, isOptional: true }
}

/** Throws `WARP_E_PROTOCOL`. */
export function readParameters<Parameters extends object>(
  table: ParameterTable<Parameters>,
  given: unknown,
  form: AskedForm,
): Parameters {
  const isRecord = typeof given === 'object' && given !== null && !Array.isArray(given)
  if (!isRecord) throw malformed('the parameters are no object')
  const names = Object.keys(table)
  const unknown = Object.keys(given).find((name) => !names.includes(name))
  if (unknown !== undefined) {
    throw malformed(
      `there is no parameter '${unknown}'; there ${names.length === 0 ? 'are none' : `is ${names.join(', ')}`}`,
    )
  }
  const fields = given as Readonly<Record<string, unknown>>
  const read = Object.entries<Parameter<unknown>>(table).flatMap(([name, parameter]) => {
    const value = Object.hasOwn(fields, name)
      ? readOne(parameter, fields[name], { name, form })
      : missing(parameter, name)
    return value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(read) as Parameters // one by one, by the table of just these
}

/** The query of a URL, as `readParameters` takes it. */
export function asTexts(parameters: object): [name: string, text: string][] {
  return Object.entries(parameters).flatMap(([name, value]: [string, unknown]) => {
    if (value === undefined) return []
    return [[name, typeof value === 'string' ? value : JSON.stringify(value)]]
  })
}

function readOne(
  { kind, fromJson, fromText }: Parameter<unknown>,
  given: unknown,
  { name, form }: { readonly name: string; readonly form: AskedForm },
): unknown {
  const value = form === 'text' ? fromText(String(given)) : fromJson(given)
  if (value === undefined) throw malformed(`parameter '${name}' is not of its kind, which is ${kind}`)
  return value
}

function missing({ fallback, isOptional, about }: Parameter<unknown>, name: string): unknown {
  if (fallback === undefined && !isOptional) throw malformed(`parameter '${name}' is missing: ${about}`)
  return fallback
}

function made<Value>(
  kind: Pick<Parameter<Value>, 'kind' | 'fromJson' | 'fromText'>,
  about: string,
  fallback?: Value,
): Parameter<Value> {
  return { ...kind, about, isOptional: false, ...(fallback === undefined ? {} : { fallback }) }
}

function parsed(given: string): Json | undefined {
  try {
    return parseExactJson(given) as Json
  } catch (error) {
    if (isWarpError(error)) throw error
    return undefined // not of its kind
  }
}

function malformed(what: string): WarpError {
  return new WarpError('WARP_E_PROTOCOL', `malformed question: ${what}`)
}
