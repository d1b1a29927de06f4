import type { FeedCheckpoints } from '../log/feed/feed-checkpoints.ts'
import type { Holds } from '../log/holds.ts'
import type { EngineEvent } from '../store/event.ts'
import type { KeyStore } from '../store/key-store.ts'

/** What projections need of the engine. */
export interface ProjectionSource {
  readonly store: KeyStore
  readonly holds: Holds
  readonly feeds: FeedCheckpoints
  readonly observe: (event: EngineEvent) => void
}
