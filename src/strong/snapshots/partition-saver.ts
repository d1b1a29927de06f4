/**
 * Snapshots of a partition in the ordered log, so that the log need not keep everything: whose record
 * makes it enough saves one, says so in the log, and lets go of the records before it. A replica that
 * finds its next record gone takes the snapshot instead.
 */
import { ignoreOutcome } from '../../../crdt/synchronous.ts'
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { Env } from '../../ports/env.ts'
import type { Bookmark, OrderedLogLink } from '../../ports/ordered-log.ts'
import type { KeyStore } from '../../store/key-store.ts'
import type { Partition } from '../partition.ts'
import type { WholeState } from './install-partition.ts'
import { encodePartition, readPartition } from './partition-state.ts'
import type { Submitter } from '../submitter.ts'

export type SaverEvent =
  /** A snapshot of the partition has been saved, and records before it may go. */
  | { readonly kind: 'order:saved'; readonly partition: number; readonly offset: number; readonly bytes: number }
  /** It could not be; the log grows until it can. */
  | { readonly kind: 'order:save-failed'; readonly partition: number; readonly error: Error }
  /** This replica had fallen behind what the log keeps, and has taken a snapshot. */
  | { readonly kind: 'order:restored'; readonly partition: number; readonly offset: number; readonly keysCount: number }

export interface SaverOptions {
  readonly env: Env
  readonly link: OrderedLogLink
  readonly store: KeyStore
  readonly partition: Partition
  readonly submitter: Submitter
  readonly whole: WholeState
  readonly observe: (event: SaverEvent) => void
  /** So many records make a snapshot worth its while. */
  readonly every: number
}

/** As many bytes do so as well. */
const EVERY_BYTES = 64 * 1024 * 1024
/** So many records stay in front of a snapshot: replicas that lag a little go on from there. */
const KEPT_MAX = 1000
/** Between two tries to get at a snapshot. */
const AGAIN_MS = 1000

export class PartitionSaver {
  readonly #options: SaverOptions
  #isSaving = false
  #isClosed = false

  constructor(options: SaverOptions) {
    this.#options = options
  }

  /** A record of this replica has been judged. */
  noteOwn(): void {
    const { partition, every } = this.#options
    const { recordsCount, recordsBytes } = partition.place
    const isEnough = recordsCount >= every || recordsBytes >= EVERY_BYTES
    if (!isEnough || this.#isSaving || this.#isClosed) return
    this.#isSaving = true
    ignoreOutcome(this.#save().finally(() => (this.#isSaving = false)))
  }

  close(): void {
    this.#isClosed = true
  }

  /** Takes the snapshot that the log has. Rejects with `WARP_E_ORDER_BROKEN` if there is none that helps. */
  async restore(firstOffset: number): Promise<Bookmark> {
    const { link, partition, whole, observe, env } = this.#options
    for (;;) {
      try {
        const snapshot = await link.loadSnapshot(partition.index)
        if (snapshot === undefined || snapshot.bookmark.offset + 1 < firstOffset) throw neither(partition.index)
        const keysCount = await partition.install(await readPartition(snapshot.pieces), whole)
        observe({ kind: 'order:restored', partition: partition.index, offset: partition.offset, keysCount })
        return snapshot.bookmark
      } catch (error) {
        if (this.#isClosed || isWarpError(error, 'WARP_E_ORDER_BROKEN')) throw error
        observe({ kind: 'order:save-failed', partition: partition.index, error: asError(error) })
        await new Promise<void>((resolve) => void env.schedule(AGAIN_MS, resolve))
      }
    }
  }

  async #save(): Promise<void> {
    const { link, store, partition, submitter, observe, every } = this.#options
    const { index, writer, place } = partition
    try {
      const { pieces, bookmark, counts } = await partition.standingStill(async () => ({
        pieces: await encodePartition({ store, writer }, partition, link.recordBytesMax),
        bookmark: { offset: place.offset, id: place.id },
        counts: { recordsCount: place.recordsCount, recordsBytes: place.recordsBytes },
      }))
      await link.saveSnapshot(index, { bookmark, pieces: given(pieces) })
      await submitter.submit({ kind: 'saved', ...counts })
      await link.trim(index, Math.max(1, bookmark.offset + 1 - Math.min(KEPT_MAX, every)))
      const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
      observe({ kind: 'order:saved', partition: index, offset: bookmark.offset, bytes })
    } catch (error) {
      if (!this.#isClosed) observe({ kind: 'order:save-failed', partition: index, error: asError(error) })
    }
  }
}

async function* given(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces
}

function neither(partition: number): WarpError {
  return new WarpError(
    'WARP_E_ORDER_BROKEN',
    `partition ${partition} of the ordered log has neither the records that this replica needs next nor a snapshot ` +
      'that reaches to them; strong keys are refused here; restore the log, or begin with an empty one and an empty folder',
    { details: { partition } },
  )
}
