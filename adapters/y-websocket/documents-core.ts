/** What all connections of a server have in common: the documents that are open, and who may open them. */
import type { IncomingMessage } from 'node:http'
import { asError, isWarpError, type WarpError } from '../../crdt/warp-error.ts'
import { directKeys, type DirectKeys } from '../../src/api/direct/direct-keys.ts'
import type { Env } from '../../src/ports/env.ts'
import type { AnyWarp } from '../../src/control/question.ts'
import type { Core, DocumentsCounts, OpenDocument } from './contract.ts'
import type { Connection } from './connections/connection.ts'
import { FORBIDDEN, UNAUTHENTICATED, UNKNOWN, type Refusal } from './connections/refusal.ts'
import { AWARENESS_CHANNEL, AwarenessRelay } from './documents/awareness-relay.ts'
import { Document } from './documents/document.ts'
import type { DocumentAccess, DocumentPermission, DocumentsSettings } from './options.ts'

const NOTHING_WRITTEN: Promise<void> = Promise.resolve()

export class DocumentsCore implements Core {
  readonly settings: DocumentsSettings
  readonly direct: DirectKeys
  readonly env: Env
  readonly relay: AwarenessRelay
  readonly connections: Set<Connection> = new Set<Connection>()
  readonly counts: DocumentsCounts = {
    ...{ connections: 0, rejected: 0, updates: 0, refusedUpdates: 0, heldUpdates: 0, awarenessRefused: 0 },
    ...{ unknownFrames: 0, tooSlow: 0, lost: 0, receivedBytes: 0, sentBytes: 0 },
  }
  readonly #warp: AnyWarp
  readonly #documents = new Map<string, Document>()
  readonly #unsubscribe: () => void

  constructor(warp: AnyWarp, settings: DocumentsSettings) {
    this.#warp = warp
    this.settings = settings
    this.direct = directKeys('yWebsocketServer', warp)
    this.env = this.direct.env
    const name = Buffer.from(this.env.random(12)).toString('base64url')
    this.relay = new AwarenessRelay(
      warp.channel(AWARENESS_CHANNEL),
      name,
      {
        heard: (key, server, states) => {
          const document = this.#documents.get(key)
          document?.awareness.hearFrom(server, states, this.env.monotonic())
          document?.work()
        },
        asked: (key) => this.relay.tell(key, this.#documents.get(key)?.awareness.states(true) ?? []),
      },
      (error) => {
        if (!isWarpError(error) || error.code !== 'WARP_E_CLOSED') this.failed(error)
      },
    )
    this.#unsubscribe = this.direct.onEntered((key) => this.#documents.get(key)?.entered())
  }

  get documentsCount(): number {
    return this.#documents.size
  }

  /** Whether something that clients have sent is not written yet. */
  get isBusy(): boolean {
    for (const document of this.#documents.values()) if (document.isBusy) return true
    return false
  }

  /** Who asks may do this, or is refused. Rejects with what the user's function throws. */
  async authorise(
    document: string,
    token: string | undefined,
    request: IncomingMessage,
    signal: AbortSignal,
  ): Promise<DocumentAccess | Refusal> {
    const key = this.#keyOf(document)
    if (key === undefined) return UNKNOWN
    const asked = { document, key, request, signal, ...(token === undefined ? {} : { token }) }
    const permission: DocumentPermission = await this.settings.authorise(asked)
    if (permission === 'unauthenticated') return UNAUTHENTICATED
    if (permission === true) return { access: 'read-write' }
    if (permission === 'read-only') return { access: 'read-only' }
    const { access } = (typeof permission === 'object' ? permission : {}) as Partial<DocumentAccess>
    return access === 'read-write' || access === 'read-only' ? (permission as DocumentAccess) : FORBIDDEN
  }

  /** The document, opened if it is not; a refusal where there can be none. */
  document(name: string): Document | Refusal {
    const key = this.#keyOf(name)
    if (key === undefined) return UNKNOWN
    let document = this.#documents.get(key)
    if (document === undefined) {
      this.#documents.set(key, (document = new Document(key, this)))
      this.relay.ask(key)
    }
    return document
  }

  /** Forgets a document that nobody has open, once all of it is written. */
  letGo(document: OpenDocument): void {
    if (document.attachmentsCount > 0 || document.isBusy || this.#documents.get(document.key) !== document) return
    this.#documents.delete(document.key)
    document.close()
    this.direct.release(document.key)
  }

  /** Resolves when all that was written before is as safe as asked. */
  settled(): Promise<unknown> {
    const dot = this.direct.lastWritten
    return dot === undefined ? NOTHING_WRITTEN : this.#warp.settled(dot, this.settings.ack ?? {})
  }

  ended(connection: object): void {
    this.connections.delete(connection as Connection)
  }

  /** Every second. */
  look(nowMs: number): void {
    for (const connection of [...this.connections]) connection.look(nowMs)
    for (const document of [...this.#documents.values()]) document.look()
  }

  /** Something that a client has sent is refused: whoever runs the server is told. */
  refused(asked: { readonly name: string } | undefined, error: WarpError): void {
    const document = asked?.name
    try {
      this.settings.onRefused({ ...(document === undefined ? {} : { document }), error })
    } catch (thrown) {
      this.failed(thrown)
    }
  }

  failed(error: unknown): void {
    try {
      this.settings.onError(asError(error))
    } catch {
      // Nobody else can be told of what the user's own function throws.
    }
  }

  close(): void {
    this.#unsubscribe()
    this.relay.close()
  }

  #keyOf(name: string): string | undefined {
    try {
      const key = this.settings.keyOf(name)
      return key !== undefined && this.direct.strategy(key).kind === 'yjs' ? key : undefined
    } catch (error) {
      if (isWarpError(error) && error.code !== 'WARP_E_CLOSED') return undefined
      throw error
    }
  }
}
