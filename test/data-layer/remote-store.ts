/** A primary store in the process of a test, for replicas in processes of their own: its requests go over HTTP on loopback. */
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { deserialize, serialize } from 'node:v8'
import { memoryStore } from '../../adapters/memory/index.ts'
import type { PrimaryStore, RowOutcome, StoreRequest } from '../../src/ports/primary-store.ts'
import { codecOf } from '../../src/ports/stores/codecs.ts'
import { storeError } from '../../src/ports/stores/store-error.ts'

type Method = 'readRows' | 'compareAndSet' | 'purge'

interface Question {
  readonly method: Method
  readonly about: never
}

/** The end that holds the rows. */
export class StoreServer {
  readonly store = memoryStore()
  readonly #held: (() => void)[] = []
  #isHolding = false
  readonly #server = createServer((request, response) => {
    void buffer(request).then((body) => this.#answer(deserialize(body) as Question, response))
  })

  static async open(): Promise<StoreServer> {
    const server = new StoreServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Requests are executed, and their answers kept back until `release`. */
  hold(): void {
    this.#isHolding = true
  }

  release(): void {
    this.#isHolding = false
    for (const send of this.#held.splice(0)) send()
  }

  /** Settles when so many answers are held. */
  async holds(count: number): Promise<void> {
    while (this.#held.length < count) await new Promise(setImmediate)
  }

  /** What an outsider reads. */
  value(key: string): unknown {
    const bytes = this.store.row(key)?.value
    return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes))
  }

  /** What an outsider writes. */
  put(key: string, value: unknown): void {
    this.store.put(key, new TextEncoder().encode(JSON.stringify(value)))
  }

  async close(): Promise<void> {
    this.release()
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer({ method, about }: Question, response: ServerResponse): Promise<void> {
    const answer: unknown = await this.store[method](about, { signal: new AbortController().signal })
    const send = (): void => void response.end(serialize(answer))
    if (this.#isHolding) this.#held.push(send)
    else send()
  }
}

/** The end that a replica is given. */
export function remoteStore(url: string): PrimaryStore {
  const name = 'remote:rows'
  const ask = async <Answer>(method: Method, about: unknown, { signal }: StoreRequest): Promise<Answer> => {
    try {
      const response = await fetch(url, { method: 'POST', body: serialize({ method, about }), signal })
      return deserialize(Buffer.from(await response.arrayBuffer())) as Answer
    } catch (cause) {
      throw storeError({ store: name, failure: 'transient', message: 'no answer', cause, outcome: 'indeterminate' })
    }
  }
  return {
    ...{ name, comparesAndSets: true, codec: codecOf('remoteStore', 'json') },
    readRows: (keys, request) => ask('readRows', keys, request),
    compareAndSet: async (changes, request) => {
      const outcomes = await ask<RowOutcome[]>('compareAndSet', changes, request)
      return outcomes.map((outcome) => (outcome.kind === 'rejected' ? refusal(name, outcome.error) : outcome))
    },
    purge: (rows, request) => ask('purge', rows, request),
    listKeys: () => Promise.resolve([]),
  }
}

/** Errors lose their class on the way. */
function refusal(store: string, { message }: Error): RowOutcome {
  return { kind: 'rejected', error: storeError({ store, failure: 'rejected', message }) }
}
