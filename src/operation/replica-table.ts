/** Interns replica ids, so that the hot paths make no strings. */
import { EndedIds } from './ended-ids.ts'
import { Formats } from './envelope/formats.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { REPLICA_ID_BYTES, replicaIdFromBytes } from '../../crdt/time/replica-id.ts'
import { VECTOR_ENTRIES_MAX } from '../limits.ts'

/** Ids in one generation of a {@link ReplicaTable}: as many as one vector may name. */
export const REPLICAS_INTERNED_MAX: number = VECTOR_ENTRIES_MAX

interface Interned {
  readonly bytes: Uint8Array
  readonly replica: ReplicaId
}

/** Interned ids, found by the two halves of their bytes, or by text. */
class Generation {
  readonly #byHalves = new Map<number, Map<number, Interned>>()
  readonly #byText = new Map<ReplicaId, Interned>()

  get size(): number {
    return this.#byText.size
  }

  get(high: number, low: number): Interned | undefined {
    return this.#byHalves.get(low)?.get(high)
  }

  getByText(replica: ReplicaId): Interned | undefined {
    return this.#byText.get(replica)
  }

  set(high: number, low: number, interned: Interned): void {
    const sameLow = this.#byHalves.get(low)
    if (sameLow === undefined) this.#byHalves.set(low, new Map([[high, interned]]))
    else sameLow.set(high, interned)
    this.#byText.set(interned.replica, interned)
  }
}

/**
 * Interns replica ids: the same id is nearly always the same string object, found from its bytes
 * without making a new one. Only speed rests on that, so the table may forget, and must, because
 * anybody can make up ids: it holds two generations of {@link REPLICAS_INTERNED_MAX}. When the
 * young one is full, it becomes the old one, and the old one goes. An id that is met again moves to
 * the young one, so what a flood of fake ids displaces is mostly the flood.
 */
export class ReplicaTable {
  /**
   * Whoever reads or writes ids does it in some format: the table is what the encoders and decoders
   * of one engine share.
   */
  readonly formats: Formats
  /** Ids that vectors may leave out: whoever reads them has to know. */
  readonly ended: EndedIds = new EndedIds()
  #young = new Generation()
  #old = new Generation()
  #last: Interned | undefined

  constructor(formats: Formats = new Formats()) {
    this.formats = formats
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  read(bytes: Uint8Array, at: number): ReplicaId {
    const last = this.#last
    if (last !== undefined && sameReplica(last.bytes, bytes, at)) return last.replica
    return this.#intern(bytes, at).replica
  }

  /** The interned string equal to `replica`. */
  intern(replica: ReplicaId): ReplicaId {
    return this.read(this.bytes(replica), 0)
  }

  /** Not to be changed. */
  bytes(replica: ReplicaId): Uint8Array {
    const known = this.#young.getByText(replica)
    if (known !== undefined) return known.bytes
    const bytes = new Uint8Array(REPLICA_ID_BYTES)
    for (let i = 0; i < REPLICA_ID_BYTES; i++) bytes[i] = Number.parseInt(replica.slice(i * 2, i * 2 + 2), 16)
    return this.#intern(bytes, 0).bytes
  }

  #intern(bytes: Uint8Array, at: number): Interned {
    const high = word(bytes, at)
    const low = word(bytes, at + 4)
    const young = this.#young.get(high, low)
    if (young !== undefined) return (this.#last = young)
    const interned = this.#old.get(high, low) ?? internedFrom(bytes, at)
    if (this.#young.size === REPLICAS_INTERNED_MAX) {
      this.#old = this.#young
      this.#young = new Generation()
    }
    this.#young.set(high, low, interned)
    return (this.#last = interned)
  }
}

function internedFrom(bytes: Uint8Array, at: number): Interned {
  const copy = new Uint8Array(REPLICA_ID_BYTES)
  for (let i = 0; i < REPLICA_ID_BYTES; i++) copy[i] = bytes[at + i]!
  return { bytes: copy, replica: internalised(replicaIdFromBytes(copy)) }
}

/**
 * The one copy of a text that the JavaScript engine keeps for names of properties. Two such texts
 * are compared by their addresses; other texts, when they differ, by a call into the runtime (30 ns
 * less for each write, `npm run bench -- write-memory`).
 */
function internalised(replica: ReplicaId): ReplicaId {
  return Object.keys({ [replica]: true })[0] as ReplicaId
}

export function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

export function sameReplica(a: Uint8Array, b: Uint8Array, at: number): boolean {
  for (let i = 0; i < REPLICA_ID_BYTES; i++) if (a[i] !== b[at + i]) return false
  return true
}
