/**
 * Writes a concurrent history again, each author in a process of their own, and waits until all of
 * them hold all of it. How an author writes what they wrote, having seen what they had seen, is in
 * `author.ts`.
 *
 * Before that everybody meets everybody: a replica sends nothing of its own before it has heard
 * from another one.
 *
 * Which author has the lower replica id decides which of two insertions at the same place comes
 * first in Yjs. The history was made with author 0 first, so the replicas, whose ids are random,
 * are handed to the authors in the order of their ids. `text()` ends the same either way.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { ReplicaId } from '../../../adapters/node/index.ts'
import type { AuthorCalls, AuthorStatus } from './author-calls.ts'
import type { Child } from '../replicas/child.ts'
import type { DocumentKind } from './document-kinds.ts'
import { freePorts } from '../replicas/free-ports.ts'
import type { Stage } from '../stage.ts'
import type { Trace } from './trace-file.ts'
import { until } from '../until.ts'

export interface AuthorProcess {
  readonly replica: ReplicaId
  readonly child: Child<AuthorCalls>
}

export interface ReplayOptions {
  readonly strategy: DocumentKind
  readonly stage: Stage
}

export class Replay {
  readonly #trace: Trace
  /** By the number of the author. */
  readonly authors: readonly AuthorProcess[]

  static async open(trace: Trace, { strategy, stage }: ReplayOptions): Promise<Replay> {
    const clusterKey = randomBytes(32)
    const ports = await freePorts(trace.agentsCount)
    const open = async (port: number): Promise<AuthorProcess> => {
      const name = `replica-${port}`
      const child = stage.start<AuthorCalls>({ program: new URL('./author-process.js', import.meta.url), name })
      const peers = ports.filter((other) => other !== port).map((other) => `127.0.0.1:${other}`)
      const document = { kind: strategy, hasSurrogates: trace.hasSurrogates }
      const settings = { port, peers, clusterKey, folder: join(stage.folder, name), ...document }
      return { child, replica: await child.call('open', settings) }
    }
    const authors = await Promise.all(ports.map(open))
    authors.sort((a, b) => (a.replica < b.replica ? -1 : 1))
    const replay = new Replay(trace, authors)
    await replay.#meet()
    return replay
  }

  private constructor(trace: Trace, authors: readonly AuthorProcess[]) {
    this.#trace = trace
    this.authors = authors
  }

  /** Throws `UsageError` if nobody can have written this history. */
  async write(): Promise<void> {
    await this.#all((child) => child.call('hold', undefined))
    const replicas = this.authors.map(({ replica }) => replica)
    await this.#all((child, author) => child.call('write', { trace: this.#trace, author, replicas }))
  }

  /**
   * Lets everything through and waits until every replica holds every operation. Returns how many
   * there are.
   */
  async converge(): Promise<number> {
    await this.#all((child) => child.call('release', undefined))
    const operationsCount = (await this.statuses()).reduce((sum, { writtenCount }) => sum + writtenCount, 0)
    const holdAll = async (): Promise<boolean> =>
      (await this.statuses()).every(({ heldCount }) => heldCount === operationsCount)
    await until(holdAll, `the replicas to hold ${operationsCount} operations each`)
    return operationsCount
  }

  statuses(): Promise<AuthorStatus[]> {
    return this.#all((child) => child.call('status', undefined))
  }

  contents(): Promise<string[]> {
    return this.#all((child) => child.call('read', undefined))
  }

  async close(): Promise<void> {
    await this.#all((child) => child.call('close', undefined))
  }

  async #meet(): Promise<void> {
    const othersCount = this.authors.length - 1
    if (othersCount === 0) return
    const haveMet = async (): Promise<boolean> =>
      (await this.statuses()).every(({ isJoined, heardCount }) => isJoined && heardCount === othersCount)
    await until(haveMet, 'the replicas to meet')
  }

  #all<T>(call: (child: Child<AuthorCalls>, author: number) => Promise<T>): Promise<T[]> {
    return Promise.all(this.authors.map(({ child }, author) => call(child, author)))
  }
}
