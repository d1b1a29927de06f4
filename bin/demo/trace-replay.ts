/**
 * Writes a concurrent history again. Each author writes on a replica of their own, which holds exactly what the author had seen at
 * that moment: the ancestors of the transaction, and no other operation. One patch is one operation.
 *
 * What reaches an author waits in a `HeldTransport`. When somebody will have seen a transaction as the newest of its author, its frames
 * are waited for and marked before the author goes on; when a transaction had seen it, the frames up to the mark are let through.
 * That the frames are under way is known from the archive, one more replica, which hears everybody at once and is heard by nobody.
 * Before that everybody meets everybody: a replica sends nothing of its own before it has heard from another one.
 *
 * Which author has the lower replica id decides which of two insertions at the same place comes first in Yjs. The history was made
 * with author 0 first, so the replicas, whose ids are random, are handed to the authors in the order of their ids. `text()` ends the
 * same either way.
 */
import { join } from 'node:path'
import { fileLog } from '../../adapters/file/index.ts'
import { memoryNetwork, type MemoryNetwork } from '../../adapters/memory/index.ts'
import { openWarp, type Transport, type Warp } from '../../adapters/node/index.ts'
import { type Causality, causalityOf } from './causality.ts'
import { DOCUMENT_KEYS, type Document, type DocumentKeys, type DocumentKind, documentOf } from './document.ts'
import { HeldTransport } from './held-transport.ts'
import type { Trace } from './trace-file.ts'
import { until } from './until.ts'
import { UsageError } from './usage-error.ts'

/** Writes whose promises have not been looked at. */
const PENDING_MAX = 256
const ARCHIVE = 'archive'

interface Replica {
  readonly name: string
  readonly warp: Warp<DocumentKeys>
  readonly document: Document
}

interface Author extends Replica {
  readonly held: HeldTransport
}

/** A transaction that somebody will have seen as the newest of its author. */
interface Mark {
  /** Operations of its author, it included. */
  readonly operationsCount: number
  /** Per author, the frames that had come by then. */
  readonly frames: readonly number[]
}

export interface ReplayOptions {
  readonly kind: DocumentKind
  readonly folder: string
}

export class Replay {
  readonly #trace: Trace
  readonly #causality: Causality
  readonly #network: MemoryNetwork
  readonly #authors: readonly Author[]
  readonly #archive: Replica
  /** By author and number of transactions. */
  readonly #marks: readonly Map<number, Mark>[]
  #pending: Promise<unknown>[] = []

  /** Opens a replica for each author, and the archive. Throws {@link UsageError} if nobody can have written this history. */
  static async open(trace: Trace, { kind, folder }: ReplayOptions): Promise<Replay> {
    const causality = causalityOf(trace)
    const network = memoryNetwork()
    const openReplica = async (name: string, transport: Transport): Promise<Replica> => {
      const log = fileLog({ path: join(folder, name) })
      const warp = await openWarp({ keys: DOCUMENT_KEYS, log, transports: [transport] })
      return { name, warp, document: documentOf(warp, { kind, hasSurrogates: trace.hasSurrogates }) }
    }
    const authors: Author[] = []
    for (let i = 0; i < trace.agentsCount; i++) {
      const name = `replica-${i}`
      const held = new HeldTransport(network.transport(name))
      authors.push({ ...(await openReplica(name, held)), held })
    }
    authors.sort((a, b) => (a.warp.replica < b.warp.replica ? -1 : 1))
    const archive = await openReplica(ARCHIVE, network.transport(ARCHIVE))
    const names = [ARCHIVE, ...authors.map(({ name }) => name)]
    const haveMet = (): boolean =>
      authors.every(({ name, held }) => names.every((other) => other === name || held.arrivedCount(other) > 0))
    await until(haveMet, 'the replicas to meet')
    await until(() => authors.every(({ warp }) => warp.stats().isJoined), 'the replicas to take part')
    for (const { name, held } of authors) {
      network.cut(ARCHIVE, name, { oneWay: true })
      held.hold()
    }
    return new Replay({ trace, causality, network, authors, archive })
  }

  private constructor(parts: {
    readonly trace: Trace
    readonly causality: Causality
    readonly network: MemoryNetwork
    readonly authors: readonly Author[]
    readonly archive: Replica
  }) {
    this.#trace = parts.trace
    this.#causality = parts.causality
    this.#network = parts.network
    this.#authors = parts.authors
    this.#archive = parts.archive
    this.#marks = parts.authors.map(() => new Map<number, Mark>())
  }

  get operationsCount(): number {
    return this.#authors.reduce((sum, author) => sum + writtenCount(author), 0)
  }

  /** The authors in the order of their numbers, then the archive. */
  get replicas(): readonly Replica[] {
    return [...this.#authors, this.#archive]
  }

  async write(): Promise<void> {
    const { transactions } = this.#trace
    for (let index = 0; index < transactions.length; index++) {
      await this.#catchUp(index)
      this.#writeOne(index)
      if (this.#causality.isSeenLast[index] === true) await this.#mark(index)
      else if (this.#pending.length >= PENDING_MAX) await this.#settle()
    }
    await this.#settle()
  }

  /** Lets everything through and waits until every replica holds every operation. */
  async converge(): Promise<void> {
    for (const { held } of this.#authors) held.letAllThrough()
    this.#network.heal()
    for (const replica of this.replicas) {
      const { operationsCount } = this
      await until(() => heldCount(replica) === operationsCount, `${replica.name} to hold ${operationsCount} operations`)
    }
  }

  async close(): Promise<void> {
    for (const { warp } of this.replicas) await warp.close()
  }

  /** Brings the author of a transaction to what they had seen before it. */
  async #catchUp(index: number): Promise<void> {
    const { agent } = this.#trace.transactions[index]!
    const author = this.#authors[agent]!
    let foreignCount = 0
    this.#causality.known[index]!.forEach((count, other) => {
      if (other === agent || count === 0) return
      const mark = this.#marks[other]!.get(count)!
      author.held.letThrough(this.#authors[other]!.name, mark.frames[agent]!)
      foreignCount += mark.operationsCount
    })
    if (admittedCount(author) === foreignCount) return
    await this.#settle()
    await until(() => admittedCount(author) >= foreignCount, `${author.name} to catch up with txns[${index}]`)
    if (admittedCount(author) > foreignCount) throw new Error(`${author.name} holds more than txns[${index}] had seen`)
  }

  #writeOne(index: number): void {
    const { agent, patches } = this.#trace.transactions[index]!
    for (const patch of patches) {
      const write = this.#authors[agent]!.document.write(patch)
      this.#pending.push(
        write.catch((cause: unknown) => {
          throw new UsageError(`txns[${index}] cannot be written: ${(cause as Error).message}`, { cause })
        }),
      )
    }
  }

  /** Waits until the transaction is on its way to everybody, and remembers how far its author's frames have come. */
  async #mark(index: number): Promise<void> {
    await this.#settle()
    const { operationsCount } = this
    await until(() => admittedCount(this.#archive) === operationsCount, `txns[${index}] to arrive in the archive`)
    const { agent } = this.#trace.transactions[index]!
    const author = this.#authors[agent]!
    const mark = {
      operationsCount: writtenCount(author),
      frames: this.#authors.map(({ held }) => held.arrivedCount(author.name)),
    }
    this.#marks[agent]!.set(this.#causality.known[index]![agent]! + 1, mark)
  }

  async #settle(): Promise<void> {
    const pending = this.#pending
    this.#pending = []
    await Promise.all(pending)
  }
}

function writtenCount({ warp }: Replica): number {
  return warp.stats().operations.writtenCount
}

function admittedCount({ warp }: Replica): number {
  return warp.stats().operations.admittedCount
}

function heldCount(replica: Replica): number {
  return writtenCount(replica) + admittedCount(replica)
}
