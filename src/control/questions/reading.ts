/** The present: one key's value, and which keys there are. */
import { question, type Question } from '../question.ts'
import { toJson, type Json } from '../tagged-json.ts'

export interface KeyParameters {
  readonly key: string
}

/** `value` is tagged, and absent where there is none. */
export interface FoundValue {
  readonly value?: Json
}

export const GET: Question<KeyParameters, FoundValue> = question({
  name: 'get',
  parse: (fields) => ({ key: fields.text('key') }),
  async *answer(warp, { key }, { signal }) {
    yield foundValue(await warp.get(key, { signal }))
  },
})

export function foundValue(value: unknown): FoundValue {
  return value === undefined ? {} : { value: toJson(value) }
}

export interface KeysParameters {
  readonly pattern: string
  readonly dead: boolean
}

export const KEYS: Question<KeysParameters, string> = question({
  name: 'keys',
  parse: (fields) => ({ pattern: fields.text('pattern'), dead: fields.flag('dead') }),
  answer: (warp, { pattern, dead }, { signal }) => warp.keys(pattern, { dead, signal }),
})
