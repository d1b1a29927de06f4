/** `warp-engine/y-websocket`: editors with providers of y-websocket or Hocuspocus, on keys of `yjs()`. */
export { yWebsocketServer, type DocumentsEngine, type YWebsocketServer } from './y-websocket-server.ts'
export type {
  AskedDocument,
  DocumentAccess,
  DocumentPermission,
  RefusedUpdate,
  YWebsocketServerOptions,
} from './options.ts'
export type { DocumentsCounts } from './contract.ts'
