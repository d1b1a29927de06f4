/**
 * Snapshots of partitions: pieces in a hash of their own, and a manifest that is set in one step when all
 * are there. Pieces that are not named by a manifest end by themselves.
 */
import { WarpError } from '../../../src/index.ts'
import type { Bookmark, OrderedSnapshot } from '../../../src/ports/ordered-log.ts'
import { type BrokerClock, randomHex } from '../../broker/platform-clock.ts'
import type { Connection } from '../connection.ts'
import { type Asking, textOf } from './asking.ts'
import { KEEP } from './scripts.ts'

export interface SnapshotsOptions {
  readonly connection: Connection
  readonly asking: Asking
  readonly clock: BrokerClock
  readonly name: string
}

const PIECE_BYTES = 256 * 1024
/** What was begun and not brought to its end is gone after so long. */
const UNFINISHED_MS = 3_600_000
const WORDS = ['offset', 'id', 'pieces', 'count', 'bytes'] as const

export class Snapshots {
  readonly #options: SnapshotsOptions

  constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  async save(partition: number, { bookmark, pieces }: OrderedSnapshot): Promise<void> {
    const { asking, clock } = this.#options
    const key = asking.keyOf(partition, `pieces:${bookmark.offset}-${randomHex(clock, 8)}`)
    try {
      const { count, bytes } = await this.#write(key, pieces)
      const place = { keys: [key], values: [count, bytes] }
      const [kind] = await asking.ask('saving a snapshot', () => asking.run(KEEP, partition, bookmark, place))
      if (textOf(kind) === 'gone') throw this.#gone()
    } catch (error) {
      await this.#commands('removing pieces', (redis) => redis.unlink(key)).catch(() => undefined)
      throw error
    }
  }

  async load(partition: number): Promise<OrderedSnapshot | undefined> {
    const key = this.#options.asking.keyOf(partition, 'snapshot')
    const said = await this.#commands('loading a snapshot', (redis) => redis.hmget(key, ...WORDS))
    const [offset, id, pieces, count, bytes] = said
    if (typeof offset !== 'string') return undefined
    const bookmark: Bookmark = { offset: Number(offset), id: id ?? '' }
    return { bookmark, pieces: this.#read(pieces ?? '', Number(count), Number(bytes)) }
  }

  async #write(
    key: string,
    pieces: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly count: number; readonly bytes: number }> {
    let [count, bytes] = [0, 0]
    for await (const piece of pieces)
      for (let at = 0; at < piece.length; at += PIECE_BYTES) {
        // A copy: the piece is the caller's again before it is sent.
        const part = Buffer.from(piece.subarray(at, at + PIECE_BYTES))
        await this.#commands('writing a snapshot', async (redis) => {
          await Promise.all([redis.hset(key, String(count), part), redis.pexpire(key, UNFINISHED_MS)])
        })
        count++
        bytes += part.length
      }
    return { count, bytes }
  }

  async *#read(key: string, count: number, bytes: number): AsyncGenerator<Uint8Array> {
    let total = 0
    for (let i = 0; i < count; i++) {
      const piece = await this.#commands('reading a snapshot', (redis) => redis.hgetBuffer(key, String(i)))
      if (piece === null) throw this.#gone()
      total += piece.length
      yield new Uint8Array(piece)
    }
    if (total !== bytes) throw this.#gone()
  }

  #commands<T>(doing: string, run: (redis: NonNullable<Connection['lines']>['commands']) => Promise<T>): Promise<T> {
    const { connection, asking } = this.#options
    return asking.request(doing, () => {
      const { lines } = connection
      return lines === undefined ? Promise.reject(connection.error) : run(lines.commands)
    })
  }

  #gone(): WarpError {
    const message = `${this.#options.name}: the pieces of a snapshot are not all there any more; begin again`
    return new WarpError('WARP_E_TRANSPORT', message)
  }
}
