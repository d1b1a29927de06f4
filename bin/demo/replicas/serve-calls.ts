/** The child's end of the channel: answers calls, and ends when there is nobody left to call. */
import type { CallMessage, Calls, ChildMessage } from './calls.ts'
import { UsageError } from '../usage-error.ts'

export function serveCalls<C extends Calls<C>>(calls: C): void {
  // Ctrl-C in a terminal reaches every process of the group; the parent decides what becomes of
  // this one.
  process.on('SIGINT', () => undefined)
  process.on('disconnect', () => process.exit())
  process.on('message', (message) => void answer(calls, message as CallMessage)) // the parent sends nothing else
}

/** Tells the parent something unasked. */
export function notify(notice: unknown): void {
  tell({ kind: 'notice', notice })
}

async function answer<C extends Calls<C>>(calls: C, { id, name, argument }: CallMessage): Promise<void> {
  try {
    const call = calls[name as keyof C] // the other end is typed by the same `C`
    tell({ kind: 'answer', id, answer: await call(argument as never) })
  } catch (error) {
    const isUsage = error instanceof UsageError
    const { message, stack } = error as Error
    tell({ kind: 'failure', id, message: isUsage ? message : (stack ?? message), isUsage })
  }
}

function tell(message: ChildMessage): void {
  // A parent that is gone does not listen: `disconnect` is about to end this process.
  if (process.connected) process.send?.(message)
}
