/**
 * Which rules each copy was kept by: a small number for each slot, since many copies have the same ones. Calls that
 * bring options make rules of their own each time; those that say the same are one here.
 */
import { grown } from '../../keys/key-table.ts'
import type { CopyRules } from '../../keys/source/source.ts'

/** Numbers are 16 bits wide until there are more kinds of rules than that. */
const NARROW_MAX = 0xffff

interface Kind {
  readonly rules: CopyRules
  readonly number: number
  readonly text: string
  slotsCount: number
}

export class RulesColumn {
  /** The number of its kind; 0: none. */
  #numbers: Uint16Array | Uint32Array
  readonly #kinds: (Kind | undefined)[] = [undefined]
  /** Those of each kind, as they are read on the way of every hit. */
  readonly #rules: (CopyRules | undefined)[] = [undefined]
  readonly #free: number[] = []
  readonly #byRules = new Map<CopyRules, Kind>()
  readonly #byText = new Map<string, Kind>()

  constructor(capacity: number) {
    this.#numbers = new Uint16Array(capacity)
  }

  at(slot: number): CopyRules {
    return this.#rules[this.#numbers[slot]!] as CopyRules
  }

  set(slot: number, rules: CopyRules): void {
    const former = this.#kinds[this.#numbers[slot]!]
    if (former?.rules === rules) return
    const kind = this.#byRules.get(rules) ?? this.#kindOf(rules)
    kind.slotsCount++
    this.#numbers[slot] = kind.number
    if (former !== undefined) this.#leave(former)
  }

  clear(slot: number): void {
    const kind = this.#kinds[this.#numbers[slot]!]
    this.#numbers[slot] = 0
    if (kind !== undefined) this.#leave(kind)
  }

  grow(capacity: number): void {
    const numbers = this.#numbers
    this.#numbers =
      numbers instanceof Uint16Array
        ? grown(numbers, new Uint16Array(capacity))
        : grown(numbers, new Uint32Array(capacity))
  }

  #kindOf(rules: CopyRules): Kind {
    const text = textOf(rules)
    const known = this.#byText.get(text)
    if (known !== undefined && known.rules.tags === rules.tags && known.rules.adaptive === rules.adaptive) return known
    const kind: Kind = { rules, number: this.#free.pop() ?? this.#kinds.length, text, slotsCount: 0 }
    if (kind.number > NARROW_MAX && this.#numbers instanceof Uint16Array) this.#numbers = new Uint32Array(this.#numbers)
    this.#kinds[kind.number] = kind
    this.#rules[kind.number] = rules
    this.#byRules.set(rules, kind)
    this.#byText.set(text, kind)
    return kind
  }

  /** One copy fewer has them. */
  #leave(kind: Kind): void {
    if (--kind.slotsCount > 0) return
    this.#kinds[kind.number] = undefined
    this.#rules[kind.number] = undefined
    this.#free.push(kind.number)
    this.#byRules.delete(kind.rules)
    if (this.#byText.get(kind.text) === kind) this.#byText.delete(kind.text)
  }
}

/** All that is no function; those are compared by themselves. */
function textOf({ tags: _tags, adaptive: _adaptive, ...plain }: CopyRules): string {
  return JSON.stringify(plain, (_, value: unknown) => (value === Infinity ? 'Infinity' : value))
}
