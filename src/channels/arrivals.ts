/**
 * Messages of others as they come: perhaps twice, in another order, or not at all. Each is handed on
 * once, and those of one publisher in one channel in their order. One that others have overtaken is
 * waited for, for a moment: a slower transport may bring it. What is missing then is told as missed,
 * and what comes later still counts for nothing.
 *
 * Of a publisher that has not been heard in this channel it is not known where it is. Its first message
 * waits as well, unless it is number 1, for those before it may only be slower.
 *
 * State, for each channel and publisher in one of its sessions: the number that comes next, and what
 * waits. Both have bounds, and what is forgotten begins anew.
 */
import { OldestFirst } from '../../crdt/oldest-first.ts'
import { HELD_BYTES_MAX, HELD_MESSAGES_MAX, MESSAGE_STREAMS_MAX, OVERTAKEN_MS_MAX } from '../limits.ts'
import type { Env, Timer } from '../ports/env.ts'
import type { MessageHead, Publisher, SentMessage } from '../ports/talk/message-talk.ts'

/** Who is told of them. */
export interface ArrivalsListener {
  arrived(publisher: Publisher, message: SentMessage): void
  /** `undefined`: nobody knows how many. */
  missed(publisher: Publisher, channel: string, missedCount: number | undefined): void
}

export interface ArrivalsLimits {
  readonly streamsMax: number
  readonly heldMax: number
  readonly heldBytesMax: number
  readonly waitMs: number
}

const LIMITS: ArrivalsLimits = {
  ...{ streamsMax: MESSAGE_STREAMS_MAX, heldMax: HELD_MESSAGES_MAX },
  ...{ heldBytesMax: HELD_BYTES_MAX, waitMs: OVERTAKEN_MS_MAX },
}

/** Sessions of one replica that may have messages under way. */
const SESSIONS_MAX = 2
/** Nobody has heard this publisher in this channel. */
const UNKNOWN = 0

interface Held {
  readonly message: SentMessage
  /** Until then it waits for those before it, by the monotonic clock. */
  readonly dueMs: number
}

interface Stream {
  readonly publisher: Publisher
  readonly channel: string
  stream: number
  /** The number that is handed on next, or `UNKNOWN`. */
  next: number
  /** There are messages up to here, as the publisher has said, and they are waited for until then. */
  through: number
  throughDueMs: number
  /** If nothing is heard of it until then, something was missed. */
  isOverdue: boolean
  /** What waits, by number. */
  readonly held: Map<number, Held>
  timer: Timer | undefined
}

export class Arrivals {
  readonly #env: Pick<Env, 'schedule' | 'monotonic'>
  readonly #listener: ArrivalsListener
  readonly #limits: ArrivalsLimits
  /** By channel, then by publisher and session, in the order in which they were first heard. */
  readonly #channels = new OldestFirst<string, Map<string, Stream>>()
  #streamsCount = 0
  #heldBytes = 0
  #heldCount = 0
  receivedCount = 0
  /** Of these, those that came again, or had been told as missed. */
  repeatedCount = 0

  constructor(
    env: Pick<Env, 'schedule' | 'monotonic'>,
    listener: ArrivalsListener,
    limits: Partial<ArrivalsLimits> = {},
  ) {
    this.#env = env
    this.#listener = listener
    this.#limits = { ...LIMITS, ...limits }
  }

  get heldCount(): number {
    return this.#heldCount
  }

  get streamsCount(): number {
    return this.#streamsCount
  }

  message(publisher: Publisher, message: SentMessage): void {
    this.receivedCount++
    const one = this.#streamOf(publisher, message)
    if (!this.#isCurrent(one, message) || message.number < one.next || one.held.has(message.number)) {
      this.repeatedCount++
      return
    }
    const isFirst = one.next === UNKNOWN && message.number === 1
    if (message.number === one.next || isFirst) {
      this.#hand(one, message)
      this.#drain(one)
    } else this.#hold(one, message)
  }

  /** A publisher has come so far. `isOverdue`: somebody has listened since before it did. */
  head(publisher: Publisher, head: MessageHead, isOverdue: boolean): void {
    const one = this.#streamOf(publisher, head)
    if (!this.#isCurrent(one, head)) return
    if (head.number <= one.through || head.number < one.next) return
    one.through = head.number
    one.isOverdue ||= isOverdue
    one.throughDueMs = this.#env.monotonic() + this.#limits.waitMs
    this.#wait(one)
  }

  /** Nobody listens any more to those of these channels. */
  forget(isListenedTo: (channel: string) => boolean, channels: Iterable<string> = this.#channels.keys()): void {
    for (const channel of [...channels]) if (!isListenedTo(channel)) this.#forgetChannel(channel)
  }

  #hold(one: Stream, message: SentMessage): void {
    one.held.set(message.number, { message, dueMs: this.#env.monotonic() + this.#limits.waitMs })
    this.#heldCount++
    this.#heldBytes += message.bytes.length
    const { heldMax, heldBytesMax } = this.#limits
    if (one.held.size > heldMax || this.#heldBytes > heldBytesMax) this.#giveUp(one, Infinity)
    else this.#wait(one)
  }

  #wait(one: Stream): void {
    if (one.timer !== undefined) return
    let dueMs = lacksLast(one) ? one.throughDueMs : Infinity
    for (const held of one.held.values()) dueMs = Math.min(dueMs, held.dueMs)
    if (dueMs === Infinity) return
    one.timer = this.#env.schedule(Math.max(0, dueMs - this.#env.monotonic()), () => {
      one.timer = undefined
      this.#giveUp(one, this.#env.monotonic())
    })
  }

  /** What was to have come by then is missed. */
  #giveUp(one: Stream, nowMs: number): void {
    const numbers = [...one.held.keys()].sort((a, b) => a - b)
    if (one.next === UNKNOWN) this.#beginAt(one, numbers[0])
    const last = numbers.findLast((number) => (one.held.get(number) as Held).dueMs <= nowMs) ?? 0
    for (const number of numbers) {
      if (number > last && number !== one.next) break
      this.#passTo(one, number)
      this.#hand(one, this.#release(one, number))
    }
    if (one.held.size === 0 && lacksLast(one) && one.throughDueMs <= nowMs) this.#passTo(one, one.through + 1)
    this.#rest(one)
    this.#wait(one)
  }

  /** What was before that has not come within the time, so it was before anybody listened. */
  #beginAt(one: Stream, first: number | undefined): void {
    one.next = first ?? one.through + 1
    // A last number was told, and no message is here: it was lost, if it was published since somebody listens.
    if (first === undefined && one.isOverdue) this.#missed(one, undefined)
  }

  /** Those before `number` do not come. */
  #passTo(one: Stream, number: number): void {
    if (number <= one.next) return
    const missedCount = number - one.next
    one.next = number
    this.#missed(one, missedCount)
  }

  /** Hands on what has waited for the one before it. */
  #drain(one: Stream): void {
    while (one.held.has(one.next)) this.#hand(one, this.#release(one, one.next))
    if (one.held.size === 0 && !lacksLast(one)) this.#rest(one)
    else this.#wait(one)
  }

  #rest(one: Stream): void {
    one.timer?.cancel()
    one.timer = undefined
  }

  #hand(one: Stream, message: SentMessage): void {
    one.next = message.number + 1
    this.#listener.arrived(one.publisher, message)
  }

  #release(one: Stream, number: number): SentMessage {
    const { message } = one.held.get(number) as Held
    one.held.delete(number)
    this.#heldCount--
    this.#heldBytes -= message.bytes.length
    return message
  }

  #missed({ publisher, channel }: Stream, missedCount: number | undefined): void {
    this.#listener.missed(publisher, channel, missedCount)
  }

  /** Whether this is of the stream that its publisher is at. A later one takes its place. */
  #isCurrent(one: Stream, { stream }: MessageHead): boolean {
    if (stream <= one.stream) return stream === one.stream
    // What waits is all that comes of the old one.
    this.#giveUp(one, Infinity)
    one.stream = stream
    one.next = 1
    one.through = 0
    return true
  }

  #streamOf(publisher: Publisher, { channel, stream }: MessageHead): Stream {
    const name = `${publisher.replica}/${publisher.session}`
    const streams = this.#channels.get(channel) ?? new Map<string, Stream>()
    // The youngest of them.
    this.#channels.delete(channel)
    this.#channels.set(channel, streams)
    const known = streams.get(name)
    if (known !== undefined) return known
    const one: Stream = {
      ...{ publisher, channel, stream, next: UNKNOWN, through: 0, throughDueMs: 0, isOverdue: false },
      ...{ held: new Map<number, Held>(), timer: undefined },
    }
    streams.set(name, one)
    this.#streamsCount++
    this.#forgetOldSessions(streams, publisher)
    while (this.#streamsCount > this.#limits.streamsMax && this.#channels.size > 1)
      this.#forgetChannel(this.#channels.oldest() as string)
    return one
  }

  #forgetOldSessions(streams: Map<string, Stream>, { replica }: Publisher): void {
    const sessions = [...streams].filter(([, { publisher }]) => publisher.replica === replica)
    for (const [name, one] of sessions.slice(0, Math.max(0, sessions.length - SESSIONS_MAX))) {
      this.#giveUp(one, Infinity)
      this.#forgetStream(streams, name, one)
    }
  }

  #forgetChannel(channel: string): void {
    const streams = this.#channels.get(channel)
    if (streams === undefined) return
    for (const [name, one] of [...streams]) this.#forgetStream(streams, name, one)
    this.#channels.delete(channel)
  }

  #forgetStream(streams: Map<string, Stream>, name: string, one: Stream): void {
    this.#rest(one)
    for (const number of [...one.held.keys()]) this.#release(one, number)
    streams.delete(name)
    this.#streamsCount--
  }
}

/** Its publisher has said that there are more. */
function lacksLast({ next, through }: Stream): boolean {
  return through > 0 && next <= through
}
