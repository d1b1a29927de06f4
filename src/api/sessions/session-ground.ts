/** What sessions look at in an engine: what this replica has, and what a key has shown. */
import type { Dot } from '../../../crdt/time/dot.ts'
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import type { EndedIds } from '../../operation/ended-ids.ts'
import { fnv1a } from '../../operation/text.ts'
import type { Env } from '../../ports/env.ts'
import type { KeyStore } from '../../store/key-store.ts'
import type { StrongKeys } from '../../strong/strong-keys.ts'
import type { StrongLink } from '../links/strong-link.ts'
import type { Seen } from './seen.ts'

/** Something that a session has seen, and this replica has not. */
export interface Behind {
  /** Whose operations are missing; absent where the ordered log gave them. */
  readonly replica?: ReplicaId
  /** The partition of the ordered log. */
  readonly partition?: number
  readonly needed: number
  readonly here: number
  /** It never comes: the ordered log is another one, or the operation is void. */
  readonly isLost: boolean
}

export interface SessionGroundParts {
  readonly env: Env
  readonly store: KeyStore
  readonly strong: Pick<StrongLink, 'keys' | 'trouble'>
}

export class SessionGround {
  readonly env: Env
  readonly store: KeyStore
  /** Sessions that wait. */
  waitingCount = 0
  readonly #strong: Pick<StrongLink, 'keys' | 'trouble'>

  constructor({ env, store, strong }: SessionGroundParts) {
    this.env = env
    this.store = store
    this.#strong = strong
  }

  /** What of it is not here; `undefined` if all is. */
  behind({ vector, order }: Seen): Behind | undefined {
    for (const [replica, sequence] of vector.entries()) {
      if (this.#has(replica, sequence)) continue
      const [needed, here] = [sequence, this.store.applied.get(replica)]
      return { replica, needed, here, isLost: this.#ended.isBeyond(replica, sequence) }
    }
    const strong = this.#strong.keys
    // Who has no ordered log shows nothing of it.
    if (strong === undefined) return undefined
    for (const [partition, needed] of order?.counts ?? []) {
      const isOther = order?.log !== logOf(strong) || partition >= strong.partitionsCount
      const here = isOther ? 0 : strong.sequenceOf(partition)
      if (here < needed) return { partition, needed, here, isLost: isOther }
    }
    return undefined
  }

  /** What a key waits for before it is read: a state of its partition that is being installed in steps. */
  installing(key: string): Promise<unknown> | undefined {
    const strong = this.#strong.keys
    if (strong === undefined || this.store.keyspaces.find(key)?.mode !== 'strong') return undefined
    return strong.installing(strong.partitionOf(key))
  }

  /** Notes in `seen` what a reader of the key may have seen by now; nothing of a key of no pattern. */
  note(key: string, seen: Seen): void {
    const { keys, keyspaces } = this.store
    const mode = keyspaces.find(key)?.mode
    const strong = this.#strong.keys
    if (mode === 'strong' && strong !== undefined) {
      const partition = strong.partitionOf(key)
      seen.sawOrdered(logOf(strong), partition, strong.sequenceOf(partition))
    } else if (mode === 'eventual') {
      const slot = keys.find(key)
      for (const [replica, sequence] of slot === undefined ? [] : keys.vector(slot).entries())
        seen.saw(replica, sequence)
    }
  }

  /** Whether it names an operation that is here. */
  hasDot({ replica, sequence }: Dot): boolean {
    return this.#has(replica, sequence)
  }

  /** What is pruned everybody has: no token need name it. */
  forget({ vector }: Seen): void {
    const ended = this.#ended
    const kept = [...vector.entries()].filter(([replica, sequence]) => !ended.includes(replica, sequence))
    if (kept.length < vector.size) vector.assign(VersionVector.from(kept))
  }

  /** Why strong keys stand still, if they do. */
  get trouble(): Error | undefined {
    return this.#strong.trouble
  }

  get #ended(): EndedIds {
    return this.store.table.ended
  }

  #has(replica: ReplicaId, sequence: number): boolean {
    return this.store.applied.includes(replica, sequence) || this.#ended.includes(replica, sequence)
  }
}

function logOf(strong: StrongKeys): number {
  return fnv1a(strong.identity) >>> 0
}
