/** An open log: its partitions and snapshots over one connection. */
import { WarpError } from '../../../src/index.ts'
import type {
  AppendOutcome,
  Bookmark,
  OrderedLogLink,
  OrderedLogPromises,
  OrderedLogReader,
  OrderedLogReceiver,
  OrderedSnapshot,
} from '../../../src/ports/ordered-log.ts'
import { checkRecord } from '../../../src/ports/ordered-memory/record-check.ts'
import { Appender, type Bounds } from '../../broker/appender.ts'
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
  #waitingForUp: (() => void)[] = []
  /** Requests that are not to outlive the link. */
  readonly #underWay = new Set<() => void>()
  #isClosed = false

  constructor(options: LogLinkOptions) {
    const { settings, connection, receiver, identity, promises } = options
    const { clock, timeoutMs, prefix, name, partitions } = settings
    this.#options = options
    this.identity = identity
    this.partitionsCount = partitions
    this.promises = promises
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
    const { name } = this.#options.settings
    const error =
      place === undefined
        ? noPartition(partition)
        : checkRecord({ name, recordBytesMax: this.recordBytesMax }, id, bytes)
    if (error !== undefined) return { kind: 'refused', error }
    return place!.append(id, bytes, signal)
  }

  async barrier(partition: number, signal?: AbortSignal): Promise<number> {
    const place = this.#open(partition)
    return this.#whileOpen(() => place.barrier(signal))
  }

  follow(partition: number, after: Bookmark | undefined, reader: OrderedLogReader): () => void {
    return this.#open(partition).follow(after, reader)
  }

  async saveSnapshot(partition: number, snapshot: OrderedSnapshot): Promise<void> {
    this.#open(partition)
    await this.#whileOpen(() => this.#snapshots.save(partition, snapshot))
  }

  async loadSnapshot(partition: number): Promise<OrderedSnapshot | undefined> {
    this.#open(partition)
    return this.#whileOpen(() => this.#snapshots.load(partition))
  }

  async trim(partition: number, offset: number): Promise<void> {
    this.#open(partition)
    await this.#whileOpen(async () => {
      const asked = { values: [offset] }
      const [kind, kept] = await this.#asking.ask('trimming', () => this.#asking.run(TRIM, partition, undefined, asked))
      if (textOf(kind) === 'far') throw trimmedTooFar(partition, offset, textOf(kept))
    })
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stopListening()
    for (const partition of this.#partitions) partition.close()
    this.#rise()
    this.#health.close()
    this.#appender.close()
    for (const end of [...this.#underWay]) end()
    this.#options.connection.close()
    await Promise.resolve()
  }

  #makePartition(partition: number): Partition {
    const { clock, readBytesMax, name } = this.#options.settings
    return new Partition({
      ...{ partition, name, asking: this.#asking, clock, appender: this.#appender, readBytesMax },
      reading: {
        up: () => this.#whenUp(),
        interrupted: (error) => this.#health.degraded(error),
        resumed: () => this.#health.well(),
      },
    })
  }

  #whenUp(): Promise<void> {
    if (this.#options.connection.isUp || this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => this.#waitingForUp.push(resolve))
  }

  #rise(): void {
    const waiting = this.#waitingForUp
    this.#waitingForUp = []
    for (const resolve of waiting) resolve()
  }

  #rose(): void {
    this.#health.up()
    this.#rise()
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
    if (this.#isClosed) throw closed()
    const place = this.#partitions[partition]
    if (place === undefined) throw noPartition(partition)
    return place
  }

  /** Rejects with `WARP_E_CLOSED` when the link closes, whatever the work waits for. */
  #whileOpen<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const end = (): void => reject(closed())
      this.#underWay.add(end)
      void work()
        .then(resolve, reject)
        .finally(() => this.#underWay.delete(end))
    })
  }
}

function noPartition(partition: number): WarpError {
  return new WarpError('WARP_E_CONFIG', `there is no partition ${partition}`)
}

function closed(): WarpError {
  return new WarpError('WARP_E_CLOSED', 'the ordered log has been closed')
}

function trimmedTooFar(partition: number, offset: number, kept: string): WarpError {
  const remedy = `its snapshot reaches to ${kept}; save one that reaches further`
  return new WarpError('WARP_E_CONFIG', `partition ${partition} cannot be trimmed before ${offset}: ${remedy}`)
}
