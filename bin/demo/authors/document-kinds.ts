/** What may keep a document of the demo. `yjs` needs the package of that name. */
export const DOCUMENT_KINDS = ['text', 'yjs'] as const
export type DocumentKind = (typeof DOCUMENT_KINDS)[number]
