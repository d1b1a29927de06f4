/** A primary store whose rows lie in another thread: what this thread keeps of them does not count as its own. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { memoryStore } from '../../adapters/memory/index.ts'
import type {
  ListRequest,
  PrimaryStore,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreRow,
} from '../../src/ports/primary-store.ts'
import type { Answered, Asked } from './thread-store-worker.ts'

export interface ThreadStore {
  readonly store: PrimaryStore
  /** How many rows there are. */
  readonly size: () => Promise<number>
  readonly close: () => Promise<void>
}

export function openThreadStore(): ThreadStore {
  const worker = new Worker(new URL('./thread-store-worker.js', import.meta.url))
  const waiting = new Map<number, (answer: unknown) => void>()
  let asked = 0
  worker.on('message', ({ number, answer }: Answered) => {
    waiting.get(number)?.(answer)
    waiting.delete(number)
  })
  const ask = <Answer>(call: Asked['call'], ...parameters: readonly unknown[]): Promise<Answer> => {
    const number = asked++
    worker.postMessage({ number, call, parameters } satisfies Asked)
    return new Promise((resolve) => waiting.set(number, resolve as (answer: unknown) => void))
  }
  return {
    store: {
      name: 'thread',
      comparesAndSets: true,
      codec: memoryStore().codec,
      readRows: (keys: readonly string[]) => ask<(StoreRow | undefined)[]>('readRows', keys),
      compareAndSet: (changes: readonly RowChange[]) => ask<RowOutcome[]>('compareAndSet', changes),
      purge: (rows: readonly PurgedRow[]) => ask<number>('purge', rows),
      listKeys: ({ prefix, after, limit }: ListRequest) => ask<string[]>('listKeys', { prefix, after, limit }),
    },
    size: () => ask<number>('size'),
    close: async () => {
      void worker.terminate()
      await once(worker, 'exit')
    },
  }
}
