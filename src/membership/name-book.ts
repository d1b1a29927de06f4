/**
 * Names that replicas have given themselves, for people. Remembered in memory after a replica has
 * gone, while there is room.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { VersionVector } from '../../crdt/time/version-vector.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { HELLO_TEXT_BYTES_MAX, PEERS_MAX } from '../limits.ts'

/** What would steer a terminal, turn text round or not be seen. */
export const UNPRINTABLE: RegExp = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

/** A character of UTF-8 has at most three bytes a unit of UTF-16. */
const NAME_LENGTH_MAX = Math.floor((HELLO_TEXT_BYTES_MAX - 2) / 3)

/** What peers are told and people read: `name`, `zone` and `region`. Throws `WARP_E_CONFIG`. */
export function assertName(option: 'name' | 'zone' | 'region', text: string | undefined): void {
  if (text === undefined) return
  const isName = typeof text === 'string' && text !== '' && text.length <= NAME_LENGTH_MAX && !UNPRINTABLE.test(text)
  if (isName) return
  throw new WarpError(
    'WARP_E_CONFIG',
    `${option} is ${JSON.stringify(text)}; give 1 to ${NAME_LENGTH_MAX} characters that can be shown`,
  )
}

/** A replica that this one has heard of. */
export interface KnownReplica {
  readonly replica: ReplicaId
  /**
   * Its name for people, as it was last heard; absent if it has none or has not been heard since
   * this process started.
   */
  readonly name?: string
  readonly isSelf: boolean
  /** How many operations of it this replica has taken in. */
  readonly operationsCount: number
}

export class NameBook {
  /** From the one that was learnt longest ago. */
  readonly #names = new Map<ReplicaId, string>()

  learn({ replica, name }: { readonly replica?: ReplicaId; readonly name?: string }): void {
    if (replica === undefined || name === undefined || this.#names.get(replica) === name) return
    this.#names.delete(replica)
    this.#names.set(replica, name)
    const [oldest] = this.#names.keys()
    if (this.#names.size > PEERS_MAX && oldest !== undefined) this.#names.delete(oldest)
  }

  get(replica: ReplicaId): string | undefined {
    return this.#names.get(replica)
  }

  replicas(): Iterable<ReplicaId> {
    return this.#names.keys()
  }
}

/**
 * Itself first, then whose operations are here, then who has been heard and has written nothing.
 */
export function knownReplicas(
  applied: VersionVector,
  names: NameBook,
  self: { readonly replica: ReplicaId; readonly name: string | undefined },
): KnownReplica[] {
  const ids = new Set([self.replica, ...[...applied.entries()].map(([replica]) => replica), ...names.replicas()])
  return [...ids].map((replica) => {
    const isSelf = replica === self.replica
    const name = isSelf ? self.name : names.get(replica)
    const named = name === undefined ? {} : { name }
    return { replica, ...named, isSelf, operationsCount: applied.get(replica) }
  })
}
