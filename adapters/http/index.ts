/** `warp-engine/http`: changes, messages, metrics and health over HTTP, for node:http, Express and Fastify. */
export { warpHttp, type WarpHttp } from './warp-http.ts'
export type { AskedRoute, HttpPermission, MetricsRegistry, WarpHttpOptions, WatchedEngine } from './options.ts'
export type { ChannelHttpMessage } from './channel-messages.ts'
export type { WatchMessage } from './watch-messages.ts'
