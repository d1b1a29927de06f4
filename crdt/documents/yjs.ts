/**
 * Yjs documents (1) as a strategy: the state is a `Y.Doc`, an operation is a Yjs update. Warp
 * stores, orders, replicates and explains the updates; what they mean is Yjs's (YATA).
 *
 *     await warp.key('notes:1').change((doc) => doc.getText('body').insert(0, 'Hello'))
 *
 * The value is the live document. Read it, observe it, bind views to it, but write only inside
 * `change`: what is written elsewhere throws `WARP_E_MODE`, is in no log, and is gone with the next
 * read or write, which folds the document again, as a new object (`isIntact`). The same when it was
 * destroyed, or when an observer wrote in answer to what another replica had written. `merge` takes updates from Yjs clients that have documents of their own.
 * When a function given to `change` throws, its half-done writes are undone by folding the document
 * again, as a new object.
 *
 * Identity. Yjs names content by a 53-bit client id and a clock that it continues from the
 * document. The client id is the first 53 bits of the replica id, so an incarnation keeps its own
 * and a new one has another: n incarnations writing one document collide with a probability of
 * about n² / 2^54 (a thousand: 6e-11). Ids of up to 53 bits are part of Yjs's encoding. An update
 * cannot be renamed, so changes of a cloned replica cannot be issued again.
 *
 * What a writer shows is what its update decodes to. Half of a surrogate pair is not carried by
 * UTF-8, so others would see another character, and another map key: refused, wherever it is
 * written. Subdocuments are documents of their own that Yjs loads from elsewhere: refused as well.
 *
 * Deletes are refused. A Yjs document does not forget: after a delete that leaves concurrent
 * updates alive these would wait for content that is gone, and clocks would start again under names
 * that were used. Empty the document inside `change` instead.
 *
 * Determinism. Yjs tidies redundant formatting marks after a remote update by deleting them in a
 * change of its own, which would be in no log and depends on the order of arrival; `apply`
 * therefore prevents it. With that, documents that hold the same updates encode to the same bytes
 * (checked by the laws). `doc.gc` stays on: deleted content is dropped, its ids remain.
 *
 * Cost: `change` adds to Yjs one event listener, the one that asks it for the update. Not for
 * values without inner structure; a register is 50 times cheaper.
 *
 * (1) Nicolaescu, Jahns, Derntl, Klamma: Near Real-Time Peer-to-Peer Shared Editing on Extensible
 * Data Types, 2016.
 */
import { takesNothing } from '../checked-options.ts'
import * as Y from 'yjs'
import type { Encodable } from '../encoding/encodable.ts'
import type { Prepare, Strategy } from '../strategy.ts'
import type { ReplicaId } from '../time/replica-id.ts'
import { assertFunction, assertSynchronous } from '../synchronous.ts'
import { WarpError } from '../warp-error.ts'
import { refusalOf } from './yjs-content.ts'

/** Marks what `apply` does, for observers of the document: `transaction.origin === YJS_ORIGIN`. */
export const YJS_ORIGIN = 'warp'

const CLIENT_ID_BITS = 53

export interface YjsState {
  readonly doc: Y.Doc
  /**
   * What the document is being changed by; anything that happens while `idle` is a stray change.
   */
  mode: 'idle' | 'verb' | 'apply'
  /** The updates that the running verb has caused: one, unless an observer wrote as well. */
  readonly updates: Uint8Array[]
  /** What the running verb has written that cannot be carried. */
  refusal: WarpError | undefined
  /** Whether somebody wrote to the document outside of a verb. */
  isStray: boolean
  /** The replica that wrote last, and its client id. */
  writer: ReplicaId | undefined
  clientId: number
  /**
   * Listens for updates, except while operations are applied: Yjs would encode what it has just
   * decoded.
   */
  readonly record: (update: Uint8Array, origin: unknown, doc: Y.Doc, transaction: Y.Transaction) => void
}

export type YjsVerbs = {
  /**
   * Runs the function in one transaction; everything that it writes is one operation. Its result is
   * ignored; not async.
   */
  readonly change: (prepare: Prepare<YjsState>, run: (doc: Y.Doc) => unknown) => Uint8Array | undefined
  /**
   * Takes in an update (version 1) of another Yjs document. Throws `WARP_E_PROTOCOL` if it is
   * malformed or builds on updates that are not here; what is here already writes nothing.
   */
  readonly merge: (prepare: Prepare<YjsState>, update: Uint8Array) => Uint8Array | undefined
}

/** A Yjs document per key. Needs `yjs` 13.6 or newer. */
export function yjs(): Strategy<Y.Doc, YjsState, Uint8Array, YjsVerbs> {
  // eslint-disable-next-line prefer-rest-params -- a rest parameter would be seen in its type
  takesNothing('yjs', arguments)
  return {
    kind: 'yjs',
    code: 12,
    fold: 'any',
    deletes: 'refused',
    appliesOnPrepare: true,
    initial: createState,
    apply: (state, operation) => {
      applyUpdate(state, operation.payload)
      return state
    },
    read: (state) => (isEmpty(state) ? undefined : state.doc),
    isIntact: (state) => !state.isStray && !state.doc.isDestroyed && state.doc.gc,
    isEmpty,
    encodeState: (state) => Y.encodeStateAsUpdate(state.doc),
    decodeState: (encoded: Encodable) => {
      const state = createState()
      applyUpdate(state, encoded as Uint8Array) // from encodeState
      return state
    },
    verbs: { change, merge },
  }
}

function change(prepare: Prepare<YjsState>, run: (doc: Y.Doc) => unknown): Uint8Array | undefined {
  assertFunction(run)
  const state = openForWriting(prepare)
  let returned: unknown
  try {
    returned = state.doc.transact(() => run(state.doc))
  } finally {
    state.mode = 'idle'
  }
  assertSynchronous(returned, 'change()')
  if (state.doc.isDestroyed) throw destroyed()
  return takeUpdate(state)
}

function merge(prepare: Prepare<YjsState>, update: Uint8Array): Uint8Array | undefined {
  const state = openForWriting(prepare)
  try {
    integrate(state, update)
  } catch (cause) {
    throw new WarpError('WARP_E_PROTOCOL', 'malformed Yjs update; merge() takes updates of version 1', { cause })
  } finally {
    state.mode = 'idle'
  }
  const { store } = state.doc
  if (store.pendingStructs !== null || store.pendingDs !== null) {
    throw new WarpError(
      'WARP_E_PROTOCOL',
      'the Yjs update builds on updates that are not here; send what Y.encodeStateAsUpdate(doc, stateVector) gives',
    )
  }
  return takeUpdate(state)
}

function createState(): YjsState {
  const doc = new Y.Doc({ guid: YJS_ORIGIN })
  doc.clientID = 0
  const record = (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction: Y.Transaction): void => {
    if (state.mode === 'verb') {
      state.updates.push(update)
      state.refusal ??= refusalOf(transaction)
    } else if (!state.isStray) {
      state.isStray = true
      doc.once('afterAllTransactions', () => {
        throw strayChange() // not earlier: Yjs would be left in the middle of its own tidying
      })
    }
  }
  const state: YjsState = {
    ...{ doc, mode: 'idle', updates: [], refusal: undefined },
    ...{ isStray: false, writer: undefined, clientId: 0, record },
  }
  doc.on('update', record)
  return state
}

function applyUpdate(state: YjsState, update: Uint8Array): void {
  const { doc, record } = state
  doc.off('update', record)
  state.mode = 'apply'
  try {
    integrate(state, update)
  } finally {
    state.mode = 'idle'
    doc.on('update', record)
  }
}

/** Takes the update in and lets Yjs change nothing else: see Determinism above. */
function integrate(state: YjsState, update: Uint8Array): void {
  const { doc } = state
  const settle = (transaction: Y.Transaction): void => {
    if (!transaction.local) transaction._needFormattingCleanup = false
    else if (state.mode === 'apply' && transaction.changed.size > 0) state.isStray = true // an observer wrote
  }
  doc.on('afterTransaction', settle)
  try {
    Y.applyUpdate(doc, update, YJS_ORIGIN)
  } finally {
    doc.off('afterTransaction', settle)
  }
}

function openForWriting(prepare: Prepare<YjsState>): YjsState {
  const state = prepare.state()
  if (state.isStray) throw strayChange()
  if (state.writer !== prepare.replica) {
    state.writer = prepare.replica
    state.clientId = clientIdOf(prepare.replica)
  }
  state.doc.clientID = state.clientId // set each time, because Yjs changes it when it meets it elsewhere
  state.updates.length = 0
  state.refusal = undefined
  state.mode = 'verb'
  return state
}

function takeUpdate(state: YjsState): Uint8Array | undefined {
  const { updates, refusal } = state
  if (refusal !== undefined) throw refusal
  return updates.length > 1 ? Y.mergeUpdates(updates) : updates[0]
}

function isEmpty(state: YjsState): boolean {
  return state.doc.store.clients.size === 0
}

function clientIdOf(replica: ReplicaId): number {
  return Number(BigInt(`0x${replica}`) >> BigInt(replica.length * 4 - CLIENT_ID_BITS))
}

function destroyed(): WarpError {
  return new WarpError('WARP_E_MODE', 'a Yjs document in Warp was destroyed inside change(); nothing was written')
}

function strayChange(): WarpError {
  return new WarpError('WARP_E_MODE', 'a Yjs document in Warp was written outside change(); that write is not kept')
}
