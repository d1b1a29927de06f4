import { whenAborted } from '../ports/abort-signals.ts'

/**
 * Items until a signal fires, also while the next one is being waited for, however long that takes.
 * Not by `Promise.race` with one promise for the signal: that would keep every item until the end.
 */
export async function* untilAborted<Item>(
  items: AsyncIterable<Item>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Item, void, undefined> {
  const iterator = items[Symbol.asyncIterator]()
  let stop = (): void => undefined
  const abort = (): void => stop()
  const stopWaiting = whenAborted(signal, abort)
  try {
    while (signal?.aborted !== true) {
      const next = await new Promise<IteratorResult<Item> | undefined>((resolve, reject) => {
        stop = () => resolve(undefined)
        iterator.next().then(resolve, reject)
      })
      if (next === undefined || next.done === true) return
      yield next.value
    }
  } finally {
    stopWaiting()
    // One that is still waiting ends when it has what it waits for; nobody waits for that.
    iterator.return?.().then(undefined, () => undefined)
  }
}
