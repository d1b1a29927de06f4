/**
 * Which keys are on a lease that may have run out. However many such leases there are, a key is looked
 * up by itself and by the beginnings that patterns have, so a read asks for a handful of names.
 */
import { compilePattern, type KeyPattern } from '../../keys/pattern.ts'
import type { LeaseTarget } from '../../operation/leases/lease-note.ts'

interface Counted {
  readonly pattern: KeyPattern
  count: number
}

export class HiddenTargets {
  /** How many leases hide each key. */
  readonly #keys = new Map<string, number>()
  /** Patterns by the text that they begin with, as they are written. */
  readonly #patterns = new Map<string, Map<string, Counted>>()
  /** How many of those texts are so long. */
  readonly #lengths = new Map<number, number>()

  get isEmpty(): boolean {
    return this.#keys.size === 0 && this.#patterns.size === 0
  }

  add({ of, target }: LeaseTarget): void {
    if (of === 'key') {
      this.#keys.set(target, (this.#keys.get(target) ?? 0) + 1)
      return
    }
    const pattern = compilePattern(target)
    const { literalPrefix } = pattern
    const known = this.#patterns.get(literalPrefix)
    const group = known ?? new Map<string, Counted>()
    if (known === undefined) {
      this.#patterns.set(literalPrefix, group)
      this.#lengths.set(literalPrefix.length, (this.#lengths.get(literalPrefix.length) ?? 0) + 1)
    }
    const counted = group.get(target)
    if (counted === undefined) group.set(target, { pattern, count: 1 })
    else counted.count++
  }

  /** It has been added before. */
  remove({ of, target }: LeaseTarget): void {
    if (of === 'key') {
      countDown(this.#keys, target)
      return
    }
    const { literalPrefix } = compilePattern(target)
    const group = this.#patterns.get(literalPrefix)
    const counted = group?.get(target)
    if (group === undefined || counted === undefined || --counted.count > 0) return
    group.delete(target)
    if (group.size > 0) return
    this.#patterns.delete(literalPrefix)
    countDown(this.#lengths, literalPrefix.length)
  }

  has(key: string): boolean {
    if (this.#keys.has(key)) return true
    for (const length of this.#lengths.keys()) {
      if (length > key.length) continue
      for (const { pattern } of this.#patterns.get(key.slice(0, length))?.values() ?? [])
        if (pattern.matches(key)) return true
    }
    return false
  }
}

function countDown<Name>(counts: Map<Name, number>, name: Name): void {
  const count = counts.get(name) ?? 0
  if (count > 1) counts.set(name, count - 1)
  else counts.delete(name)
}
