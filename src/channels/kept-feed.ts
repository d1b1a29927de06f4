/**
 * Kept messages, for one consumer: those that are there, then those that enter. They are operations of
 * keys, one key for each channel, so the rest is a watch of those keys: it lags, resumes and has gaps as
 * any watch. What has been replayed is not told again: of each key it is known at which version that was.
 */
import { decode } from '../../crdt/encoding/encoding.ts'
import type { RecentEntry } from '../../crdt/recent.ts'
import { hlcToMs } from '../../crdt/time/hlc.ts'
import { isWarpError } from '../../crdt/warp-error.ts'
import { TOO_LONG } from '../cache/values.ts'
import type { Slot } from '../keys/key-table.ts'
import { Budget } from '../operation/budget.ts'
import type { KeyStore } from '../store/key-store.ts'
import { foldUntilShort, readAtOnce } from '../store/read-steadily.ts'
import type { Change, Cursor, ValueChange, Watch } from '../watch/change.ts'
import { channelOf } from './channel-name.ts'
import type { ChannelMessage, ChannelGap } from './channel-types.ts'

export interface KeptFeedParts {
  readonly store: KeyStore
  readonly watch: Watch
  /** Keys of interest. */
  readonly matches: (key: string) => boolean
  /** The one key, if it is one. */
  readonly key: string | undefined
  /** Messages of each channel to begin with; 0: none. */
  readonly replayMax: number
  /** How long messages of a channel are kept, ms. */
  readonly keptForMs: (channel: string) => number
  /** The bytes of a message are no payload. */
  readonly malformed: () => void
}

export class KeptFeed {
  readonly #parts: KeptFeedParts
  /** The versions at which keys have been replayed. */
  readonly #replayed = new Map<string, number>()
  #isReplaying: boolean
  #isClosed = false
  readonly #news: AsyncGenerator<ChannelMessage | ChannelGap, undefined>

  constructor(parts: KeptFeedParts) {
    this.#parts = parts
    this.#isReplaying = parts.replayMax > 0
    this.#news = this.#tell()
  }

  get cursor(): Cursor | undefined {
    return this.#isReplaying ? undefined : this.#parts.watch.cursor
  }

  next(): Promise<IteratorResult<ChannelMessage | ChannelGap, undefined>> {
    return this.#news.next()
  }

  close(): void {
    this.#isClosed = true
    this.#parts.watch.close()
  }

  async *#tell(): AsyncGenerator<ChannelMessage | ChannelGap, undefined> {
    if (this.#isReplaying) yield* this.#replay()
    this.#isReplaying = false
    for await (const change of this.#parts.watch) {
      const news = this.#newsOf(change)
      if (news !== undefined) yield news
    }
    return undefined
  }

  async *#replay(): AsyncGenerator<ChannelMessage, void> {
    const { store, matches, key } = this.#parts
    if (key !== undefined) {
      const slot = store.keys.find(key)
      if (slot !== undefined) yield* this.#replayKey(key, slot)
      return
    }
    const budget = new Budget(store.env, () => undefined)
    for (const slot of store.keys.occupied()) {
      if (budget.isSpent) await budget.pause()
      if (this.#isClosed) return
      budget.spend(1, 0)
      const found = store.keys.keys[slot]
      if (found !== undefined && matches(found)) yield* this.#replayKey(found, slot)
    }
  }

  async *#replayKey(key: string, slot: Slot): AsyncGenerator<ChannelMessage, void> {
    const { store, replayMax, keptForMs } = this.#parts
    if (store.keyspaceFor(key, slot) === store.keyspaces.unregistered) return
    let value = readAtOnce(store, slot)
    while (value === TOO_LONG) {
      await foldUntilShort(store, slot, () => store.assertOpen())
      if (this.#isClosed || store.keys.keys[slot] !== key) return
      value = readAtOnce(store, slot)
    }
    // In the turn in which the value was read.
    this.#replayed.set(key, store.keys.version[slot]!)
    const channel = channelOf(key)
    const sinceMs = store.env.now() - keptForMs(channel)
    const entries = ((value ?? []) as readonly RecentEntry[]).filter(({ hlc }) => hlcToMs(hlc) >= sinceMs)
    for (const { replica, hlc, bytes } of replayMax === Infinity ? entries : entries.slice(-replayMax)) {
      if (this.#isClosed) return
      const message = this.#message({ channel, publisher: replica, timeMs: hlcToMs(hlc) }, bytes)
      if (message.kind === 'message') yield message
    }
  }

  #newsOf(change: Change): ChannelMessage | ChannelGap | undefined {
    const { kind, cursor } = change
    if (kind === 'gap') {
      // Versions may count anew.
      this.#replayed.clear()
      return { kind, missedCount: change.missedCount, cursor }
    }
    return kind === 'value' && !this.#isReplayed(change) ? this.#entered(change) : undefined
  }

  #isReplayed({ key, version }: ValueChange): boolean {
    const through = this.#replayed.get(key)
    if (through === undefined) return false
    if (version <= through) return true
    this.#replayed.delete(key)
    return false
  }

  #entered(change: ValueChange): ChannelMessage | ChannelGap | undefined {
    const { cursor } = change
    try {
      const { key, operation } = change
      const { payload, dot, origin, timeMs } = operation
      // What a later version of Warp wrote there is nothing that this one could show.
      if (!(payload instanceof Uint8Array)) return undefined
      const publisher = (origin ?? dot).replica
      return { ...this.#message({ channel: channelOf(key), publisher, timeMs }, payload), cursor }
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_HISTORY')) throw error
      return { kind: 'gap', missedCount: 1, channel: channelOf(change.key), cursor }
    }
  }

  #message(
    facts: Pick<ChannelMessage, 'channel' | 'publisher' | 'timeMs'>,
    bytes: Uint8Array,
  ): ChannelMessage | ChannelGap {
    try {
      return { kind: 'message', ...facts, payload: decode(bytes) }
    } catch {
      this.#parts.malformed()
      return { kind: 'gap', missedCount: 1, channel: facts.channel, publisher: facts.publisher }
    }
  }
}
