/** One partition of an open log: what its appends, its barriers and its reader learn of each other. */
import { isWarpError, asError } from '../../../crdt/warp-error.ts'
import { WarpError } from '../../../src/index.ts'
import type { AppendOutcome, Bookmark, OrderedLogReader, OrderedRecord } from '../../../src/ports/ordered-log.ts'
import { type Appender, type AppenderEntry, type AppenderOptions } from '../../broker/appender.ts'
import { Barriers } from '../../broker/barriers.ts'
import { LogFollower, type LogFollowerOptions, type LogRead } from '../../broker/log-follower.ts'
import type { BrokerClock } from '../../broker/platform-clock.ts'
import { type Answer, type Asking, isFull, isRefusal, orderBroken, textOf } from './asking.ts'
import { APPEND, BARRIER, READ } from './scripts.ts'

export interface RedisEntry extends AppenderEntry {
  readonly partition: Partition
  readonly id: string
}

export interface PartitionOptions {
  readonly partition: number
  /** Of the log, for messages. */
  readonly name: string
  readonly asking: Asking
  readonly clock: BrokerClock
  readonly appender: Appender<RedisEntry>
  readonly readBytesMax: number
  readonly reading: Pick<LogFollowerOptions, 'up' | 'interrupted' | 'resumed'>
}

/** Appends wake the reader over pub/sub; where that is lost, it looks by itself. */
const LOOK_MS = 1000

export class Partition {
  readonly #options: PartitionOptions
  readonly #barriers = new Barriers(() => this.#askBarrier())
  #follower: LogFollower | undefined
  /** The furthest record that was acknowledged to this link. */
  #acknowledged: Bookmark | undefined
  #broken: WarpError | undefined

  constructor(options: PartitionOptions) {
    this.#options = options
  }

  async append(id: string, bytes: Uint8Array, signal?: AbortSignal): Promise<AppendOutcome> {
    if (this.#broken !== undefined) return { kind: 'refused', error: this.#broken }
    return this.#options.appender.append({ partition: this, stream: this.#options.name, id, bytes }, signal)
  }

  /** Now: what was handed to the client has its turn before what follows. */
  readonly send = (id: string, bytes: Uint8Array): Promise<AppendOutcome> => {
    const { asking, partition, name } = this.#options
    const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const asked = asking.run(APPEND, partition, this.#seen(), { values: [id, payload, asking.channel] })
    return asked.then(
      ([kind, said]) => {
        if (textOf(kind) === 'broken') return { kind: 'refused', error: this.#isBroken(textOf(said)) }
        const offset = Number(textOf(said))
        if (offset > (this.#acknowledged?.offset ?? 0)) this.#acknowledged = { offset, id }
        return { kind: 'appended', offset }
      },
      (error: unknown) => failed(name, error),
    )
  }

  async barrier(signal?: AbortSignal): Promise<number> {
    return this.#barriers.place(signal)
  }

  /** Throws `WARP_E_CONFIG`. */
  follow(after: Bookmark | undefined, reader: OrderedLogReader): () => void {
    const { name, partition, asking, clock, reading, readBytesMax } = this.#options
    if (this.#follower?.hasEnded === false) {
      const message = `partition ${partition} of ${name} has a reader; end it before another one begins`
      throw new WarpError('WARP_E_CONFIG', message)
    }
    const read: LogFollowerOptions['read'] = async (last) =>
      readOf(await asking.ask('reading', () => asking.run(READ, partition, last, { values: [readBytesMax] })))
    const bookmark = after === undefined ? undefined : { offset: after.offset, id: after.id }
    const follower = new LogFollower({ ...reading, clock, read, lookMs: LOOK_MS }, bookmark, reader)
    this.#follower = follower
    return () => follower.end()
  }

  wake(): void {
    this.#follower?.wake()
  }

  close(): void {
    this.#follower?.end()
  }

  /** The furthest record that this link knows to be there. */
  #seen(): Bookmark | undefined {
    return further(this.#follower?.proved, this.#acknowledged)
  }

  async #askBarrier(): Promise<AppendOutcome> {
    if (this.#broken !== undefined) return { kind: 'refused', error: this.#broken }
    const { asking, partition } = this.#options
    const seen = this.#seen()
    // Who follows from a bookmark believes that it has seen what lies before it.
    const wanted = further(this.#follower?.last, seen)
    try {
      const keys = [asking.keyOf(partition, 'none')]
      const [, offset] = await asking.ask('a barrier', () => asking.run(BARRIER, partition, wanted, { keys }))
      return { kind: 'appended', offset: Number(textOf(offset)) }
    } catch (error) {
      if (isWarpError(error, 'WARP_E_ORDER_BROKEN')) {
        if (wanted === seen) this.#tell(error)
        else this.#follower?.broken(error)
      }
      return { kind: 'refused', error: error as WarpError }
    }
  }

  #isBroken(reason: string): WarpError {
    return this.#tell(orderBroken(this.#options.name, reason))
  }

  #tell(error: WarpError): WarpError {
    this.#broken ??= error
    this.#follower?.broken(this.#broken)
    return this.#broken
  }
}

/** Of two records the one behind; the latter of the same place. */
function further(a: Bookmark | undefined, b: Bookmark | undefined): Bookmark | undefined {
  return (a?.offset ?? 0) > (b?.offset ?? 0) ? a : b
}

/** For an appender. */
export const sendEntry: AppenderOptions<RedisEntry>['send'] = ({ partition, id, bytes }, answered) => {
  let isOver = false
  void partition.send(id, bytes).then((outcome) => {
    if (!isOver) answered(outcome)
  })
  return () => (isOver = true)
}

function failed(name: string, error: unknown): AppendOutcome {
  const message = `${name}: an append did not succeed: ${asError(error).message}`
  if (isFull(error)) return { kind: 'refused', error: new WarpError('WARP_E_STORAGE_FULL', message, { cause: error }) }
  const isSaid = isRefusal(error)
  const outcome = isSaid ? 'failed' : 'indeterminate'
  const failure = new WarpError('WARP_E_TRANSPORT', message, { cause: error, outcome })
  return { kind: isSaid ? 'refused' : 'unknown', error: failure }
}

function readOf(answer: Answer): LogRead {
  if (textOf(answer[0]) === 'trimmed') return { kind: 'trimmed', firstOffset: Number(textOf(answer[1])) }
  return { kind: 'records', records: recordsOf(answer) }
}

function recordsOf(answer: Answer): OrderedRecord[] {
  const records: OrderedRecord[] = []
  for (let at = 1; at + 2 < answer.length; at += 3) {
    const [offset, timeMs] = textOf(answer[at]).split('-').map(Number)
    // A copy: the answer is a view of what came from the socket.
    const bytes = new Uint8Array(answer[at + 2]!)
    records.push({ offset: offset!, timeMs: timeMs!, id: textOf(answer[at + 1]), bytes })
  }
  return records
}
