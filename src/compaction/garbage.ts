/**
 * What the log holds that nobody needs: which records live, which notes that a key was forgotten
 * are still needed, and the rewriting of segments that are mostly garbage.
 */
import { isWarpError, WarpError } from '../../crdt/warp-error.ts'
import { segmentOf, RECORD_KIND, type RecordView, type SegmentInfo } from '../log/log.ts'
import type { FeedCheckpoints } from '../log/feed/feed-checkpoints.ts'
import type { Holds } from '../log/holds.ts'
import { readKeptPlace } from '../merge/kept-record.ts'
import { isPart } from '../merge/snapshot-parts.ts'
import { ByteReader } from '../operation/byte-reader.ts'
import { isOfKey } from '../operation/envelope/kinds.ts'
import { OperationReader } from '../operation/envelope/operation-reader.ts'
import type { Position } from '../operation/position.ts'
import { textOf } from '../operation/text.ts'
import type { AsideRecords } from '../store/aside/aside-records.ts'
import type { Forgotten } from '../store/recovered.ts'
import type { KeyStore } from '../store/key-store.ts'
import { saysWhoEnded } from '../store/meta-record.ts'
import type { ReplicaIdentity } from '../store/replica-identity.ts'
import type { CheckpointEnds } from './checkpoint-ends.ts'

/** A segment is rewritten when this part of its records is garbage. */
const GARBAGE_SHARE_MIN = 0.5
/** What the smallest segment takes: a header and a jump. */
const EMPTY_SEGMENT_BYTES = 80

export interface GarbageOptions {
  readonly store: KeyStore
  readonly holds: Holds
  readonly identity: ReplicaIdentity
  readonly feeds: FeedCheckpoints
  readonly checkpoints: CheckpointEnds
  readonly asides: AsideRecords
  /** Notes that keys have been forgotten, as found in the log. */
  readonly forgotten: readonly Forgotten[]
  /** Parts of states that have no snapshot, as found in the log: how many bytes lie where. */
  readonly orphans: ReadonlyMap<Position, number>
}

export class Garbage {
  readonly #options: GarbageOptions
  readonly #store: KeyStore
  readonly #reader: OperationReader
  #forgotten: Forgotten[]
  /** Notes that are not in the log any more. */
  readonly #goneNotes = new Set<Position>()
  /** Of the snapshot that was asked for last. */
  #parts: { readonly of: Position; readonly positions: ReadonlySet<Position> } = { of: 0, positions: new Set() }

  constructor(options: GarbageOptions) {
    this.#options = options
    this.#store = options.store
    this.#reader = new OperationReader(options.store.table)
    this.#forgotten = [...options.forgotten]
    for (const [position, bytes] of options.orphans) options.store.log.discard(position, bytes)
  }

  /** Notes that keys have been forgotten, kept for as long as they are needed. */
  get forgotten(): readonly Forgotten[] {
    return this.#forgotten
  }

  /** A key has been forgotten. */
  note(forgotten: Forgotten): void {
    this.#forgotten.push(forgotten)
  }

  /**
   * Rewriting makes notes of forgotten keys superfluous, and that may be what makes a segment worth
   * rewriting.
   */
  async rewriteSegments(signal?: AbortSignal): Promise<void> {
    let isProgress = true
    while (isProgress && !this.#options.holds.isWhole) {
      this.#releaseForgotten()
      isProgress = await this.#rewriteOnce(signal)
    }
  }

  async #rewriteOnce(signal?: AbortSignal): Promise<boolean> {
    const { log } = this.#store
    const due = log.segments().filter((segment) => isMostlyGarbage(segment))
    for (const { number } of due) {
      if (this.#options.holds.isWhole) return false
      // When one in front of it was rewritten, the log may have begun anew behind both.
      if (!log.segments().some((segment) => segment.number === number)) continue
      await log
        .rewrite(number, (record) => this.#isLive(record), signal)
        .catch((error: unknown) => {
          if (!this.#options.holds.isWhole) throw error
        })
    }
    return due.length > 0
  }

  #releaseForgotten(): void {
    const [needed, done] = [[] as Forgotten[], [] as Forgotten[]]
    for (const forgotten of this.#forgotten) {
      if (!this.#goneNotes.has(forgotten.position)) (this.#isDone(forgotten) ? done : needed).push(forgotten)
    }
    this.#goneNotes.clear()
    for (const { position } of done) this.#discardNote(position)
    this.#forgotten = needed
  }

  /** A note that was read from a checkpoint may have gone since. */
  #discardNote(position: Position): void {
    try {
      this.#store.log.discard(position)
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOG_CORRUPT')) throw error
    }
  }

  #isLive(record: RecordView): boolean {
    const { keys } = this.#store
    // What is kept as it is now need not be kept as it was when the rewriting began, and what it
    // changed to may not be stored yet.
    if (this.#options.holds.isWhole)
      throw new WarpError('WARP_E_ABORTED', 'rewriting a segment was put off: the state is being copied or replaced')
    switch (record.kind) {
      case RECORD_KIND.operation: {
        const operation = this.#reader.load(record.bytes, record.start, record.end)
        const { bytes, kind, keyStart, keyEnd } = operation
        if (!isOfKey(kind)) return this.#options.asides.isNeeded(operation, this.#store)
        const slot = keys.find(textOf(bytes, keyStart, keyEnd))
        return slot !== undefined && record.position > keys.cut[slot]!
      }
      case RECORD_KIND.snapshot:
        return this.#isSnapshotOf(record)
      case RECORD_KIND.kept:
        return this.#isKept(record)
      case RECORD_KIND.forget:
        return !this.#isSuperfluous(record)
      case RECORD_KIND.chunk:
        return false
      case RECORD_KIND.checkpoint:
        return this.#options.feeds.isLive(record.position)
      case RECORD_KIND.meta:
        return this.#isNeededOfItself(record)
      default:
        return true
    }
  }

  /** Whether it is the snapshot of its key, or a part of its state. */
  #isSnapshotOf(record: RecordView): boolean {
    const { keys } = this.#store
    const { bytes, start, end, position } = record
    const slot = keys.find(new ByteReader(bytes, start, end).text())
    if (slot === undefined) return false
    const snapshot = keys.snapshot[slot]!
    return isPart(record) ? this.#partsOf(snapshot).has(position) : snapshot === position
  }

  /** Those of one state lie close to each other. */
  #partsOf(snapshot: Position): ReadonlySet<Position> {
    if (this.#parts.of === snapshot) return this.#parts.positions
    const parts = this.#store.folder.chains.partsOf(snapshot)
    const positions = new Set(parts.map((part) => part.position))
    this.#parts = { of: snapshot, positions }
    return positions
  }

  /** What the log says of itself: the newest, and who has ended. */
  #isNeededOfItself({ bytes, start, position }: RecordView): boolean {
    return position === this.#options.identity.metaPosition || saysWhoEnded(bytes, start)
  }

  /** Whether it is the state that is kept of its key. */
  #isKept({ bytes, start, end, position }: RecordView): boolean {
    const { keys } = this.#store
    const slot = keys.find(readKeptPlace(bytes, start, end).key)
    return slot !== undefined && keys.kept.get(slot)?.position === position
  }

  #isSuperfluous(note: RecordView): boolean {
    if (!this.#isDone({ position: note.position, through: forgottenThrough(note) })) return false
    this.#goneNotes.add(note.position)
    return true
  }

  /**
   * A note that a key is forgotten is needed for as long as records of the key may be left in older
   * segments, or a checkpoint knows it.
   */
  #isDone({ position, through }: Forgotten): boolean {
    if (position >= this.#options.checkpoints.oldest) return false
    return this.#store.log.rewrittenSince(position, segmentOf(through))
  }
}

function isMostlyGarbage({ bytes, sealed, discardedBytes }: SegmentInfo): boolean {
  return sealed && discardedBytes > 0 && discardedBytes >= (bytes - EMPTY_SEGMENT_BYTES) * GARBAGE_SHARE_MIN
}

function forgottenThrough(record: RecordView): Position {
  const reader = new ByteReader(record.bytes, record.start, record.end)
  reader.text()
  return reader.f64()
}
