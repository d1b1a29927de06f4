/**
 * The two ways in which the demo keeps a text: which key, how a patch is written to it, and how it
 * is read.
 */
import type { Warp } from '../../../adapters/node/index.ts'
import { text } from '../../../crdt/sequence/text.ts'
import { yjs } from '../../../crdt/documents/yjs.ts'
import type { Patch } from './trace-file.ts'

export const DOCUMENT_KINDS = ['text', 'yjs'] as const
export type DocumentKind = (typeof DOCUMENT_KINDS)[number]

export type DocumentKeys = {
  readonly 'text:*': ReturnType<typeof text>
  readonly 'yjs:*': ReturnType<typeof yjs>
}

export const DOCUMENT_KEYS: DocumentKeys = { 'text:*': text(), 'yjs:*': yjs() }

export interface Document {
  /**
   * The operation has been appended when this returns; the promise settles when it is in the log.
   */
  write(patch: Patch): Promise<unknown>
  read(): Promise<string>
}

export interface DocumentOptions {
  readonly kind: DocumentKind
  /** Whether the document may hold characters of two UTF-16 units. */
  readonly hasSurrogates: boolean
}

export function documentOf(warp: Warp<DocumentKeys>, { kind, hasSurrogates }: DocumentOptions): Document {
  return kind === 'text' ? textDocument(warp) : yjsDocument(warp, hasSurrogates)
}

function textDocument(warp: Warp<DocumentKeys>): Document {
  const handle = warp.key('text:trace')
  return {
    write: ([position, deleted, inserted]) => handle.splice(position, deleted, inserted),
    read: async () => (await handle.get()) ?? '',
  }
}

function yjsDocument(warp: Warp<DocumentKeys>, hasSurrogates: boolean): Document {
  const handle = warp.key('yjs:trace')
  return {
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
}

/** Histories count code points, Yjs counts UTF-16 units. */
function unitCounter(content: string): (position: number) => number {
  const points = [...content]
  return (position) => points.slice(0, position).join('').length + Math.max(0, position - points.length)
}

function unchanged(position: number): number {
  return position
}
