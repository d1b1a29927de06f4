/** The engine with Node's clock, timers and randomness. */
import { openWarpOn, type KeyMap, type Warp, type WarpOptions } from '../../src/index.ts'
import { nodeEnv } from './node-env.ts'

/**
 * Opens an engine: reads its log, joins its networks. Close it when done (`await using` does).
 *
 * Throws `WARP_E_CONFIG`, `WARP_E_PATTERN`, `WARP_E_LINEARIZABLE_UNSUPPORTED` for what it is given, and `WARP_E_LOG_LOCKED`,
 * `WARP_E_LOG_CORRUPT`, `WARP_E_LOG_FOREIGN`, `WARP_E_LOG_VERSION`, `WARP_E_STORAGE` for what it finds.
 */
export function openWarp<const K extends KeyMap>(options: WarpOptions<K>): Promise<Warp<K>> {
  return openWarpOn({ env: nodeEnv() }, options)
}
