/** An open log: its partitions and snapshots over one connection. */
import { isWarpError } from '../../../crdt/warp-error.ts'
import type { WarpError } from '../../../src/index.ts'
import type {
  AppendOutcome,
  Bookmark,
  OrderedLogLink,
  OrderedLogPromises,
  OrderedLogReader,
  OrderedLogReceiver,
  OrderedSnapshot,
} from '../../../src/ports/ordered-log.ts'
import { checkRecord, type RecordBounds } from '../../../src/ports/ordered-memory/record-check.ts'
import { Appender, type Bounds } from '../../broker/appender.ts'
import { LinkWork, noPartition, trimmedTooFar } from '../../broker/link-work.ts'
import { LogHealth } from '../../broker/log-health.ts'
import { type Connection, connectionError } from '../connection.ts'
import type { LogTopics } from './log-topics.ts'
import type { KafkaOrderedLogSettings } from './options.ts'
import { Partition } from './partition.ts'
import { RECORD_OVERHEAD_BYTES } from './records.ts'
import { type KafkaEntry, sendEntry } from './sending.ts'
import { Snapshots } from './snapshots.ts'

export interface LogLinkOptions {
  readonly settings: KafkaOrderedLogSettings
  readonly connection: Connection
  readonly topics: LogTopics
  readonly receiver: OrderedLogReceiver
}

/** Appends that wait for the window. */
const QUEUE: Bounds = { count: 20_000, bytes: 256 * 1024 * 1024 }
/** What a broker waits for records that do not come, at most. */
const WAIT_MS_MAX = 1000
const WAIT_SHARE = 0.5

export class KafkaLogLink implements OrderedLogLink {
  readonly identity: string
  readonly partitionsCount: number
  readonly recordBytesMax: number
  readonly promises: OrderedLogPromises
  readonly #options: LogLinkOptions
  readonly #appender: Appender<KafkaEntry>
  readonly #snapshots: Snapshots
  readonly #health: LogHealth
  readonly #partitions: readonly Partition[]
  readonly #stopListening: () => void
  readonly #work: LinkWork
  readonly #record: RecordBounds

  constructor(options: LogLinkOptions) {
    const { settings, connection, topics, receiver } = options
    const { clock, timeoutMs, name, partitions, appendsMax, appendBytesMax } = settings
    this.#options = options
    const { identity, promises, messageBytesMax } = topics.opened
    this.identity = identity
    this.promises = promises
    this.partitionsCount = partitions
    this.recordBytesMax = messageBytesMax - RECORD_OVERHEAD_BYTES
    this.#work = new LinkWork(() => connection.isUp)
    const remedy = 'raise max.message.bytes of the topics, or write less at once'
    this.#record = { name, recordBytesMax: this.recordBytesMax, remedy }
    this.#appender = new Appender({
      ...{ connection, clock, timeoutMs, queue: QUEUE, send: sendEntry },
      window: { count: appendsMax, bytes: appendBytesMax },
      answered: () => this.#health.answered(),
      silent: (error) => this.#health.silent(error),
    })
    const stored = { connection, clock, name, identity, timeoutMs, messageBytesMax }
    this.#snapshots = new Snapshots({ ...stored, topic: topics.snapshots, partitionsCount: partitions })
    this.#partitions = Array.from({ length: partitions }, (_, partition) => this.#makePartition(partition))
    this.#health = new LogHealth({ clock, receiver, probe: () => this.#probe() })
    this.#stopListening = connection.listen({
      up: () => this.#rose(),
      down: (error) => this.#fell(error),
      failed: (error) => this.#failed(error),
    })
    if (!connection.isUp) this.#fell(connection.error)
  }

  async append(partition: number, id: string, bytes: Uint8Array, signal?: AbortSignal): Promise<AppendOutcome> {
    const place = this.#partitions[partition]
    const error = place === undefined ? noPartition(partition) : checkRecord(this.#record, id, bytes)
    if (error !== undefined) return { kind: 'refused', error }
    return place!.append(id, bytes, signal)
  }

  async barrier(partition: number, signal?: AbortSignal): Promise<number> {
    const place = this.#open(partition)
    return this.#work.whileOpen(() => place.barrier(signal))
  }

  follow(partition: number, after: Bookmark | undefined, reader: OrderedLogReader): () => void {
    return this.#open(partition).follow(after, reader)
  }

  async saveSnapshot(partition: number, snapshot: OrderedSnapshot): Promise<void> {
    const place = this.#open(partition)
    await this.#work.whileOpen(async () => {
      const verdict = await place.check(snapshot.bookmark)
      if (verdict.kind === 'broken') throw verdict.error
      await this.#snapshots.save(partition, snapshot)
    })
  }

  async loadSnapshot(partition: number): Promise<OrderedSnapshot | undefined> {
    this.#open(partition)
    return this.#work.whileOpen(() => this.#snapshots.load(partition))
  }

  async trim(partition: number, offset: number): Promise<void> {
    this.#open(partition)
    await this.#work.whileOpen(async () => {
      const kept = (await this.#snapshots.bookmark(partition))?.offset ?? 0
      if (offset > kept + 1) throw trimmedTooFar(partition, offset, kept)
      if (offset > 1) await this.#deleteBefore(partition, offset)
    })
  }

  async close(): Promise<void> {
    if (this.#work.isClosed) return
    this.#work.close()
    this.#stopListening()
    for (const partition of this.#partitions) partition.close()
    this.#health.close()
    this.#appender.close()
    this.#work.end()
    this.#options.connection.close()
    await Promise.resolve()
  }

  #makePartition(partition: number): Partition {
    const { settings, connection, topics } = this.#options
    const { clock, timeoutMs, readBytesMax, name, pingMs } = settings
    return new Partition({
      ...{ name, connection, clock, timeoutMs, readBytesMax, appender: this.#appender, proved: topics.proved },
      place: { topic: topics.records, partition },
      waitMs: Math.min(WAIT_MS_MAX, WAIT_SHARE * pingMs),
      messageBytesMax: topics.opened.messageBytesMax,
      snapshot: () => this.#snapshots.bookmark(partition),
      reading: {
        up: () => this.#work.whenUp(),
        interrupted: (error) => this.#health.degraded(error),
        resumed: () => this.#health.well(),
      },
    })
  }

  async #deleteBefore(partition: number, offset: number): Promise<void> {
    const { connection, topics, settings } = this.#options
    const { lines } = connection
    if (lines === undefined) throw connection.error
    const place = { topic: topics.records, partition }
    try {
      await lines.asks(place).deleteRecords(place, offset - 1)
    } catch (error) {
      connection.failed(lines, error)
      throw connectionError(`${settings.name}: trimming did not succeed: ${String(error)}`, error)
    }
  }

  #rose(): void {
    this.#health.up()
    this.#work.rise()
  }

  #fell(error: WarpError): void {
    this.#failed(error)
    this.#health.down(error)
    for (const partition of this.#partitions) partition.lost(error)
    this.#appender.lost(error)
  }

  #failed(error: WarpError): void {
    if (!isWarpError(error, 'WARP_E_ORDER_BROKEN')) {
      this.#health.degraded(error)
      return
    }
    // It never becomes the one again that it was.
    for (const partition of this.#partitions) partition.isBroken(error)
    this.#options.connection.close()
  }

  async #probe(): Promise<boolean> {
    try {
      await Promise.all(this.#partitions.map((partition) => partition.barrier()))
      return true
    } catch {
      return false
    }
  }

  /** Throws `WARP_E_CLOSED` and `WARP_E_CONFIG`. */
  #open(partition: number): Partition {
    this.#work.assertOpen()
    const place = this.#partitions[partition]
    if (place === undefined) throw noPartition(partition)
    return place
  }
}
