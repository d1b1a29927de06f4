/**
 * Whether a partition still is the log that a bookmark is of, and holds what follows. Asks the server
 * that leads the stream, or believes to; so before anything is called broken, a record of our own
 * proves that the answer is not an old one.
 */
import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream'
import { WarpError } from '../../../src/index.ts'
import type { Bookmark } from '../../../src/ports/ordered-log.ts'
import type { BrokerClock } from '../../broker/platform-clock.ts'
import { storedId } from './records.ts'
import { type PartitionStream, streamInfo } from './streams.ts'

export type Verdict =
  /** `warning`: others would not find it whole. */
  | { readonly kind: 'there'; readonly warning?: WarpError }
  | { readonly kind: 'trimmed'; readonly firstOffset: number }
  | { readonly kind: 'broken'; readonly error: WarpError }

export interface PlaceCheckOptions extends PartitionStream {
  readonly manager: JetStreamManager
  readonly clock: BrokerClock
  /** The last record of the snapshot that reaches furthest. */
  readonly snapshot: () => Promise<Bookmark | undefined>
  /** The place of a new record, behind everything that was acknowledged before. */
  readonly barrier: () => Promise<number>
}

/** Looks in a row that find no stream, before it counts as deleted. */
const MISSING_LOOKS = 8
const LOOK_AGAIN_MS = 250
const LOOKS_MAX = 40
const THERE: Verdict = { kind: 'there' }

export class PlaceCheck {
  readonly #options: PlaceCheckOptions
  #missingCount = 0

  constructor(options: PlaceCheckOptions) {
    this.#options = options
  }

  /** Rejects where it cannot be found out now. */
  async check(after: Bookmark | undefined): Promise<Verdict> {
    const first = await this.#look(after, 0)
    if (typeof first !== 'string') return first
    const proof = await this.#options.barrier()
    if (proof <= (after?.offset ?? 0)) return this.#broken(`a new record has the place ${proof}`)
    const second = await this.#look(after, proof)
    return typeof second === 'string' ? this.#broken(second) : second
  }

  /** A reason for doubt, or a verdict. `proof`: the stream has at least so many records. */
  async #look(after: Bookmark | undefined, proof: number): Promise<Verdict | string> {
    const info = await this.#info(proof)
    if (info === undefined) return this.#broken('the stream was deleted')
    if (info.config.subjects[0] !== this.#options.subject) return this.#broken('the stream was made anew')
    const offset = after?.offset ?? 0
    const { last_seq: last } = info.state
    if (offset > last) return `it ends at ${last}`
    const gone = await this.#goneUpTo(info)
    const beside = gone === 0 ? undefined : await this.#besideSnapshot(after, gone)
    if (beside !== undefined) return beside
    return after === undefined || offset === gone ? THERE : this.#compare(after)
  }

  /** The last record that is not there any more: the whole beginning has gone, or single ones have. */
  async #goneUpTo(info: StreamInfo): Promise<number> {
    const { state } = info
    const hasHoles = state.num_deleted > 0 || state.lost !== undefined
    return Math.max(firstOf(info) - 1, hasHoles ? await this.#lastHole(state.last_seq) : 0)
  }

  /** Records have gone. Who had them misses nothing; who had not needs a snapshot. */
  async #besideSnapshot(after: Bookmark | undefined, gone: number): Promise<Verdict | string | undefined> {
    const kept = await this.#options.snapshot()
    const offset = after?.offset ?? 0
    const isPurged = gone > (kept?.offset ?? 0)
    const what = `records up to ${gone} were purged, and no snapshot has them`
    if (offset < gone) return isPurged ? what : { kind: 'trimmed', firstOffset: gone + 1 }
    if (isPurged) return this.#warned(after, gone, what)
    if (kept?.offset !== offset) return undefined
    return kept.id === after?.id ? THERE : `the snapshot has another record ${offset}`
  }

  async #warned(after: Bookmark | undefined, gone: number, what: string): Promise<Verdict | string> {
    const verdict = after === undefined || after.offset === gone ? THERE : await this.#compare(after)
    if (typeof verdict === 'string' || verdict.kind !== 'there') return verdict
    const message = `stream '${this.#options.stream}': ${what}; this replica has them, and others do not get them before it saves one`
    return { kind: 'there', warning: new WarpError('WARP_E_ORDER_BROKEN', message) }
  }

  async #compare({ offset, id }: Bookmark): Promise<Verdict | string> {
    const { manager, stream } = this.#options
    const stored = await manager.streams.getMessage(stream, { seq: offset })
    if (stored === null) return `the record ${offset} is gone`
    return storedId(stored) === id ? THERE : `the record ${offset} is another one`
  }

  /** A server that was deposed, or has just started, may be behind: its answer does not count. */
  async #info(proof: number): Promise<StreamInfo | undefined> {
    const { manager, stream, clock } = this.#options
    for (let look = 0; look < LOOKS_MAX; look++) {
      const info = await streamInfo(manager, stream)
      this.#missingCount = info === undefined ? this.#missingCount + 1 : 0
      if (info === undefined && this.#missingCount >= MISSING_LOOKS) return undefined
      if (info !== undefined && info.state.last_seq >= proof) return info
      await new Promise<void>((resolve) => clock.schedule(LOOK_AGAIN_MS, resolve))
    }
    throw new WarpError(
      'WARP_E_TRANSPORT',
      `stream '${stream}' does not show the record ${proof} that it has acknowledged`,
    )
  }

  /** The last record that is missing between others. */
  async #lastHole(last: number): Promise<number> {
    const { manager, stream } = this.#options
    const info = await streamInfo(manager, stream, { deleted_details: true })
    const missing = [...(info?.state.deleted ?? []), ...(info?.state.lost?.msgs ?? [])]
    return missing.reduce((furthest, offset) => (offset <= last ? Math.max(furthest, offset) : furthest), 0)
  }

  #broken(reason: string): Verdict {
    return { kind: 'broken', error: orderBroken(this.#options.stream, reason) }
  }
}

export function orderBroken(stream: string, reason: string): WarpError {
  const message = `stream '${stream}' is not the log that it was: ${reason}; what was acknowledged may be lost. Restore the stream, or empty the logs of all replicas and begin with another stream`
  return new WarpError('WARP_E_ORDER_BROKEN', message, { details: { stream, reason } })
}

/** An empty stream says 0 before its first record, and the next place after a purge. */
function firstOf({ state }: StreamInfo): number {
  return state.first_seq === 0 ? state.last_seq + 1 : state.first_seq
}
