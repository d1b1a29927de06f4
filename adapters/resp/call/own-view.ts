/**
 * A key of one of Warp's own strategies as clients of Redis see it: what it holds is its value, as text where
 * it is text, a number or bytes, and else as JSON. Same questions as `RedisView`, same answers.
 */
import type { RedisView } from '../../../crdt/redis/view.ts'
import { binaryOf, toBinary } from '../protocol/bytes.ts'

/** What commands ask of a key. */
export type KeyView = Pick<RedisView, keyof RedisView>
type Kind = NonNullable<RedisView['kind']>

/** What strategies are that are no strings. */
const KINDS: Readonly<Record<string, Kind>> = { set: 'set', map: 'hash', list: 'list' }

export function ownView(strategy: string, value: unknown, untilMs: number): KeyView {
  return new OwnView(value === undefined ? undefined : (KINDS[strategy] ?? 'string'), value, untilMs)
}

class OwnView implements KeyView {
  readonly kind: Kind | undefined
  readonly untilMs: number
  readonly members: undefined = undefined
  readonly registers: undefined = undefined
  readonly stream: undefined = undefined
  readonly #value: unknown
  #names: readonly string[] | undefined
  #fields: Map<string, unknown> | undefined

  constructor(kind: Kind | undefined, value: unknown, untilMs: number) {
    this.kind = kind
    this.untilMs = untilMs
    this.#value = value
  }

  get size(): number {
    if (this.kind === undefined) return 0
    return this.kind === 'string' ? 1 : this.#named.length
  }

  get text(): string | undefined {
    return this.kind === 'string' ? shownValue(this.#value) : undefined
  }

  field(name: string): string | undefined {
    if (this.kind !== 'hash') return undefined
    this.#fields ??= new Map(Object.entries(this.#value as object).map(([entry, value]) => [toBinary(entry), value]))
    return this.#fields.has(name) ? shownValue(this.#fields.get(name)) : undefined
  }

  hasMember(name: string): boolean {
    return this.kind === 'set' && this.#named.includes(name)
  }

  score(): undefined {
    return undefined
  }

  get entries(): KeyView['entries'] {
    const names = this.kind === 'hash' || this.kind === 'set' ? this.#named : []
    return {
      size: names.length,
      at: (place) => (names[place] === undefined ? undefined : { name: names[place] }),
    }
  }

  element(index: number): string | undefined {
    return this.kind === 'list' ? this.#named[index] : undefined
  }

  *elementsFrom(index: number): Generator<string, void> {
    if (this.kind === 'list') yield* this.#named.slice(index)
  }

  *elementsBackFrom(index: number): Generator<string, void> {
    if (this.kind === 'list') yield* this.#named.slice(0, index + 1).reverse()
  }

  /** Members, elements, or names of fields. */
  get #named(): readonly string[] {
    this.#names ??= namesIn(this.kind, this.#value)
    return this.#names
  }
}

function namesIn(kind: Kind | undefined, value: unknown): readonly string[] {
  if (kind === 'hash') return Object.keys(value as object).map(toBinary)
  return [...(value as Iterable<unknown>)].map(shownValue)
}

/** A binary string. */
export function shownValue(value: unknown): string {
  if (typeof value === 'string') return toBinary(value)
  if (value instanceof Uint8Array) return binaryOf(value)
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  return toBinary(JSON.stringify(value, bigIntsAsText) ?? 'null')
}

function bigIntsAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
