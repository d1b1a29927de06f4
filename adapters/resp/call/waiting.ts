/** How a command waits for keys, or for time to pass: BLPOP and its like, WAIT. */
import type { Waiter } from '../connections/waiters.ts'
import { nameOf } from './command-keys.ts'
import type { Call } from './command.ts'
import { errorText } from './error-text.ts'

export interface Wanted {
  /** Something that enters one of them is looked at. */
  readonly keys: readonly string[]
  /** 0: for ever. */
  readonly timeoutMs: number
  /** Replies if it can, and says so; called again each time with the time of then. */
  readonly attempt: (call: Call) => boolean
  /** Replies that the time is over. */
  readonly timedOut: (call: Call) => void
}

/**
 * Tries at once, and then each time that something enters one of the keys, here or from another replica.
 * Inside EXEC nothing waits. What `attempt` throws is the reply.
 */
export function whenReady(call: Call, wanted: Wanted): void | Promise<void> {
  if (wanted.attempt(call)) return
  if (!call.mayWait) {
    wanted.timedOut(call)
    return
  }
  return new Promise((resolve) => begin(call, wanted, resolve))
}

function begin(call: Call, { keys, timeoutMs, attempt, timedOut }: Wanted, resolve: () => void): void {
  const { client, core, reply } = call
  const now = (): Call => ({ ...call, nowMs: core.env.now() })
  const end = (): void => {
    timer?.cancel()
    core.waiters.remove(waiter)
    client.waiting = undefined
    resolve()
  }
  const waiter: Waiter = {
    keys: keys.map(nameOf),
    attempt() {
      const begun = reply.length
      try {
        if (!attempt(now())) return false
      } catch (error) {
        reply.cut(begun)
        reply.error(errorText(error))
      }
      end()
      return true
    },
  }
  const expire = (error?: string): void => {
    if (error === undefined) timedOut(now())
    else reply.error(error)
    end()
  }
  const timer = timeoutMs > 0 ? core.env.schedule(timeoutMs, expire) : undefined
  client.waiting = { end: expire }
  core.waiters.add(waiter)
}
