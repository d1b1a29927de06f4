/**
 * A folder that is held may be another command's that is done in a moment, or a replica's that is
 * just starting or ending: it is tried again for a while.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { WarpError, isWarpError } from '../../../crdt/warp-error.ts'

/** So long one process is waited for. Others may come after it: each of them is done in a moment. */
const HELD_MS_MAX = 3000
const RETRY_MS = 50

export interface Patience {
  readonly heldMsMax?: number
  readonly retryMs?: number
}

/**
 * Throws `WARP_E_LOG_LOCKED` when one process holds it for too long, `WARP_E_ABORTED`, and what `attempt`
 * throws.
 */
export async function whileLocked<Result>(
  signal: AbortSignal,
  attempt: () => Promise<Result>,
  { heldMsMax = HELD_MS_MAX, retryMs = RETRY_MS }: Patience = {},
): Promise<Result> {
  let holder: unknown
  let sinceMs = 0
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOG_LOCKED')) throw error
      const { pid = 'unknown' } = error.details
      if (pid !== holder) sinceMs = performance.now()
      else if (performance.now() - sinceMs > heldMsMax) throw error
      holder = pid
    }
    await delay(retryMs, undefined, { signal }).catch((cause: unknown) => {
      throw new WarpError('WARP_E_ABORTED', 'gave up waiting for the folder', { cause })
    })
  }
}
