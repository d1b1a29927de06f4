/**
 * How replicas are called where people read: by their names, else by the shortest beginning of
 * their ids that no other known replica's id has, of at least eight digits. Whole ids are for
 * programs, and for those who ask for them (`--full-ids`).
 */
import type { KnownReplica } from '../../../adapters/node/index.ts'
import { REPLICAS } from '../../../src/control/questions/watching.ts'
import type { DotJson } from '../../../src/control/questions/history.ts'
import type { Target } from '../target/target.ts'
import { printable } from '../values.ts'

const DIGITS_MIN = 8

export class ReplicaNames {
  readonly #areIdsWhole: boolean
  readonly #names = new Map<string, string>()
  /** Names that more than one replica has: one that took a new id, say. */
  readonly #ambiguous = new Set<string>()
  readonly #ids: string[]

  /** Of those that a target knows. */
  static async of(
    target: Target,
    { fullIds, signal }: { readonly fullIds: boolean | undefined; readonly signal: AbortSignal },
  ): Promise<ReplicaNames> {
    const known: KnownReplica[] = []
    if (fullIds !== true) for await (const replica of target.ask(REPLICAS, {}, { signal })) known.push(replica)
    return new ReplicaNames(known, fullIds)
  }

  constructor(known: readonly KnownReplica[], fullIds = false) {
    this.#areIdsWhole = fullIds
    this.#ids = known.map(({ replica }) => replica).sort()
    for (const { replica, name } of known) {
      if (name === undefined) continue
      if ([...this.#names.values()].includes(name)) this.#ambiguous.add(name)
      this.#names.set(replica, name)
    }
  }

  /** Whether there is a name to show, or none is wanted. */
  knows(id: string): boolean {
    return this.#areIdsWhole || this.#names.has(id)
  }

  replica(id: string): string {
    if (this.#areIdsWhole) return id
    const name = this.#names.get(id)
    if (name === undefined) return this.#short(id)
    return this.#ambiguous.has(name) ? `${printable(name)}(${this.#short(id)})` : printable(name)
  }

  dot({ replica, sequence }: DotJson): string {
    return `${this.replica(replica)}:${sequence}`
  }

  /** Ids that begin alike are neighbours in their order. */
  #short(id: string): string {
    const at = this.#ids.findIndex((known) => known >= id)
    const neighbours = at < 0 ? this.#ids.slice(-1) : this.#ids.slice(Math.max(0, at - 1), at + 2)
    const shared = neighbours.filter((known) => known !== id).map((known) => commonLength(known, id))
    return id.slice(0, Math.max(DIGITS_MIN, ...shared.map((length) => length + 1)))
  }
}

function commonLength(a: string, b: string): number {
  let length = 0
  while (length < a.length && a[length] === b[length]) length++
  return length
}
