/**
 * The two ways in which the demo keeps a text: which key, how a patch is written to it, and how it
 * is read. Yjs is loaded when it is wanted: the package does without it.
 */
import { openWarp, type KeyMap, type Warp, type WarpOptions } from '../../../adapters/node/index.ts'
import { text } from '../../../crdt/sequence/text.ts'
import type { DocumentKind } from './document-kinds.ts'
import type { Patch } from './trace-file.ts'

export interface Document {
  /**
   * The operation has been appended when this returns; the promise settles when it is in the log.
   */
  write(patch: Patch): Promise<unknown>
  read(): Promise<string>
}

/** What an author needs of its engine, whatever keeps the document. */
export type DocumentWarp = Pick<Warp<KeyMap>, 'replica' | 'project' | 'stats' | 'peers' | 'close'>

export interface OpenDocument {
  readonly warp: DocumentWarp
  readonly document: Document
}

export interface DocumentOptions {
  readonly kind: DocumentKind
  /** Whether the document may hold characters of two UTF-16 units. */
  readonly hasSurrogates: boolean
}

type Options = Omit<WarpOptions<KeyMap>, 'keys'>

export function openDocument({ kind, hasSurrogates }: DocumentOptions, options: Options): Promise<OpenDocument> {
  return kind === 'text' ? openText(options) : openYjs(options, hasSurrogates)
}

async function openText(options: Options): Promise<OpenDocument> {
  const warp = await openWarp({ ...options, keys: { 'text:*': text() } })
  const handle = warp.key('text:trace')
  const document: Document = {
    write: ([position, deleted, inserted]) => handle.splice(position, deleted, inserted),
    read: async () => (await handle.get()) ?? '',
  }
  return { warp, document }
}

async function openYjs(options: Options, hasSurrogates: boolean): Promise<OpenDocument> {
  const { yjs } = await import('../../../crdt/documents/yjs.ts')
  const warp = await openWarp({ ...options, keys: { 'yjs:*': yjs() } })
  const handle = warp.key('yjs:trace')
  const document: Document = {
    write: ([position, deleted, inserted]) =>
      handle.change((doc) => {
        const body = doc.getText('body')
        const unitsOf = hasSurrogates ? unitCounter(body.toJSON()) : unchanged
        const from = unitsOf(position)
        const to = unitsOf(position + deleted)
        if (to > body.length) throw new RangeError(`position ${position + deleted} is beyond the end of the text`)
        if (deleted > 0) body.delete(from, to - from)
        if (inserted !== '') body.insert(from, inserted)
      }),
    read: async () => (await handle.get())?.getText('body').toJSON() ?? '',
  }
  return { warp, document }
}

/** Histories count code points, Yjs counts UTF-16 units. */
function unitCounter(content: string): (position: number) => number {
  const points = [...content]
  return (position) => points.slice(0, position).join('').length + Math.max(0, position - points.length)
}

function unchanged(position: number): number {
  return position
}
