/** What a client has said of its cache. */

export interface TrackingOptions {
  readonly mode: 'default' | 'broadcast' | 'opt-in' | 'opt-out'
  /** What the client itself writes is not told to it. */
  readonly isNoLoop: boolean
  /** The connection that is told instead; 0: its own. */
  readonly redirect: number
  /** Binary strings; empty in other modes than `broadcast`. */
  readonly prefixes: readonly string[]
}

export interface ClientTracking extends TrackingOptions {
  /** CLIENT CACHING said so for the next command. */
  isSaid: boolean
  isBroken: boolean
}
