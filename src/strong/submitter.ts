/**
 * The way of commands into one partition: gathers the commands of a turn into records, appends them
 * without waiting for one another, and settles each when its own record has come back and has been
 * judged here. What the log does not answer is appended again under the same id. A command ends in
 * one of three ways: its verdict; `failed`, when it certainly has no place; or `indeterminate`.
 */
import { OldestFirst } from '../../crdt/oldest-first.ts'
import { asError, WarpError } from '../../crdt/warp-error.ts'
import type { ReplicaId } from '../../crdt/time/replica-id.ts'
import { RECORD_COMMANDS_MAX, STRONG_WRITES_MAX } from '../limits.ts'
import { whenAborted } from '../ports/abort-signals.ts'
import type { Env } from '../ports/env.ts'
import type { AppendOutcome, OrderedLogLink } from '../ports/ordered-log.ts'
import { ignoreOutcome } from '../../crdt/synchronous.ts'
import { checkSizes, encodeCommand, encodeRecord, type Command } from './commands.ts'
import type { Partition } from './partition.ts'
import { decodeVerdict, type Verdict } from './verdict.ts'

export interface SubmitOptions {
  readonly signal?: AbortSignal | undefined
  /** Default: that of the submitter. `Infinity`: until the log has been closed. */
  readonly timeoutMs?: number
}

/** What a command came to, and under which name. */
export interface Submitted {
  readonly sequence: number
  readonly verdict: Verdict
}

interface Pending {
  readonly bytes: Uint8Array
  readonly sequence: number
  /** The time of the log when it was first handed over. */
  sinceMs: number
  settle: (verdict: Verdict) => void
  fail: (error: WarpError) => void
}

/** A record that has been handed to the log. */
interface Sent {
  readonly id: string
  readonly bytes: Uint8Array
  readonly commands: readonly Pending[]
}

export interface SubmitterOptions {
  readonly env: Env
  readonly link: OrderedLogLink
  readonly partition: Partition
  /** As whom. */
  readonly author: ReplicaId
  readonly timeoutMs: number
}

/** Why a caller waits no longer. What has been sent is not told of as if it had not. */
type Why = (isSent: boolean) => WarpError

/** Between two tries to append a record whose answer was lost. */
const AGAIN_MS = 200
/** What a record needs beside its commands, at most. */
const RECORD_OVERHEAD_BYTES = 128
const COMMAND_OVERHEAD_BYTES = 5
/** So many outcomes of commands that were given up are kept. */
const OUTCOMES_MAX = 10_000
/** So often a command is sent again that came too late. */
const LATE_TRIES = 3

export class Submitter {
  readonly #options: SubmitterOptions
  /** Not in a record yet, or in one that certainly has no place; by their numbers. */
  #queue: Pending[] = []
  /** In a record that may have a place, by their numbers. */
  readonly #sent = new Map<number, Pending>()
  /** Numbers whose verdict is not known here: nothing from the first of them on may be forgotten. */
  readonly #open = new OldestFirst<number, true>()
  /** What became of those whose callers did not wait for it. */
  readonly #outcomes = new OldestFirst<number, Promise<Verdict | undefined>>()
  /** Numbers of others that are being closed. */
  readonly #closing = new Map<string, Promise<Verdict | undefined>>()
  readonly #commandBytesMax: number
  #next = 1
  #recordsCount = 0
  #isFlushing = false
  #isFlushingLater = false
  /** When the time of the log was last seen, by the monotonic clock. */
  #seenMs: number
  #closed: WarpError | undefined
  /** What became of appends. */
  readonly counts = { appended: 0, refused: 0, unknown: 0 }
  /** The greatest place that a record of its own has. */
  headOffset = 0

  constructor(options: SubmitterOptions) {
    this.#options = options
    this.#commandBytesMax = options.link.recordBytesMax - RECORD_OVERHEAD_BYTES
    this.#seenMs = options.env.monotonic()
  }

  /** Commands that wait for their verdict. */
  get waitingCount(): number {
    return this.#queue.length + this.#sent.size
  }

  /**
   * Rejects with `WARP_E_LIMIT`, `WARP_E_UNENCODABLE`, `WARP_E_TRANSPORT` and `WARP_E_ABORTED`
   * (`failed`: it has no place and never will), with `WARP_E_INDETERMINATE` and `WARP_E_ABORTED`
   * (`indeterminate`, with the dot in `details`).
   */
  async submit(
    command: Command,
    { signal, timeoutMs = this.#options.timeoutMs }: SubmitOptions = {},
  ): Promise<Submitted> {
    const { env } = this.#options
    const startMs = env.monotonic()
    for (let tries = 1; ; tries++) {
      // All tries together take no longer than one may.
      const leftMs = Math.max(1, Math.ceil(startMs + timeoutMs - env.monotonic()))
      const submitted = await this.#submitOnce(command, { signal, timeoutMs: leftMs })
      if (submitted.verdict.kind !== 'void' || tries === LATE_TRIES) return submitted
    }
  }

  /**
   * What became of a command; `undefined`: that is not remembered. If it has not come yet, it never will
   * count. Settles when the log has said so, however long that takes, or rejects when this is closed:
   * who cannot wait stops waiting, and asks again for the same answer.
   */
  outcome(author: ReplicaId, sequence: number): Promise<Verdict | undefined> {
    const own = author === this.#options.author ? this.#outcomes.get(sequence) : undefined
    if (own !== undefined) return own
    const name = `${author}:${sequence}`
    const known = this.#closing.get(name)
    if (known !== undefined) return known
    const closing = this.#close(author, sequence, 0).finally(() => this.#closing.delete(name))
    this.#closing.set(name, closing)
    return closing
  }

  #submitOnce(
    command: Command,
    { signal, timeoutMs }: SubmitOptions & { readonly timeoutMs: number },
  ): Promise<Submitted> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw this.#closed
      if (signal?.aborted === true) throw givenUp(signal)
      const bytes = encodeCommand(command)
      checkSizes(command, bytes.length)
      if (bytes.length > this.#commandBytesMax) throw tooLarge(bytes.length, this.#commandBytesMax)
      if (this.waitingCount >= STRONG_WRITES_MAX && timeoutMs !== Infinity) throw tooMany()
      const sequence = this.#next++
      const pending: Pending = {
        ...{ bytes, sequence, sinceMs: 0 },
        settle: (verdict) => {
          stop()
          resolve({ sequence, verdict })
        },
        fail: (error) => {
          stop()
          reject(error)
        },
      }
      const end = (why: Why): void => this.#giveUp(pending, why)
      const stopListening =
        signal === undefined ? nothing : whenAborted(signal, () => end((isSent) => givenUp(signal, isSent)))
      const { env } = this.#options
      const timer =
        timeoutMs === Infinity ? undefined : env.schedule(timeoutMs, () => end((isSent) => late(timeoutMs, isSent)))
      const stop = (): void => {
        stopListening()
        timer?.cancel()
      }
      this.#open.set(sequence, true)
      this.#queue.push(pending)
      this.#flushSoon()
    })
  }

  /** A command of this author has been judged. */
  judged(sequence: number, verdict: Verdict): void {
    this.noteTime()
    const pending = this.#sent.get(sequence)
    // What was given up stays open until its outcome can be asked for: below the floor it is forgotten.
    if (pending !== undefined || !this.#outcomes.has(sequence)) this.#open.delete(sequence)
    if (pending === undefined) return
    this.#sent.delete(sequence)
    pending.settle(verdict)
  }

  /** Something of the partition has come: the log's time is known anew. */
  noteTime(): void {
    this.#seenMs = this.#options.env.monotonic()
  }

  /**
   * The partition has taken a snapshot in the place of records, and nobody has been told of the verdicts
   * in these. Of a write that was done it is not known which version it made.
   */
  restored(): void {
    const { author, partition } = this.#options
    this.noteTime()
    for (const pending of [...this.#sent.values()]) {
      const known = partition.place.authors.verdictOf(author, pending.sequence)
      if (known === undefined) continue
      if (known === 'before' || (known.kind === 'done' && known.given === undefined)) this.#giveUp(pending, passedOver)
      else this.judged(pending.sequence, known)
    }
  }

  /** Rejects what waits. */
  close(error: WarpError): void {
    this.#closed = error
    for (const pending of this.#queue) pending.fail(error)
    this.#queue = []
    for (const pending of this.#sent.values()) pending.fail(this.#indeterminate(pending, error))
    this.#sent.clear()
  }

  /** Its caller waits no longer. What has been sent may count all the same. */
  #giveUp(pending: Pending, why: Why): void {
    const { sequence } = pending
    if (!this.#sent.delete(sequence)) {
      this.#queue = this.#queue.filter((one) => one !== pending)
      this.#open.delete(sequence)
      pending.fail(why(false))
      return
    }
    pending.fail(this.#indeterminate(pending, why(true)))
    // As soon as the log is there its outcome is known, and can be asked for.
    const outcome = this.#close(this.#options.author, sequence, pending.sinceMs)
    ignoreOutcome(outcome)
    this.#outcomes.set(sequence, outcome)
    if (this.#outcomes.size > OUTCOMES_MAX) this.#outcomes.delete(this.#outcomes.oldest() as number)
    outcome.then(() => this.#open.delete(sequence)).catch(nothing)
  }

  /** Has a number closed. A log that refuses that, because it is full say, is asked again. */
  async #close(author: ReplicaId, sequence: number, sinceMs: number): Promise<Verdict | undefined> {
    for (;;) {
      try {
        const closing = { kind: 'void', author, sequence, sinceMs } as const
        const { verdict } = await this.#submitOnce(closing, { timeoutMs: Infinity })
        // If it came too late itself, nothing has been said of the other.
        if (verdict.kind === 'done') return closedVerdict(verdict)
      } catch {
        if (this.#closed !== undefined) throw this.#closed
        await this.#pause()
      }
    }
  }

  #indeterminate(pending: Pending, cause: WarpError): WarpError {
    const { author: replica, partition, link } = this.#options
    const sequence = numberOf(pending.sequence, partition.index, link.partitionsCount)
    const code = cause.code === 'WARP_E_ABORTED' ? 'WARP_E_ABORTED' : 'WARP_E_INDETERMINATE'
    return new WarpError(
      code,
      `the write ${replica}:${sequence} was sent to the ordered log, and has not come back yet; ` +
        'it may count, now or later; ask warp.resolve(error)',
      { details: { replica, sequence }, outcome: 'indeterminate', cause },
    )
  }

  #flushSoon(): void {
    if (this.#isFlushing) return
    this.#isFlushing = true
    this.#options.env.defer(() => {
      this.#isFlushing = false
      while (this.#queue.length > 0) this.#send(this.#cut())
    })
  }

  /** The next record: commands with numbers that follow each other. */
  #cut(): readonly Pending[] {
    let bytes = 0
    let count = 0
    const first = this.#queue[0]?.sequence ?? 0
    for (const pending of this.#queue) {
      bytes += pending.bytes.length + COMMAND_OVERHEAD_BYTES
      const isNext = pending.sequence === first + count
      if (count > 0 && (!isNext || bytes > this.#commandBytesMax || count === RECORD_COMMANDS_MAX)) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  #send(commands: readonly Pending[]): void {
    const { author } = this.#options
    const basisMs = this.timeMs
    for (const pending of commands) {
      pending.sinceMs ||= basisMs
      this.#sent.set(pending.sequence, pending)
    }
    const first = (commands[0] as Pending).sequence
    const bytes = encodeRecord(
      { author, first, floor: this.#floor(), basisMs },
      commands.map((pending) => pending.bytes),
    )
    ignoreOutcome(this.#append({ id: `${author}-${this.#recordsCount++}`, bytes, commands }))
  }

  /** Until the log has said that it has a place, or that it has none, or nobody waits for it. */
  async #append(sent: Sent): Promise<void> {
    let mayHavePlace = false
    while (this.#closed === undefined && sent.commands.some(({ sequence }) => this.#open.has(sequence))) {
      const outcome = await this.#appendOnce(sent)
      if (outcome.kind === 'appended') return
      if (outcome.kind === 'refused' && !mayHavePlace) {
        this.#refused(sent, outcome.error)
        return
      }
      mayHavePlace = true
      await this.#pause()
    }
  }

  async #appendOnce({ id, bytes }: Sent): Promise<AppendOutcome> {
    const { link, partition } = this.#options
    let outcome: AppendOutcome
    try {
      outcome = await link.append(partition.index, id, bytes)
    } catch (error) {
      outcome = { kind: 'unknown', error: new WarpError('WARP_E_TRANSPORT', asError(error).message, { cause: error }) }
    }
    this.counts[outcome.kind]++
    if (outcome.kind === 'appended') this.headOffset = Math.max(this.headOffset, outcome.offset)
    return outcome
  }

  /** The record has no place. Where the log is not there, its commands wait for it. */
  #refused({ commands }: Sent, error: WarpError): void {
    const isAway = error.code === 'WARP_E_TRANSPORT'
    const waiting = commands.filter(({ sequence }) => this.#sent.delete(sequence))
    if (isAway) {
      this.#queue = [...waiting, ...this.#queue].sort((a, b) => a.sequence - b.sequence)
      this.#flushLater()
      return
    }
    for (const pending of waiting) {
      this.#open.delete(pending.sequence)
      pending.fail(error)
    }
  }

  /** Once for all that wait: each record that is refused comes here. */
  #flushLater(): void {
    if (this.#isFlushingLater) return
    this.#isFlushingLater = true
    this.#options.env.schedule(AGAIN_MS, () => {
      this.#isFlushingLater = false
      this.#flushSoon()
    })
  }

  #pause(): Promise<void> {
    return new Promise<void>((resolve) => void this.#options.env.schedule(AGAIN_MS, resolve))
  }

  /** The smallest number whose verdict is not known. */
  #floor(): number {
    return this.#open.oldest() ?? this.#next
  }

  /** The time of the log now, as far as it is known. */
  get timeMs(): number {
    const { env, partition } = this.#options
    const { timeMs } = partition.place
    if (timeMs === 0) return env.now()
    return Math.floor(timeMs + env.monotonic() - this.#seenMs)
  }
}

/** The number in a dot says which partition it is of. */
export function numberOf(sequence: number, partition: number, count: number): number {
  return sequence * count + partition
}

/** What was given with a number that was closed: the verdict of the command that had it, if that is known. */
function closedVerdict({ given }: Extract<Verdict, { kind: 'done' }>): Verdict | undefined {
  const isForgotten = Array.isArray(given) && given.length === 0
  return isForgotten ? undefined : decodeVerdict(given)
}

function givenUp(signal: AbortSignal, isSent = false): WarpError {
  const message = isSent ? 'waiting for the write was given up' : 'the write was given up; nothing was sent'
  return new WarpError('WARP_E_ABORTED', message, { cause: signal.reason })
}

function late(timeoutMs: number, isSent: boolean): WarpError {
  return new WarpError(
    'WARP_E_TRANSPORT',
    `the ordered log has not answered within ${timeoutMs} ms` +
      (isSent ? '' : ', and the write was not sent; it does not count; try again when the log is there'),
    { details: { timeoutMs } },
  )
}

function passedOver(): WarpError {
  return new WarpError('WARP_E_TRANSPORT', 'this replica had fallen behind what the ordered log keeps')
}

function tooLarge(bytes: number, limit: number): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `a strong write takes ${bytes} bytes, and the ordered log takes ${limit} at most; write less at once`,
    { details: { bytes, limit } },
  )
}

function tooMany(): WarpError {
  return new WarpError(
    'WARP_E_LIMIT',
    `${STRONG_WRITES_MAX} strong writes wait for the ordered log already; wait for some of them`,
    { details: { limit: STRONG_WRITES_MAX } },
  )
}

function nothing(): void {
  // Nothing to stop, nothing to say.
}
