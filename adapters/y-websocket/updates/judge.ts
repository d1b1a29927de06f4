/** Whether a document may take an update, told before the document sees it: 13 µs for a keystroke. */
import * as Y from 'yjs'
import { WarpError } from '../../../crdt/warp-error.ts'
import { CausalOrder, type DecodedUpdate, type KnownUpTo } from './causal-order.ts'

/**
 * `'early'`: it builds on what is not here. `isNew`: it says something that is not here. An update that
 * deletes counts as new, since that cannot be told without the document.
 */
export type Judgement = { readonly kind: 'early' } | { readonly kind: 'fine'; readonly isNew: boolean }

const EMPTY_BYTES = 2

/** Throws `WARP_E_PROTOCOL` for what is no update of version 1, `WARP_E_MODE` for a subdocument. */
export function judge(update: Uint8Array, known: KnownUpTo): Judgement {
  const decoded = decoded1(update)
  const order = new CausalOrder(decoded, known)
  let isNew = decoded.ds.clients.size > 0
  for (const struct of order.structs()) {
    if (struct.id.clock + struct.length > known(struct.id.client)) isNew = true
    if (struct instanceof Y.Item && struct.content instanceof Y.ContentDoc) throw subdocument()
  }
  return order.isWhole ? { kind: 'fine', isNew } : { kind: 'early' }
}

/** Throws `WARP_E_PROTOCOL`. */
export function decoded1(update: Uint8Array): DecodedUpdate {
  let decoded: DecodedUpdate
  try {
    decoded = Y.decodeUpdate(update)
  } catch (cause) {
    throw notAnUpdate(cause)
  }
  // Of version 2 an update is decoded without an error, to nothing at all.
  if (decoded.structs.length === 0 && decoded.ds.clients.size === 0 && update.length > EMPTY_BYTES) throw notAnUpdate()
  return decoded
}

function notAnUpdate(cause?: unknown): WarpError {
  const problem = 'a client has sent bytes that are no Yjs update of version 1; giving up on it'
  return new WarpError('WARP_E_PROTOCOL', problem, { cause })
}

function subdocument(): WarpError {
  return new WarpError(
    'WARP_E_MODE',
    'a subdocument is a document of its own, which this server does not carry inside another one; ' +
      'open it as a document with a name of its own, and keep the name here',
  )
}
