/** Waiting without sleeping: looks again in every turn of the event loop. */
import { setImmediate as turn } from 'node:timers/promises'

/** Nothing in the demo takes nearly as long; what takes longer will not come. */
const WAIT_MS_MAX = 60_000

/** Throws, naming `what`, if it takes too long. */
export async function until(isDone: () => boolean, what: string): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS_MAX
  while (!isDone()) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${WAIT_MS_MAX / 1000} s in vain for ${what}`)
    await turn()
  }
}
