/** Audits of logs with Node's clock. */
import {
  checkLogOn,
  replayLogOn,
  type CheckLogOptions,
  type CheckReport,
  type LogStore,
  type ReplayedKey,
  type ReplayOptions,
} from '../../src/index.ts'
import { nodeEnv } from './node-env.ts'

/**
 * Reads everything that a log holds, or several, without changing them, and reports what is wrong
 * with it: see `Finding`. Throws what opening a log throws, but not `WARP_E_LOG_CORRUPT`, which is
 * a finding; `WARP_E_CONFIG`, `WARP_E_PATTERN` for keys; `WARP_E_ABORTED`.
 */
export function checkLog(log: LogStore | CheckLogOptions): Promise<CheckReport> {
  return checkLogOn({ env: nodeEnv() }, 'open' in log ? { logs: [log] } : log)
}

/**
 * The keys whose values would differ, had they been defined otherwise. The log is not changed.
 * Throws what opening a log throws; `WARP_E_CONFIG` and `WARP_E_PATTERN` for keys;
 * `WARP_E_ABORTED`.
 */
export function replayLog(options: ReplayOptions): AsyncGenerator<ReplayedKey, void, undefined> {
  return replayLogOn({ env: nodeEnv() }, options)
}
