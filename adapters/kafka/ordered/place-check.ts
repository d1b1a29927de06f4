/**
 * Whether a partition still is the log that a bookmark is of, and holds what follows. Asks the broker
 * that leads it, or believes to; so before anything is called broken, a record of our own proves that
 * the answer is not an old one.
 */
import { WarpError } from '../../../src/index.ts'
import type { Bookmark } from '../../../src/ports/ordered-log.ts'
import type { Lines } from '../connection.ts'
import type { PlaceOfTopic } from '../line.ts'
import { recordOf } from './records.ts'

export type Verdict =
  /** `warning`: others would not find it whole. */
  | { readonly kind: 'there'; readonly warning?: WarpError }
  | { readonly kind: 'trimmed'; readonly firstOffset: number }
  | { readonly kind: 'broken'; readonly error: WarpError }

export interface PlaceCheckOptions {
  readonly place: PlaceOfTopic
  /** Of the log, for messages. */
  readonly name: string
  /** The last record of the snapshot that reaches furthest. */
  readonly snapshot: () => Promise<Bookmark | undefined>
  /** The place of a new record, behind everything that was acknowledged before. */
  readonly barrier: () => Promise<number>
}

const THERE: Verdict = { kind: 'there' }

export class PlaceCheck {
  readonly #options: PlaceCheckOptions

  constructor(options: PlaceCheckOptions) {
    this.#options = options
  }

  /** Rejects where it cannot be found out now, with what the line rejects with. */
  async check(lines: Lines, after: Bookmark | undefined): Promise<Verdict> {
    const first = await this.#look(lines, after)
    if (typeof first !== 'string') return first
    const proof = await this.#options.barrier()
    if (proof <= (after?.offset ?? 0)) return this.#broken(`a new record has the place ${proof}`)
    const second = await this.#look(lines, after)
    return typeof second === 'string' ? this.#broken(second) : second
  }

  /** A reason for doubt, or a verdict. */
  async #look(lines: Lines, after: Bookmark | undefined): Promise<Verdict | string> {
    const { place } = this.#options
    const asks = lines.asks(place)
    // What is gone now was there before the last one was looked for.
    const last = await asks.offset(place, 'next')
    const gone = await asks.offset(place, 'first')
    const offset = after?.offset ?? 0
    if (offset > last) return `it ends at ${last}, and had a record ${offset}`
    const beside = gone === 0 ? undefined : await this.#besideSnapshot(lines, after, gone)
    if (beside !== undefined) return beside
    return after === undefined || offset <= gone ? THERE : this.#compare(lines, after)
  }

  /** Records have gone. Who had them misses nothing; who had not needs a snapshot. */
  async #besideSnapshot(
    lines: Lines,
    after: Bookmark | undefined,
    gone: number,
  ): Promise<Verdict | string | undefined> {
    const kept = await this.#options.snapshot()
    const offset = after?.offset ?? 0
    const isPurged = gone > (kept?.offset ?? 0)
    const what = `records up to ${gone} are gone, and no snapshot has them`
    if (offset < gone) return isPurged ? what : { kind: 'trimmed', firstOffset: gone + 1 }
    if (isPurged) return this.#warned(lines, after, { gone, what })
    if (kept?.offset !== offset || kept.id === after?.id) return undefined
    return `the snapshot has another record ${offset}`
  }

  async #warned(
    lines: Lines,
    after: Bookmark | undefined,
    { gone, what }: { readonly gone: number; readonly what: string },
  ): Promise<Verdict | string> {
    const isAtEnd = after === undefined || after.offset === gone
    const verdict = isAtEnd ? THERE : await this.#compare(lines, after)
    if (typeof verdict === 'string' || verdict.kind !== 'there') return verdict
    const message = `${this.#options.name}: ${what}; this replica has them, and others do not get them before it saves one`
    return { kind: 'there', warning: new WarpError('WARP_E_ORDER_BROKEN', message) }
  }

  async #compare(lines: Lines, { offset, id }: Bookmark): Promise<Verdict | string> {
    const { place } = this.#options
    const found = await lines.asks(place).fetch({ ...place, from: offset - 1, bytesMax: 1, waitMs: 0 })
    const record = found.find((one) => one.offset === offset - 1)
    if (record === undefined) return `the record ${offset} is gone`
    return recordOf(record).id === id ? THERE : `the record ${offset} is another one`
  }

  #broken(reason: string): Verdict {
    return { kind: 'broken', error: orderBroken(this.#options.name, reason) }
  }
}

export function orderBroken(name: string, reason: string): WarpError {
  const message = `${name} is not the log that it was: ${reason}; what was acknowledged may be lost. Restore the topic, or empty the logs of all replicas and begin with another topic`
  return new WarpError('WARP_E_ORDER_BROKEN', message, { details: { log: name, reason } })
}
