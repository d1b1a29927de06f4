/** In which regions a replica sits, and how it reaches them. */
import type { Transport } from '../../ports/transport.ts'

export interface RelayEnd {
  /** As its replicas say it themselves. One name for one region, everywhere. */
  readonly region: string
  /** Networks of that region, on which its replicas hear each other: at least one. */
  readonly transports: readonly Transport[]
}

/** Where a replica sits: its own region first, then those to which it relays. */
export interface RegionPlan {
  /** Empty: it knows of none. */
  readonly region: string
  readonly ends: readonly RelayEnd[]
}
