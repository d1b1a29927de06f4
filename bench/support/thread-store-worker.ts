/** The thread of `thread-store.ts`: asks a store in memory. */
import { parentPort } from 'node:worker_threads'
import { memoryStore } from '../../adapters/memory/index.ts'

export interface Asked {
  readonly number: number
  readonly call: 'readRows' | 'compareAndSet' | 'purge' | 'listKeys' | 'size'
  readonly parameters: readonly unknown[]
}

export interface Answered {
  readonly number: number
  readonly answer: unknown
}

const store = memoryStore()
const { signal } = new AbortController()

parentPort?.on('message', ({ number, call, parameters }: Asked) => void answer(number, call, parameters))

async function answer(number: number, call: Asked['call'], [first]: readonly unknown[]): Promise<void> {
  const calls = {
    readRows: () => store.readRows(first as never, { signal }),
    compareAndSet: () => store.compareAndSet(first as never, { signal }),
    purge: () => store.purge(first as never, { signal }),
    listKeys: () => store.listKeys({ ...(first as object), signal } as never),
    size: () => store.size,
  }
  parentPort?.postMessage({ number, answer: await calls[call]() } satisfies Answered)
}
