/**
 * Who waits for an `AbortSignal`. However many wait, the signal has one listener: Node warns of a
 * leak from the eleventh on, and fifty watches that end together are none.
 */
import type { Env } from './env.ts'

const waiting = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `listener` once, when the signal fires. Returns how to stop waiting. */
export function whenAborted(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => undefined
  const listeners = waiting.get(signal) ?? listenersOf(signal)
  // One function may wait for several things.
  const own = (): void => listener()
  listeners.add(own)
  return () => {
    listeners.delete(own)
  }
}

function listenersOf(signal: AbortSignal): Set<() => void> {
  const listeners = new Set<() => void>()
  waiting.set(signal, listeners)
  signal.addEventListener(
    'abort',
    () => {
      for (const listener of [...listeners]) listener()
      listeners.clear()
    },
    { once: true },
  )
  return listeners
}

/** Keeps the process alive while somebody waits for what a timer may end. */
export async function awake<Result>(env: Pick<Env, 'stayAlive'>, waited: Promise<Result>): Promise<Result> {
  const letGo = env.stayAlive?.()
  try {
    return await waited
  } finally {
    letGo?.()
  }
}

/** Resolves when the time is over, or as soon as the signal fires: whoever waits looks which. */
export function pause(env: Pick<Env, 'schedule'>, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel()
      stop()
      resolve()
    }
    const timer = env.schedule(delayMs, end)
    const stop = whenAborted(signal, end)
  })
}
