/** Renews a lock by itself, early enough that a lost answer or two do no harm. */
import type { Env, Timer } from '../../ports/env.ts'
import type { HeldLock } from './held-lock.ts'

/** Of the time of a lock: when it is renewed, and when again after a renewal that failed. */
const RENEWED_AFTER = 1 / 3
const AGAIN_AFTER = 1 / 10

/** Until that moment of the monotonic clock, or until the returned function is called. */
export function keepRenewed(env: Env, lock: HeldLock, untilMs: number): () => void {
  const { ttlMs } = lock
  let timer: Timer | undefined
  let isStopped = false
  const later = (part: number): void => {
    if (isStopped || !lock.isHeld) return
    timer = env.schedule(ttlMs * part, () => {
      // What is renewed now is held for its whole time.
      if (isStopped || env.monotonic() + ttlMs > untilMs) return
      lock.renew().then(
        () => later(RENEWED_AFTER),
        () => later(AGAIN_AFTER),
      )
    })
  }
  later(RENEWED_AFTER)
  return () => {
    isStopped = true
    timer?.cancel()
  }
}
