/** `warp-engine/nats`: replicas that hear each other over NATS, and an ordered log in JetStream. */
export { natsOrderedLog } from './ordered/ordered-log.ts'
export type { NatsOrderedLogOptions, NatsShortcoming } from './ordered/options.ts'
export { natsTransport } from './transport/nats-transport.ts'
export type { NatsTransportOptions } from './transport/options.ts'
export type { NatsConnectOptions, NatsServersOptions } from './connect-options.ts'
export type { BrokerClock as NatsClock } from '../broker/platform-clock.ts'
