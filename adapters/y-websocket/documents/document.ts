/**
 * A document that somebody has open: takes what its clients write into its key, and tells them what comes
 * in, from wherever. All that a turn of the event loop brings is one operation for each client, and one
 * frame for all.
 *
 * What a client sends is judged before the document sees it: a refused update would cost the whole document,
 * which is folded again then.
 */
import * as Y from 'yjs'
import { asError, isWarpError, WarpError } from '../../../crdt/warp-error.ts'
import type { YjsState } from '../../../crdt/documents/yjs.ts'
import { FoldFirst } from '../../../src/api/direct/direct-keys.ts'
import type { Client, Core, OpenDocument } from '../contract.ts'
import { awarenessFrame, SharedFrame, type ClientState, updateFrame } from '../frames/frames.ts'
import { decoded1, judge, type Judgement } from '../updates/judge.ts'
import { partsOf } from '../updates/parts.ts'
import { Awareness } from './awareness.ts'

/** Yjs merges updates in a time that grows faster than their number. */
const MERGED_MAX = 100
/** Bytes of one operation: what stands around an update in it is less than the rest of a MiB. */
export const PART_BYTES_MAX: number = 1_000_000

/** So many of the longest updates may wait to be written; whoever sends more is sent away, and comes again. */
const WAITING_UPDATES = 4

/** What no later attempt would change. */
const FINAL: ReadonlySet<string> = new Set(['WARP_E_PROTOCOL', 'WARP_E_LIMIT', 'WARP_E_UNENCODABLE'])

interface Received {
  readonly from: Client
  readonly update: Uint8Array
}

export class Document implements OpenDocument {
  readonly key: string
  readonly awareness: Awareness
  readonly #core: Core
  readonly #clients = new Set<Client>()
  #received: Received[] = []
  /** Of what waits to be written. */
  #receivedBytes = 0
  #isRunning = false
  /** The document as the engine has it; another one after it was folded again. */
  #doc: Y.Doc | undefined
  /** What clients have been told, where `#doc` is not that any more. */
  #told: Uint8Array | undefined
  /** What has come in since clients were told. */
  #news: Uint8Array[] = []
  /** Who has written it; `undefined`: several, or somebody elsewhere. */
  #author: Client | undefined
  #writing: Client | undefined
  #hasEntered = false
  readonly #note = (update: Uint8Array): void => {
    if (this.#news.length === 0) this.#author = this.#writing
    else if (this.#author !== this.#writing) this.#author = undefined
    this.#news.push(update)
  }

  constructor(key: string, core: Core) {
    this.key = key
    this.#core = core
    this.awareness = new Awareness(core.settings)
  }

  get attachmentsCount(): number {
    return this.#clients.size
  }

  get isBusy(): boolean {
    return this.#isRunning || this.#received.length > 0
  }

  attach(client: Client): void {
    this.#clients.add(client)
  }

  detach(client: Client): void {
    if (!this.#clients.delete(client)) return
    this.awareness.leave(client, this.#core.env.monotonic())
    this.work()
  }

  /** The document, folded from the log if it is not in memory. */
  async load(): Promise<Y.Doc> {
    const { direct } = this.#core
    for (;;) {
      try {
        return this.#bind((direct.state(this.key) as YjsState | undefined)?.doc)
      } catch (error) {
        if (!(error instanceof FoldFirst)) throw error
        await direct.fold(this.key)
      }
    }
  }

  receive(from: Client, update: Uint8Array): void {
    const bytesMax = this.#core.settings.updateBytesMax * WAITING_UPDATES
    if (this.#receivedBytes + update.length > bytesMax) {
      from.fail(tooMuchWaits(bytesMax))
      return
    }
    this.#receivedBytes += update.length
    this.#received.push({ from, update })
    this.work()
  }

  hear(from: Client, states: readonly ClientState[]): void {
    const { counts, env } = this.#core
    counts.awarenessRefused += this.awareness.hear(from, states, env.monotonic(), from.user)
    this.work()
  }

  /** An operation of the key has entered. */
  entered(): void {
    this.#hasEntered = true
    this.work()
  }

  look(): void {
    if (this.awareness.look(this.#core.env.monotonic())) this.work()
  }

  /** Does what is to be done, with all that comes in the same turn. */
  work(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run()
  }

  close(): void {
    this.#doc?.off('update', this.#note)
    this.#doc = undefined
  }

  async #run(): Promise<void> {
    try {
      do {
        await this.#core.env.yield()
        await this.#turn()
      } while (this.#received.length > 0 || this.#hasEntered)
    } catch (error) {
      // The engine has been closed, or its log cannot be read: its clients have to come again.
      this.#received = []
      this.#hasEntered = false
      for (const client of [...this.#clients]) client.fail(asError(error))
    } finally {
      this.#isRunning = false
      this.#core.letGo(this)
    }
  }

  async #turn(): Promise<void> {
    const hadEntered = this.#hasEntered && this.#clients.size > 0
    this.#hasEntered = false
    const received = this.#received
    this.#received = []
    this.#receivedBytes = 0
    for (const { from, updates } of batched(received)) await this.#write(from, updates)
    if (hadEntered || received.length > 0) await this.load()
    this.#tellNews()
    const { all, here } = this.awareness.takeChanged()
    if (all.length > 0) this.#tell(awarenessFrame(all))
    if (here.length > 0) this.#core.relay.tell(this.key, here)
  }

  async #write(from: Client, updates: readonly Uint8Array[]): Promise<void> {
    if (updates.length > 1 && (await this.#writeTogether(from, updates))) return
    for (const update of updates) {
      if (from.isOver) return
      await this.#writeOne(from, update)
    }
  }

  /** Whether they could be taken as one. Nobody is refused for what others of them are. */
  async #writeTogether(from: Client, updates: readonly Uint8Array[]): Promise<boolean> {
    let merged: Uint8Array
    let judgement: Judgement
    try {
      merged = Y.mergeUpdates([...updates])
      judgement = await this.#judge(merged)
    } catch {
      return false
    }
    if (judgement.kind === 'early') return false
    await this.#writeJudged(from, merged, judgement.isNew, updates.length)
    return true
  }

  async #writeOne(from: Client, update: Uint8Array): Promise<void> {
    let judgement: Judgement
    try {
      judgement = await this.#judge(update)
    } catch (error) {
      if (!isWarpError(error) || error.code === 'WARP_E_CLOSED') throw error
      from.refuseUpdate(error, true)
      return
    }
    if (judgement.kind === 'early') from.hold(update)
    else await this.#writeJudged(from, update, judgement.isNew, 1)
  }

  async #judge(update: Uint8Array): Promise<Judgement> {
    const { store } = await this.load()
    return judge(update, (id) => Y.getState(store, id))
  }

  async #writeJudged(from: Client, update: Uint8Array, isNew: boolean, count: number): Promise<void> {
    if (!isNew) {
      from.acknowledge(count)
      return
    }
    if (from.isReadOnly) {
      from.refuseWrite(count)
      return
    }
    try {
      await this.#append(from, update)
    } catch (error) {
      if (!isWarpError(error) || error.code === 'WARP_E_CLOSED') throw error
      from.refuseUpdate(error, FINAL.has(error.code))
      return
    }
    this.#core.counts.updates += count
    from.acknowledge(count)
    this.#retryHeld()
  }

  async #append(from: Client, update: Uint8Array): Promise<void> {
    if (update.length <= PART_BYTES_MAX) {
      await this.#merge(from, update)
      return
    }
    const { store } = await this.load()
    // As of now: others write in between, which no part may rely on.
    const known = new Map(vectorOf(store))
    for (const part of partsOf(decoded1(update), (id) => known.get(id) ?? 0, PART_BYTES_MAX)) {
      if (part !== undefined) await this.#merge(from, part)
      await this.#core.env.yield()
    }
  }

  async #merge(from: Client, update: Uint8Array): Promise<void> {
    const { direct } = this.#core
    for (;;) {
      try {
        // What others have written is folded first, so that it is not taken for the client's.
        this.#bind((direct.state(this.key) as YjsState | undefined)?.doc)
        this.#writing = from
        direct.write(this.key, 'merge', [update])
        return
      } catch (error) {
        if (!(error instanceof FoldFirst)) throw error
        await direct.fold(this.key)
      } finally {
        this.#writing = undefined
      }
    }
  }

  /** What has come too early may have its causes now. */
  #retryHeld(): void {
    for (const client of this.#clients)
      for (const update of client.takeHeld()) this.#received.push({ from: client, update })
  }

  /** Listens to the document that the engine has now. */
  #bind(doc: Y.Doc = NOTHING): Y.Doc {
    if (doc === this.#doc) return doc
    if (this.#doc !== undefined) {
      this.#doc.off('update', this.#note)
      this.#told = Y.encodeStateVector(this.#doc)
    }
    this.#doc = doc
    if (doc !== NOTHING) doc.on('update', this.#note)
    if (this.#told !== undefined) {
      // What was told, and what has come, were of another document: both are in this one.
      const missed = Y.encodeStateAsUpdate(doc, this.#told)
      this.#told = undefined
      this.#news.push(missed)
      this.#author = undefined
    }
    return doc
  }

  #tellNews(): void {
    const news = this.#news
    if (news.length === 0) return
    const author = this.#author
    this.#news = []
    this.#author = undefined
    for (const update of mergedInParts(news)) this.#tell(updateFrame(update), author)
  }

  #tell(body: Uint8Array, except?: Client): void {
    const frame = new SharedFrame(body)
    for (const client of [...this.#clients]) if (client !== except) client.send(frame)
  }
}

function* vectorOf(store: Y.Doc['store']): Generator<[client: number, upTo: number]> {
  for (const client of store.clients.keys()) yield [client, Y.getState(store, client)]
}

function tooMuchWaits(limit: number): WarpError {
  const problem = `more than ${limit} bytes of updates of one document wait to be written; the client comes again`
  return new WarpError('WARP_E_LIMIT', problem, { details: { limit } })
}

/** Stands for a document of which nothing has been written yet. */
const NOTHING = new Y.Doc()

/** What each client has sent, in the order in which it came, up to 100 together. */
function batched(received: readonly Received[]): { readonly from: Client; readonly updates: Uint8Array[] }[] {
  const batches: { from: Client; updates: Uint8Array[] }[] = []
  const open = new Map<Client, Uint8Array[]>()
  for (const { from, update } of received) {
    const updates = open.get(from)
    if (updates === undefined || updates.length >= MERGED_MAX) {
      const begun = [update]
      open.set(from, begun)
      batches.push({ from, updates: begun })
    } else updates.push(update)
  }
  return batches
}

function mergedInParts(updates: readonly Uint8Array[]): Uint8Array[] {
  const merged: Uint8Array[] = []
  for (let at = 0; at < updates.length; at += MERGED_MAX) {
    const some = updates.slice(at, at + MERGED_MAX)
    merged.push(some.length === 1 ? some[0]! : Y.mergeUpdates(some))
  }
  return merged
}
