/** What the parts of the server know of each other. */
import type { IncomingMessage } from 'node:http'
import type * as Y from 'yjs'
import type { WarpError } from '../../crdt/warp-error.ts'
import type { DirectKeys } from '../../src/api/direct/direct-keys.ts'
import type { Env } from '../../src/ports/env.ts'
import type { Refusal } from './connections/refusal.ts'
import type { Awareness } from './documents/awareness.ts'
import type { ClientState, SharedFrame } from './frames/frames.ts'
import type { DocumentAccess, DocumentsSettings } from './options.ts'

/** Counts of a server since it was made. */
export interface DocumentsCounts {
  connections: number
  /** Sent away: too many, or from a page of somebody else. */
  rejected: number
  /** Updates of clients that were written. */
  updates: number
  /** Updates of clients that were not: too long, malformed, of a client that may only read. */
  refusedUpdates: number
  /** Updates that came before what they build on, and had to wait. */
  heldUpdates: number
  /** States of clients that were not passed on: in another one's name, or too long. */
  awarenessRefused: number
  /** Frames of a type that this server does not know. */
  unknownFrames: number
  /** Connections that were closed because their client read too slowly. */
  tooSlow: number
  /** Connections whose client did not answer any more. */
  lost: number
  receivedBytes: number
  sentBytes: number
}

/** A client of a document, as the document sees it. */
export interface Client {
  readonly isOver: boolean
  readonly isReadOnly: boolean
  /** What goes into its states as `user`, whatever it says. */
  readonly user: object | undefined
  send(frame: SharedFrame): void
  /** So many updates of it are in the document, or were. */
  acknowledge(count: number): void
  /** The causes of its update are not here. */
  hold(update: Uint8Array): void
  takeHeld(): Uint8Array[]
  /** It may only read. */
  refuseWrite(count: number): void
  refuseUpdate(error: WarpError, isFinal: boolean): void
  /** Something is wrong with the server, or with what it stands on. */
  fail(error: Error): void
}

/** A document that somebody has open, as its clients see it. */
export interface OpenDocument {
  readonly key: string
  readonly awareness: Awareness
  readonly attachmentsCount: number
  /** Whether something is not written, or not told, yet. */
  readonly isBusy: boolean
  attach(client: Client): void
  detach(client: Client): void
  /** The document, folded from the log if it is not in memory. */
  load(): Promise<Y.Doc>
  receive(from: Client, update: Uint8Array): void
  hear(from: Client, states: readonly ClientState[]): void
  close(): void
}

/** What all connections of a server have in common. */
export interface Core {
  readonly settings: DocumentsSettings
  readonly direct: DirectKeys
  readonly env: Env
  readonly counts: DocumentsCounts
  readonly relay: { tell(key: string, states: readonly ClientState[]): void }
  /** Who asks may do this, or is refused. Rejects with what the user's function throws. */
  authorise(
    document: string,
    token: string | undefined,
    request: IncomingMessage,
    signal: AbortSignal,
  ): Promise<DocumentAccess | Refusal>
  /** The document, opened if it is not; a refusal where there can be none. */
  document(name: string): OpenDocument | Refusal
  /** Forgets a document that nobody has open, once all of it is written. */
  letGo(document: OpenDocument): void
  /** Resolves when all that was written before is as safe as asked. */
  settled(): Promise<unknown>
  /** Something that a client has sent is refused: whoever runs the server is told. */
  refused(asked: { readonly name: string } | undefined, error: WarpError): void
  failed(error: unknown): void
  /** A connection has ended. */
  ended(connection: object): void
}
