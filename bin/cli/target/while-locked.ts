/**
 * A folder that is held may be another command's that is done in a moment, or a replica's that is
 * just starting or ending: it is tried again for a while.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { WarpError, isWarpError } from '../../../crdt/warp-error.ts'

const LOCKED_MS_MAX = 1500
const RETRY_MS = 50

/**
 * Throws `WARP_E_LOG_LOCKED` when it is locked for too long, `WARP_E_ABORTED`, and what `attempt`
 * throws.
 */
export async function whileLocked<Result>(signal: AbortSignal, attempt: () => Promise<Result>): Promise<Result> {
  const giveUpAt = performance.now() + LOCKED_MS_MAX
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (!isWarpError(error, 'WARP_E_LOG_LOCKED') || performance.now() > giveUpAt) throw error
    }
    await delay(RETRY_MS, undefined, { signal }).catch((cause: unknown) => {
      throw new WarpError('WARP_E_ABORTED', 'gave up waiting for the folder', { cause })
    })
  }
}
