/** Waiting for processes: asks again and again, with a short break in between. */
import { setTimeout as pause } from 'node:timers/promises'

/** Nothing in the demo takes nearly as long; what takes longer will not come. */
const WAIT_MS_MAX = 30_000
const PAUSE_MS = 5

/** Throws, naming `what`, if it takes too long. */
export async function until(isDone: () => Promise<boolean>, what: string): Promise<void> {
  const giveUpAt = performance.now() + WAIT_MS_MAX
  while (!(await isDone())) {
    if (performance.now() > giveUpAt) throw new Error(`waited ${WAIT_MS_MAX / 1000} s in vain for ${what}`)
    await pause(PAUSE_MS)
  }
}
