/** `warp-engine/nats`: an ordered log in JetStream. */
export { natsOrderedLog } from './ordered/ordered-log.ts'
export type { NatsOrderedLogOptions, NatsShortcoming } from './ordered/options.ts'
export type { NatsConnectOptions, NatsServersOptions } from './connect-options.ts'
export type { NatsClock } from './platform-clock.ts'
