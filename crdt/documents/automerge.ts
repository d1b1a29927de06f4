/**
 * Automerge documents (1) as a strategy: the state is an Automerge document, an operation is an
 * Automerge change. Warp stores, orders, replicates and explains the changes; what they mean is
 * Automerge's.
 *
 *     await warp.key('board:1').change((doc) => { doc.title = 'Plan' })
 *
 * The value is the document, a frozen plain object of the shape that Automerge gives it. A function
 * that throws leaves it as it was. Changes carry no wall-clock time (Warp stamps the operation), so
 * that equal edits make equal bytes.
 *
 * Identity. Automerge names operations by an actor and a counter. The actor is the replica id,
 * which is a valid actor id and stands for one incarnation. A change is sealed by its hash, so
 * changes of a cloned replica cannot be issued again under another identity.
 *
 * Deletes are refused: a document does not forget, and changes that survived a delete would wait
 * for dependencies that are gone. Empty the document inside `change` instead.
 *
 * Determinism. What `Automerge.save` writes depends on the order in which changes arrived and on
 * how they were batched; snapshots are therefore saved from a second document that took all changes
 * at once, in causal order, ties by actor.
 *
 * Cost: Automerge's own, some 150 to 400 µs a change and about 50 bytes; see docs/performance.md
 * for lists, which are ten times cheaper. Not for values without inner structure.
 *
 * (1) Kleppmann, Beresford: A Conflict-Free Replicated JSON Datatype, 2017; automerge.org.
 */
import * as Automerge from '@automerge/automerge'
import type { Encodable } from '../encoding/encodable.ts'
import type { Prepare, Strategy } from '../strategy.ts'
import { WarpError } from '../warp-error.ts'

/** The actor of documents that only take changes in; it never writes. */
const READER = '0000000000000000'

type Shape = Readonly<Record<string, unknown>>

export interface AutomergeState<T> {
  doc: Automerge.Doc<T>
}

export type AutomergeVerbs<T> = {
  /**
   * Runs the function on a draft; everything that it writes is one operation. Its result is
   * ignored; not async.
   */
  readonly change: (prepare: Prepare<AutomergeState<T>>, run: (draft: T) => unknown) => Uint8Array | undefined
}

/** An Automerge document per key. Needs `@automerge/automerge` 3. */
export function automerge<T extends object = Shape>(): Strategy<
  Automerge.Doc<T>,
  AutomergeState<T>,
  Uint8Array,
  AutomergeVerbs<T>
> {
  return {
    kind: 'automerge',
    code: 13,
    fold: 'any',
    deletes: 'refused',
    appliesOnPrepare: true,
    initial: () => ({ doc: Automerge.init<T>({ actor: READER, freeze: true }) }),
    apply: (state, operation) => {
      state.doc = Automerge.applyChanges(state.doc, [operation.payload])[0]
      return state
    },
    read: (state) => (isEmpty(state) ? undefined : state.doc),
    isEmpty,
    encodeState: (state) => saveInOrder(state.doc),
    decodeState: (encoded: Encodable) => ({
      doc: Automerge.load<T>(encoded as Uint8Array, { actor: READER, freeze: true }), // from encodeState
    }),
    verbs: { change },
  }
}

function change<T>(prepare: Prepare<AutomergeState<T>>, run: (draft: T) => unknown): Uint8Array | undefined {
  const state = prepare.state()
  if (Automerge.getActorId(state.doc) !== prepare.replica) {
    state.doc = Automerge.clone(state.doc, { actor: prepare.replica, freeze: true })
  }
  const before = state.doc
  let returned: unknown
  const after = Automerge.change(before, { time: 0 }, (draft) => {
    returned = run(draft)
  })
  if (returned instanceof Promise) {
    throw new WarpError(
      'WARP_E_MODE',
      'change() takes a function that is done when it returns; await before calling change()',
    )
  }
  if (after === before) return undefined
  state.doc = after
  return Automerge.getLastLocalChange(after)
}

function isEmpty<T>(state: AutomergeState<T>): boolean {
  return Automerge.getHeads(state.doc).length === 0
}

function saveInOrder<T>(doc: Automerge.Doc<T>): Uint8Array {
  const stamped = Automerge.getAllChanges(doc).map((bytes) => {
    const { startOp, actor } = Automerge.decodeChange(bytes)
    return { bytes, startOp, actor }
  })
  const ordered = stamped.sort(compare).map(({ bytes }) => bytes)
  const inOrder = Automerge.applyChanges(Automerge.init({ actor: READER }), ordered)[0]
  try {
    return Automerge.save(inOrder)
  } finally {
    Automerge.free(inOrder) // or its WebAssembly memory stays until a finalizer gets to it
  }
}

/** A change starts counting above all that it has seen, so this order extends happened-before. */
function compare(a: { startOp: number; actor: string }, b: { startOp: number; actor: string }): number {
  return a.startOp - b.startOp || (a.actor < b.actor ? -1 : 1)
}
