/** What users of Warp read of a Redis key. */
import { textOf } from './cell.ts'
import { readable, readableName } from './binary.ts'
import { hyperloglogBytes } from './registers/hyperloglog-bytes.ts'
import { REGISTERS } from './registers/registers.ts'
import type { ScoredMember } from './sorted-set.ts'
import type { Kind, Member, Parts, RedisState } from './state.ts'
import { shownId } from './streams/stream-id.ts'

/** Text where the bytes are UTF-8, else the bytes. */
export type RedisText = string | Uint8Array

/**
 * A string, a hash, a set (sorted by bytes) or a list, a sorted set (by score, then by bytes), a stream (each
 * entry its id, and then names and values). A HyperLogLog is the bytes that Redis shows.
 */
export type RedisValue =
  | RedisText
  | Readonly<Record<string, RedisText>>
  | readonly RedisText[]
  | readonly (readonly [member: RedisText, score: number])[]
  | readonly (readonly [id: string, ...fields: RedisText[]])[]

/** Whether the key's life is over is not asked: that takes a clock. */
export function readRedis(state: RedisState): RedisValue | undefined {
  return state.kind === undefined ? undefined : READ[state.kind](state)
}

const READ: Readonly<Record<Kind, (parts: Parts) => RedisValue>> = {
  string: ({ string }) => readable(string === undefined ? '' : (textOf(string) ?? '')),
  hash: readHash,
  set: ({ set }) =>
    names(set?.entries() ?? [])
      .sort()
      .map(readable),
  zset: ({ zset }) => scored(zset?.order.from(0) ?? []),
  list: ({ list }) => Array.from(list?.from(0) ?? [], ({ value }) => readable(value)),
  hll: ({ hll }) => readable(hyperloglogBytes(hll?.ranks() ?? new Uint8Array(REGISTERS))),
  stream: ({ stream }) =>
    Array.from(stream?.entries.from(0) ?? [], ({ id, fields }) => [shownId(id), ...fields.map(readable)] as const),
}

function names(members: readonly Member[]): string[] {
  return members.map(({ name }) => name)
}

function scored(members: Iterable<ScoredMember>): (readonly [member: RedisText, score: number])[] {
  return Array.from(members, ({ name, score }) => [readable(name), score] as const)
}

function readHash({ hash }: Parts): Readonly<Record<string, RedisText>> {
  const record: Record<string, RedisText> = {}
  const fields = [...(hash?.entries() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const { name, cell } of fields) {
    const value = readable(textOf(cell) ?? '')
    // Assigning to `__proto__` would not make a property.
    Object.defineProperty(record, readableName(name), { value, enumerable: true, configurable: true, writable: true })
  }
  return record
}
