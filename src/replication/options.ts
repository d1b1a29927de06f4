/**
 * Every setting of replication: default, unit and bound. Checked once, when the replicator is made;
 * the rest trusts it.
 *
 * The intervals trade traffic for staleness. Operations are sent as they are written; digests
 * repair what got lost and tell the others what may be compacted, so they may be slow.
 */
import { shownValue } from '../../crdt/shown-kind.ts'
import { checkOptions, isWholeFrom } from '../../crdt/checked-options.ts'
import { WarpError } from '../../crdt/warp-error.ts'
import { FRAME_BYTES_MAX } from '../limits.ts'

export interface ReplicationOptions {
  /**
   * Between two rounds of digests. Over a transport that watches its peers, as the mesh does, a
   * round without news tells nobody, or a few.
   */
  readonly digestIntervalMs?: number
  /**
   * From a write to the digest that tells of it; what came from others is told of with the next
   * one. Digests are never closer than a quarter of the interval.
   */
  readonly digestSoonMs?: number
  /**
   * From noticing that something is missing to asking for it, so that what is under way may still
   * arrive.
   */
  readonly requestDelayMs?: number
  /** Without an answer for this long, the request is repeated, to another peer if there is one. */
  readonly requestTimeoutMs?: number
  /** Repeated failures wait twice as long each time, up to this. */
  readonly retryDelayMsMax?: number
  /** The bytes of operations sent in answer to one request. */
  readonly windowBytes?: number
  /** A frame of operations is sent when it has grown to this. One operation may be larger. */
  readonly batchBytes?: number
  /**
   * Frames and bytes that wait to be processed; what comes on top is dropped, reported and
   * repaired.
   */
  readonly inboxFramesMax?: number
  readonly inboxBytesMax?: number
  /**
   * Operations and bytes that wait for their causes; the farthest ahead are dropped and asked for
   * again.
   */
  readonly bufferOperationsMax?: number
  readonly bufferBytesMax?: number
  /** A peer silent for this long counts as down, unless its transport says that it is there. */
  readonly peerSilentMs?: number
  /** A peer that lacks something for this long counts as lagging. */
  readonly peerLaggingMs?: number
  /**
   * A replica silent for this long no longer holds back compaction; if it returns, it may have to
   * resync. One whose log is in memory cannot return: it is waited for 10 minutes at most. Default
   * 24 h.
   */
  readonly horizonMs?: number
  /**
   * For how long the others wait for this replica once it has been closed in order, unless it left
   * for good. Default 1 h.
   */
  readonly awayMs?: number
  /** The bytes of one chunk of a snapshot, about. */
  readonly snapshotChunkBytes?: number
  /** Snapshots that are being handed out at one time. Others wait. */
  readonly snapshotExportsMax?: number
  /** A snapshot transfer without progress for this long is given up. */
  readonly snapshotIdleMs?: number
}

export type ReplicationSettings = Readonly<Record<keyof ReplicationOptions, number>>

type Bound = readonly [fallback: number, min: number, max: number]

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const MIB = 1024 * 1024

const BOUNDS: Readonly<Record<keyof ReplicationOptions, Bound>> = {
  digestIntervalMs: [1000, 10, 10 * MINUTE_MS],
  digestSoonMs: [50, 0, MINUTE_MS],
  requestDelayMs: [15, 0, MINUTE_MS],
  requestTimeoutMs: [500, 10, 10 * MINUTE_MS],
  retryDelayMsMax: [30_000, 10, DAY_MS],
  windowBytes: [4 * MIB, 1024, 64 * MIB],
  batchBytes: [256 * 1024, 1024, FRAME_BYTES_MAX],
  inboxFramesMax: [1024, 1, 1_000_000],
  inboxBytesMax: [32 * MIB, FRAME_BYTES_MAX, 1024 * MIB],
  bufferOperationsMax: [65_536, 1, 10_000_000],
  bufferBytesMax: [8 * MIB, 1024, 1024 * MIB],
  peerSilentMs: [10_000, 100, DAY_MS],
  peerLaggingMs: [5000, 100, DAY_MS],
  horizonMs: [DAY_MS, 1000, 3650 * DAY_MS],
  awayMs: [60 * MINUTE_MS, 1000, 3650 * DAY_MS],
  snapshotChunkBytes: [256 * 1024, 1024, 2 * MIB],
  snapshotExportsMax: [2, 1, 64],
  snapshotIdleMs: [30_000, 100, DAY_MS],
}

/** Fills in the defaults. Throws `WARP_E_CONFIG`. */
export function replicationSettings(options: ReplicationOptions = {}): ReplicationSettings {
  checkOptions('openWarp: replication', options, Object.keys(BOUNDS))
  const settings: Record<string, number> = {}
  for (const [name, [fallback, min, max]] of Object.entries(BOUNDS)) {
    const value = options[name as keyof ReplicationOptions] ?? fallback
    if (!isWholeFrom(value, min, max)) {
      throw new WarpError(
        'WARP_E_CONFIG',
        `replication.${name} is ${shownValue(value)}; it is a whole number from ${min} to ${max}`,
        {
          details: { name, value, min, max },
        },
      )
    }
    settings[name] = value
  }
  return settings as ReplicationSettings
}
