/**
 * One author of a concurrent history. Writes their transactions again, each on a replica that holds
 * exactly what the author had seen at that moment: the ancestors of the transaction, and no other
 * operation. One patch is one operation.
 *
 * What arrives waits in a `HeldTransport`. Before a transaction is written, its ancestors are let
 * through and waited for; so the authors need nobody to tell them when to write, and write at once
 * where they did.
 */
import type { ReplicaId } from '../../../adapters/node/index.ts'
import type { Part } from './author-calls.ts'
import { causalityOf } from '../causality.ts'
import type { Document, DocumentWarp } from './document.ts'
import type { HeldTransport } from '../replicas/held-transport.ts'
import type { Patch, Trace } from './trace-file.ts'
import { UsageError } from '../usage-error.ts'

/** Writes whose promises have not been looked at. */
const PENDING_MAX = 256
/** What an author had seen comes sooner than this, or not at all. */
const WAIT_MS_MAX = 30_000

export interface AuthorReplica {
  readonly warp: DocumentWarp
  readonly document: Document
  readonly held: HeldTransport
}

export class Author {
  readonly #document: Document
  readonly #held: HeldTransport
  readonly #arrivals: Arrivals
  /** Fires when something could not be written. */
  readonly #failed = new AbortController()
  #pending: Promise<unknown>[] = []

  private constructor({ document, held }: AuthorReplica, arrivals: Arrivals) {
    this.#document = document
    this.#held = held
    this.#arrivals = arrivals
  }

  static async on(replica: AuthorReplica): Promise<Author> {
    return new Author(replica, await Arrivals.at(replica.warp))
  }

  /** Throws {@link UsageError} if nobody can have written this history. */
  async write({ trace, author, replicas }: Part): Promise<void> {
    const { known } = causalityOf(trace)
    const ends = endsOf(trace)
    for (const [index, { agent, patches }] of trace.transactions.entries()) {
      if (agent !== author) continue
      await this.#catchUp(index, this.#allow(known[index]!, { author, replicas, ends }))
      for (const patch of patches) if (isOperation(patch)) this.#writeOne(index, patch)
      if (this.#pending.length >= PENDING_MAX) await this.#settle()
    }
    await this.#settle()
  }

  /** Lets through what the author had seen, and returns how many operations of others that is. */
  #allow(known: readonly number[], { author, replicas, ends }: Omit<Part, 'trace'> & { ends: Ends }): number {
    let foreignCount = 0
    known.forEach((count, other) => {
      if (other === author || count === 0) return
      const operationsCount = ends[other]![count - 1]!
      this.#held.allow(replicas[other]!, operationsCount)
      foreignCount += operationsCount
    })
    return foreignCount
  }

  async #catchUp(index: number, foreignCount: number): Promise<void> {
    const { signal } = this.#failed
    const what = `what txns[${index}] had seen`
    if (this.#arrivals.count < foreignCount) await this.#arrivals.reach(foreignCount, { what, signal })
    if (this.#arrivals.count > foreignCount) throw new Error(`there is more here than txns[${index}] had seen`)
  }

  #writeOne(index: number, patch: Patch): void {
    const write = this.#document.write(patch).catch((cause: unknown) => {
      this.#failed.abort(new UsageError(`txns[${index}] cannot be written: ${(cause as Error).message}`, { cause }))
    })
    this.#pending.push(write)
  }

  async #settle(): Promise<void> {
    const pending = this.#pending
    this.#pending = []
    await Promise.all(pending)
    this.#failed.signal.throwIfAborted()
  }
}

/** Per author and transaction of theirs, how many operations they had written with it. */
type Ends = readonly (readonly number[])[]

function endsOf({ transactions, agentsCount }: Trace): Ends {
  const ends: number[][] = Array.from({ length: agentsCount }, () => [])
  for (const { agent, patches } of transactions) {
    const made = ends[agent]!
    made.push((made.at(-1) ?? 0) + patches.filter(isOperation).length)
  }
  return ends
}

/** A patch that changes nothing makes no operation. */
function isOperation([, deleted, inserted]: Patch): boolean {
  return deleted > 0 || inserted !== ''
}

interface Wait {
  readonly count: number
  readonly wake: () => void
}

/** Operations of others, counted as they are taken in. */
class Arrivals {
  readonly #own: ReplicaId
  #count = 0
  #wait: Wait | undefined

  private constructor(own: ReplicaId) {
    this.#own = own
  }

  static async at(warp: DocumentWarp): Promise<Arrivals> {
    const arrivals = new Arrivals(warp.replica)
    await warp.project<number>({
      name: 'arrivals',
      initial: () => 0,
      apply: (count, { operation }) => arrivals.#arrived(count, operation.dot.replica),
    })
    return arrivals
  }

  get count(): number {
    return this.#count
  }

  /**
   * Waits until so many have been taken in. Throws, naming `what`, if that takes too long, and the
   * signal's reason.
   */
  async reach(count: number, { what, signal }: { what: string; signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted()
    let stopListening = (): void => undefined
    const reached = new Promise<void>((resolve, reject) => {
      const giveUp = (): void => reject(new Error(`waited ${WAIT_MS_MAX / 1000} s in vain for ${what}`))
      const timer = setTimeout(giveUp, WAIT_MS_MAX)
      const abort = (): void => reject(signal.reason as Error)
      signal.addEventListener('abort', abort)
      this.#wait = { count, wake: resolve }
      stopListening = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
      }
    })
    return reached.finally(stopListening)
  }

  #arrived(count: number, replica: ReplicaId): number {
    this.#count = replica === this.#own ? count : count + 1
    if (this.#wait !== undefined && this.#count >= this.#wait.count) {
      this.#wait.wake()
      this.#wait = undefined
    }
    return this.#count
  }
}
