/**
 * An ordered log inside one process: the executable specification of the port, and the one that
 * tests and the simulator torment. All replicas of the process share one object, which outlives
 * them. It can be slow, lose appends and answers, keep a record twice, hand it over again, lose its
 * connections, and be purged, rolled back and made anew as a broker is. All chances come from one
 * seeded generator, and with a virtual `Env` the same seed gives the same run.
 *
 * A request is carried out in a turn of the event loop after its call, and answered in the same
 * turn unless something delays it. Readers are handed its record in a later turn.
 */
import { checkOptions, isNumberFrom, isWholeFrom, refusedOption } from '../../../crdt/checked-options.ts'
import { FRAME_BYTES_MAX } from '../../limits.ts'
import type { OrderedLog, OrderedLogLink, OrderedLogReceiver, OrderedRecord } from '../ordered-log.ts'
import { MemoryLogLink } from './link.ts'
import { type CoreSettings, LogCore, type OrderedLogClock } from './log-core.ts'
import { LOG_TROUBLES, logTroubles, NO_TROUBLES, type OrderedLogTroubles } from './log-troubles.ts'
import { requestError } from './order-error.ts'

export interface MemoryOrderedLogSettings extends OrderedLogTroubles {
  /** Shown to people, behind `memory:`. Default `log`. */
  readonly name?: string
  /** Partitions, 1 to 256. Default 1. */
  readonly partitions?: number
  /** The largest record, bytes. Default 4 MiB, a frame between replicas. */
  readonly recordBytesMax?: number
  /**
   * Bytes of all records that are kept. What would exceed them is refused with
   * `WARP_E_STORAGE_FULL`, until somebody trims. Default 1 GiB.
   */
  readonly keptBytesMax?: number
  /** How long a request waits for an answer that does not come. Default 5000. */
  readonly answerMs?: number
  /**
   * `'asked'`: a barrier is the last place. `'records'`: it is an empty record, as in logs that
   * cannot be asked. Default `'asked'`.
   */
  readonly barriers?: 'asked' | 'records'
  /** Decides every trouble. Default 1. */
  readonly seed?: number
}

export interface MemoryOrderedLogStats {
  /** Records that got a place by an append, and once more by the same one. */
  readonly appendedRecords: number
  readonly repeatedRecords: number
  /** By `keptBytesMax`. */
  readonly refusedRecords: number
  readonly trimmedRecords: number
  /** Appends and barriers that never arrived, and those whose answers did not. */
  readonly lostAppends: number
  readonly lostAnswers: number
  readonly redeliveredRecords: number
  /** Offsets that `holes` left out. */
  readonly skippedOffsets: number
  /** There now. */
  readonly keptRecords: number
  readonly keptBytes: number
  readonly links: number
}

export interface MemoryOrderedLog extends OrderedLog {
  /**
   * The log as one replica sees it, whose troubles and connection can be told from those of others.
   * Who opens it again, after a restart say, finds them as they are.
   */
  named(name: string): OrderedLog
  /** Changes how the log behaves: for `name`, or for everybody. Throws `WARP_E_CONFIG`. */
  troubles(settings: OrderedLogTroubles, name?: string): void
  /**
   * Cuts the connections of `name`, or of everybody: a broker that is down. Of what is under way
   * some arrives, later; nothing is answered.
   */
  disconnect(name?: string): void
  /** Undoes `disconnect` of the same name. */
  reconnect(name?: string): void
  /** The process of `name` is gone: its links end, and nobody is told of anything. */
  abandon(name: string): void
  /**
   * What an operator does who removes all records, whether a snapshot holds them or not. Whoever
   * misses some that no snapshot holds is told that the log is broken.
   */
  purge(partition: number): void
  /** The log as it was when `offset` was its last record: a backup, or a server that was behind. */
  rollBack(partition: number, offset: number): void
  /** Another log under the same name, empty and without snapshots. */
  recreate(): void
  /** What is there now, in order. */
  records(partition: number): readonly OrderedRecord[]
  stats(): MemoryOrderedLogStats
}

const SETTINGS = [
  ...LOG_TROUBLES,
  ...['name', 'partitions', 'recordBytesMax', 'keptBytesMax', 'answerMs', 'barriers', 'seed', 'env'],
]

const PARTITIONS_MAX = 256
const KEPT_BYTES_MAX = 1024 * 1024 * 1024
const ANSWER_MS = 5000
const DAY_MS = 86_400_000

/** `clock`: time, timers and randomness. `warp-engine/memory` takes the platform's by default. */
export function memoryOrderedLogOn(clock: OrderedLogClock, settings: MemoryOrderedLogSettings = {}): MemoryOrderedLog {
  return new SharedLog(new LogCore(clock, checked(settings)))
}

class SharedLog implements MemoryOrderedLog {
  readonly kind = 'ordered'
  readonly name: string
  readonly #core: LogCore
  readonly #links = new Set<MemoryLogLink>()
  readonly #cutNames = new Set<string>()
  #isDown = false

  constructor(core: LogCore) {
    this.#core = core
    this.name = core.name
  }

  open(receiver: OrderedLogReceiver): Promise<OrderedLogLink> {
    return this.#open('', receiver)
  }

  named(name: string): OrderedLog {
    return { kind: 'ordered', name: this.name, open: (receiver) => this.#open(name, receiver) }
  }

  troubles(settings: OrderedLogTroubles, name?: string): void {
    this.#core.setTroubles(settings, name)
  }

  disconnect(name?: string): void {
    if (name === undefined) this.#isDown = true
    else this.#cutNames.add(name)
    for (const link of [...this.#links]) if (!this.#isReachable(link.place)) link.disconnect()
  }

  reconnect(name?: string): void {
    if (name === undefined) this.#isDown = false
    else this.#cutNames.delete(name)
    for (const link of [...this.#links]) if (this.#isReachable(link.place)) link.reconnect()
  }

  abandon(name: string): void {
    for (const link of [...this.#links]) if (link.place === name) link.abandon()
  }

  purge(partition: number): void {
    const { lastOffset } = this.#partition(partition)
    this.#partition(partition).letGo(lastOffset + 1)
  }

  rollBack(partition: number, offset: number): void {
    const { goneOffset, lastOffset } = this.#partition(partition)
    if (!isWholeFrom(offset, goneOffset, lastOffset)) {
      const message = `${this.name}: rolling back to ${String(offset)} is not possible`
      throw requestError('WARP_E_CONFIG', `${message}; give an offset from ${goneOffset} to ${lastOffset}`)
    }
    this.#partition(partition).rollBack(offset)
  }

  recreate(): void {
    this.#core.recreate()
  }

  records(partition: number): readonly OrderedRecord[] {
    return this.#partition(partition).records.slice()
  }

  stats(): MemoryOrderedLogStats {
    const keptRecords = this.#core.partitions.reduce((sum, { records }) => sum + records.length, 0)
    return { ...this.#core.counts, keptRecords, keptBytes: this.#core.keptBytes, links: this.#links.size }
  }

  async #open(name: string, receiver: OrderedLogReceiver): Promise<OrderedLogLink> {
    const travelMs = this.#core.travelMs(name)
    if (travelMs > 0) await new Promise<void>((resolve) => this.#core.clock.schedule(travelMs, resolve))
    else await this.#core.clock.yield()
    if (!this.#isReachable(name)) throw requestError('WARP_E_TRANSPORT', `${this.name}: there is no connection`)
    const left = (): void => void this.#links.delete(link)
    const link: MemoryLogLink = new MemoryLogLink(this.#core, { place: name, receiver, left })
    this.#links.add(link)
    return link
  }

  #isReachable(name: string): boolean {
    return !this.#isDown && !this.#cutNames.has(name)
  }

  #partition(index: number): LogCore['partitions'][number] {
    const partition = this.#core.partitions[index]
    if (partition !== undefined) return partition
    const last = this.#core.partitions.length - 1
    throw requestError('WARP_E_CONFIG', `${this.name}: there is no partition ${String(index)}; they are 0 to ${last}`)
  }
}

function checked(settings: MemoryOrderedLogSettings): CoreSettings {
  checkOptions('memoryOrderedLog', settings, SETTINGS)
  const { name = 'log', barriers = 'asked', seed = 1, answerMs = ANSWER_MS } = settings
  const { partitions = 1, recordBytesMax = FRAME_BYTES_MAX, keptBytesMax = KEPT_BYTES_MAX } = settings
  const check = (option: keyof MemoryOrderedLogSettings, isFine: boolean, remedy: string): void => {
    if (!isFine) throw refusedOption('memoryOrderedLog', option, settings[option], remedy)
  }
  check('name', typeof name === 'string' && name !== '', 'give a text')
  check('partitions', isWholeFrom(partitions, 1, PARTITIONS_MAX), `give a whole number from 1 to ${PARTITIONS_MAX}`)
  const bytes = `give a whole number of bytes from 1 to ${FRAME_BYTES_MAX}`
  check('recordBytesMax', isWholeFrom(recordBytesMax, 1, FRAME_BYTES_MAX), bytes)
  check('keptBytesMax', isWholeFrom(keptBytesMax, 1), 'give a whole number of bytes')
  check('answerMs', isNumberFrom(answerMs, 1, DAY_MS), `give milliseconds from 1 to ${DAY_MS}`)
  check('barriers', barriers === 'asked' || barriers === 'records', "give 'asked' or 'records'")
  check('seed', Number.isFinite(seed), 'give a number')
  const troubles = logTroubles(NO_TROUBLES, settings)
  return { name: `memory:${name}`, seed, partitions, recordBytesMax, keptBytesMax, answerMs, barriers, troubles }
}
