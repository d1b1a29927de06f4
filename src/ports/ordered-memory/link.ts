/** The link of one replica to the ordered log in memory. */
import { isWholeFrom } from '../../../crdt/checked-options.ts'
import type { WarpError } from '../../../crdt/warp-error.ts'
import type {
  AppendOutcome,
  Bookmark,
  OrderedLogLink,
  OrderedLogPromises,
  OrderedLogReader,
  OrderedLogReceiver,
  OrderedSnapshot,
} from '../ordered-log.ts'
import type { LogCore } from './log-core.ts'
import { orderBroken, requestError } from './order-error.ts'
import type { KeptSnapshot, Partition } from './partition.ts'
import { Reading, type ReadingWorld } from './reading.ts'
import { checkRecord, type RecordBounds } from './record-check.ts'
import { type Request, Requests } from './requests.ts'
import { cutAnew, handedOver } from './snapshot-bytes.ts'

export interface LinkEnds {
  /** As whom the link was opened: troubles and acts are of a name. */
  readonly place: string
  readonly receiver: OrderedLogReceiver
  /** Called when the link has ended. */
  readonly left: () => void
}

export class MemoryLogLink implements OrderedLogLink {
  readonly identity: string
  readonly partitionsCount: number
  readonly recordBytesMax: number
  readonly #bounds: RecordBounds
  readonly promises: OrderedLogPromises
  readonly #core: LogCore
  readonly #ends: LinkEnds
  readonly #requests: Requests
  readonly #readings = new Map<number, Reading>()

  constructor(core: LogCore, ends: LinkEnds) {
    this.#core = core
    this.#ends = ends
    this.#requests = new Requests(core, ends.place)
    this.identity = core.identity
    this.partitionsCount = core.partitions.length
    this.recordBytesMax = core.recordBytesMax
    this.#bounds = { name: core.name, recordBytesMax: core.recordBytesMax, remedy: 'raise it, or write less at once' }
    this.promises = core.promises
    core.followers.add(this)
  }

  get place(): string {
    return this.#ends.place
  }

  append(partition: number, id: string, bytes: Uint8Array, signal?: AbortSignal): Promise<AppendOutcome> {
    const error = this.#refusalOf(partition) ?? checkRecord(this.#bounds, id, bytes)
    if (error !== undefined) return Promise.resolve({ kind: 'refused', error })
    const record = { id, bytes: bytes.slice() }
    return new Promise((resolve) => {
      this.#requests.ask<AppendOutcome>({
        ...{ name: 'an append', signal, isRisky: true, resolve },
        carryOut: () => this.#core.append(this.place, partition, record),
        reject: (failure) =>
          resolve({ kind: failure.outcome === 'indeterminate' ? 'unknown' : 'refused', error: failure }),
      })
    })
  }

  barrier(partition: number, signal?: AbortSignal): Promise<number> {
    const carryOut = (): number => {
      this.#assertSame(partition)
      return this.#core.barrier(partition)
    }
    return this.#ask(partition, { name: 'a barrier', signal, isRisky: true, carryOut })
  }

  follow(partition: number, after: Bookmark | undefined, reader: OrderedLogReader): () => void {
    const refusal = this.#refusalOf(partition)
    if (refusal !== undefined) throw refusal
    if (this.#readings.get(partition)?.hasEnded === false) {
      const message = `${this.#core.name}: partition ${partition} has a reader; stop it before another one follows`
      throw requestError('WARP_E_CONFIG', message)
    }
    const reading = new Reading(this.#worldOf(partition), after, reader)
    this.#readings.set(partition, reading)
    return () => {
      reading.end()
      if (this.#readings.get(partition) === reading) this.#readings.delete(partition)
    }
  }

  async saveSnapshot(partition: number, { bookmark, pieces }: OrderedSnapshot): Promise<void> {
    const refusal = this.#refusalOf(partition)
    if (refusal !== undefined) throw refusal
    const copies = await this.#requests.whileConnected((isOver) => this.#copied(pieces, isOver))
    const carryOut = (): void => {
      const replaced = this.#replaced(partition)
      if (replaced !== undefined) throw replaced
      this.#core.save(partition, { bookmark: { offset: bookmark.offset, id: bookmark.id }, pieces: copies })
    }
    await this.#ask(partition, { name: 'a snapshot', isRisky: false, carryOut })
  }

  async loadSnapshot(partition: number): Promise<OrderedSnapshot | undefined> {
    const carryOut = (): KeptSnapshot | undefined => this.#partition(partition).snapshot
    const snapshot = await this.#ask(partition, { name: 'a snapshot', isRisky: false, carryOut })
    if (snapshot === undefined) return undefined
    const check = (): void => {
      const refusal = this.#requests.refusal()
      if (refusal !== undefined) throw refusal
    }
    return { bookmark: { ...snapshot.bookmark }, pieces: handedOver(snapshot.pieces, this.#core.clock, check) }
  }

  trim(partition: number, offset: number): Promise<void> {
    const carryOut = (): void => this.#core.trim(partition, offset)
    return this.#ask(partition, { name: 'a trim', isRisky: false, carryOut })
  }

  close(): Promise<void> {
    if (!this.#requests.isClosed) this.#end(() => this.#requests.close())
    return Promise.resolve()
  }

  /** The process is gone: what was under way arrives, and nobody is told of anything any more. */
  abandon(): void {
    this.#end(() => this.#requests.abandon())
  }

  disconnect(): void {
    if (this.#requests.connection === undefined) return
    this.#requests.disconnect()
    this.#tellConnected(false)
  }

  reconnect(): void {
    if (this.#requests.connection !== undefined) return
    this.#requests.reconnect()
    for (const reading of this.#readings.values()) reading.connected()
    this.#tellConnected(true)
  }

  /** A record has got a place. */
  wake(partition: number): void {
    this.#readings.get(partition)?.wake()
  }

  #end(endRequests: () => void): void {
    for (const reading of this.#readings.values()) reading.end()
    endRequests()
    this.#core.followers.delete(this)
    this.#ends.left()
  }

  #ask<Answer>(
    partition: number,
    request: Pick<Request<Answer>, 'name' | 'isRisky' | 'carryOut' | 'signal'>,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusalOf(partition)
      if (refusal === undefined) this.#requests.ask({ ...request, resolve, reject })
      else reject(refusal)
    })
  }

  #worldOf(partition: number): ReadingWorld {
    return {
      clock: this.#core.clock,
      partition: () => this.#partition(partition),
      troubles: () => this.#core.troublesOf(this.place),
      travelMs: () => this.#core.travelMs(this.place),
      chance: this.#core.chance,
      connection: () => this.#requests.connection,
      replaced: () => this.#replaced(partition),
      redelivered: (count) => this.#core.redelivered(count),
    }
  }

  async #copied(pieces: AsyncIterable<Uint8Array>, isOver: () => boolean): Promise<readonly Uint8Array[]> {
    const copies = await cutAnew(pieces, this.#core.clock, isOver)
    const { snapshotsLost } = this.#core.troublesOf(this.place)
    if (this.#core.isHit(snapshotsLost)) throw this.#requests.silence('a snapshot')
    return copies
  }

  /** Whoever is told that a barrier lies behind what it has applied would not notice otherwise. */
  #assertSame(partition: number): void {
    const replaced = this.#replaced(partition)
    if (replaced !== undefined) throw replaced
    const continuation = this.#readings.get(partition)?.continuation()
    if (continuation?.kind === 'broken') throw continuation.error
  }

  #refusalOf(partition: number): WarpError | undefined {
    if (this.#requests.isClosed) return this.#requests.refusal()
    if (isWholeFrom(partition, 0, this.partitionsCount - 1)) return undefined
    const message = `${this.#core.name}: there is no partition ${String(partition)}`
    return requestError('WARP_E_CONFIG', `${message}; they are 0 to ${this.partitionsCount - 1}`)
  }

  /** Why this is not the log any more that the link was opened on. */
  #replaced(partition: number): WarpError | undefined {
    const { name, identity } = this.#core
    if (this.identity === identity) return undefined
    return orderBroken(name, partition, `the log ${this.identity} was made anew as ${identity}`)
  }

  #partition(index: number): Partition {
    return this.#core.partitions[index]!
  }

  #tellConnected(isConnected: boolean): void {
    void this.#core.clock.yield().then(() => {
      if (!this.#requests.isClosed) this.#ends.receiver.connected(isConnected)
    })
  }
}
