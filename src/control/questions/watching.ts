/** Changes as they happen, and what the engine says of itself and of its peers. */
import type { Stats } from '../../api/stats.ts'
import type { KnownReplica } from '../../membership/name-book.ts'
import type { PeerReport } from '../../replication/replication-stats.ts'
import { optional, text, textOrNumber } from '../parameters.ts'
import type { Question } from '../question.ts'
import { foundValue, type FoundValue } from './reading.ts'
import { operationJson, type OperationJson } from './history.ts'

export interface WatchParameters {
  readonly pattern: string
  /** An earlier change's cursor, or a version if `pattern` is a key. */
  readonly from?: string | number
}

export type WatchedChange = WatchedValue | WatchedExpiry | WatchedGap

/** `value` is absent if the key is gone. */
export interface WatchedValue extends FoundValue {
  readonly kind: 'value'
  readonly key: string
  readonly operation: OperationJson
  readonly version: number
  readonly cursor: string
}

export interface WatchedExpiry {
  readonly kind: 'expired'
  readonly key: string
  readonly version: number
  readonly expiredAtMs: number
  readonly cursor: string
}

export interface WatchedGap {
  readonly kind: 'gap'
  /** `null`: not known. */
  readonly missedCount: number | null
  readonly cursor: string
}

/** Begins with an item that says that it has begun: from there on nothing is missed. */
export const WATCH: Question<WatchParameters, WatchedChange | { readonly kind: 'watching' }> = {
  name: 'watch',
  about: 'changes as they happen, until the asker leaves',
  changes: false,
  gives: 'items',
  parameters: {
    pattern: text('which keys: * for any run of characters, ? for one', '*'),
    from: optional(textOrNumber('continues behind this cursor, or behind this version if the pattern is a key')),
  },
  async *answer(warp, { pattern, from }, { signal }) {
    const start = typeof from === 'number' ? { version: from } : from
    const watch = warp.watch(pattern, { signal, ...(start === undefined ? {} : { from: start }) })
    yield { kind: 'watching' }
    for await (const change of watch) {
      const { cursor } = change
      if (change.kind === 'gap') {
        yield { kind: 'gap', missedCount: change.missedCount ?? null, cursor }
        continue
      }
      if (change.kind === 'expired') {
        const { kind, key, version, expiredAtMs } = change
        yield { kind, key, version, expiredAtMs, cursor }
        continue
      }
      const { key, value, operation, version } = change
      yield { kind: 'value', key, ...foundValue(value), operation: operationJson(operation), version, cursor }
    }
  },
}

export const STATS: Question<object, Stats> = {
  name: 'stats',
  about: 'what the replica counts, and how full its bounds are',
  changes: false,
  gives: 'item',
  parameters: {},
  async *answer(warp) {
    yield warp.stats()
  },
}

export const PEERS: Question<object, PeerReport> = {
  name: 'peers',
  about: 'the other replicas that are known: state, lag, round trip',
  changes: false,
  gives: 'items',
  parameters: {},
  async *answer(warp) {
    yield* warp.peers()
  },
}

export const REPLICAS: Question<object, KnownReplica> = {
  name: 'replicas',
  about: 'every replica that this one has heard of, itself first, with its name where that is known',
  changes: false,
  gives: 'items',
  parameters: {},
  async *answer(warp) {
    yield* warp.replicas()
  },
}
