/** What is known of whoever is connected, and what it has under way. */
import type { ReplyWriter } from '../protocol/reply-writer.ts'
import type { ClientTracking } from '../changes/tracking-options.ts'
import type { User } from '../access/user.ts'

/** `skip-next`: the next reply is left out; `skip`: this one is. */
export type ReplyMode = 'on' | 'off' | 'skip-next' | 'skip'

/** Commands that are gathered between MULTI and EXEC. */
export interface Gathered {
  readonly requests: (readonly string[])[]
  /** What they take, about. */
  bytes: number
  /** One of them was refused when it came: none will run. */
  isRefused: boolean
}

/** A command that waits. */
export interface Waiting {
  /** Ends it from outside. `error`: what is replied; `undefined`: as if its time were over. */
  readonly end: (error?: string) => void
}

/** A key as it was at WATCH. */
export interface Watched {
  readonly version: number
  readonly isThere: boolean
}

/** The way to whoever is connected. */
export interface ClientOutlet {
  readonly reply: ReplyWriter
  /** Writes what was not asked for, between two replies. */
  push(write: (reply: ReplyWriter) => void): void
  /** `isSoft`: when all that has been written is gone. */
  close(isSoft: boolean): void
  /** Bytes that are not sent yet. */
  readonly pendingBytes: number
  readonly heldBytes: number
}

export interface ClientPlace {
  readonly id: number
  /** `host:port`. */
  readonly address: string
  readonly localAddress: string
  readonly nowMs: number
}

export class Client {
  readonly id: number
  readonly address: string
  readonly localAddress: string
  readonly beganMs: number
  readonly outlet: ClientOutlet
  lastMs: number
  name = ''
  libraryName = ''
  libraryVersion = ''
  lastCommand = 'NULL'
  /** What it has asked for last; of that it waits for, while it waits. */
  lastRequest: readonly string[] = []
  /** `undefined`: it has not said who it is, and has to. */
  user: User | undefined
  replyMode: ReplyMode = 'on'
  gathered: Gathered | undefined
  readonly watched: Map<string, Watched> = new Map<string, Watched>()
  readonly channels: Set<string> = new Set<string>()
  readonly patterns: Set<string> = new Set<string>()
  readonly shardChannels: Set<string> = new Set<string>()
  waiting: Waiting | undefined
  /** What it has its cache hear; `undefined`: nothing. */
  tracking: ClientTracking | undefined
  isNoEvict = false
  isNoTouch = false

  constructor({ id, address, localAddress, nowMs }: ClientPlace, outlet: ClientOutlet, user: User | undefined) {
    this.id = id
    this.address = address
    this.localAddress = localAddress
    this.beganMs = nowMs
    this.lastMs = nowMs
    this.outlet = outlet
    this.user = user
  }

  get subscriptionsCount(): number {
    return this.channels.size + this.patterns.size
  }

  get isSubscribed(): boolean {
    return this.subscriptionsCount + this.shardChannels.size > 0
  }
}
