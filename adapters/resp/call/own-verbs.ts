/**
 * The verbs of `redis()` in those of Warp's own strategies, where one of them fits: SET of a register, INCR of
 * a counter, SADD of a set, HSET of a map, LPUSH of a list, APPEND of a text. What none fits is WRONGTYPE.
 */
import type { Range } from '../../../crdt/redis/list-verbs.ts'
import type { DirectKeys } from '../../../src/api/direct/direct-keys.ts'
import { bytesOf, toText } from '../protocol/bytes.ts'
import { parseDouble } from '../protocol/numbers.ts'
import { notFloat, ReplyError, wrongType } from './reply-error.ts'

export interface OwnKey {
  readonly direct: DirectKeys
  /** As Warp has it. */
  readonly name: string
  readonly strategy: string
  readonly nowMs: number
}

type OwnVerb = (key: OwnKey, parameters: readonly unknown[]) => boolean

const WRITTEN_WHOLE: ReadonlySet<string> = new Set(['register', 'multi-value', 'max', 'min'])
const COUNTED: ReadonlySet<string> = new Set(['counter', 'bounded-counter'])

/** By the names of the verbs of `redis()`. */
const VERBS: Readonly<Record<string, OwnVerb>> = {
  put(key, [value, life]) {
    // APPEND to nothing.
    if (key.strategy === 'text' && key.direct.value(key.name) === undefined)
      return key.direct.write(key.name, 'push', [textOf(value as string)])
    if (!WRITTEN_WHOLE.has(key.strategy)) throw wrongType()
    const whole =
      key.strategy === 'max' || key.strategy === 'min' ? numberOf(value as string) : valueOf(value as string)
    return key.direct.write(key.name, 'set', [whole], lifeOf(key, life as number | 'kept' | undefined))
  },
  add(key, [amount]) {
    if (!COUNTED.has(key.strategy)) throw wrongType()
    const by = Number(amount)
    return key.direct.write(key.name, by < 0 ? 'decrement' : 'increment', [Math.abs(by)])
  },
  patch(key, [changes]) {
    if (key.strategy !== 'text') throw wrongType()
    const all = changes as readonly { readonly kind: string; readonly bytes: string }[]
    if (all.some(({ kind }) => kind !== 'append')) throw wrongType()
    return all.map(({ bytes }) => key.direct.write(key.name, 'push', [textOf(bytes)])).some(Boolean)
  },
  live() {
    throw new ReplyError('ERR how long this key lives is said by its pattern')
  },
  setFields(key, [fields, replacing]) {
    if (key.strategy !== 'map') throw wrongType()
    if (replacing !== undefined) key.direct.delete(key.name)
    const pairs = fields as readonly (readonly [string, string])[]
    return pairs.map(([field, value]) => update(key, field, 'set', valueOf(value))).some(Boolean)
  },
  addToField(key, [field, amount]) {
    if (key.strategy !== 'map') throw wrongType()
    const by = Number(amount)
    return update(key, field as string, by < 0 ? 'decrement' : 'increment', Math.abs(by))
  },
  removeFields(key, fields) {
    if (key.strategy !== 'map') throw wrongType()
    return fields.map((field) => key.direct.write(key.name, 'remove', [textOf(field as string)])).some(Boolean)
  },
  join(key, [members, options]) {
    if (key.strategy !== 'set') throw wrongType()
    if ((options as { readonly replacing?: unknown } | undefined)?.replacing !== undefined) key.direct.delete(key.name)
    return key.direct.write(key.name, 'add', (members as readonly string[]).map(valueOf))
  },
  leave(key, members) {
    if (key.strategy !== 'set') throw wrongType()
    return key.direct.write(key.name, 'remove', (members as readonly string[]).map(valueOf))
  },
  push(key, [options]) {
    if (key.strategy !== 'list') throw wrongType()
    const { to, values, replacing } = options as {
      readonly to: 'left' | 'right'
      readonly values: readonly string[]
      readonly replacing?: unknown
    }
    if (replacing !== undefined) key.direct.delete(key.name)
    const pushed = values.map(valueOf)
    if (to === 'right') return key.direct.write(key.name, 'push', pushed)
    return key.direct.write(key.name, 'insert', [0, ...pushed.reverse()])
  },
  insertBeside(key, [options]) {
    if (key.strategy !== 'list') throw wrongType()
    const { index, on, value } = options as { readonly index: number; readonly on: string; readonly value: string }
    return key.direct.write(key.name, 'insert', [on === 'left' ? index : index + 1, valueOf(value)])
  },
  setElement(key, [index, value]) {
    if (key.strategy !== 'list') throw wrongType()
    return key.direct.write(key.name, 'splice', [index, 1, valueOf(value as string)])
  },
  take(key, ranges) {
    if (key.strategy !== 'list') throw wrongType()
    // From the end on, so that the indexes of the others stay what they are.
    const sorted = [...(ranges as readonly Range[])].sort(([a], [b]) => b - a)
    return sorted.map((range) => key.direct.write(key.name, 'remove', range)).some(Boolean)
  },
}

/** Runs a verb of `redis()` on a key of another strategy. `parameters` are those behind the time. */
export function writeOwn(key: OwnKey, verb: string, parameters: readonly unknown[]): boolean {
  const found = VERBS[verb]
  if (found === undefined) throw wrongType()
  return found(key, parameters)
}

function update(key: OwnKey, field: string, verb: string, value: unknown): boolean {
  return key.direct.write(key.name, 'update', [textOf(field), verb, value])
}

/** Text where the bytes are UTF-8. */
function valueOf(binary: string): string | Uint8Array {
  return toText(binary) ?? bytesOf(binary)
}

function textOf(binary: string): string {
  const text = toText(binary)
  if (text === undefined) throw new ReplyError('ERR what is no UTF-8 cannot be a part of this key, which holds text')
  return text
}

function numberOf(binary: string): number {
  const value = parseDouble(binary)
  if (value === undefined || !Number.isFinite(value)) throw notFloat()
  return value
}

/** How long a value lives, ms; 0: as long as the key's pattern says. */
function lifeOf({ direct, name, nowMs }: OwnKey, life: number | 'kept' = Infinity): number {
  const untilMs = life === 'kept' ? direct.untilMs(name) : life
  return untilMs === Infinity ? 0 : Math.max(1, untilMs - nowMs)
}
