/**
 * Operations that were issued again, and are here more than once. All operations of one first name
 * are one operation: the first of them in canonical order counts, in its place, and if one of them
 * is cancelled, so are all. The others are repeats. They have their places among the lives of the
 * key, as touches have, and change nothing.
 *
 * Whoever had seen one of them had seen the operation; and where payloads name elements by the
 * operations that made them, each of its names means the one that counts.
 */
import type { Dot } from '../../../crdt/time/dot.ts'
import { formatDot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { Meter } from '../../operation/budget.ts'
import { FirstNames } from '../../operation/names/first-names.ts'
import type { Placed } from '../placed.ts'
import { FATE } from './cancellation.ts'

/** What has been folded before. */
interface Folded {
  readonly vector: VersionVector
  readonly firstNames: FirstNames | undefined
}

export interface Named {
  /** First names of all operations that were issued again, those folded before among them. */
  readonly firstNames: FirstNames | undefined
  /** `undefined` if each operation is here once. */
  readonly repeats: Repeats | undefined
}

const UNNAMED: Named = { firstNames: undefined, repeats: undefined }

/** Looks through operations in canonical order. Costs nothing where none was issued again. */
export function* repeatsAmong(ordered: readonly Placed[], folded: Folded, meter: Meter): Generator<void, Named> {
  if (folded.firstNames === undefined && !ordered.some(isIssuedAgain)) return UNNAMED
  const firstNames = namesOf(ordered, folded)
  const groups = new Map<string, number[]>()
  for (const [place, operation] of ordered.entries()) {
    const first = operation.origin ?? operation
    if (firstNames.has(first.replica, first.sequence)) {
      const name = formatDot(first)
      const group = groups.get(name)
      if (group === undefined) groups.set(name, [place])
      else group.push(place)
    }
    meter.spend(1, 0)
    if (meter.isSpent) yield
  }
  const repeats = new Repeats(ordered, folded, groups.values())
  return { firstNames, repeats: repeats.isEmpty ? undefined : repeats }
}

function namesOf(ordered: readonly Placed[], folded: Folded): FirstNames {
  const names = folded.firstNames?.copy() ?? new FirstNames()
  for (const { origin } of ordered) if (origin !== undefined) names.add(origin.replica, origin.sequence)
  return names
}

function isIssuedAgain({ origin }: Placed): boolean {
  return origin !== undefined
}

export class Repeats {
  /** 1 for each operation that is a repeat of one before it, or of one that is folded already. */
  readonly isRepeat: Uint8Array
  /** The places of operations that are the same one. */
  readonly #groups: (readonly number[])[] = []
  /** By each of its names, the operation that counts. */
  readonly #counting = new Map<string, Dot>()
  /** By the name of the operation that counts, all names. */
  readonly #names = new Map<string, Dot[]>()

  constructor(ordered: readonly Placed[], folded: Folded, groups: Iterable<readonly number[]>) {
    this.isRepeat = new Uint8Array(ordered.length)
    for (const places of groups) {
      const operations = places.map((place) => ordered[place] as Placed)
      const foldedAs = foldedName(operations, folded)
      if (places.length === 1 && foldedAs === undefined) continue
      this.#groups.push(places)
      for (const place of foldedAs === undefined ? places.slice(1) : places) this.isRepeat[place] = 1
      this.#name(foldedAs ?? (operations[0] as Placed), operations)
    }
  }

  get isEmpty(): boolean {
    return this.#groups.length === 0
  }

  /** Puts right what was found out of each operation by itself. `fates` begin at the place `from`. */
  judge(fates: Uint8Array, from: number): void {
    for (const places of this.#groups) {
      const alive = places.filter((place) => place >= from)
      const isCancelled = alive.some((place) => fates[place - from] === FATE.cancelled)
      for (const place of alive) {
        if (fates[place - from] === FATE.base) continue
        if (isCancelled) fates[place - from] = FATE.cancelled
        else if (this.isRepeat[place] === 1) fates[place - from] = FATE.repeat
      }
    }
  }

  /** Whether one of the operation's other names is one that `has` says yes to. */
  isSeen(replica: ReplicaId, sequence: number, has: (replica: ReplicaId, sequence: number) => boolean): boolean {
    const names = this.#names.get(formatDot({ replica, sequence }))
    return names?.some((name) => has(name.replica, name.sequence)) === true
  }

  /** The name of the operation that counts. */
  readonly rename = (replica: ReplicaId, sequence: number): readonly [ReplicaId, number] => {
    const counting = this.#counting.get(formatDot({ replica, sequence }))
    return counting === undefined ? [replica, sequence] : [counting.replica, counting.sequence]
  }

  #name(counting: Dot, operations: readonly Placed[]): void {
    const dot = { replica: counting.replica, sequence: counting.sequence }
    const names = operations.map(({ replica, sequence }) => ({ replica, sequence }))
    for (const name of names) this.#counting.set(formatDot(name), dot)
    this.#names.set(formatDot(dot), names)
  }
}

/** The first name, if an operation of that name has been folded before. */
function foldedName(operations: readonly Placed[], { vector, firstNames }: Folded): Dot | undefined {
  const [first] = operations
  const name = first?.origin ?? first
  if (name === undefined) return undefined
  if (firstNames?.has(name.replica, name.sequence) === true) return name
  const isOriginalHere = operations.some(({ origin }) => origin === undefined)
  return !isOriginalHere && vector.includes(name.replica, name.sequence) ? name : undefined
}
