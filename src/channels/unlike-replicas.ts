/**
 * Replicas that declare a channel unlike each other: one keeps its messages, another one does not. For a
 * while that is so in every deploy that changes it. They hear each other all the same: what comes as a
 * message is shown where the channel is kept, and what comes as an operation is shown where it is not.
 * And it is told, for what is kept is then not the whole: once for each peer and pattern that is declared.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { isHidden } from '../keys/hidden/hidden-keys.ts'
import type { KeyStore } from '../store/key-store.ts'
import { keepOperation } from '../store/kept-operation.ts'
import type { Entered } from '../store/write-road/draft.ts'
import { channelOf } from './channel-name.ts'
import type { ChannelMessage, ChannelsDiffer } from './channel-types.ts'

/** So many are remembered. */
const TOLD_MAX = 1000

export interface UnlikeReplicasParts {
  readonly store: KeyStore
  /** The pattern that declares a channel here, if one does. */
  readonly patternOf: (channel: string) => string | undefined
  readonly isListenedTo: (channel: string) => boolean
  readonly observe: (event: ChannelsDiffer) => void
  /** A message that a replica keeps and this one does not. */
  readonly arrived: (channel: string, facts: Pick<ChannelMessage, 'publisher' | 'timeMs'>, bytes: Uint8Array) => void
  /** It cannot be read. */
  readonly malformed: () => void
}

export class UnlikeReplicas {
  readonly #parts: UnlikeReplicasParts
  readonly #told = new Set<string>()
  #unsubscribe: (() => void) | undefined

  constructor(parts: UnlikeReplicasParts) {
    this.#parts = parts
  }

  /** Somebody listens: what others keep is to be shown. */
  follow(): void {
    this.#unsubscribe ??= this.#parts.store.subscribe((entered) => this.#entered(entered))
  }

  /** Nobody listens any more. */
  rest(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = undefined
  }

  /** A message came of a channel that is kept here, and is not by its publisher. */
  notKeptThere(replica: ReplicaId, channel: string): void {
    this.#tell({ kind: 'channel:differs', channel, replica, here: 'kept', there: 'not kept' })
  }

  #entered({ slot, keyspace, position, version, replica }: Entered): void {
    const { store, isListenedTo, arrived, malformed } = this.#parts
    if (keyspace !== store.keyspaces.unregistered) return
    const key = store.keys.keys[slot]
    if (key === undefined || !isHidden(key)) return
    const channel = channelOf(key)
    this.#tell({ kind: 'channel:differs', channel, replica, here: 'not kept', there: 'kept' })
    if (!isListenedTo(channel)) return
    try {
      const { payload, dot, origin, timeMs } = keepOperation(store, key, version, position)
      // What a later version of Warp wrote there is nothing that this one could show.
      if (payload instanceof Uint8Array) arrived(channel, { publisher: (origin ?? dot).replica, timeMs }, payload)
    } catch {
      malformed()
    }
  }

  #tell(event: ChannelsDiffer): void {
    const { patternOf, observe, store } = this.#parts
    const name = `${event.replica}/${event.here}/${patternOf(event.channel) ?? ''}`
    if (this.#told.has(name)) return
    if (this.#told.size >= TOLD_MAX) this.#told.clear()
    this.#told.add(name)
    store.env.defer(() => observe(event))
  }
}
