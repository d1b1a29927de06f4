/** What the links of one ordered log in memory share: its records, its moods, and who is connected. */
import { checkOptions } from '../../../crdt/checked-options.ts'
import type { Env } from '../env.ts'
import { seededChance } from '../memory-network/seeded-chance.ts'
import type { AppendOutcome, OrderedLogPromises, OrderedRecord } from '../ordered-log.ts'
import { LOG_TROUBLES, logTroubles, type OrderedLogTroubles, type Troubles } from './log-troubles.ts'
import { orderBroken, requestError } from './order-error.ts'
import { type KeptSnapshot, Partition, weightOf } from './partition.ts'

export type OrderedLogClock = Pick<Env, 'now' | 'monotonic' | 'schedule' | 'yield' | 'random'>

export interface Follower {
  wake(partition: number): void
}

type Counted =
  | 'appendedRecords'
  | 'repeatedRecords'
  | 'refusedRecords'
  | 'trimmedRecords'
  | 'lostAppends'
  | 'lostAnswers'
  | 'redeliveredRecords'
  | 'skippedOffsets'

export interface CoreSettings {
  readonly name: string
  readonly seed: number
  readonly partitions: number
  readonly recordBytesMax: number
  readonly keptBytesMax: number
  readonly answerMs: number
  readonly barriers: 'asked' | 'records'
  readonly troubles: Troubles
}

const IDENTITY_BYTES = 8
const HOLE_OFFSETS_MAX = 4

export class LogCore {
  readonly clock: OrderedLogClock
  readonly chance: () => number
  /** Those who are told that a record has got a place. */
  readonly followers: Set<Follower> = new Set()
  readonly counts: Record<Counted, number> = {
    ...{ appendedRecords: 0, repeatedRecords: 0, refusedRecords: 0, trimmedRecords: 0 },
    ...{ lostAppends: 0, lostAnswers: 0, redeliveredRecords: 0, skippedOffsets: 0 },
  }
  readonly promises: OrderedLogPromises = { acknowledgedBy: 'process', survives: 'nothing', copies: 1, accepted: [] }
  readonly #settings: CoreSettings
  #partitions: readonly Partition[] = []
  #identity = ''
  #troubles: Troubles
  readonly #troublesByPlace = new Map<string, Troubles>()

  constructor(clock: OrderedLogClock, settings: CoreSettings) {
    this.clock = clock
    this.#settings = settings
    this.chance = seededChance(settings.seed)
    this.#troubles = settings.troubles
    this.recreate()
  }

  get name(): string {
    return this.#settings.name
  }

  get answerMs(): number {
    return this.#settings.answerMs
  }

  get recordBytesMax(): number {
    return this.#settings.recordBytesMax
  }

  get identity(): string {
    return this.#identity
  }

  get partitions(): readonly Partition[] {
    return this.#partitions
  }

  get keptBytes(): number {
    return this.#partitions.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Draws nothing where nothing is asked for, so that other chances do not move. */
  isHit(share: number): boolean {
    return share > 0 && this.chance() < share
  }

  troublesOf(place: string): Troubles {
    return this.#troublesByPlace.get(place) ?? this.#troubles
  }

  setTroubles(settings: OrderedLogTroubles, place?: string): void {
    checkOptions('memoryOrderedLog: troubles', settings, LOG_TROUBLES)
    if (place !== undefined) {
      this.#troublesByPlace.set(place, logTroubles(this.troublesOf(place), settings))
      return
    }
    this.#troubles = logTroubles(this.#troubles, settings)
    for (const [name, present] of this.#troublesByPlace) this.#troublesByPlace.set(name, logTroubles(present, settings))
  }

  travelMs(place: string): number {
    const { delayMs, jitterMs } = this.troublesOf(place)
    return delayMs + (jitterMs > 0 ? this.chance() * jitterMs : 0)
  }

  append(place: string, partition: number, record: Pick<OrderedRecord, 'id' | 'bytes'>): AppendOutcome {
    const bytes = this.keptBytes + weightOf(record)
    if (bytes > this.#settings.keptBytesMax) return this.#full(bytes)
    const offset = this.#put(partition, record)
    this.counts.appendedRecords++
    const { repeated } = this.troublesOf(place)
    if (this.isHit(repeated)) this.#repeat(place, partition, record)
    return { kind: 'appended', offset }
  }

  barrier(partition: number): number {
    if (this.#settings.barriers === 'asked') return this.#partitions[partition]!.lastOffset
    const bytes = new Uint8Array()
    return this.#put(partition, { id: `barrier:${this.#randomHex()}`, bytes })
  }

  save(partition: number, snapshot: KeptSnapshot): void {
    const present = this.#partitions[partition]!
    const { offset } = snapshot.bookmark
    if (!present.has(snapshot.bookmark))
      throw orderBroken(
        this.name,
        partition,
        `a snapshot reaches to another record ${offset} than the one that is there`,
      )
    present.save(snapshot)
  }

  trim(partition: number, offset: number): void {
    const reached = this.#partitions[partition]!.snapshot?.bookmark.offset ?? 0
    if (!Number.isSafeInteger(offset) || offset > reached + 1) {
      const message = `${this.name}: a trim before ${String(offset)} goes beyond the snapshot, which reaches to ${reached}`
      throw requestError('WARP_E_CONFIG', `${message}; save one that reaches further first`)
    }
    this.counts.trimmedRecords += this.#partitions[partition]!.letGo(offset)
  }

  lost(what: 'lostAppends' | 'lostAnswers'): void {
    this.counts[what]++
  }

  redelivered(count: number): void {
    this.counts.redeliveredRecords += count
  }

  recreate(): void {
    this.#identity = this.#randomHex()
    const { name, partitions } = this.#settings
    this.#partitions = Array.from({ length: partitions }, (_, index) => new Partition(name, index))
  }

  #put(partition: number, { id, bytes }: Pick<OrderedRecord, 'id' | 'bytes'>): number {
    const skipped = this.isHit(this.#troubles.holes) ? 1 + Math.floor(this.chance() * HOLE_OFFSETS_MAX) : 0
    this.counts.skippedOffsets += skipped
    const offset = this.#partitions[partition]!.append({ id, bytes, timeMs: this.clock.now() }, skipped)
    for (const follower of this.followers) follower.wake(partition)
    return offset
  }

  /** As by a client that has not heard of the answer: behind what comes meanwhile. */
  #repeat(place: string, partition: number, record: Pick<OrderedRecord, 'id' | 'bytes'>): void {
    const again = (): void => {
      this.#put(partition, record)
      this.counts.repeatedRecords++
    }
    const travelMs = this.travelMs(place)
    if (travelMs > 0) this.clock.schedule(travelMs, again)
    else void this.clock.yield().then(again)
  }

  #full(bytes: number): AppendOutcome {
    this.counts.refusedRecords++
    const { keptBytesMax } = this.#settings
    const message = `${this.name}: ${bytes} bytes would exceed the ${keptBytesMax} of keptBytesMax`
    const error = requestError('WARP_E_STORAGE_FULL', `${message}; raise it, or trim behind a snapshot`)
    return { kind: 'refused', error }
  }

  #randomHex(): string {
    const bytes = this.clock.random(IDENTITY_BYTES)
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  }
}
