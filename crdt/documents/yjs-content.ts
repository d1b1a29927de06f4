/**
 * What a Yjs transaction has written that its update cannot carry to others as it is: ill-formed
 * text, and subdocuments. Looks at the items that are new, not at the document. O(what was written).
 */
import * as Y from 'yjs'
import { WarpError } from '../warp-error.ts'

/** Why what the transaction wrote is refused; `undefined` if nothing is wrong with it. */
export function refusalOf({ doc, beforeState, afterState }: Y.Transaction): WarpError | undefined {
  for (const [client, end] of afterState) {
    const begin = beforeState.get(client) ?? 0
    if (begin === end) continue
    const structs = doc.store.clients.get(client) ?? []
    for (let i = Y.findIndexSS(structs, begin); i < structs.length; i++) {
      const struct = structs[i]
      const refusal = struct instanceof Y.Item && !struct.deleted ? refusalOfItem(struct) : undefined
      if (refusal !== undefined) return refusal
    }
  }
  return undefined
}

function refusalOfItem(item: Y.Item): WarpError | undefined {
  const { content, parentSub } = item
  if (content instanceof Y.ContentDoc) return subdocument()
  if (isIllFormed(parentSub)) return illFormed('the name of a map entry or an attribute')
  if (isIllFormed(rootNameOf(item))) return illFormed('the name of a shared type')
  return isIllFormed(carriedBy(content)) ? illFormed('a text or value') : undefined
}

/** The name of the type that the item lies in, where that is one of the document's own. */
function rootNameOf({ parent }: Y.Item): string | undefined {
  if (!(parent instanceof Y.AbstractType) || parent._item !== null) return undefined
  return Y.findRootTypeKey(parent)
}

/** Everything in which text may hide. */
function carriedBy(content: Y.Item['content']): unknown {
  if (content instanceof Y.ContentString) return content.str
  if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) return content.arr
  if (content instanceof Y.ContentFormat) return [content.key, content.value]
  if (content instanceof Y.ContentEmbed) return content.embed
  if (content instanceof Y.ContentType) return (content.type as { readonly nodeName?: unknown }).nodeName
  return undefined
}

function isIllFormed(value: unknown): boolean {
  if (typeof value === 'string') return !value.isWellFormed()
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false
  if (Array.isArray(value)) return value.some(isIllFormed)
  return Object.entries(value).some(([name, entry]) => isIllFormed(name) || isIllFormed(entry))
}

function illFormed(what: string): WarpError {
  return new WarpError(
    'WARP_E_UNENCODABLE',
    `${what} has half of a surrogate pair, which other replicas would read as another character; nothing was written; ` +
      'keep the two halves together',
  )
}

function subdocument(): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    'a subdocument is a document of its own, which Warp would not carry; nothing was written; ' +
      'give it a key of its own and keep the key here',
  )
}
