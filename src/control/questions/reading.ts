/** The present: one key's value, and which keys there are. */
import { flag, text } from '../parameters.ts'
import type { Question } from '../question.ts'
import { toJson, type Json } from '../tagged-json.ts'

export interface KeyParameters {
  readonly key: string
}

/** `value` is tagged, and absent where there is none. */
export interface FoundValue {
  readonly value?: Json
}

export const GET: Question<KeyParameters, FoundValue> = {
  name: 'get',
  about: 'the value of a key',
  changes: false,
  gives: 'item',
  parameters: { key: text('which key') },
  async *answer(warp, { key }, { signal }) {
    yield foundValue(await warp.get(key, { signal }))
  },
}

export function foundValue(value: unknown): FoundValue {
  return value === undefined ? {} : { value: toJson(value) }
}

export interface KeysParameters {
  readonly pattern: string
  readonly dead: boolean
}

export const KEYS: Question<KeysParameters, string> = {
  name: 'keys',
  about: 'the keys that have a value, in no particular order',
  changes: false,
  gives: 'items',
  parameters: {
    pattern: text('which keys: * for any run of characters, ? for one', '*'),
    dead: flag('lists deleted and expired keys too, that are not forgotten yet'),
  },
  answer: (warp, { pattern, dead }, { signal }) => warp.keys(pattern, { dead, signal }),
}
