/** What the cases ask of a cache in front of a source, so that the same steps can be gone with each. */
import type { Source } from './source.ts'

export interface ClusterOptions {
  readonly source: Source
  /** How many replicas. */
  readonly count: number
  /** Where the replicas of a cluster of processes listen, if they do; this one's first. */
  readonly ports?: readonly number[]
  /** Keeps a case apart from others on the same Redis. */
  readonly prefix: string
  /** Absent: memory alone, and nothing between the replicas. */
  readonly redisUrl?: string
  /** The Redis is not there yet; `appear` brings it. */
  readonly isRedisAway?: boolean
  /**
   * Rivals keep Redis as a second tier before the source. Warp may do without, or have it as the store that it writes:
   * then the source is asked for what the store has not.
   */
  readonly isRedisStore?: boolean
  readonly lifeMs?: number
  readonly staleMs?: number
  readonly throttleMs?: number
  /** Values are kept in memory as they are. */
  readonly isPlain?: boolean
  /** Each copy is loaded with this tag. */
  readonly tag?: string
  /** The clock of the last replica is ahead by so much while it loads. */
  readonly aheadMs?: number
}

export interface Replica {
  /** From memory, or from the tiers behind it, or from the source. */
  read(key: string): Promise<unknown>
  /** Tells the cache what its writer has brought to the source. */
  write(key: string, value: unknown): Promise<unknown>
  invalidate(key: string): Promise<unknown>
  /** Absent: it has no tags. */
  invalidateTag?(tag: string): Promise<unknown>
  /** Redis hears this replica, which gets no answer until `release`. */
  holdAnswers(): void
  release(): void
  /** From the others. */
  cutOff(): void
  rejoin(): void
}

export interface Cluster {
  readonly replicas: readonly Replica[]
  /** The Redis that was away is there. */
  appear(): Promise<void>
  close(): Promise<void>
}

export interface Contestant {
  readonly name: string
  /** Says why a case is not for it: by the letter of the case. */
  readonly lacks: Readonly<Record<string, string>>
  /** Ready: all of the replicas hear each other. */
  open(options: ClusterOptions): Promise<Cluster>
}
