/** An open log: its partitions and snapshots over one connection. */
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
import type { Connection } from '../connection.ts'
import { Asking, textOf } from './asking.ts'
import type { RedisOrderedLogSettings } from './options.ts'
import { Partition, type RedisEntry, sendEntry } from './partition.ts'
import { TRIM } from './scripts.ts'
import { Snapshots } from './snapshots.ts'

export interface LogLinkOptions {
  readonly settings: RedisOrderedLogSettings
  readonly connection: Connection
  readonly receiver: OrderedLogReceiver
  readonly identity: string
  readonly promises: OrderedLogPromises
}

/** Appends that wait for the window. */
const QUEUE: Bounds = { count: 20_000, bytes: 256 * 1024 * 1024 }
const RECORD_BYTES_MAX = 1024 * 1024

export class RedisLogLink implements OrderedLogLink {
  readonly identity: string
  readonly partitionsCount: number
  readonly recordBytesMax: number = RECORD_BYTES_MAX
  readonly promises: OrderedLogPromises
  readonly #options: LogLinkOptions
  readonly #asking: Asking
  readonly #appender: Appender<RedisEntry>
  readonly #snapshots: Snapshots
  readonly #health: LogHealth
  readonly #partitions: readonly Partition[]
  readonly #stopListening: () => void
  readonly #work: LinkWork
  readonly #record: RecordBounds

  constructor(options: LogLinkOptions) {
    const { settings, connection, receiver, identity, promises } = options
    const { clock, timeoutMs, prefix, name, partitions } = settings
    this.#options = options
    this.#work = new LinkWork(() => connection.isUp)
    this.identity = identity
    this.partitionsCount = partitions
    this.promises = promises
    this.#record = { name, recordBytesMax: this.recordBytesMax, remedy: 'write less at once' }
    this.#asking = new Asking({ connection, name, prefix, identity, timeoutMs, clock })
    this.#appender = new Appender({
      ...{ connection, clock, timeoutMs, queue: QUEUE, send: sendEntry },
      window: { count: settings.appendsMax, bytes: settings.appendBytesMax },
      answered: () => this.#health.answered(),
      silent: (error) => this.#health.silent(error),
    })
    this.#snapshots = new Snapshots({ connection, asking: this.#asking, clock, name })
    this.#partitions = Array.from({ length: partitions }, (_, partition) => this.#makePartition(partition))
    this.#health = new LogHealth({ clock, receiver, probe: () => this.#probe() })
    this.#stopListening = connection.listen({
      up: () => this.#rose(),
      down: (error) => this.#fell(error),
      failed: (error) => this.#health.degraded(error),
    })
    if (!connection.isUp) this.#fell(connection.error)
  }

  /** Somebody has appended there. */
  wake(partition: number): void {
    this.#partitions[partition]?.wake()
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
    this.#open(partition)
    await this.#work.whileOpen(() => this.#snapshots.save(partition, snapshot))
  }

  async loadSnapshot(partition: number): Promise<OrderedSnapshot | undefined> {
    this.#open(partition)
    return this.#work.whileOpen(() => this.#snapshots.load(partition))
  }

  async trim(partition: number, offset: number): Promise<void> {
    this.#open(partition)
    await this.#work.whileOpen(async () => {
      const asked = { values: [offset] }
      const [kind, kept] = await this.#asking.ask('trimming', () => this.#asking.run(TRIM, partition, undefined, asked))
      if (textOf(kind) === 'far') throw trimmedTooFar(partition, offset, textOf(kept))
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
    const { clock, readBytesMax, name } = this.#options.settings
    return new Partition({
      ...{ partition, name, asking: this.#asking, clock, appender: this.#appender, readBytesMax },
      reading: {
        up: () => this.#work.whenUp(),
        interrupted: (error) => this.#health.degraded(error),
        resumed: () => this.#health.well(),
      },
    })
  }

  #rose(): void {
    this.#health.up()
    this.#work.rise()
    // What was published meanwhile is lost.
    for (const partition of this.#partitions) partition.wake()
  }

  #fell(error: WarpError): void {
    this.#health.down(error)
    this.#appender.lost(error)
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
