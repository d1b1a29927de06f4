/** `warp-engine/resp`: clients of Redis, in any language, on an engine. */
export { respServer, type RespServer, type ServedEngine } from './resp-server.ts'
export type { RespServerOptions } from './options.ts'
export type { UserRules } from './access/users.ts'
