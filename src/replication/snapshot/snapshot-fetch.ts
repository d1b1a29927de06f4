/**
 * Fetches a snapshot from a peer when this replica is behind what that peer has compacted. One at a
 * time, over a transport that loses, repeats and reorders: we ask for a window of chunks from the
 * first that we lack, keep what comes early within the window, take chunks in strictly in order,
 * and ask again when nothing came for a while. The transfer carries a number of our choosing, so
 * chunks of an abandoned one are recognised and ignored. If the peer goes away or stalls,
 * the transfer is abandoned and started again later, perhaps with another peer. A peer that refuses
 * has others to serve: it is left alone for a while, and another one is asked at once. So it is if the
 * peer has had to make its snapshot anew, because it had given us up: chunks of both may be under
 * way, and say which they are of. Chunks are taken in in steps, and so is the whole state once all
 * are here; from then on the peer is not needed any more.
 */
import type { ReplicaId } from '../../../crdt/time/replica-id.ts'
import { VersionVector } from '../../../crdt/time/version-vector.ts'
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import { Budget } from '../../operation/budget.ts'
import type { Env, Timer } from '../../ports/env.ts'
import { INSTRUMENTS } from '../../ports/instrument-catalogue.ts'
import type { Recorder } from '../../ports/recorder.ts'
import type { ReplicationObserver } from '../events.ts'
import type { SnapshotChunk, SnapshotRequest } from '../wire/frames.ts'
import type { ReplicationSettings } from '../options.ts'
import type { Peer } from '../peers.ts'
import type { ReplicationStore } from '../store.ts'
import type { SnapshotImport } from '../../membership/snapshot-ports.ts'

/** Chunks under way at one time: 2 MiB with chunks of the default size. */
const WINDOW_CHUNKS = 8
const RETRY_DELAY_MS_MIN = 50

export interface SnapshotFetchOptions {
  readonly store: ReplicationStore
  readonly env: Env
  readonly settings: ReplicationSettings
  readonly observe: ReplicationObserver
  readonly request: (peer: Peer, request: SnapshotRequest) => void
  /** The transfer is over: the store's vectors have been raised, or not. */
  readonly onEnd: () => void
  readonly recorder?: Recorder | undefined
}

interface Transfer {
  readonly peer: Peer
  readonly replica: ReplicaId
  readonly number: number
  import: SnapshotImport | undefined
  /** Which of the peer's snapshots it is, once a chunk has come. */
  offer: number | undefined
  /** The next chunk to take in. */
  next: number
  /** Chunks asked for, exclusive. */
  asked: number
  /** Chunks beyond `next` that have arrived. */
  readonly early: Map<number, SnapshotChunk>
  /** Chunks are being taken in. */
  isBusy: boolean
  /** All chunks are here. */
  isComplete: boolean
  progressMs: number
  askedMs: number
  askedFrom: number
  roundTripMs: number
  retryDelayMs: number
  /** Says to who measures how it ended. */
  readonly measured: ((labels: { readonly outcome: string }) => void) | undefined
}

export class SnapshotFetch {
  readonly #options: SnapshotFetchOptions
  #transfer: Transfer | undefined
  #timer: Timer | undefined
  #number: number
  #notBeforeMs = 0
  /** Until when peers that have refused are not asked again. */
  readonly #busyUntilMs = new WeakMap<Peer, number>()
  #failedCount = 0
  #reported: ReplicaId | undefined
  #isClosed = false

  constructor(options: SnapshotFetchOptions, firstNumber: number) {
    this.#options = options
    this.#number = firstNumber
  }

  get isUnderWay(): boolean {
    return this.#transfer !== undefined
  }

  /**
   * `peer` has compacted what we have not applied. Starts a transfer unless one is under way or
   * must wait.
   */
  require(peer: Peer): void {
    const { env, observe } = this.#options
    const now = env.monotonic()
    if (this.#isClosed || this.#transfer !== undefined || now < this.#notBeforeMs || peer.replica === undefined) return
    if (now < (this.#busyUntilMs.get(peer) ?? 0)) return
    if (this.#reported !== peer.replica) observe({ kind: 'resync:required', side: 'us', replica: peer.replica })
    if (this.#lacksFloor(peer)) {
      if (this.#reported !== peer.replica)
        observe({ kind: 'resync:failed', replica: peer.replica, error: unmergeable(peer.replica) })
      this.#reported = peer.replica
      return
    }
    this.#reported = peer.replica
    this.#number = (this.#number + 1) >>> 0
    this.#transfer = {
      peer,
      replica: peer.replica,
      number: this.#number,
      import: undefined,
      offer: undefined,
      next: 0,
      asked: 0,
      early: new Map(),
      isBusy: false,
      isComplete: false,
      progressMs: now,
      askedMs: now,
      askedFrom: 0,
      roundTripMs: Infinity,
      retryDelayMs: this.#options.settings.requestTimeoutMs,
      measured: this.#options.recorder?.begin(INSTRUMENTS.snapshotFetch),
    }
    this.#ask(this.#transfer, 0, WINDOW_CHUNKS)
    this.#arm(this.#transfer)
  }

  /**
   * Whether it says itself that it lacks what has been folded here. Of an id that it does not name it
   * may have pruned all: its state says so.
   */
  #lacksFloor({ has }: Peer): boolean {
    const { floor } = this.#options.store
    return [...floor.entries()].some(([replica, sequence]) => has.get(replica) > 0 && has.get(replica) < sequence)
  }

  chunk(peer: Peer, chunk: SnapshotChunk): void {
    const transfer = this.#transfer
    if (transfer === undefined || transfer.peer !== peer || transfer.number !== chunk.transfer) return
    if (transfer.isComplete) return
    if (chunk.refused) {
      this.#refused(transfer)
      return
    }
    transfer.offer ??= chunk.offer
    if (chunk.offer !== transfer.offer) {
      if (((chunk.offer - transfer.offer) | 0) > 0) this.#fail(transfer, 'the peer had to begin anew')
      return
    }
    if (chunk.index < transfer.next || chunk.index >= transfer.next + WINDOW_CHUNKS) return
    transfer.early.set(chunk.index, chunk)
    this.#measure(transfer, chunk.index)
    if (!transfer.isBusy) void this.#takeIn(transfer)
  }

  forget(peer: Peer): void {
    if (this.#transfer?.peer === peer && !this.#transfer.isComplete) this.#fail(this.#transfer, 'the peer is gone')
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#transfer?.import?.abandon()
    this.#transfer?.measured?.({ outcome: 'closed' })
    this.#transfer = undefined
  }

  /** Takes in the chunks that are here, and the state once it is whole. Never rejects. */
  async #takeIn(transfer: Transfer): Promise<void> {
    const budget = new Budget(this.#options.env)
    transfer.isBusy = true
    try {
      const steps = this.#steps(transfer, budget)
      while (steps.next().done === false) {
        await budget.rest()
        // It may have been given up in a break.
        if (this.#transfer === transfer) continue
        steps.return()
        return
      }
      if (transfer.isComplete) this.#done(transfer)
    } catch (error) {
      if (this.#transfer === transfer) this.#fail(transfer, `it does not go in (${asError(error).message})`, error)
    } finally {
      transfer.isBusy = false
    }
  }

  *#steps(transfer: Transfer, budget: Budget): Generator<void, void> {
    const { early } = transfer
    for (let chunk = early.get(transfer.next); chunk !== undefined; chunk = early.get(transfer.next)) {
      yield* this.#takeOne(transfer, chunk, budget)
      early.delete(transfer.next++)
      this.#took(transfer, chunk)
      if (chunk.last) break
    }
    if (transfer.isComplete && transfer.import !== undefined) yield* transfer.import.steps(budget)
  }

  *#takeOne(transfer: Transfer, { vector, bytes }: SnapshotChunk, budget: Budget): Generator<void, void> {
    const { store } = this.#options
    // The first chunk has a vector: the decoder sees to it.
    transfer.import ??= store.beginSnapshot(vector ?? new VersionVector(), store.floor)
    // The empty snapshot's only chunk is empty, and no chunk of it.
    if (bytes.length > 0) yield* transfer.import.chunkSteps(bytes, budget)
  }

  /** Asks for what comes behind it. */
  #took(transfer: Transfer, { bytes, last }: SnapshotChunk): void {
    const { env, recorder } = this.#options
    recorder?.add(INSTRUMENTS.snapshotBytes, bytes.length)
    transfer.progressMs = env.monotonic()
    transfer.isComplete = last
    if (last) {
      this.#timer?.cancel()
      // All is here: the peer need not keep it.
      this.#ask(transfer, transfer.next, transfer.next + 1)
      return
    }
    const end = transfer.next + WINDOW_CHUNKS
    if (end - transfer.asked >= WINDOW_CHUNKS / 2) this.#ask(transfer, transfer.asked, end)
    this.#arm(transfer)
  }

  /** Asks for chunks from `from` up to `to`. */
  #ask(transfer: Transfer, from: number, to: number): void {
    transfer.asked = Math.max(transfer.asked, to)
    transfer.askedMs = this.#options.env.monotonic()
    transfer.askedFrom = from
    const request = { transfer: transfer.number, acknowledged: transfer.next, from, count: to - from }
    this.#options.request(transfer.peer, request)
  }

  /** Asks again for what did not come, twice as patient each time, and gives up in the end. */
  #arm(transfer: Transfer): void {
    const { env, settings } = this.#options
    this.#timer?.cancel()
    this.#timer = env.schedule(transfer.retryDelayMs, () => {
      const now = env.monotonic()
      if (now - transfer.progressMs > settings.snapshotIdleMs) {
        this.#fail(transfer, 'no chunk came for too long')
        return
      }
      if (now - Math.max(transfer.askedMs, transfer.progressMs) >= transfer.retryDelayMs) {
        transfer.retryDelayMs = Math.min(transfer.retryDelayMs * 2, settings.snapshotIdleMs / 4)
        // Some of these may be here already; where one was lost, others were as well, and waiting
        // costs more than bytes.
        this.#ask(transfer, transfer.next, transfer.next + WINDOW_CHUNKS)
      }
      this.#arm(transfer)
    })
  }

  /**
   * The shortest round trip of late decides how soon a chunk counts as lost: longer ones may have
   * been retransmissions.
   */
  #measure(transfer: Transfer, index: number): void {
    const { env, settings } = this.#options
    if (index === transfer.askedFrom) {
      const tookMs = env.monotonic() - transfer.askedMs
      transfer.roundTripMs = Math.min(tookMs, transfer.roundTripMs * 1.1)
    }
    transfer.retryDelayMs = Math.min(settings.requestTimeoutMs, transfer.roundTripMs * 3 + RETRY_DELAY_MS_MIN)
  }

  #done(transfer: Transfer): void {
    this.#end()
    transfer.measured?.({ outcome: 'done' })
    this.#failedCount = 0
    this.#reported = undefined
    this.#options.observe({ kind: 'resync:done', replica: transfer.replica, chunkCount: transfer.next })
    this.#options.onEnd()
  }

  #refused(transfer: Transfer): void {
    const { env, settings } = this.#options
    this.#busyUntilMs.set(transfer.peer, env.monotonic() + settings.requestTimeoutMs)
    this.#abandon(transfer, 'the peer hands out no snapshot now')
  }

  #fail(transfer: Transfer, reason: string, cause?: unknown): void {
    const { env, settings } = this.#options
    const delayMs = settings.requestTimeoutMs * 2 ** Math.min(this.#failedCount++, 20)
    this.#notBeforeMs = env.monotonic() + Math.min(settings.retryDelayMsMax, delayMs)
    this.#abandon(transfer, reason, cause)
  }

  #abandon(transfer: Transfer, reason: string, cause?: unknown): void {
    const { observe } = this.#options
    this.#end()
    transfer.measured?.({ outcome: 'failed' })
    transfer.import?.abandon()
    const isSplit = isWarpError(cause) && cause.details['bothCompacted'] === true
    const error = isSplit ? unmergeable(transfer.replica) : notTakenIn(transfer, reason, cause)
    observe({ kind: 'resync:failed', replica: transfer.replica, error })
    this.#options.onEnd()
  }

  #end(): void {
    this.#timer?.cancel()
    this.#transfer = undefined
  }
}

function notTakenIn({ replica, next }: Transfer, reason: string, cause: unknown): WarpError {
  return new WarpError(
    'WARP_E_RESYNC_REQUIRED',
    `the snapshot of replica ${replica} was not taken in: ${reason}; it is asked for again later`,
    { details: { replica, chunkCount: next }, cause },
  )
}

/** Taking over the peer's state would lose what has been folded here. */
function unmergeable(replica: ReplicaId): WarpError {
  return new WarpError(
    'WARP_E_RESYNC_REQUIRED',
    `replica ${replica} and this one have both compacted what the other one has never seen, so neither can take over the other's state; ` +
      'start one of them with an empty log, and write again what it alone had',
    { details: { replica, bothCompacted: true } },
  )
}
