/** `warp-engine/kafka`: replicas that hear each other over Kafka, and an ordered log in a topic. */
export { kafkaOrderedLog } from './ordered/ordered-log.ts'
export type { KafkaOrderedLogOptions, KafkaShortcoming } from './ordered/options.ts'
export { kafkaTransport } from './transport/kafka-transport.ts'
export type { KafkaTransportOptions } from './transport/options.ts'
export type { KafkaBrokersOptions, KafkaConnectOptions } from './brokers-options.ts'
export type { KafkaSocketFactory } from './kafkajs.ts'
export type { BrokerClock as KafkaClock } from '../broker/platform-clock.ts'
