/**
 * Which invalidations have been seen here, and which copies they make void. A copy remembers how many
 * had been seen when its load began: whatever came later, and is about it, makes it void. No clock is
 * asked (docs/data-layer.md, "What makes a copy void").
 *
 * An invalidation of a key is carried out when it arrives. One of a pattern or a tag costs nothing
 * then, however many copies it is about: whoever reads a copy compares two numbers, and looks through
 * what has come since. Only so many are remembered. When there are more, the older half is forgotten
 * and every copy that began before is void, which costs loads and is never wrong.
 */
import { VersionVector } from '../../crdt/time/version-vector.ts'
import { compilePattern, type KeyPattern } from '../keys/pattern.ts'
import type { Dot } from '../../crdt/time/dot.ts'
import type { Invalidation } from '../operation/invalidation.ts'

/** What an invalidation does to a copy that began before it. */
export type Verdict = 'valid' | 'void' | 'gone'

interface Remembered {
  readonly at: number
  readonly isHard: boolean
  /** `undefined`: it is about this replica alone. */
  readonly dot: Dot | undefined
}

interface RememberedPattern extends Remembered {
  readonly pattern: KeyPattern
}

export class Invalidations {
  /** Goes up by one with each that is seen, and whenever all copies are void at once. */
  count = 0
  /** How many have been seen. */
  seenCount = 0
  /** What began before this many is void, whatever it is. */
  #floorAt = 0
  /** The last one that is not of a single key: what began since need not be looked at. */
  lastWideAt = 0
  #patterns: RememberedPattern[] = []
  readonly #tags = new Map<string, Remembered>()
  readonly #keys = new Map<string, Remembered>()
  /** All up to these that are not remembered any more. */
  readonly forgotten: VersionVector = new VersionVector()
  readonly #rememberedMax: number

  constructor(rememberedMax: number) {
    this.#rememberedMax = rememberedMax
  }

  /** Remembered now. */
  get rememberedCount(): number {
    return this.#patterns.length + this.#tags.size + this.#keys.size
  }

  /** Takes one in. Returns the pattern, if it is of one. */
  note({ of, target, isHard }: Invalidation, dot: Dot | undefined): KeyPattern | undefined {
    this.seenCount++
    const at = ++this.count
    const pattern = of === 'pattern' ? compilePattern(target) : undefined
    if (of === 'key') this.#remember(this.#keys, target, { at, isHard, dot })
    else this.lastWideAt = at
    if (of === 'tag') this.#remember(this.#tags, target, { at, isHard, dot })
    if (pattern !== undefined) this.#patterns.push({ at, isHard, dot, pattern })
    this.#forget()
    return pattern
  }

  /**
   * Everything that began until now is void: a state has been taken over, or what has been seen before is
   * not known. `seen`: what may have been an invalidation.
   */
  forgetAll(seen: VersionVector): void {
    this.lastWideAt = this.#floorAt = ++this.count
    this.forgotten.join(seen)
    this.#patterns = []
    this.#tags.clear()
    this.#keys.clear()
  }

  /** What has become of a copy of this key that began when `begin` had been seen. */
  verdict(key: string, tags: readonly string[] | undefined, begin: number): Verdict {
    let verdict: Verdict = begin < this.#floorAt ? 'void' : 'valid'
    for (const { isHard } of this.#since(key, tags, begin)) {
      if (isHard) return 'gone'
      verdict = 'void'
    }
    return verdict
  }

  /** Whether someone who has seen what `seen` says has seen all that is about this key. */
  isSeenBy(key: string, tags: readonly string[] | undefined, seen: (dot: Dot) => boolean): boolean {
    for (const [replica, sequence] of this.forgotten.entries()) if (!seen({ replica, sequence })) return false
    // What was said for this replica alone nobody else can have seen: it is about what was here then.
    for (const { dot } of this.#since(key, tags, 0)) if (dot !== undefined && !seen(dot)) return false
    return true
  }

  /**
   * The same of what another replica has brought. What was said for this replica alone may be about
   * what that one has in memory, too.
   */
  isSeenByFill(key: string, tags: readonly string[], seen: (dot: Dot) => boolean): boolean {
    for (const { dot } of this.#since(key, tags, 0)) if (dot === undefined) return false
    return this.isSeenBy(key, tags, seen)
  }

  *#since(key: string, tags: readonly string[] | undefined, begin: number): Generator<Remembered> {
    const own = this.#keys.get(key)
    if (own !== undefined && own.at > begin) yield own
    if (this.lastWideAt <= begin) return
    for (const tag of tags ?? []) {
      const tagged = this.#tags.get(tag)
      if (tagged !== undefined && tagged.at > begin) yield tagged
    }
    for (let i = this.#patterns.length - 1; i >= 0; i--) {
      const remembered = this.#patterns[i] as RememberedPattern
      if (remembered.at <= begin) return
      if (remembered.pattern.matches(key)) yield remembered
    }
  }

  /** The newest is the last one of the map. What has been said hard is not softened. */
  #remember(map: Map<string, Remembered>, target: string, now: Remembered): void {
    const before = map.get(target)
    map.delete(target)
    if (before === undefined) {
      map.set(target, now)
      return
    }
    const isHard = before.isHard || now.isHard
    // Of two writers, whoever has seen one of them need not have seen the other one.
    if (before.dot !== undefined && now.dot !== undefined && before.dot.replica !== now.dot.replica)
      this.forgotten.raise(before.dot.replica, before.dot.sequence)
    map.set(target, { at: now.at, isHard, dot: now.dot ?? before.dot })
  }

  /** Each kind by itself: a busy key does not push a pattern out. */
  #forget(): void {
    if (this.#keys.size > this.#rememberedMax) this.#forgetHalf(this.#keys, false)
    if (this.#tags.size > this.#rememberedMax) this.#forgetHalf(this.#tags, true)
    if (this.#patterns.length <= this.#rememberedMax) return
    const count = this.#patterns.length >> 1
    for (const forgotten of this.#patterns.splice(0, count)) this.#pass(forgotten, true)
  }

  #forgetHalf(from: Map<string, Remembered>, isWide: boolean): void {
    let left = from.size >> 1
    for (const [target, remembered] of from) {
      if (left-- === 0) return
      from.delete(target)
      this.#pass(remembered, isWide)
    }
  }

  /** Of a key, every copy that it is about is void already. */
  #pass({ at, dot }: Remembered, isWide: boolean): void {
    if (isWide && at > this.#floorAt) this.#floorAt = at
    if (dot !== undefined) this.forgotten.raise(dot.replica, dot.sequence)
  }
}
