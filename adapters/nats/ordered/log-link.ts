/** An open log: its partitions and snapshots over one connection. */
import type { JetStreamManager } from '@nats-io/jetstream'
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
import type { Connection } from '../connection.ts'
import { Inbox } from '../inbox.ts'
import { request } from '../requests.ts'
import { Appender, type Bounds } from '../../broker/appender.ts'
import { type NatsEntry, sendTo } from './sending.ts'
import { refuseUnaccepted, versionShortcoming } from './fitness.ts'
import { LinkWork, noPartition, trimmedTooFar } from '../../broker/link-work.ts'
import { LogHealth } from '../../broker/log-health.ts'
import type { NatsOrderedLogSettings } from './options.ts'
import { Partition } from './partition.ts'
import { RECORD_OVERHEAD_BYTES } from './records.ts'
import { Snapshots } from './snapshots.ts'
import { identityOfLog, type LogStreams, type PartitionStream } from './streams.ts'

export interface LogLinkOptions {
  readonly settings: NatsOrderedLogSettings
  readonly connection: Connection
  readonly manager: JetStreamManager
  readonly streams: LogStreams
  readonly receiver: OrderedLogReceiver
}

/** Appends that wait for the window. */
const QUEUE: Bounds = { count: 20_000, bytes: 256 * 1024 * 1024 }
/** Of a snapshot. */
const PIECES: Bounds = { count: 16, bytes: 8 * 1024 * 1024 }

export class NatsLogLink implements OrderedLogLink {
  readonly identity: string
  readonly partitionsCount: number
  readonly recordBytesMax: number
  readonly promises: OrderedLogPromises
  readonly #options: LogLinkOptions
  readonly #inbox: Inbox
  readonly #appender: Appender<NatsEntry>
  readonly #pieces: Appender<NatsEntry>
  readonly #snapshots: Snapshots
  readonly #health: LogHealth
  readonly #partitions: readonly Partition[]
  readonly #stopListening: () => void
  readonly #work: LinkWork
  readonly #record: RecordBounds
  #unfit: WarpError | undefined

  constructor(options: LogLinkOptions) {
    const { settings, connection, streams, receiver } = options
    this.#options = options
    this.#work = new LinkWork(() => connection.isUp)
    this.identity = identityOfLog(streams.partitions)
    this.partitionsCount = streams.partitions.length
    this.recordBytesMax = (connection.server?.max_payload ?? 0) - RECORD_OVERHEAD_BYTES
    this.promises = promisesOf(streams, settings.syncAlways)
    const remedy = 'raise max_payload of the server, or write less at once'
    this.#record = { name: settings.name, recordBytesMax: this.recordBytesMax, remedy }
    this.#inbox = new Inbox(connection.nats, settings.inboxPrefix)
    const window = { count: settings.appendsMax, bytes: settings.appendBytesMax }
    this.#appender = this.#makeAppender(window, QUEUE)
    this.#pieces = this.#makeAppender(PIECES, PIECES)
    this.#snapshots = this.#makeSnapshots()
    this.#partitions = streams.partitions.map((at, partition) => this.#makePartition(at, partition))
    this.#health = new LogHealth({ clock: settings.clock, receiver, probe: () => this.#probe() })
    this.#stopListening = connection.listen({
      up: () => this.#rose(),
      down: (error) => this.#fell(error),
      refused: (error) => this.#health.degraded(error),
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
    return this.#open(partition).barrier(signal)
  }

  follow(partition: number, after: Bookmark | undefined, reader: OrderedLogReader): () => void {
    return this.#open(partition).follow(after, reader)
  }

  async saveSnapshot(partition: number, snapshot: OrderedSnapshot): Promise<void> {
    const place = this.#open(partition)
    await this.#work.whileOpen(async () => {
      const verdict = await request('saving a snapshot', () => place.check(snapshot.bookmark))
      if (verdict.kind === 'broken') throw verdict.error
      await this.#snapshots.save(partition, snapshot)
    })
  }

  async loadSnapshot(partition: number): Promise<OrderedSnapshot | undefined> {
    this.#open(partition)
    return this.#work.whileOpen(() => this.#snapshots.load(partition))
  }

  async trim(partition: number, offset: number): Promise<void> {
    const { stream } = this.#open(partition)
    await this.#work.whileOpen(() =>
      request('trimming', async () => {
        const kept = (await this.#snapshots.bookmark(partition))?.offset ?? 0
        if (offset > kept + 1) throw trimmedTooFar(partition, offset, kept)
        // A purge up to 0 would be one of everything.
        if (offset > 1) await this.#options.manager.streams.purge(stream, { seq: offset })
      }),
    )
  }

  async close(): Promise<void> {
    if (this.#work.isClosed) return
    this.#work.close()
    this.#stopListening()
    for (const partition of this.#partitions) partition.close()
    this.#health.close()
    this.#appender.close()
    this.#pieces.close()
    this.#work.end()
    this.#inbox.close()
    await this.#options.connection.close()
  }

  #makeAppender(window: Bounds, queue: Bounds): Appender<NatsEntry> {
    const { settings, connection } = this.#options
    const { clock, timeoutMs } = settings
    return new Appender({
      ...{ connection, clock, timeoutMs, window, queue, send: sendTo(connection, this.#inbox) },
      answered: () => this.#health.answered(),
      silent: (error) => this.#health.silent(error),
    })
  }

  #makeSnapshots(): Snapshots {
    const { settings, connection, manager, streams } = this.#options
    return new Snapshots({
      ...{ manager, appender: this.#pieces, clock: settings.clock, stream: streams.snapshots },
      prefixes: streams.partitions.map(({ identity }) => `${settings.stream}.snapshots.${identity}`),
      messageBytesMax: () => (connection.server?.max_payload ?? this.recordBytesMax) - RECORD_OVERHEAD_BYTES,
    })
  }

  #makePartition(at: PartitionStream, partition: number): Partition {
    const { connection, manager, settings } = this.#options
    const { clock, readBytesMax, inboxPrefix } = settings
    return new Partition({
      ...{ at, connection, manager, clock, readBytesMax, inboxPrefix },
      appender: this.#appender,
      snapshot: () => this.#snapshots.bookmark(partition),
      reading: {
        up: () => this.#work.whenUp(),
        interrupted: (error) => this.#health.degraded(error),
        resumed: () => this.#health.well(),
      },
      refusal: () => this.#unfit,
    })
  }

  #rose(): void {
    this.#unfit = this.#unfitServer()
    if (this.#unfit === undefined) this.#health.up()
    else this.#health.degraded(this.#unfit)
    this.#work.rise()
  }

  #fell(error: WarpError): void {
    this.#health.down(error)
    this.#appender.lost(error)
    this.#pieces.lost(error)
    for (const partition of this.#partitions) partition.lost(error)
  }

  /** The next server may be of another version. */
  #unfitServer(): WarpError | undefined {
    const { settings, connection, streams } = this.#options
    const found = versionShortcoming(connection.server?.version ?? '', streams.copies)
    try {
      refuseUnaccepted(settings.name, found === undefined ? [] : [found], settings.accept)
      return undefined
    } catch (error) {
      return error as WarpError
    }
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

/** What a log promises that lies in such streams. */
export function promisesOf(
  streams: Pick<LogStreams, 'copies' | 'accepted' | 'isInMemory'>,
  syncAlways: boolean,
): OrderedLogPromises {
  const { copies, accepted, isInMemory } = streams
  const onDisk = syncAlways ? 'power loss' : 'kill'
  return { acknowledgedBy: 'broker', survives: isInMemory ? 'nothing' : onDisk, copies, accepted }
}
