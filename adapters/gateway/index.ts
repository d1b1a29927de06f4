/** `warp-engine/gateway`: lets guests in, over WebSockets, for node:http, Express and Fastify. */
export { guestGateway, type GuestGateway, type GuestGatewayOptions } from './guest-gateway.ts'
export type { GatewayEvent, GatewayLimits, GuestPermission } from '../../src/guests/gateway/options.ts'
