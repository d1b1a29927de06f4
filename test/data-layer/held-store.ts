/**
 * A primary store whose requests wait until a test has them executed, and whose answers wait until a test
 * hands them over, or loses them: each in whatever order.
 */
import type {
  ListRequest,
  PrimaryStore,
  PurgedRow,
  RowChange,
  RowOutcome,
  StoreCodec,
  StoreRequest,
  StoreRow,
} from '../../src/ports/primary-store.ts'
import { untilAborted } from '../../src/ports/stores/store-error.ts'

export class HeldStore implements PrimaryStore {
  readonly name: string
  readonly comparesAndSets: boolean
  readonly codec: StoreCodec
  readonly #inner: PrimaryStore
  readonly #requests: (() => void)[] = []
  readonly #answers: (() => void)[] = []
  #isFree = false

  constructor(inner: PrimaryStore) {
    this.#inner = inner
    this.name = inner.name
    this.comparesAndSets = inner.comparesAndSets
    this.codec = inner.codec
  }

  readRows(keys: readonly string[], request: StoreRequest): Promise<(StoreRow | undefined)[]> {
    return this.#held(request, () => this.#inner.readRows(keys, UNBOUNDED))
  }

  compareAndSet(changes: readonly RowChange[], request: StoreRequest): Promise<RowOutcome[]> {
    return this.#held(request, () => this.#inner.compareAndSet(changes, UNBOUNDED))
  }

  purge(rows: readonly PurgedRow[], request: StoreRequest): Promise<number> {
    return this.#held(request, () => this.#inner.purge(rows, UNBOUNDED))
  }

  listKeys(request: ListRequest): Promise<string[]> {
    return this.#inner.listKeys(request)
  }

  /** The store executes one of the requests that wait. */
  execute(which: number): void {
    taken(this.#requests, which)?.()
  }

  /** One of the answers that wait arrives. */
  reply(which: number): void {
    taken(this.#answers, which)?.()
  }

  loseReply(which: number): void {
    taken(this.#answers, which)
  }

  /** From now on nothing waits. */
  letGo(): void {
    this.#isFree = true
    for (const execute of this.#requests.splice(0)) execute()
    for (const answer of this.#answers.splice(0)) answer()
  }

  /** Who gives up is gone; the request may be executed all the same. */
  #held<Result>({ signal }: StoreRequest, execute: () => Promise<Result>): Promise<Result> {
    const start = (): Promise<Result> =>
      new Promise<Result>((resolve, reject) => {
        const executed = (): void => {
          const outcome = execute()
          const answer = (): void => void outcome.then(resolve, reject)
          outcome.catch(() => undefined)
          if (this.#isFree) answer()
          else this.#answers.push(answer)
        }
        if (this.#isFree) executed()
        else this.#requests.push(executed)
      })
    return untilAborted(this.name, signal, start)
  }
}

const UNBOUNDED: StoreRequest = { signal: new AbortController().signal }

function taken<Item>(list: Item[], which: number): Item | undefined {
  return list.length === 0 ? undefined : list.splice(which % list.length, 1)[0]
}
