/** `warp-engine/unstorage`: a driver of unstorage, on every replica (docs/fronts.md). */
export { warpDriver } from './warp-driver.ts'
export type { WarpDriverOptions, WatchableEngine } from './warp-driver.ts'
