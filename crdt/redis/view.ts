/**
 * A Redis key as commands ask for it at a moment: each answer costs about as much as it is long. A key
 * whose life is over, or that another type hides, is not there. Valid until the key changes.
 *
 * ```ts
 * const view = await warp.key('scores').view(Date.now())
 * if (view.kind === 'zset') view.zset.order.at(0)
 * ```
 */
import { textOf, scoreOf, type Cell } from './cell.ts'
import type { Element } from './elements.ts'
import type { Ordered } from './ordered.ts'
import { hyperloglogBytes } from './registers/hyperloglog-bytes.ts'
import type { Registers } from './registers/registers.ts'
import type { ScoredMember } from './sorted-set.ts'
import { sizeOf, type Kind, type RedisState } from './state.ts'
import type { Stream } from './streams/stream.ts'

/** The entries of a hash, a set or a sorted set by place, for scans and random choices (`table.ts`). */
export interface Entries {
  readonly size: number
  at(place: number): { readonly name: string } | undefined
}

/** A HyperLogLog is a string to those who ask. */
export type ShownKind = Exclude<Kind, 'hll'>

const NO_ENTRIES: Entries = Object.freeze({ size: 0, at: () => undefined })

export class RedisView {
  /** What TYPE answers; `undefined` where there is no key. */
  readonly kind: ShownKind | undefined
  readonly #held: Kind | undefined
  readonly #state: RedisState

  constructor(state: RedisState, nowMs: number) {
    this.#state = state
    const { kind } = state
    this.#held = kind !== undefined && state.untilMs > nowMs ? kind : undefined
    this.kind = this.#held === 'hll' ? 'string' : this.#held
  }

  /** When the key ends, in milliseconds since 1970; `Infinity`: never. */
  get untilMs(): number {
    return this.#state.untilMs
  }

  /** Entries of the collection or stream; 1 for a string, 0 where there is no key. */
  get size(): number {
    if (this.#held === undefined) return 0
    return this.#held === 'hll' ? 1 : (sizeOf(this.#state, this.#held) ?? 0)
  }

  /** The string; `undefined` where there is none. */
  get text(): string | undefined {
    if (this.#held === 'hll') return hyperloglogBytes((this.#state.hll as Registers).ranks())
    return this.#held === 'string' ? textOf(this.#state.string as Cell<string>) : undefined
  }

  /** Those of a HyperLogLog that was made by its own commands. */
  get registers(): Registers | undefined {
    return this.#held === 'hll' ? this.#state.hll : undefined
  }

  get stream(): Stream | undefined {
    return this.#held === 'stream' ? this.#state.stream : undefined
  }

  /** The value of a field of the hash. */
  field(name: string): string | undefined {
    const field = this.kind === 'hash' ? this.#state.hash?.get(name) : undefined
    return field === undefined ? undefined : textOf(field.cell)
  }

  hasMember(name: string): boolean {
    return this.kind === 'set' && this.#state.set?.get(name) !== undefined
  }

  /** The score of a member of the sorted set. */
  score(name: string): number | undefined {
    const member = this.kind === 'zset' ? this.#state.zset?.table.get(name) : undefined
    return member === undefined ? undefined : scoreOf(member.cell)
  }

  /** The names in a hash, a set or a sorted set, by place. */
  get entries(): Entries {
    const { kind } = this
    if (kind === 'zset') return this.#state.zset?.table ?? NO_ENTRIES
    return kind === 'hash' || kind === 'set' ? (this.#state[kind] ?? NO_ENTRIES) : NO_ENTRIES
  }

  /** The members of the sorted set by score, and those of one score by name; by rank. */
  get members(): Ordered<ScoredMember> | undefined {
    return this.kind === 'zset' ? this.#state.zset?.order : undefined
  }

  /** An element of the list, from 0. */
  element(index: number): string | undefined {
    return this.kind === 'list' ? this.#state.list?.at(index)?.value : undefined
  }

  /** The elements of the list from an index on. */
  *elementsFrom(index: number): Generator<string, void> {
    if (this.kind === 'list') yield* valuesOf(this.#state.list?.from(index))
  }

  /** The elements of the list from an index on, towards the first one. */
  *elementsBackFrom(index: number): Generator<string, void> {
    if (this.kind === 'list') yield* valuesOf(this.#state.list?.backFrom(index))
  }
}

function* valuesOf(elements: Iterable<Element> | undefined): Generator<string, void> {
  for (const { value } of elements ?? []) yield value
}
