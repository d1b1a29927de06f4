/** `warp-engine/file`: the log on disk. */
export { fileLog } from './file-log.ts'
export type { FileLogOptions } from './options.ts'
