/**
 * Messages of channels on their way between replicas. They are no operations: they are sent once, and
 * nobody asks for what was lost.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'

/** How far a publisher has come in a channel. */
export interface MessageHead {
  readonly channel: string
  /** Names the numbering: a later one of the same publisher and channel is greater. */
  readonly stream: number
  /** Counts the messages of the stream, from 1. */
  readonly number: number
}

/** How far a publisher has come, as it tells. */
export interface ToldHead extends MessageHead {
  /** So long ago that last message was published, ms, when this is told. */
  readonly agoMs: number
}

export interface SentMessage extends MessageHead {
  /** When it was published, ms since 1970 by its publisher's clock. */
  readonly timeMs: number
  /** Encoded as a payload. */
  readonly bytes: Uint8Array
}

/** Who published: a replica, in one of its sessions. */
export interface Publisher {
  readonly replica: ReplicaId
  readonly session: number
}

/** Who is told. */
export interface MessageReceiver {
  /** `bytes` are the receiver's to keep. */
  message(publisher: Publisher, message: SentMessage): void
  /** So far a publisher has come; what is missing then was lost, or is late. */
  head(publisher: Publisher, head: ToldHead): void
  /** What is to be told of this replica's own messages. Asked with each round. */
  heads(): Iterable<ToldHead>
  /** Of the channels that it has used last, `countMax` of them: for whoever may have missed all of that. */
  lastHeads(countMax: number): Iterable<ToldHead>
}

export interface MessageTalkPort {
  connect(receiver: MessageReceiver): void
  /** Once, to everybody who reads messages, over every transport. */
  tell(message: SentMessage): void
}
