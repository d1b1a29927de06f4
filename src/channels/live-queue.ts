/**
 * Messages that are not kept, for one consumer. Bounded in messages and bytes: with more of them than
 * that its consumer is told of a gap, and goes on from the present, as in a watch.
 */
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import type { Encodable } from '../../crdt/encoding/encodable.ts'
import { copyLoose } from '../../crdt/encoding/shared-value.ts'
import { decode } from '../../crdt/encoding/encoding.ts'
import type { ChannelMessage, ChannelGap } from './channel-types.ts'

/** A message as it came, shared by the queues that hold it. Decoded once, for the first who is shown it. */
export class ArrivedMessage {
  readonly bytesCount: number
  readonly #facts: Omit<ChannelMessage, 'payload'>
  #bytes: Uint8Array | undefined
  #payload: Encodable | undefined

  constructor(facts: Omit<ChannelMessage, 'payload'>, bytes: Uint8Array) {
    this.#facts = facts
    this.#bytes = bytes
    this.bytesCount = bytes.length
  }

  get channel(): string {
    return this.#facts.channel
  }

  /** Throws `WARP_E_PROTOCOL` for bytes that are no payload. */
  shown(): ChannelMessage {
    if (this.#bytes !== undefined) {
      this.#payload = decode(this.#bytes)
      this.#bytes = undefined
    }
    return { ...this.#facts, payload: copyLoose(this.#payload) }
  }
}

export interface QueueLimits {
  readonly pendingCountMax: number
  readonly pendingBytesMax: number
}

export class LiveQueue {
  readonly #limits: QueueLimits
  #items: (ArrivedMessage | ChannelGap)[] = []
  #at = 0
  /** Messages that wait; gaps are no more than one between two of them. */
  #count = 0
  #bytes = 0
  /** Messages that it has let go of. */
  droppedCount = 0

  constructor(limits: QueueLimits) {
    this.#limits = limits
  }

  get count(): number {
    return this.#count
  }

  /** Returns whether all that was pending had to go. */
  push(message: ArrivedMessage): boolean {
    const { pendingCountMax, pendingBytesMax } = this.#limits
    const hasRoom = this.count < pendingCountMax && this.#bytes + message.bytesCount <= pendingBytesMax
    const isFull = !hasRoom && this.count > 0
    if (isFull) this.#startAfresh()
    this.#items.push(message)
    this.#count++
    this.#bytes += message.bytesCount
    return isFull
  }

  /** Some were missed before what comes next. */
  gap(channel: string, publisher: ReplicaId, missedCount: number | undefined): void {
    const last = this.#items.at(-1)
    if (this.#items.length > this.#at && last !== undefined && !(last instanceof ArrivedMessage)) {
      this.#items[this.#items.length - 1] = joined(last, { kind: 'gap', missedCount, channel, publisher })
      return
    }
    this.#items.push({ kind: 'gap', missedCount, channel, publisher })
  }

  take(): ArrivedMessage | ChannelGap | undefined {
    const item = this.#items[this.#at]
    if (item === undefined) return undefined
    if (item instanceof ArrivedMessage) {
      this.#count--
      this.#bytes -= item.bytesCount
    }
    this.#at++
    if (this.#at * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#at)
      this.#at = 0
    }
    return item
  }

  clear(): void {
    this.#items = []
    this.#at = 0
    this.#count = 0
    this.#bytes = 0
  }

  #startAfresh(): void {
    let gap: ChannelGap | undefined
    for (const item of this.#items.slice(this.#at)) {
      const own: ChannelGap =
        item instanceof ArrivedMessage ? { kind: 'gap', missedCount: 1, channel: item.channel } : item
      if (item instanceof ArrivedMessage) this.droppedCount++
      gap = gap === undefined ? own : joined(gap, own)
    }
    this.clear()
    if (gap !== undefined) this.#items.push(gap)
  }
}

/** Two gaps as one: what they do not agree on is not said. */
function joined(a: ChannelGap, b: ChannelGap): ChannelGap {
  const isCounted = a.missedCount !== undefined && b.missedCount !== undefined
  return {
    kind: 'gap',
    missedCount: isCounted ? (a.missedCount ?? 0) + (b.missedCount ?? 0) : undefined,
    ...(a.channel !== undefined && a.channel === b.channel ? { channel: a.channel } : {}),
    ...(a.publisher !== undefined && a.publisher === b.publisher ? { publisher: a.publisher } : {}),
  }
}
