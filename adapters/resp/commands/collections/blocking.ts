/** Commands that wait until one of their keys has something: BLPOP and its like. */
import { timeoutMsOf } from '../../call/arguments.ts'
import type { Call, Command } from '../../call/command.ts'
import { nameOf } from '../../call/command-keys.ts'
import { ReplyError } from '../../call/reply-error.ts'

export interface Wait {
  readonly keys: readonly string[]
  /** 0 is for ever. */
  readonly timeoutMs: number
  /** Replies if there is something, and says so. */
  readonly attempt: (call: Call) => boolean
  /** What is replied where it may not wait; if left out, as when the time is over: no array. */
  readonly refuse?: () => void
}

/** Tries now, and then, unless it may not wait, whenever something has entered one of the keys. */
export function waitFor(call: Call, wait: Wait): void | Promise<void> {
  if (wait.attempt(call)) return
  if (!call.mayWait) {
    if (wait.refuse === undefined) call.reply.nullArray()
    else wait.refuse()
    return
  }
  return new Promise<void>((resolve, reject) => begin(call, wait, { resolve, reject }))
}

/** BLPOP and its like: keys, and then how long to wait. `attempt` replies if one has something, and says so. */
export function waitingPop(attempt: (now: Call, keys: readonly string[]) => boolean): Command['run'] {
  return (call, args) => {
    const timeoutMs = timeoutMsOf(args.at(-1) as string)
    const keys = args.slice(1, -1)
    return waitFor(call, { keys, timeoutMs, attempt: (now) => attempt(now, keys) })
  }
}

interface Outcome {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

function begin(call: Call, { keys, timeoutMs, attempt }: Wait, { resolve, reject }: Outcome): void {
  const { client, core } = call
  const request = client.lastRequest
  const stop = (): void => {
    core.waiters.remove(waiter)
    timer?.cancel()
    client.waiting = undefined
  }
  const waiter = {
    keys: keys.map(nameOf),
    attempt: (): boolean => {
      const begun = call.reply.length
      try {
        // Whoever wrote may be no client, and then no turn of a client has begun.
        const now = { ...call, nowMs: core.env.now() }
        const isServed = core.changes.around(now, [core.find(request), request], () => attempt(now))
        if (!isServed) return false
        stop()
        resolve()
      } catch (error) {
        call.reply.cut(begun)
        stop()
        reject(error)
      }
      return true
    },
  }
  const end = (error?: string): void => {
    stop()
    if (error === undefined) {
      call.reply.nullArray()
      resolve()
    } else reject(new ReplyError(error))
  }
  const timer = timeoutMs === 0 ? undefined : core.env.schedule(timeoutMs, () => end())
  client.waiting = { end }
  core.waiters.add(waiter)
}
